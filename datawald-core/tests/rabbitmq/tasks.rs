//! Tasks that the tests send about.

use std::time::Duration;

use datawald_core::model::{FlowId, Table};
use datawald_core::queue::{DeadLetter, Delivery, RabbitQueue, TaskMessage, TaskQueue};

/// Longer than anything takes that is to happen.
pub(crate) const SOON: Duration = Duration::from_secs(20);

pub(crate) fn flow() -> FlowId {
    FlowId::new(Table::Orders, "mage2")
}

pub(crate) fn task(key: &str) -> TaskMessage {
    TaskMessage { flow: flow(), keys: vec![key.to_owned()], sync_task: None }
}

pub(crate) fn key(delivery: &Delivery) -> String {
    delivery.message.keys.join(" ")
}

/// The next delivery of the flow, which must come.
pub(crate) async fn receive(queue: &RabbitQueue) -> Delivery {
    queue.receive(&flow(), SOON).await.unwrap().expect("no message came")
}

/// Dead letters of the flow, as soon as there are `expected`.
pub(crate) async fn letters(queue: &RabbitQueue, expected: usize) -> Vec<DeadLetter> {
    let looking = async {
        loop {
            let letters = queue.dead_letters(&flow(), 100).await.unwrap();
            if letters.len() >= expected {
                return letters;
            }
            // RabbitMQ tells nobody when it has moved one.
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(SOON, looking).await.expect("too few dead letters")
}
