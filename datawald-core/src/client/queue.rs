//! The queue of an engine whose core dispatches by itself.

use std::time::Duration;

use async_trait::async_trait;

use crate::Result;
use crate::model::FlowId;
use crate::queue::{DeadLetter, Delivery, Published, TaskMessage, TaskQueue};

/// The queue of an engine over a [`RemoteCore`](super::RemoteCore): it carries nothing. The core publishes to its own queue
/// what is staged over its API; a worker that cannot reach that queue finds what is due by asking the core for it
/// ([`EngineSettings::sweep_ms`](crate::engine::EngineSettings::sweep_ms)).
#[derive(Debug, Clone, Copy, Default)]
pub struct CoreQueue;

#[async_trait]
impl TaskQueue for CoreQueue {
    /// The core has done it.
    async fn publish(&self, _: TaskMessage) -> Result<Published> {
        Ok(Published::Queued)
    }

    async fn receive(&self, _: &FlowId, wait: Duration) -> Result<Option<Delivery>> {
        tokio::time::sleep(wait).await;
        Ok(None)
    }

    async fn ack(&self, _: Delivery) -> Result<()> {
        Ok(())
    }

    async fn retry_later(&self, _: Delivery, _: Duration) -> Result<()> {
        Ok(())
    }

    /// The entity says itself why it was given up.
    async fn dead(&self, _: &TaskMessage, _: &str) -> Result<()> {
        Ok(())
    }

    async fn dead_letters(&self, _: &FlowId, _: usize) -> Result<Vec<DeadLetter>> {
        Ok(Vec::new())
    }
}
