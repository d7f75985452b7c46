//! The queues at the broker: deleted, made otherwise, and with foreign things in them.

use std::time::{Duration, Instant};

use datawald_core::model::{FlowId, Table};
use datawald_core::queue::{DeadLetter, Published, RabbitQueue, TaskMessage, TaskQueue};
use datawald_core::{Disposition, ErrorKind};
use lapin::BasicProperties;
use lapin::options::{BasicPublishOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable};

use crate::broker;
use crate::tasks::{SOON, flow, key, letters, receive, task};

/// Puts something into the queue of the flow as somebody else would.
async fn put(queue: &RabbitQueue, suffix: &str, body: &[u8], properties: BasicProperties) {
    let channel = broker::channel().await;
    let name = format!("{}{suffix}", queue.queue_name(&flow()));
    channel
        .basic_publish("".into(), name.into(), BasicPublishOptions::default(), body, properties)
        .await
        .unwrap()
        .await
        .unwrap();
    channel.close(200, "done".into()).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn queues_that_were_deleted_are_made_again() {
    let (queue, keep) = broker::queue().await;
    let operator = RabbitQueue::connect(keep.settings.clone()).await.unwrap();
    queue.publish(task("lost with its queue")).await.unwrap();
    let delivery = receive(&queue).await;
    let waiting = tokio::spawn({
        let queue = queue.clone();
        async move { key(&receive(&queue).await) }
    });
    // With a receiver waiting, whose consumer RabbitMQ cancels.
    operator.delete_queues(&flow()).await.unwrap();
    assert_eq!(queue.publish(task("1")).await.unwrap(), Published::Queued);
    assert_eq!(tokio::time::timeout(SOON, waiting).await.unwrap().unwrap(), "1");
    // With nobody receiving, before each thing that is published.
    let publisher = RabbitQueue::connect(keep.settings.clone()).await.unwrap();
    for _ in 0..2 {
        publisher.publish(task("known to be there")).await.unwrap();
        operator.delete_queues(&flow()).await.unwrap();
    }
    assert_eq!(publisher.publish(task("2")).await.unwrap(), Published::Queued);
    let second = loop {
        let delivery = receive(&queue).await;
        if key(&delivery) == "2" {
            break delivery;
        }
        // It was handed over before its queue was deleted.
        queue.ack(delivery).await.unwrap();
    };
    operator.delete_queues(&flow()).await.unwrap();
    queue.dead(&task("3"), "why").await.unwrap();
    assert_eq!(letters(&queue, 1).await.len(), 1);
    operator.delete_queues(&flow()).await.unwrap();
    // What was in hand all the time. Its delay is over when its queue is there again: the receiver makes it.
    let delay = Duration::from_secs(1);
    let started = Instant::now();
    queue.retry_later(delivery, delay).await.unwrap();
    queue.retry_later(second, delay).await.unwrap();
    let mut keys = [key(&receive(&queue).await), key(&receive(&queue).await)];
    keys.sort();
    assert_eq!(keys, ["2", "lost with its queue"]);
    assert!(started.elapsed() >= delay);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queue_that_was_made_otherwise_is_a_mistake_to_be_mended() {
    let (queue, keep) = broker::queue().await;
    let name = queue.queue_name(&flow());
    // By somebody else.
    let channel = broker::channel().await;
    let durable = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
    channel.queue_declare(name.as_str().into(), durable, FieldTable::default()).await.unwrap();
    let published = queue.publish(task("1")).await.unwrap_err();
    let received = queue.receive(&flow(), SOON).await.map(|_| ()).unwrap_err();
    queue.delete_queues(&flow()).await.unwrap();
    assert_eq!(queue.publish(task("1")).await.unwrap(), Published::Queued);
    // By ourselves, with other settings.
    let mut settings = keep.settings.clone();
    settings.capacity += 1;
    let other = RabbitQueue::connect(settings).await.unwrap();
    let other = other.publish(task("2")).await.unwrap_err();
    assert!(other.to_string().contains("x-max-length"), "{other}");
    for error in [published, received, other] {
        assert_eq!((error.kind(), error.disposition()), (ErrorKind::Config, Disposition::Permanent), "{error:?}");
        assert!(error.to_string().contains(&format!("the queue `{name}` is there already")), "{error}");
        assert!(error.to_string().contains("delete it"), "{error}");
    }
    queue.ack(receive(&queue).await).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_task_is_set_aside_and_stops_nobody() {
    let (queue, _keep) = broker::queue().await;
    queue.publish(task("before")).await.unwrap();
    let other = TaskMessage { flow: FlowId::new(Table::Products, "mage2"), ..task("of another flow") };
    let by_hand = serde_json::to_vec(&task("by hand")).unwrap();
    let mut headers = FieldTable::default();
    headers.insert("datawald-version".into(), AMQPValue::LongInt(2));
    let newer = BasicProperties::default().with_headers(headers);
    put(&queue, "", b"poison", BasicProperties::default()).await;
    put(&queue, "", b"", BasicProperties::default()).await;
    put(&queue, "", &[0xFF, 0x00], BasicProperties::default()).await;
    put(&queue, "", br#"{"task": "celery's"}"#, BasicProperties::default()).await;
    put(&queue, "", &serde_json::to_vec(&other).unwrap(), BasicProperties::default()).await;
    put(&queue, "", &by_hand, newer).await;
    put(&queue, "", &by_hand, BasicProperties::default()).await;
    queue.publish(task("after")).await.unwrap();
    for expected in ["before", "by hand", "after"] {
        let delivery = receive(&queue).await;
        assert_eq!(key(&delivery), expected);
        queue.ack(delivery).await.unwrap();
    }
    let letters = letters(&queue, 6).await;
    assert!(letters.iter().all(|letter| letter.message.is_none()), "{letters:?}");
    let expected = [
        "(6 bytes) is no JSON",
        "(0 bytes) is empty",
        "(2 bytes) is no JSON",
        "is JSON, but no task",
        "is a task of the flow products of mage2, in the queue of orders of mage2",
        "is a task of version 2",
    ];
    for (letter, expected) in letters.iter().zip(expected) {
        assert!(letter.reason.contains(expected), "{letter:?}");
        assert!(!letter.reason.contains("poison") && !letter.reason.contains("celery"), "{letter:?}");
    }
    assert_eq!(letters.len(), expected.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_kills_its_receivers_is_set_aside() {
    let (queue, keep) = broker::queue_with(|settings| settings.delivery_limit = 2).await;
    queue.publish(task("deadly")).await.unwrap();
    for round in 0..3 {
        let victim = RabbitQueue::connect(keep.settings.clone()).await.unwrap();
        let delivery = receive(&victim).await;
        assert_eq!((key(&delivery), delivery.redelivered), ("deadly".to_owned(), round));
        victim.close().await;
    }
    let letters = letters(&queue, 1).await;
    assert_eq!(letters[0].message, Some(task("deadly")));
    assert!(letters[0].reason.contains("delivery limit"), "{letters:?}");
    queue.publish(task("harmless")).await.unwrap();
    assert_eq!(key(&receive(&queue).await), "harmless");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_oldest_dead_letters_give_way() {
    let (queue, _keep) = broker::queue_with(|settings| settings.dead_capacity = 3).await;
    for n in 0..5 {
        queue.dead(&task(&n.to_string()), "why").await.unwrap();
    }
    let letter = |key: &str| DeadLetter { message: Some(task(key)), reason: "why".to_owned() };
    // Looking again and again changes nothing, nor does looking at a part.
    for limit in [3, 1, 2, 100] {
        let letters = queue.dead_letters(&flow(), limit).await.unwrap();
        let expected: Vec<_> = ["2", "3", "4"].into_iter().take(limit).map(letter).collect();
        assert_eq!(letters, expected);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_lies_among_the_dead_letters_by_hand_is_told() {
    let (queue, _keep) = broker::queue().await;
    assert!(queue.dead_letters(&flow(), 10).await.unwrap().is_empty(), "there is no queue yet");
    queue.dead(&task("1"), &"ü".repeat(100_000)).await.unwrap();
    put(&queue, ".dead", &serde_json::to_vec(&task("2")).unwrap(), BasicProperties::default()).await;
    let letters = letters(&queue, 2).await;
    assert!(letters[0].reason.starts_with('ü') && letters[0].reason.len() < 10_000, "headers must fit into a frame");
    assert_eq!(letters[1].message, Some(task("2")));
    assert!(letters[1].reason.contains("by hand"), "{letters:?}");
}
