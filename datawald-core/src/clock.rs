//! Where the time comes from, so that tests own it.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A source of the current time (UTC). The engine and the flows ask it and nothing else.
pub trait Clock: Send + Sync + std::fmt::Debug {
    /// The current time by the wall clock, which people and time servers set. It is shown and written down, and never
    /// decides how long something lasts.
    fn now(&self) -> Timestamp;

    /// How much time has passed since a moment that stays the same as long as the process lives. Nobody sets this clock:
    /// it neither jumps nor goes back.
    fn monotonic(&self) -> Duration;

    /// [`Clock::monotonic`] as a time: what the wall clock would show if nobody had set it since the process began. Compare it
    /// with others of the same process only.
    fn steady(&self) -> Timestamp {
        later(Timestamp::UNIX_EPOCH, self.monotonic())
    }
}

/// The time of a change in a staging store.
///
/// All processes that share a store share one clock, too: leases, waits and "due" go by it. Nobody sets that clock, so it
/// cannot jump; it runs only while some process works on the store. A wall clock could jump, and those of two
/// machines differ, so that a lease would end while its holder is still at work.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Now {
    /// By the caller's wall clock; for people to read.
    #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
    pub wall: Timestamp,
    /// By the store's clock ([`crate::engine::Engine::now`]); decides what is due.
    #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
    pub store: Timestamp,
}

impl From<Timestamp> for Now {
    /// Both clocks show the same, as where a test owns them.
    fn from(both: Timestamp) -> Self {
        Self { wall: both, store: both }
    }
}

/// Where [`SystemClock::monotonic`] counts from, by both clocks.
static START: LazyLock<(Instant, Timestamp)> = LazyLock::new(|| (Instant::now(), Timestamp::now()));

/// The operating system's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }

    fn monotonic(&self) -> Duration {
        START.0.elapsed()
    }

    fn steady(&self) -> Timestamp {
        later(START.1, self.monotonic())
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
pub struct ManualClock {
    /// In microseconds since 1970.
    wall: AtomicI64,
    /// In microseconds since the clock was made.
    passed: AtomicI64,
    began: Timestamp,
}

impl ManualClock {
    /// A clock that shows `now`, to the microsecond.
    pub fn at(now: Timestamp) -> Self {
        Self { wall: AtomicI64::new(now.as_microsecond()), passed: AtomicI64::new(0), began: now }
    }

    /// Lets time pass. Of a negative `by`, only the wall clock takes notice: time does not run backwards.
    pub fn advance(&self, by: SignedDuration) {
        let micros = i64::try_from(by.as_micros()).unwrap_or(i64::MAX);
        self.wall.fetch_add(micros, Ordering::SeqCst);
        self.passed.fetch_add(micros.max(0), Ordering::SeqCst);
    }

    /// Sets the wall clock to `now`, as somebody does who corrects it. No time passes.
    pub fn set(&self, now: Timestamp) {
        self.wall.store(now.as_microsecond(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp::from_microsecond(self.wall.load(Ordering::SeqCst)).unwrap_or(Timestamp::MAX)
    }

    fn monotonic(&self) -> Duration {
        Duration::from_micros(u64::try_from(self.passed.load(Ordering::SeqCst)).unwrap_or(0))
    }

    fn steady(&self) -> Timestamp {
        later(self.began, self.monotonic())
    }
}

/// `at + by`, held at the ends of what a [`Timestamp`] can tell instead of failing.
pub fn later(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_add(by).ok()).unwrap_or(Timestamp::MAX)
}

/// `at - by`, held at the ends of what a [`Timestamp`] can tell instead of failing.
pub fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    SignedDuration::try_from(by).ok().and_then(|by| at.checked_sub(by).ok()).unwrap_or(Timestamp::MIN)
}

/// How far two times are apart, in milliseconds, whichever comes first.
#[cfg(feature = "api")]
pub(crate) fn millis_between(one: Timestamp, other: Timestamp) -> u64 {
    u64::try_from(one.duration_since(other).as_millis().unsigned_abs()).unwrap_or(u64::MAX)
}
