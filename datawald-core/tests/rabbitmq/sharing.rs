//! Several processes on the same queues: who holds what, and how it gets to others.

use std::collections::BTreeSet;
use std::time::Duration;

use datawald_core::queue::{RabbitQueue, TaskQueue};

use crate::broker;
use crate::tasks::{SOON, flow, key, receive, task};

#[tokio::test(flavor = "multi_thread")]
async fn processes_share_what_is_there() {
    let (one, keep) = broker::queue_with(|settings| settings.prefetch = 2).await;
    let other = RabbitQueue::connect(keep.settings.clone()).await.unwrap();
    // Both have begun to receive.
    for queue in [&one, &other] {
        assert!(queue.receive(&flow(), Duration::ZERO).await.unwrap().is_none());
    }
    for n in 0..40 {
        one.publish(task(&format!("{n:02}"))).await.unwrap();
    }
    let receiving = [one, other].map(|queue| {
        tokio::spawn(async move {
            let mut seen = Vec::new();
            while let Some(delivery) = queue.receive(&flow(), Duration::from_secs(1)).await.unwrap() {
                assert_eq!(delivery.redelivered, 0);
                seen.push(key(&delivery));
                queue.ack(delivery).await.unwrap();
            }
            seen
        })
    });
    let mut seen = BTreeSet::new();
    for receiving in receiving {
        let share = receiving.await.unwrap();
        assert!(share.len() >= 4, "one of them had only {share:?}");
        for key in share {
            assert!(seen.insert(key.clone()), "{key} came twice");
        }
    }
    assert_eq!(seen.len(), 40);
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
    let (one, keep) = broker::queue().await;
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
