//! The cases of [`task_queue_conformance`](crate::task_queue_conformance), each a function that takes a fresh queue.
#![allow(missing_docs, reason = "the names of the cases say what they check")]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::model::{FlowId, SyncTaskId, Table};
use crate::queue::{DeadLetter, Delivery, Published, TaskMessage, TaskQueue};

/// The queue that a case works on.
pub type Queue = Arc<dyn TaskQueue>;

/// Longer than any queue takes to deliver.
const SOON: Duration = Duration::from_secs(10);
/// Long enough to tell that nothing comes.
const NOTHING: Duration = Duration::from_millis(150);
/// A delay that is asked for.
const DELAY: Duration = Duration::from_millis(200);

fn flow() -> FlowId {
    FlowId::new(Table::Orders, "mage2")
}

fn message(key: &str) -> TaskMessage {
    TaskMessage { flow: flow(), keys: vec![key.to_owned()], sync_task: None }
}

async fn publish(queue: &Queue, key: &str) {
    assert_eq!(queue.publish(message(key)).await.unwrap(), Published::Queued);
}

async fn receive(queue: &Queue) -> Delivery {
    queue.receive(&flow(), SOON).await.unwrap().expect("no message came")
}

async fn nothing(queue: &Queue) {
    let delivery = queue.receive(&flow(), NOTHING).await.unwrap();
    assert!(delivery.is_none(), "{delivery:?}");
}

fn key(delivery: &Delivery) -> String {
    delivery.message.keys.join(" ")
}

pub async fn what_is_published_is_received_whole(queue: Queue) {
    let sent = TaskMessage {
        flow: flow(),
        keys: (0..300).map(|n| format!("{n:09}-1")).collect(),
        sync_task: Some(SyncTaskId::from_stored("pass")),
    };
    assert_eq!(queue.publish(sent.clone()).await.unwrap(), Published::Queued);
    let delivery = receive(&queue).await;
    assert_eq!((&delivery.message, delivery.redelivered), (&sent, 0));
    queue.ack(delivery).await.unwrap();
    publish(&queue, "1").await;
    let delivery = receive(&queue).await;
    assert_eq!(delivery.message, message("1"));
    queue.ack(delivery).await.unwrap();
}

pub async fn nothing_is_received_from_an_empty_queue(queue: Queue) {
    let started = Instant::now();
    nothing(&queue).await;
    assert!(started.elapsed() >= NOTHING, "it did not wait");
}

pub async fn a_waiting_receiver_is_woken(queue: Queue) {
    let started = Instant::now();
    let receiver = tokio::spawn({
        let queue = queue.clone();
        async move { receive(&queue).await }
    });
    tokio::time::sleep(NOTHING).await;
    publish(&queue, "1").await;
    let delivery = receiver.await.unwrap();
    assert!(started.elapsed() < SOON, "it waited to the end");
    assert_eq!(key(&delivery), "1");
    queue.ack(delivery).await.unwrap();
}

pub async fn no_wait_takes_what_is_there(queue: Queue) {
    assert!(queue.receive(&flow(), Duration::ZERO).await.unwrap().is_none());
    publish(&queue, "1").await;
    // A broker may take a moment to hand over what it has confirmed.
    let started = Instant::now();
    let delivery = loop {
        if let Some(delivery) = queue.receive(&flow(), Duration::ZERO).await.unwrap() {
            break delivery;
        }
        assert!(started.elapsed() < SOON, "no message came");
        tokio::task::yield_now().await;
    };
    queue.ack(delivery).await.unwrap();
}

pub async fn what_is_acknowledged_does_not_come_again(queue: Queue) {
    publish(&queue, "1").await;
    publish(&queue, "2").await;
    let mut seen = BTreeSet::new();
    for _ in 0..2 {
        let delivery = receive(&queue).await;
        seen.insert(key(&delivery));
        queue.ack(delivery).await.unwrap();
    }
    assert_eq!(seen, BTreeSet::from(["1".to_owned(), "2".to_owned()]));
    nothing(&queue).await;
}

pub async fn what_is_retried_comes_again_no_sooner_than_asked(queue: Queue) {
    publish(&queue, "1").await;
    let delivery = receive(&queue).await;
    let started = Instant::now();
    queue.retry_later(delivery, DELAY).await.unwrap();
    let delivery = receive(&queue).await;
    let waited = started.elapsed();
    // Brokers count in milliseconds.
    assert!(waited + Duration::from_millis(2) >= DELAY, "it came after {waited:?}");
    assert_eq!(delivery.message, message("1"));
    queue.ack(delivery).await.unwrap();
    nothing(&queue).await;
}

pub async fn a_waiting_receiver_is_woken_by_a_retry(queue: Queue) {
    // So long that half of it is surely over before the whole is.
    const DELAY: Duration = Duration::from_secs(2);
    publish(&queue, "1").await;
    let delivery = receive(&queue).await;
    let started = Instant::now();
    let receivers: Vec<_> = (0..2)
        .map(|_| {
            let queue = queue.clone();
            tokio::spawn(async move { queue.receive(&flow(), SOON).await.unwrap() })
        })
        .collect();
    tokio::time::sleep(NOTHING).await;
    queue.retry_later(delivery, DELAY).await.unwrap();
    // One of the two is broken off while it waits for the delay to be over: the other still has to get it in time.
    tokio::time::sleep(DELAY / 2).await;
    let mut receivers = receivers.into_iter();
    receivers.next().unwrap().abort();
    let delivery = tokio::time::timeout(SOON / 2, receivers.next().unwrap()).await.unwrap().unwrap();
    match delivery {
        Some(delivery) => queue.ack(delivery).await.unwrap(),
        None => panic!("no message came"),
    }
    assert!(started.elapsed() < SOON);
}

pub async fn redeliveries_are_counted(queue: Queue) {
    publish(&queue, "1").await;
    for times in 0..4 {
        let delivery = receive(&queue).await;
        assert_eq!(delivery.redelivered, times);
        queue.retry_later(delivery, Duration::from_millis(20)).await.unwrap();
    }
}

pub async fn a_retry_holds_up_nobody(queue: Queue) {
    publish(&queue, "slow").await;
    let delivery = receive(&queue).await;
    queue.retry_later(delivery, Duration::from_secs(600)).await.unwrap();
    publish(&queue, "quick").await;
    let delivery = receive(&queue).await;
    assert_eq!(key(&delivery), "quick");
    queue.retry_later(delivery, DELAY).await.unwrap();
    let delivery = receive(&queue).await;
    assert_eq!(key(&delivery), "quick", "a short delay waits for a long one");
    queue.ack(delivery).await.unwrap();
    nothing(&queue).await;
}

async fn letters(queue: &Queue, limit: usize, expected: usize) -> Vec<DeadLetter> {
    // A broker may take a moment to move them.
    let started = Instant::now();
    loop {
        let letters = queue.dead_letters(&flow(), limit).await.unwrap();
        if letters.len() >= expected || started.elapsed() > SOON {
            return letters;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn letter(key: &str, reason: &str) -> DeadLetter {
    DeadLetter { message: Some(message(key)), reason: reason.to_owned() }
}

pub async fn what_is_dead_is_set_aside_with_its_reason(queue: Queue) {
    assert!(queue.dead_letters(&flow(), 10).await.unwrap().is_empty());
    publish(&queue, "1").await;
    let delivery = receive(&queue).await;
    queue.dead(&delivery.message, "it's no task: \"{}\"").await.unwrap();
    queue.ack(delivery).await.unwrap();
    let expected = [letter("1", "it's no task: \"{}\"")];
    for _ in 0..2 {
        assert_eq!(letters(&queue, 10, 1).await, expected, "looking must not take them away");
    }
    nothing(&queue).await;
    assert!(queue.dead_letters(&FlowId::new(Table::Orders, "other"), 10).await.unwrap().is_empty());
}

pub async fn setting_aside_touches_no_delivery(queue: Queue) {
    publish(&queue, "in hand").await;
    let delivery = receive(&queue).await;
    queue.dead(&message("never queued"), "found by a sweep").await.unwrap();
    queue.dead(&delivery.message, "to be tried all the same").await.unwrap();
    let expected = [letter("never queued", "found by a sweep"), letter("in hand", "to be tried all the same")];
    assert_eq!(letters(&queue, 10, 2).await, expected);
    // It is still in hand: it can be put back, and nothing else comes.
    queue.retry_later(delivery, Duration::from_millis(20)).await.unwrap();
    let delivery = receive(&queue).await;
    assert_eq!(key(&delivery), "in hand");
    queue.ack(delivery).await.unwrap();
    nothing(&queue).await;
}

pub async fn dead_letters_are_oldest_first_and_bounded(queue: Queue) {
    for n in 0..5 {
        publish(&queue, &n.to_string()).await;
        let delivery = receive(&queue).await;
        queue.dead(&delivery.message, &format!("reason {n}")).await.unwrap();
        queue.ack(delivery).await.unwrap();
        letters(&queue, 100, n + 1).await;
    }
    let reasons: Vec<_> = letters(&queue, 3, 3).await.into_iter().map(|letter| letter.reason).collect();
    assert_eq!(reasons, ["reason 0", "reason 1", "reason 2"]);
    assert!(queue.dead_letters(&flow(), 0).await.unwrap().is_empty());
}

pub async fn a_full_queue_says_so_and_loses_nothing(queue: Queue) {
    let mut queued = BTreeSet::new();
    for n in 0..=400 {
        let key = format!("{n:03}");
        match queue.publish(message(&key)).await.unwrap() {
            Published::Queued => {
                queued.insert(key);
            }
            Published::Full => break,
        }
        assert!(n < 400, "400 messages, and it is not full");
    }
    assert!(queued.len() >= 40, "full after {}", queued.len());
    let other = TaskMessage { flow: FlowId::new(Table::Products, "mage2"), ..message("1") };
    assert_eq!(queue.publish(other).await.unwrap(), Published::Queued, "full for another flow too");
    let mut received = BTreeSet::new();
    while received.len() < queued.len() {
        let delivery = receive(&queue).await;
        assert!(received.insert(key(&delivery)), "{} came twice", key(&delivery));
        queue.ack(delivery).await.unwrap();
    }
    assert_eq!(received, queued);
    nothing(&queue).await;
    publish(&queue, "room again").await;
}

pub async fn flows_are_separate(queue: Queue) {
    let flows = [flow(), FlowId::new(Table::Orders, "MAGE2"), FlowId::new(Table::CustomersBo, "mage2")];
    for (n, flow) in flows.iter().enumerate() {
        let message = TaskMessage { flow: flow.clone(), ..message(&n.to_string()) };
        assert_eq!(queue.publish(message).await.unwrap(), Published::Queued);
    }
    for (n, flow) in flows.iter().enumerate().rev() {
        let delivery = queue.receive(flow, SOON).await.unwrap().expect("no message came");
        assert_eq!((&delivery.message.flow, key(&delivery)), (flow, n.to_string()));
        queue.ack(delivery).await.unwrap();
        assert!(queue.receive(flow, NOTHING).await.unwrap().is_none());
    }
}

pub async fn receivers_of_other_flows_take_no_wake_up_away(queue: Queue) {
    let others: Vec<_> = (0..4)
        .map(|n| {
            let (queue, flow) = (queue.clone(), FlowId::new(Table::Orders, format!("other {n}")));
            tokio::spawn(async move { queue.receive(&flow, SOON).await.unwrap().is_none() })
        })
        .collect();
    tokio::time::sleep(NOTHING).await;
    let receiver = tokio::spawn({
        let queue = queue.clone();
        async move { receive(&queue).await }
    });
    tokio::time::sleep(NOTHING).await;
    publish(&queue, "1").await;
    let delivery = tokio::time::timeout(SOON / 2, receiver).await.expect("it was not woken").unwrap();
    queue.ack(delivery).await.unwrap();
    for other in others {
        other.abort();
    }
}

pub async fn a_dropped_receive_loses_nothing(queue: Queue) {
    let mut received = BTreeSet::new();
    for round in 0..40_u64 {
        // Broken off at every stage: before, while and after the message arrives.
        let receiver = tokio::spawn({
            let queue = queue.clone();
            async move { tokio::time::timeout(Duration::from_micros(round * 50), receive(&queue)).await.ok() }
        });
        publish(&queue, &round.to_string()).await;
        if let Some(delivery) = receiver.await.unwrap() {
            received.insert(key(&delivery));
            queue.ack(delivery).await.unwrap();
        }
    }
    while received.len() < 40 {
        let delivery = receive(&queue).await;
        received.insert(key(&delivery));
        queue.ack(delivery).await.unwrap();
    }
}

pub async fn each_message_goes_to_one_receiver(queue: Queue) {
    const MESSAGES: usize = 200;
    let received = Arc::new(AtomicUsize::new(0));
    let receivers: Vec<_> = (0..8)
        .map(|_| {
            let (queue, received) = (queue.clone(), received.clone());
            tokio::spawn(async move {
                let mut seen = Vec::new();
                while received.load(Ordering::SeqCst) < MESSAGES {
                    // Short, since it may be another that gets the last one.
                    let Some(delivery) = queue.receive(&flow(), NOTHING).await.unwrap() else { continue };
                    seen.push(key(&delivery));
                    queue.ack(delivery).await.unwrap();
                    received.fetch_add(1, Ordering::SeqCst);
                }
                seen
            })
        })
        .collect();
    let publishing = async {
        for n in 0..MESSAGES {
            // It may be full for a moment: the receivers make room.
            while queue.publish(message(&n.to_string())).await.unwrap() == Published::Full {
                tokio::task::yield_now().await;
            }
        }
    };
    tokio::time::timeout(SOON * 3, publishing).await.expect("the receivers make no room");
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for receiver in receivers {
        for key in tokio::time::timeout(SOON * 3, receiver).await.expect("messages were lost").unwrap() {
            *seen.entry(key).or_default() += 1;
        }
    }
    assert_eq!(seen.len(), MESSAGES, "messages were lost");
    assert!(seen.values().all(|times| *times == 1), "messages went to several receivers");
    nothing(&queue).await;
}

pub async fn publishing_waits_for_nobody(queue: Queue) {
    let all = async {
        for n in 0..40 {
            publish(&queue, &n.to_string()).await;
        }
    };
    tokio::time::timeout(SOON, all).await.expect("publishing waits for a receiver");
}

pub async fn odd_texts_are_kept(queue: Queue) {
    let texts = ["O'Brien\"; --", "日本語 👩‍👩‍👧", "\u{1}\t\r\n", "", " x ", "a.b.*.#"];
    for text in texts {
        let flow = FlowId::new(Table::Orders, format!("shop {text}"));
        let sent = TaskMessage {
            flow: flow.clone(),
            keys: vec![text.to_owned()],
            sync_task: Some(SyncTaskId::from_stored(text)),
        };
        assert_eq!(queue.publish(sent.clone()).await.unwrap(), Published::Queued);
        let delivery = queue.receive(&flow, SOON).await.unwrap().expect("no message came");
        assert_eq!(delivery.message, sent);
        queue.ack(delivery).await.unwrap();
    }
}
