//! Several processes on the same queues: who holds what, and how it gets to others.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use datawald_core::queue::{RabbitQueue, TaskQueue};

use crate::broker;
use crate::tasks::{SOON, flow, key, receive, task};

#[tokio::test(flavor = "multi_thread")]
async fn processes_share_what_is_there() {
    const MESSAGES: usize = 40;
    let (one, keep) = broker::queue_with(|settings| settings.prefetch = 2).await;
    let other = RabbitQueue::connect(keep.settings.clone()).await.unwrap();
    // Both have begun to receive.
    for queue in [&one, &other] {
        assert!(queue.receive(&flow(), Duration::ZERO).await.unwrap().is_none());
    }
    for n in 0..MESSAGES {
        one.publish(task(&format!("{n:02}"))).await.unwrap();
    }
    let mut seen = BTreeSet::new();
    let mut note = |key: String| assert!(seen.insert(key.clone()), "{key} came twice");
    // Each gets more than it may hold, while there is something for the other too.
    for _ in 0..4 {
        for queue in [&one, &other] {
            let delivery = receive(queue).await;
            assert_eq!(delivery.redelivered, 0);
            note(key(&delivery));
            queue.ack(delivery).await.unwrap();
        }
    }
    // The rest in any order, at the same time.
    let left = Arc::new(AtomicUsize::new(MESSAGES - 8));
    let receiving = [one.clone(), other].map(|queue| {
        let left = left.clone();
        tokio::spawn(async move {
            let mut seen = Vec::new();
            while left.load(Ordering::SeqCst) > 0 {
                // Short, since it may be the other that gets the last one.
                let Some(delivery) = queue.receive(&flow(), Duration::from_millis(100)).await.unwrap() else {
                    continue;
                };
                assert_eq!(delivery.redelivered, 0);
                seen.push(key(&delivery));
                queue.ack(delivery).await.unwrap();
                left.fetch_sub(1, Ordering::SeqCst);
            }
            seen
        })
    });
    for receiving in receiving {
        let share = tokio::time::timeout(SOON, receiving).await.expect("messages were lost").unwrap();
        share.into_iter().for_each(&mut note);
    }
    assert_eq!(seen.len(), MESSAGES);
    assert!(one.receive(&flow(), Duration::from_millis(200)).await.unwrap().is_none());
}

#[tokio::test(flavor = "multi_thread")]
async fn no_more_is_held_than_set() {
    let (one, keep) = broker::queue_with(|settings| settings.prefetch = 2).await;
    for n in 0..3 {
        one.publish(task(&n.to_string())).await.unwrap();
    }
    let held = [receive(&one).await, receive(&one).await];
    assert!(one.receive(&flow(), Duration::from_millis(200)).await.unwrap().is_none());
    let other = RabbitQueue::connect(keep.settings.clone()).await.unwrap();
    assert_eq!(key(&receive(&other).await), "2");
    for delivery in held {
        one.ack(delivery).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delivery_that_is_dropped_comes_again() {
    let (queue, _keep) = broker::queue_with(|settings| settings.prefetch = 1).await;
    queue.publish(task("1")).await.unwrap();
    for times in 0..3 {
        let delivery = receive(&queue).await;
        assert_eq!((key(&delivery), delivery.redelivered), ("1".to_owned(), times));
        drop(delivery);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nobody_here_takes_goes_to_others() {
    let (one, keep) = broker::queue_with(|settings| settings.idle_ms = 300).await;
    for n in 0..5 {
        one.publish(task(&n.to_string())).await.unwrap();
    }
    // One is in hand, the rest is held and nobody takes it.
    let in_hand = receive(&one).await;
    let other = RabbitQueue::connect(keep.settings.clone()).await.unwrap();
    let mut seen = BTreeSet::from([key(&in_hand)]);
    for _ in 0..4 {
        let delivery = receive(&other).await;
        seen.insert(key(&delivery));
        other.ack(delivery).await.unwrap();
    }
    assert_eq!(seen.len(), 5, "what is in hand is nobody else's");
    one.ack(in_hand).await.unwrap();
    // It receives again when it is asked to.
    other.close().await;
    one.publish(task("5")).await.unwrap();
    assert_eq!(key(&receive(&one).await), "5");
}

#[tokio::test(flavor = "multi_thread")]
async fn closing_gives_back_at_once() {
    // The receiver below drops what it gets, again and again, and each time counts as a delivery.
    let (one, keep) = broker::queue_with(|settings| settings.delivery_limit = 100_000).await;
    for n in 0..4 {
        one.publish(task(&n.to_string())).await.unwrap();
    }
    let in_hand = receive(&one).await;
    let waiting = tokio::spawn({
        let one = one.clone();
        async move { while one.receive(&flow(), SOON).await.is_ok() {} }
    });
    one.close().await;
    tokio::time::timeout(SOON / 2, waiting).await.expect("a receiver waits for a queue that is closed").unwrap();
    let other = RabbitQueue::connect(keep.settings.clone()).await.unwrap();
    let mut seen = BTreeSet::new();
    for _ in 0..4 {
        let delivery = receive(&other).await;
        seen.insert(key(&delivery));
        other.ack(delivery).await.unwrap();
    }
    assert_eq!(seen.len(), 4);
    let errors = [
        one.ack(in_hand).await.unwrap_err(),
        one.publish(task("5")).await.map(|_| ()).unwrap_err(),
        one.receive(&flow(), SOON).await.map(|_| ()).unwrap_err(),
        one.dead_letters(&flow(), 1).await.map(|_| ()).unwrap_err(),
    ];
    for error in &errors[1..] {
        assert!(error.to_string().contains("was closed"), "{error}");
    }
    one.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_is_dropped_gives_back() {
    let (queue, keep) = broker::queue().await;
    queue.publish(task("1")).await.unwrap();
    queue.publish(task("2")).await.unwrap();
    let other = RabbitQueue::connect(keep.settings.clone()).await.unwrap();
    drop(receive(&other).await);
    drop(other);
    let mut seen = BTreeSet::new();
    for _ in 0..2 {
        let delivery = receive(&queue).await;
        seen.insert(key(&delivery));
        queue.ack(delivery).await.unwrap();
    }
    assert_eq!(seen.len(), 2);
}
