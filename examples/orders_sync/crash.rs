//! Crashing on purpose.

use std::sync::atomic::{AtomicU64, Ordering};

use datawald_core::model::FlowId;
use datawald_core::{Checkpoint, Observer};
use rustix::process::{Signal, getpid, kill_process};

use crate::args::CrashPoint;

/// Kills this process at a checkpoint, as `kill -9` does: nothing is flushed, nothing is said.
pub(crate) struct Crash {
    at: CrashPoint,
    seen: AtomicU64,
}

impl Crash {
    /// Crashes at `at`.
    pub(crate) fn new(at: CrashPoint) -> Self {
        Self { at, seen: AtomicU64::new(0) }
    }
}

impl Observer for Crash {
    fn reached(&self, point: Checkpoint, _: &FlowId) {
        if point == self.at.point && self.seen.fetch_add(1, Ordering::SeqCst) + 1 == self.at.nth {
            // If the system refuses, going on shows it: whoever asked for the crash waits for it.
            let _ = kill_process(getpid(), Signal::KILL);
        }
    }
}
