//! How the scheduler works: times and limits.

use std::time::Duration;

use serde::Deserialize;

use crate::{Error, Result};

/// Times and limits of the scheduler; the same on all hosts.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct SchedulerSettings {
    /// How long a leader leads before it must have renewed its lease, in milliseconds. When it dies, another takes over
    /// after this and `clock_offset_ms`.
    pub lease_ms: u64,
    /// How far the clock of a host may be off, in milliseconds; and how far one may be set at once. Others honour a lease
    /// for that much longer.
    pub clock_offset_ms: u64,
    /// The longest time until a host notices what others did (that a leader has died, that a schedule is paused), in
    /// milliseconds; at most a third of the lease.
    pub poll_ms: u64,
    /// How often a run may fail or lose its host before it has failed for good.
    pub max_attempts: u32,
    /// The wait before a failed run is tried again, in milliseconds; it doubles each time.
    pub retry_ms: u64,
    /// The longest wait before a failed run is tried again, in milliseconds.
    pub max_retry_ms: u64,
    /// How long runs may go on after the scheduler was told to stop, before they are handed back, in milliseconds.
    pub stop_grace_ms: u64,
}

impl Default for SchedulerSettings {
    fn default() -> Self {
        Self {
            lease_ms: 10_000,
            clock_offset_ms: 2_000,
            poll_ms: 1_000,
            max_attempts: 5,
            retry_ms: 10_000,
            max_retry_ms: 600_000,
            stop_grace_ms: 30_000,
        }
    }
}

impl SchedulerSettings {
    /// Checks what would make the scheduler stand still or lose its lead.
    ///
    /// # Errors
    /// Of kind `Config`, naming the setting.
    pub fn check(&self) -> Result<()> {
        let wrong =
            |field: &'static str, message: &str| Err(Error::config("read scheduler settings", message).field(field));
        if self.poll_ms == 0 {
            return wrong("poll_ms", "must be at least 1");
        }
        if self.max_attempts == 0 {
            return wrong("max_attempts", "must be at least 1");
        }
        if self.poll_ms > self.lease_ms / 3 {
            return wrong("poll_ms", "must be at most a third of lease_ms, so that a leader renews its lease in time");
        }
        Ok(())
    }

    pub(super) fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }

    pub(super) fn clock_offset(&self) -> Duration {
        Duration::from_millis(self.clock_offset_ms)
    }

    pub(super) fn poll(&self) -> Duration {
        Duration::from_millis(self.poll_ms)
    }

    pub(super) fn stop_grace(&self) -> Duration {
        Duration::from_millis(self.stop_grace_ms)
    }

    /// The wait after so many failures.
    pub(super) fn retry(&self, failures: u32) -> Duration {
        let doublings = failures.saturating_sub(1).min(20);
        Duration::from_millis(self.retry_ms.saturating_mul(1 << doublings).min(self.max_retry_ms))
    }
}
