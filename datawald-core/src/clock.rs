//! Where the time comes from, so that tests own it.

use std::sync::atomic::{AtomicI64, Ordering};

use jiff::{SignedDuration, Timestamp};

/// A source of the current time (UTC). The engine and the flows ask it and nothing else.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The current time.
    fn now(&self) -> Timestamp;
}

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// A clock that stands still until a test moves it.
///
/// ```
/// use datawald_core::{Clock, ManualClock};
/// use jiff::SignedDuration;
/// let clock = ManualClock::at("2026-01-31T10:00:00Z".parse()?);
/// clock.advance(SignedDuration::from_secs(5));
/// assert_eq!(clock.now().to_string(), "2026-01-31T10:00:05Z");
/// # Ok::<(), jiff::Error>(())
/// ```
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `now`, to the microsecond.
    pub fn at(now: Timestamp) -> Self {
        Self(AtomicI64::new(now.as_microsecond()))
    }

    /// Moves the clock by `by` (backwards, if negative).
    pub fn advance(&self, by: SignedDuration) {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.0.fetch_add(micros, Ordering::SeqCst);
    }

    /// Sets the clock to `now`.
    pub fn set(&self, now: Timestamp) {
        self.0.store(now.as_microsecond(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.0.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX)
    }
}

/// `at + by`, held at the ends of what a [`Timestamp`] can tell instead of failing.
pub fn later(at: Timestamp, by: std::time::Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

/// `at - by`, held at the ends of what a [`Timestamp`] can tell instead of failing.
pub fn earlier(at: Timestamp, by: std::time::Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_sub(by).ok()).unwrap_or(Timestamp::MIN)
}

/// How far two times are apart, in milliseconds, whichever comes first.
#[cfg(feature = "api")]
pub(crate) fn millis_between(one: Timestamp, other: Timestamp) -> u64 {
    u64::try_from(one.duration_since(other).as_millis().unsigned_abs()).unwrap_or(u64::MAX)
}
