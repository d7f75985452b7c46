//! What a host of the scheduler has at hand.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use tokio::sync::{Notify, watch};

use super::{Job, Schedule, SchedulerSettings};
use crate::store::StagingStore;
use crate::{Clock, Error};

/// What a host of the scheduler has at hand.
pub(super) struct Host {
    pub(super) store: Arc<dyn StagingStore>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) settings: SchedulerSettings,
    pub(super) owner: String,
    pub(super) jobs: HashMap<String, Arc<dyn Job>>,
    pub(super) schedules: Mutex<Arc<Vec<Schedule>>>,
    /// The schedules were replaced.
    pub(super) replaced: Notify,
    /// Set once, when this host is to end.
    pub(super) stopping: watch::Sender<bool>,
    /// Whether the store failed when it was last used.
    pub(super) store_away: AtomicBool,
}

impl Host {
    pub(super) fn schedules(&self) -> Arc<Vec<Schedule>> {
        self.schedules.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn is_stopping(&self) -> bool {
        *self.stopping.borrow()
    }

    pub(super) async fn stopped(&self) {
        // The sender is here: it cannot be gone.
        let _ = self.stopping.subscribe().wait_for(|stopping| *stopping).await;
    }

    /// Waits until the clock shows `at`. It is looked at now and then, since it may be set.
    pub(super) async fn until(&self, at: Timestamp) {
        while let Some(left) = self.left(at) {
            tokio::time::sleep(left.min(self.settings.poll())).await;
        }
    }

    /// How long it is until `at`; `None` if it is past.
    pub(super) fn left(&self, at: Timestamp) -> Option<std::time::Duration> {
        std::time::Duration::try_from(at.duration_since(self.clock.now())).ok().filter(|left| !left.is_zero())
    }

    /// The store failed. That is told once; nothing is lost by it but time.
    pub(super) fn store_failed(&self, error: &Error) {
        if !self.store_away.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "the scheduler's store failed; it is tried again until it works");
        }
    }

    /// The store works; told if it did not before.
    pub(super) fn store_works(&self) {
        if self.store_away.swap(false, Ordering::Relaxed) {
            tracing::info!("the scheduler's store works again");
        }
    }
}
