//! Publishing: many at once, and never for ever.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use datawald_core::queue::{Published, TaskQueue};

use crate::broker;
use crate::tasks::{SOON, flow, key, task};

#[tokio::test(flavor = "multi_thread")]
async fn many_publish_and_receive_at_once() {
    const PUBLISHERS: usize = 16;
    const EACH: usize = 50;
    const MESSAGES: usize = PUBLISHERS * EACH;
    let (queue, _keep) = broker::queue_with(|settings| settings.capacity = 10_000).await;
    let publishers: Vec<_> = (0..PUBLISHERS)
        .map(|publisher| {
            let queue = queue.clone();
            tokio::spawn(async move {
                for n in 0..EACH {
                    let published = queue.publish(task(&format!("{publisher} {n}"))).await.unwrap();
                    assert_eq!(published, Published::Queued);
                }
            })
        })
        .collect();
    let received = Arc::new(AtomicUsize::new(0));
    let receivers: Vec<_> = (0..16)
        .map(|_| {
            let (queue, received) = (queue.clone(), received.clone());
            tokio::spawn(async move {
                let mut seen = Vec::new();
                while received.load(Ordering::SeqCst) < MESSAGES {
                    // Short, since it may be another that gets the last one.
                    let delivery = queue.receive(&flow(), Duration::from_millis(100)).await.unwrap();
                    let Some(delivery) = delivery else { continue };
                    seen.push(key(&delivery));
                    queue.ack(delivery).await.unwrap();
                    received.fetch_add(1, Ordering::SeqCst);
                }
                seen
            })
        })
        .collect();
    for publisher in publishers {
        tokio::time::timeout(SOON * 3, publisher).await.unwrap().unwrap();
    }
    let mut seen = Vec::new();
    for receiver in receivers {
        seen.extend(tokio::time::timeout(SOON * 3, receiver).await.expect("messages were lost").unwrap());
    }
    assert_eq!(seen.len(), MESSAGES, "a message came twice");
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>().len(), MESSAGES);
    assert!(queue.receive(&flow(), Duration::from_millis(200)).await.unwrap().is_none(), "a message came twice");
}
