//! The task queue: wake-ups and distribution. What it loses is only delayed, since the store knows what is due.

mod delivery;
mod in_process;
#[cfg(feature = "rabbitmq")]
pub mod rabbitmq;

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

pub use delivery::{DeadLetter, Delivery, Receipt};
pub use in_process::InProcessQueue;
#[cfg(feature = "rabbitmq")]
pub use rabbitmq::{RabbitQueue, RabbitSettings};

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
    ///
    /// # Behavior
    /// A queue may deliver it again nevertheless: surely after an error, and also if the connection is lost while the
    /// acknowledgement is on its way. There is nothing to do about it: the store knows what was applied.
    async fn ack(&self, delivery: Delivery) -> Result<()>;

    /// Delivers it again, no sooner than `after` from now, with `redelivered` + 1. Others are not held up by it.
    ///
    /// # Behavior
    /// After an error it is delivered again too, but perhaps at once.
    async fn retry_later(&self, delivery: Delivery, after: Duration) -> Result<()>;

    /// Sets a task aside with a reason, where [`TaskQueue::dead_letters`] finds it.
    ///
    /// # Behavior
    /// Concerns no delivery: it is for a task that a sweep of the store found as much as for one that was delivered, whose
    /// delivery is then acknowledged by whoever holds it. Once it has answered, the task survives what the queue survives.
    async fn dead(&self, message: &TaskMessage, reason: &str) -> Result<()>;

    /// What was set aside of a flow, oldest first, at most `limit`. It stays where it is.
    ///
    /// # Behavior
    /// A queue may let the oldest give way when there are very many (a thousand, say): the store knows of every failure,
    /// this is for whoever looks into what went wrong with the messages themselves.
    async fn dead_letters(&self, flow: &FlowId, limit: usize) -> Result<Vec<DeadLetter>>;
}
