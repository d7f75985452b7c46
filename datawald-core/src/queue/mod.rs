//! The task queue: wake-ups and distribution. What it loses is only delayed, since the store knows what is due.

mod in_process;

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub use in_process::InProcessQueue;

use crate::Result;
use crate::model::{FlowId, SyncTaskId};

/// A task: apply these entities. They are staged before the message is published.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TaskMessage {
    /// The flow.
    pub flow: FlowId,
    /// The source keys, at most a few hundred.
    pub keys: Vec<String>,
    /// The sync task that brought them, if it was a pull.
    pub sync_task: Option<SyncTaskId>,
}

/// What publishing did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Published {
    /// The queue has it.
    Queued,
    /// The queue is full; the sweep will dispatch again what is due.
    Full,
}

/// A message in the hands of one receiver, until it is acknowledged, put back or dead.
#[derive(Debug)]
pub struct Delivery {
    /// The message.
    pub message: TaskMessage,
    /// How often it has been delivered before.
    pub redelivered: u32,
    /// The queue's own mark.
    pub tag: u64,
}

/// A queue of tasks per flow.
///
/// Delivery is at least once and in no promised order. Implementations are tested by
/// [`crate::testing::task_queue_conformance`].
#[async_trait]
pub trait TaskQueue: Send + Sync {
    /// Hands a task over. Once it has answered `Queued`, the message survives what the queue survives (a broker's
    /// restart; for the in-process queue nothing).
    ///
    /// # Behavior
    /// Never waits for a receiver. After `Full` the queue does not have the message. One flow's full queue is no other's.
    async fn publish(&self, message: TaskMessage) -> Result<Published>;

    /// Takes the next task of a flow, waiting up to `wait`; `None` if none came.
    ///
    /// # Behavior
    /// Each message is in the hands of one receiver at a time. With a `wait` of zero it takes what is there. Cancel-safe: a
    /// message is not lost if the future is dropped.
    async fn receive(&self, flow: &FlowId, wait: Duration) -> Result<Option<Delivery>>;

    /// Done with it: it is not delivered again.
    async fn ack(&self, delivery: Delivery) -> Result<()>;

    /// Delivers it again, no sooner than `after` from now, with `redelivered` + 1. Others are not held up by it.
    async fn retry_later(&self, delivery: Delivery, after: Duration) -> Result<()>;

    /// Sets it aside with a reason; it is not delivered again. See [`TaskQueue::dead_letters`].
    async fn dead(&self, delivery: Delivery, reason: &str) -> Result<()>;

    /// The messages set aside of a flow and their reasons, oldest first, at most `limit`. They stay where they are.
    async fn dead_letters(&self, flow: &FlowId, limit: usize) -> Result<Vec<(TaskMessage, String)>>;
}
