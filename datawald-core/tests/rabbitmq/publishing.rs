//! Publishing: many at once, and never for ever.

use std::collections::BTreeSet;
use std::time::Duration;

use datawald_core::queue::{Published, TaskQueue};

use crate::broker;
use crate::tasks::{SOON, flow, key, task};

#[tokio::test(flavor = "multi_thread")]
async fn many_publish_and_receive_at_once() {
    const PUBLISHERS: usize = 16;
    const EACH: usize = 50;
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
    let receivers: Vec<_> = (0..16)
        .map(|_| {
            let queue = queue.clone();
            tokio::spawn(async move {
                let mut seen = Vec::new();
                while let Some(delivery) = queue.receive(&flow(), Duration::from_secs(2)).await.unwrap() {
                    seen.push(key(&delivery));
                    queue.ack(delivery).await.unwrap();
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
        seen.extend(receiver.await.unwrap());
    }
    assert_eq!(seen.len(), PUBLISHERS * EACH, "a message came twice");
    assert_eq!(seen.into_iter().collect::<BTreeSet<_>>().len(), PUBLISHERS * EACH);
}
