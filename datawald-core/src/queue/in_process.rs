//! The in-process queue: bounded, gone with the process.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::{DeadLetter, Delivery, Published, Receipt, TaskMessage, TaskQueue};
use crate::Result;
use crate::model::FlowId;

/// A bounded queue in memory. When it is full, publishing answers [`Published::Full`].
///
/// It measures delays by tokio's clock, so that tests can pause it. A delivery that is dropped instead of being
/// acknowledged is gone, as with its process; the sweep finds what was due.
#[derive(Debug, Clone)]
pub struct InProcessQueue {
    capacity: usize,
    flows: Arc<Mutex<HashMap<FlowId, Flow>>>,
}

/// A message and how often it was delivered before.
type Waiting = (TaskMessage, u32);

#[derive(Debug, Default)]
struct Flow {
    ready: VecDeque<Waiting>,
    /// By the time that each is ready, and a number that keeps those of one time apart.
    delayed: BTreeMap<(Instant, u64), Waiting>,
    delays: u64,
    dead: VecDeque<DeadLetter>,
    /// Tells this flow's receivers: one of a message, all of a delay.
    arrived: Arc<Notify>,
}

/// Dead letters kept per flow; older ones give way.
const DEAD_LIMIT: usize = 1_000;

/// A wait or a delay longer than this is as good as this; times beyond the clock's end cannot be told.
const LONGEST: Duration = Duration::from_secs(60 * 60 * 24 * 365);

impl Flow {
    /// Takes a ready message, or tells when the next delayed one is ready.
    fn take(&mut self) -> std::result::Result<Waiting, Option<Instant>> {
        let now = Instant::now();
        while let Some(first) = self.delayed.first_entry() {
            if first.key().0 > now {
                break;
            }
            self.ready.push_back(first.remove());
        }
        self.ready.pop_front().ok_or_else(|| self.delayed.first_key_value().map(|((at, _), _)| *at))
    }
}

impl InProcessQueue {
    /// A queue that holds up to `capacity` messages per flow (at least 1).
    pub fn new(capacity: usize) -> Self {
        Self { capacity: capacity.max(1), flows: Arc::default() }
    }

    fn flows(&self) -> MutexGuard<'_, HashMap<FlowId, Flow>> {
        // A panic while the lock is held cannot leave a queue half-changed: every change is one push or pop.
        self.flows.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn with<T>(&self, flow: &FlowId, change: impl FnOnce(&mut Flow) -> T) -> T {
        let mut flows = self.flows();
        match flows.get_mut(flow) {
            Some(queue) => change(queue),
            None => change(flows.entry(flow.clone()).or_default()),
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
        let capacity = self.capacity;
        Ok(self.with(&message.flow.clone(), |queue| {
            if queue.ready.len() + queue.delayed.len() >= capacity {
                return Published::Full;
            }
            queue.ready.push_back((message, 0));
            queue.arrived.notify_one();
            Published::Queued
        }))
    }

    async fn receive(&self, flow: &FlowId, wait: Duration) -> Result<Option<Delivery>> {
        let deadline = Instant::now() + wait.min(LONGEST);
        let bell = self.with(flow, |queue| Arc::clone(&queue.arrived));
        loop {
            // Before looking: what arrives between looking and waiting is heard.
            let arrived = bell.notified();
            let next = match self.with(flow, Flow::take) {
                Ok((message, redelivered)) => {
                    // One notification may stand for several messages: pass it on to the next receiver.
                    bell.notify_one();
                    return Ok(Some(Delivery { message, redelivered, receipt: Receipt::none() }));
                }
                Err(next) => next,
            };
            if Instant::now() >= deadline {
                return Ok(None);
            }
            let until = next.map_or(deadline, |at| at.min(deadline));
            // Whichever it was, look again.
            let _ = tokio::time::timeout_at(until, arrived).await;
        }
    }

    async fn ack(&self, _delivery: Delivery) -> Result<()> {
        Ok(())
    }

    async fn retry_later(&self, delivery: Delivery, after: Duration) -> Result<()> {
        let Delivery { message, redelivered, .. } = delivery;
        let at = Instant::now() + after.min(LONGEST);
        self.with(&message.flow.clone(), |queue| {
            queue.delays += 1;
            queue.delayed.insert((at, queue.delays), (message, redelivered.saturating_add(1)));
            // All of them have to wait for another time now, since any of them may be dropped meanwhile.
            queue.arrived.notify_waiters();
        });
        Ok(())
    }

    async fn dead(&self, message: &TaskMessage, reason: &str) -> Result<()> {
        self.with(&message.flow, |queue| {
            if queue.dead.len() >= DEAD_LIMIT {
                queue.dead.pop_front();
            }
            queue.dead.push_back(DeadLetter { message: Some(message.clone()), reason: reason.to_owned() });
        });
        Ok(())
    }

    async fn dead_letters(&self, flow: &FlowId, limit: usize) -> Result<Vec<DeadLetter>> {
        Ok(self.with(flow, |queue| queue.dead.iter().take(limit).cloned().collect()))
    }
}
