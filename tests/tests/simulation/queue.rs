//! A queue that loses and doubles messages, as seen by one process.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use datawald_core::model::FlowId;
use datawald_core::queue::{DeadLetter, Delivery, InProcessQueue, Published, TaskMessage, TaskQueue};
use datawald_core::{Error, Result};

use super::process::{ANY, Process};
use super::schedule::Group;

pub(crate) struct LossyQueue {
    pub(crate) inner: InProcessQueue,
    pub(crate) process: Arc<Process>,
}

impl LossyQueue {
    fn befalls(&self, site: &'static str, per_mille: u64) -> bool {
        self.process.chance.strikes(Group::Queue, site, self.process.id, per_mille).is_some()
    }
}

#[async_trait]
impl TaskQueue for LossyQueue {
    async fn publish(&self, message: TaskMessage) -> Result<Published> {
        self.process.gate("before publish", ANY).await;
        if self.befalls("message refused", 50) {
            return Err(Error::store("publish", "the broker is away"));
        }
        if self.befalls("message lost", 250) {
            self.process.tell(format!("its message of {:?} is lost", message.keys));
            return Ok(Published::Queued);
        }
        if self.befalls("message doubled", 200) {
            self.inner.publish(message.clone()).await?;
        }
        let published = self.inner.publish(message).await;
        self.process.gate("after publish", ANY).await;
        published
    }

    async fn receive(&self, flow: &FlowId, wait: Duration) -> Result<Option<Delivery>> {
        self.process.gate("before receive", ANY).await;
        self.inner.receive(flow, wait).await
    }

    async fn ack(&self, delivery: Delivery) -> Result<()> {
        self.process.gate("before acknowledging", ANY).await;
        if self.befalls("acknowledgement lost", 100) {
            self.inner.publish(delivery.message.clone()).await?;
        }
        self.inner.ack(delivery).await
    }

    async fn retry_later(&self, delivery: Delivery, after: Duration) -> Result<()> {
        self.inner.retry_later(delivery, after).await
    }

    async fn dead(&self, message: &TaskMessage, reason: &str) -> Result<()> {
        self.inner.dead(message, reason).await
    }

    async fn dead_letters(&self, flow: &FlowId, limit: usize) -> Result<Vec<DeadLetter>> {
        self.inner.dead_letters(flow, limit).await
    }
}
