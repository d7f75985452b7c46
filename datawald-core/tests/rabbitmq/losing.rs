//! Connections that are lost, and a broker that is away.

use std::future::Future;
use std::time::{Duration, Instant};

use datawald_core::queue::{Delivery, Published, RabbitQueue, TaskQueue};
use datawald_core::{Disposition, ErrorKind, Result};

use crate::broker::{self, Keep};
use crate::proxy::Proxy;
use crate::tasks::{SOON, flow, key, receive, task};

/// No method takes longer than this while the broker is away.
const BOUND: Duration = Duration::from_secs(15);

async fn behind(proxy: &Proxy) -> (RabbitQueue, Keep) {
    let (queue, mut keep) = broker::queue_with(|settings| {
        settings.uri = proxy.uri().into();
        // The first message to a queue needs a channel, and the queue's first confirm; and a connection that was cut is to be
        // noticed before.
        settings.publish_timeout_ms = 3_000;
        settings.connect_timeout_ms = 3_000;
    })
    .await;
    // The queues are deleted whatever has become of the proxy.
    keep.settings.uri = broker::uri().into();
    (queue, keep)
}

/// Does it until it works; what fails meanwhile must be retryable.
async fn at_last<T, F: Future<Output = Result<T>>>(mut act: impl FnMut() -> F) -> T {
    let trying = async {
        loop {
            match act().await {
                Ok(done) => return done,
                Err(error) => {
                    assert_eq!(error.disposition(), Disposition::Retryable { after: None }, "{error:?}");
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
            }
        }
    };
    tokio::time::timeout(SOON, trying).await.expect("it never worked again")
}

async fn received_at_last(queue: &RabbitQueue) -> Delivery {
    let flow = flow();
    at_last(|| queue.receive(&flow, SOON)).await.expect("no message came")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_was_cut_is_made_again() {
    let proxy = Proxy::start().await;
    let (queue, _keep) = behind(&proxy).await;
    for n in 0..3 {
        assert_eq!(queue.publish(task(&n.to_string())).await.unwrap(), Published::Queued);
    }
    let in_hand = receive(&queue).await;
    let lost = key(&in_hand);
    let waiting = tokio::spawn({
        let queue = queue.clone();
        async move {
            let mut keys = Vec::new();
            while keys.len() < 4 {
                let delivery = received_at_last(&queue).await;
                keys.push((key(&delivery), delivery.redelivered));
                // One that came just before the cut comes again after it.
                let _ = queue.ack(delivery).await;
                keys.sort();
                keys.dedup_by(|one, other| one.0 == other.0);
            }
            keys
        }
    });
    proxy.cut().await;
    assert_eq!(at_last(|| queue.publish(task("3"))).await, Published::Queued);
    let keys = tokio::time::timeout(SOON, waiting).await.unwrap().unwrap();
    assert_eq!(keys.iter().map(|(key, _)| key.as_str()).collect::<Vec<_>>(), ["0", "1", "2", "3"]);
    let again = keys.iter().find(|(key, _)| *key == lost).unwrap();
    assert!(again.1 >= 1, "it does not tell that it came before");
    let error = queue.ack(in_hand).await.unwrap_err();
    assert!(error.to_string().contains("delivered again"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_broker_is_away_everything_answers() {
    let proxy = Proxy::start().await;
    let (queue, _keep) = behind(&proxy).await;
    for n in 0..2 {
        queue.publish(task(&n.to_string())).await.unwrap();
    }
    let (one, other) = (receive(&queue).await, receive(&queue).await);
    let mut waiting = tokio::spawn({
        let queue = queue.clone();
        async move { queue.receive(&flow(), Duration::from_secs(3600)).await }
    });
    tokio::select! {
        received = &mut waiting => panic!("{received:?}"),
        () = tokio::time::sleep(Duration::from_millis(50)) => {}
    }
    proxy.away().await;
    let answered = tokio::time::timeout(BOUND, waiting).await.expect("a receiver waits for a broker that is gone");
    let mut errors = vec![answered.unwrap().map(|_| ()).unwrap_err()];
    for round in 0..3 {
        let started = Instant::now();
        errors.push(queue.publish(task("3")).await.map(|_| ()).unwrap_err());
        errors.push(queue.receive(&flow(), Duration::from_secs(3600)).await.map(|_| ()).unwrap_err());
        errors.push(queue.dead(&task("3"), "why").await.unwrap_err());
        errors.push(queue.dead_letters(&flow(), 10).await.map(|_| ()).unwrap_err());
        assert!(started.elapsed() < BOUND, "round {round} took {:?}", started.elapsed());
    }
    for error in errors {
        assert_eq!(error.disposition(), Disposition::Retryable { after: None }, "{error:?}");
        assert_eq!(error.kind(), ErrorKind::Unreachable, "{error:?}");
        assert!(error.to_string().contains(&proxy.address()), "{error}");
    }
    // What is in hand cannot be done with, and comes again.
    let started = Instant::now();
    queue.ack(one).await.unwrap_err();
    queue.retry_later(other, Duration::from_secs(600)).await.unwrap_err();
    assert!(started.elapsed() < BOUND);
    proxy.back().await;
    let mut keys = Vec::new();
    for _ in 0..2 {
        let delivery = received_at_last(&queue).await;
        keys.push(key(&delivery));
        queue.ack(delivery).await.unwrap();
    }
    keys.sort();
    assert_eq!(keys, ["0", "1"]);
    assert_eq!(at_last(|| queue.publish(task("4"))).await, Published::Queued);
    assert_eq!(key(&receive(&queue).await), "4");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broker_that_says_nothing_is_waited_for_no_longer_than_set() {
    let proxy = Proxy::start().await;
    let (queue, _keep) = behind(&proxy).await;
    queue.publish(task("1")).await.unwrap();
    queue.ack(receive(&queue).await).await.unwrap();
    proxy.stall();
    let started = Instant::now();
    let error = queue.publish(task("2")).await.unwrap_err();
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::Timeout, Disposition::Retryable { after: None }));
    assert!(error.to_string().contains(&proxy.address()), "{error}");
    assert!(started.elapsed() < BOUND);
    let started = Instant::now();
    assert!(queue.receive(&flow(), Duration::from_millis(100)).await.unwrap().is_none());
    assert_eq!(queue.dead_letters(&flow(), 1).await.unwrap_err().kind(), ErrorKind::Timeout);
    assert!(started.elapsed() < BOUND);
    proxy.cut().await;
    assert_eq!(at_last(|| queue.publish(task("3"))).await, Published::Queued);
    // What was on its way when it fell silent may have arrived or not: an acknowledgement, and what was not confirmed.
    loop {
        let delivery = received_at_last(&queue).await;
        let key = key(&delivery);
        queue.ack(delivery).await.unwrap();
        if key == "3" {
            break;
        }
        assert!(key == "1" || key == "2", "{key}");
    }
}
