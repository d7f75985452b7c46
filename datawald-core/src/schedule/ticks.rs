//! Which ticks there are, and which of them are due.

use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use super::cron::ZonedCron;
use super::{Schedule, When};
use crate::clock::later;

/// How many missed ticks of a cron expression are counted one by one.
const COUNT_LIMIT: u64 = 10_000;

/// The newest tick that is due, and how many before it were not accounted for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) tick: Timestamp,
    pub(super) missed: u64,
}

pub(super) fn next_after(when: &When, cron: Option<&ZonedCron>, at: Timestamp) -> Option<Timestamp> {
    match when {
        When::Cron { .. } => cron?.next_after(at),
        When::Every(period) => {
            let period = millis(*period)?;
            Timestamp::from_millisecond(whole_millis(at).div_euclid(period).checked_add(1)?.checked_mul(period)?).ok()
        }
    }
}

/// The last tick at or before `at`.
fn last_until(schedule: &Schedule, at: Timestamp) -> Option<Timestamp> {
    match &schedule.when {
        When::Cron { .. } => schedule.parsed_cron()?.last_until(at),
        When::Every(period) => {
            let period = millis(*period)?;
            Timestamp::from_millisecond(whole_millis(at).div_euclid(period).checked_mul(period)?).ok()
        }
    }
}

fn millis(period: Duration) -> Option<i64> {
    i64::try_from(period.as_millis()).ok().filter(|period| *period > 0)
}

/// Rounded down, before the epoch too.
fn whole_millis(at: Timestamp) -> i64 {
    at.as_microsecond().div_euclid(1_000)
}

pub(super) fn due_at(schedule: &Schedule, tick: Timestamp) -> Timestamp {
    if schedule.jitter.is_zero() {
        return tick;
    }
    // Never up to the next tick, so that ticks are due in their order.
    let gap = schedule.next_after(tick).and_then(|next| Duration::try_from(next.duration_since(tick)).ok());
    let bound = schedule.jitter.min(gap.unwrap_or(schedule.jitter));
    let bound = u64::try_from(bound.as_millis()).unwrap_or(u64::MAX).max(1);
    let share = u64::from_be_bytes(first_bytes(&digest(&["jitter", &schedule.name], tick)));
    later(tick, Duration::from_millis(share % bound))
}

/// A digest of texts and a tick: the same on every host.
pub(super) fn digest(texts: &[&str], tick: Timestamp) -> [u8; 32] {
    let mut digest = Sha256::new();
    for text in texts {
        digest.update((text.len() as u64).to_be_bytes());
        digest.update(text);
    }
    digest.update(tick.as_microsecond().to_be_bytes());
    digest.finalize().into()
}

/// The first `N` bytes of a digest, of which `N` is a part.
pub(super) fn first_bytes<const N: usize>(digest: &[u8; 32]) -> [u8; N] {
    let mut bytes = [0; N];
    for (to, from) in bytes.iter_mut().zip(digest) {
        *to = *from;
    }
    bytes
}

/// The newest tick after `accounted_to` that is due at `now`.
pub(super) fn due(schedule: &Schedule, accounted_to: Timestamp, now: Timestamp) -> Option<Due> {
    let mut newest = last_until(schedule, now).filter(|tick| *tick > accounted_to)?;
    if due_at(schedule, newest) > now {
        // Its jitter holds it back. The one before it is due, whatever its own: that is less than the time between them.
        newest = last_until(schedule, before(newest)?).filter(|tick| *tick > accounted_to)?;
    }
    Some(Due { tick: newest, missed: between(schedule, accounted_to, newest) })
}

fn before(tick: Timestamp) -> Option<Timestamp> {
    tick.checked_sub(jiff::SignedDuration::from_millis(1)).ok()
}

/// How many ticks are after `from` and before `tick`.
fn between(schedule: &Schedule, from: Timestamp, tick: Timestamp) -> u64 {
    if let When::Every(period) = schedule.when {
        let Some(period) = millis(period) else { return 0 };
        let ticks = whole_millis(tick).div_euclid(period) - whole_millis(from).div_euclid(period) - 1;
        return u64::try_from(ticks).unwrap_or(0);
    }
    let mut missed = 0;
    let mut at = from;
    while missed < COUNT_LIMIT {
        match schedule.next_after(at) {
            Some(next) if next < tick => at = next,
            _ => break,
        }
        missed += 1;
    }
    missed
}
