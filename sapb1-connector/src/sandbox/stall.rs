//! A company that does not go on for a while: what is received waits in front of it, and is carried out when it goes on.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::damage::{hits, take_chance};

#[derive(Default)]
pub(super) struct Stall {
    /// Writes since the faults were set.
    writes: AtomicU64,
    /// Calls that had to wait.
    waited: AtomicU64,
    until: Mutex<Option<Instant>>,
}

impl Stall {
    /// Has a write wait while the company stands still, which it begins to with every n-th.
    pub(super) async fn write(&self, every: u64, millis: u64) {
        let begins = hits(every, take_chance(&self.writes));
        let until = {
            let mut until = self.until.lock().unwrap_or_else(PoisonError::into_inner);
            let now = Instant::now();
            if until.is_some_and(|until| until <= now) {
                *until = None;
            }
            if begins && until.is_none() {
                *until = Some(now + Duration::from_millis(millis));
            }
            *until
        };
        self.wait(until).await;
    }

    /// Has a call that reads wait while the company stands still, if such calls do.
    pub(super) async fn read(&self, waits: bool) {
        if waits {
            let until = *self.until.lock().unwrap_or_else(PoisonError::into_inner);
            self.wait(until.filter(|until| *until > Instant::now())).await;
        }
    }

    async fn wait(&self, until: Option<Instant>) {
        if let Some(until) = until {
            self.waited.fetch_add(1, Ordering::SeqCst);
            tokio::time::sleep_until(until).await;
        }
    }

    /// Counts writes anew. A stall that has begun goes on.
    pub(super) fn count_anew(&self) {
        self.writes.store(0, Ordering::SeqCst);
    }

    /// How many calls had to wait.
    pub(super) fn waited(&self) -> u64 {
        self.waited.load(Ordering::SeqCst)
    }
}
