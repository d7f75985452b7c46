//! The in-process queue: bounded, gone with the process.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{Delivery, Published, TaskMessage, TaskQueue};
use crate::Result;
use crate::model::FlowId;

/// A bounded queue in memory. When it is full, publishing answers [`Published::Full`].
///
/// It measures delays by tokio's clock, so that tests can pause it.
#[derive(Debug, Clone)]
pub struct InProcessQueue {
    capacity: usize,
    flows: Arc<Mutex<HashMap<FlowId, Flow>>>,
    arrived: Arc<Notify>,
}

#[derive(Debug, Default)]
struct Flow {
    ready: VecDeque<(TaskMessage, u32)>,
    delayed: Vec<(Instant, TaskMessage, u32)>,
    dead: VecDeque<(TaskMessage, String)>,
}

/// Dead letters kept per flow; older ones give way.
const DEAD_LIMIT: usize = 1_000;

impl InProcessQueue {
    /// A queue that holds up to `capacity` messages per flow (at least 1).
    pub fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), flows: Arc::default(), arrived: Arc::default() }
    }

    fn flows(&self) -> MutexGuard<'_, HashMap<FlowId, Flow>> {
        // A panic while the lock is held cannot leave a queue half-changed: every change is one push or pop.
        self.flows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a ready message, or tells when the next delayed one is ready.
    fn take(&self, flow: &FlowId) -> std::result::Result<Delivery, Option<Instant>> {
        let mut flows = self.flows();
        let Some(queue) = flows.get_mut(flow) else { return Err(None) };
        let now = Instant::now();
        let (ready, delayed) = std::mem::take(&mut queue.delayed).into_iter().partition(|(at, ..)| *at <= now);
        queue.delayed = delayed;
        let ready: Vec<_> = ready;
        queue.ready.extend(ready.into_iter().map(|(_, message, redelivered)| (message, redelivered)));
        match queue.ready.pop_front() {
            Some((message, redelivered)) => Ok(Delivery { message, redelivered, tag: 0 }),
            None => Err(queue.delayed.iter().map(|(at, ..)| *at).min()),
        }
    }
}

impl Default for InProcessQueue {
    /// Room for 1,024 messages per flow.
    fn default() -> Self {
        Self::new(1_024)
    }
}

#[async_trait]
impl TaskQueue for InProcessQueue {
    async fn publish(&self, message: TaskMessage) -> Result<Published> {
        {
            let mut flows = self.flows();
            let queue = flows.entry(message.flow.clone()).or_default();
            if queue.ready.len() + queue.delayed.len() >= self.capacity {
                return Ok(Published::Full);
            }
            queue.ready.push_back((message, 0));
        }
        self.arrived.notify_one();
        Ok(Published::Queued)
    }

    async fn receive(&self, flow: &FlowId, wait: Duration) -> Result<Option<Delivery>> {
        let deadline = Instant::now() + wait;
        loop {
            let arrived = self.arrived.notified();
            let next = match self.take(flow) {
                Ok(delivery) => {
                    // One notification may stand for several messages: pass it on to the next receiver.
                    self.arrived.notify_one();
                    return Ok(Some(delivery));
                }
                Err(next) => next,
            };
            let until = next.map_or(deadline, |at| at.min(deadline));
            if tokio::time::timeout_at(until, arrived).await.is_err() && until >= deadline {
                return Ok(self.take(flow).ok());
            }
        }
    }

    async fn ack(&self, _delivery: Delivery) -> Result<()> {
        Ok(())
    }

    async fn retry_later(&self, delivery: Delivery, after: Duration) -> Result<()> {
        let mut flows = self.flows();
        let queue = flows.entry(delivery.message.flow.clone()).or_default();
        queue.delayed.push((Instant::now() + after, delivery.message, delivery.redelivered + 1));
        drop(flows);
        self.arrived.notify_one();
        Ok(())
    }

    async fn dead(&self, delivery: Delivery, reason: &str) -> Result<()> {
        let mut flows = self.flows();
        let dead = &mut flows.entry(delivery.message.flow.clone()).or_default().dead;
        if dead.len() >= DEAD_LIMIT {
            dead.pop_front();
        }
        dead.push_back((delivery.message, reason.to_owned()));
        Ok(())
    }

    async fn dead_letters(&self, flow: &FlowId, limit: usize) -> Result<Vec<(TaskMessage, String)>> {
        Ok(self.flows().get(flow).map(|queue| queue.dead.iter().take(limit).cloned().collect()).unwrap_or_default())
    }
}
