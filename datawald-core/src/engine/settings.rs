//! How the engine works: sizes, times and limits.

use std::time::Duration;

use jiff::Timestamp;
use serde::Deserialize;

use crate::clock::earlier;
use crate::store::Expired;
use crate::{Error, Result};

/// Sizes, times and limits of the engine. The defaults suit an ERP that takes about a second per order.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct EngineSettings {
    /// Entities per page of a pull.
    pub page_size: usize,
    /// Entities that a worker takes up at once.
    pub batch: usize,
    /// Batches that are applied at the same time, per flow.
    pub concurrency: usize,
    /// How long a worker holds entities before it must have renewed its lease, in milliseconds.
    pub lease_ms: u64,
    /// How long after a lost answer the other side may still be carrying out a write, in milliseconds. Nothing is looked up,
    /// and so nothing written again, before. No shorter than the longest writing call of the other side's connector.
    pub settle_delay_ms: u64,
    /// How far before the last cut a pull starts, in milliseconds: longer than the longest transaction at the source and
    /// the differences of its clocks together.
    pub overlap_ms: u64,
    /// How long a pull whose process died keeps the next one waiting, in milliseconds: the right to pull lasts that long, and
    /// is renewed while the pull works, however slow the source is.
    pub pull_lease_ms: u64,
    /// How often in a row the lease of an entity may run out, because whoever applied it died or hung, before it fails
    /// for good.
    pub max_lost_leases: u32,
    /// How often an entity is tried before it fails for good. What the other side says of itself (it is away, busy, lets nobody
    /// in) does not count: the flow pauses then, however long it takes.
    pub max_attempts: u32,
    /// The wait after the first failed attempt, in milliseconds; it doubles with each.
    pub backoff_ms: u64,
    /// The longest wait between attempts, and between two probes of a side that cannot be used, in milliseconds.
    pub max_backoff_ms: u64,
    /// The longest time between two searches for what is due and was not dispatched, in milliseconds; an eighth of a lease, if that is
    /// shorter.
    pub sweep_ms: u64,
    /// How long closing a sync task waits for outcomes, in milliseconds from the end of its pull.
    pub close_wait_ms: u64,
    /// How long workers that a broken store has stopped rest before they are started again, in milliseconds
    /// ([`Engine::start`](super::Engine::start)).
    pub rest_ms: u64,
    /// For how many days a sync task is kept once it is closed, 90 by default; 0 for ever. The newest of a flow stays.
    pub keep_runs_days: u32,
    /// For how many days an earlier version of an entity is kept once it is replaced, 30 by default; 0 for ever. What is open, in
    /// doubt or failed keeps its versions.
    pub keep_versions_days: u32,
    /// For how many days the source's own document (`raw`) is kept once its entity has ended, 30 by default; 0 for ever. What is
    /// open, in doubt or failed keeps it; the canonical document stays.
    pub keep_raw_days: u32,
}

/// A shorter lease runs out while its holder only waits for a processor.
const SHORTEST_LEASE_MS: u64 = 1_000;

/// A request that was sent may be in front of the other side for as long as that at least, on any network. What is right for
/// an ERP is much longer.
const SHORTEST_SETTLE_DELAY_MS: u64 = 500;

/// Sources tell their times by the second.
const SHORTEST_OVERLAP_MS: u64 = 1_000;

impl Default for EngineSettings {
    fn default() -> Self {
        Self {
            page_size: 100,
            batch: 50,
            concurrency: 4,
            lease_ms: 120_000,
            settle_delay_ms: 60_000,
            overlap_ms: 300_000,
            pull_lease_ms: 15_000,
            max_lost_leases: 10,
            max_attempts: 8,
            backoff_ms: 1_000,
            max_backoff_ms: 300_000,
            sweep_ms: 1_000,
            close_wait_ms: 600_000,
            rest_ms: 60_000,
            keep_runs_days: 90,
            keep_versions_days: 30,
            keep_raw_days: 30,
        }
    }
}

impl EngineSettings {
    /// Checks what would make the engine stand still.
    ///
    /// # Errors
    /// Of kind `Config`, naming the first setting that is too small.
    pub fn check(&self) -> Result<()> {
        let numbers = [
            ("page_size", self.page_size as u64, 1),
            ("batch", self.batch as u64, 1),
            ("concurrency", self.concurrency as u64, 1),
            ("lease_ms", self.lease_ms, SHORTEST_LEASE_MS),
            ("pull_lease_ms", self.pull_lease_ms, SHORTEST_LEASE_MS),
            ("settle_delay_ms", self.settle_delay_ms, SHORTEST_SETTLE_DELAY_MS),
            ("overlap_ms", self.overlap_ms, SHORTEST_OVERLAP_MS),
            ("max_lost_leases", u64::from(self.max_lost_leases), 1),
            ("max_attempts", u64::from(self.max_attempts), 1),
            ("backoff_ms", self.backoff_ms, 1),
            ("max_backoff_ms", self.max_backoff_ms, self.backoff_ms),
            ("sweep_ms", self.sweep_ms, 1),
            ("rest_ms", self.rest_ms, 1),
        ];
        match numbers.iter().find(|(_, number, least)| number < least) {
            None => Ok(()),
            Some((name, _, least)) => {
                Err(Error::config("read engine settings", format!("must be at least {least}")).field(*name))
            }
        }
    }

    pub(super) fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }

    pub(super) fn settle_delay(&self) -> Duration {
        Duration::from_millis(self.settle_delay_ms)
    }

    pub(super) fn overlap(&self) -> Duration {
        Duration::from_millis(self.overlap_ms)
    }

    pub(super) fn pull_lease(&self) -> Duration {
        Duration::from_millis(self.pull_lease_ms)
    }

    /// What is no longer kept at `now`.
    pub(super) fn expired(&self, now: Timestamp) -> Expired {
        let before = |days: u32| (days > 0).then(|| earlier(now, Duration::from_secs(u64::from(days) * 86_400)));
        Expired {
            runs: before(self.keep_runs_days),
            versions: before(self.keep_versions_days),
            raw: before(self.keep_raw_days),
        }
    }

    pub(super) fn rest(&self) -> Duration {
        Duration::from_millis(self.rest_ms)
    }

    /// No longer than an eighth of a lease. A process adds a quarter of a lease to the store's clock at most when it looks at it, so the
    /// clock would go slow while nobody looks more often.
    pub(super) fn sweep(&self) -> Duration {
        Duration::from_millis(self.sweep_ms).min(self.lease() / 8)
    }

    /// The wait after attempt number `attempt` (from 1).
    pub(super) fn backoff(&self, attempt: u32) -> Duration {
        let factor = 1u64 << attempt.saturating_sub(1).min(20);
        Duration::from_millis(self.backoff_ms.saturating_mul(factor).min(self.max_backoff_ms))
    }
}
