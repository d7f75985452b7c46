//! Wall clocks: one of each process, and the true time.

use std::sync::Mutex;
use std::time::Duration;

use datawald_core::Clock;
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

/// A wall clock over Tokio's, which may be off, drift and stand still.
#[derive(Debug)]
pub(crate) struct WallClock {
    began: Instant,
    state: Mutex<State>,
}

#[derive(Debug, Clone, Copy)]
struct State {
    offset: SignedDuration,
    /// How much faster than the true time, in a million.
    drift: i64,
    /// The time that it stands at.
    stopped: Option<Timestamp>,
}

/// 2026-01-31T10:00:00Z: the true time when a run begins.
const BEGINNING: i64 = 1_769_853_600;

impl WallClock {
    pub(crate) fn right() -> Self {
        let state = State { offset: SignedDuration::ZERO, drift: 0, stopped: None };
        Self { began: Instant::now(), state: Mutex::new(state) }
    }

    /// The time when a run begins.
    pub(crate) fn began(&self) -> Timestamp {
        Timestamp::from_second(BEGINNING).unwrap()
    }

    pub(crate) fn step(&self, seconds: i64) {
        self.state.lock().unwrap().offset += SignedDuration::from_secs(seconds);
    }

    pub(crate) fn drift(&self, in_a_million: i64) {
        self.state.lock().unwrap().drift = in_a_million;
    }

    pub(crate) fn stop(&self) {
        let now = self.now();
        self.state.lock().unwrap().stopped = Some(now);
    }

    /// Sets it right.
    pub(crate) fn correct(&self) {
        *self.state.lock().unwrap() = State { offset: SignedDuration::ZERO, drift: 0, stopped: None };
    }
}

impl Clock for WallClock {
    fn now(&self) -> Timestamp {
        let State { offset, drift, stopped } = *self.state.lock().unwrap();
        if let Some(stopped) = stopped {
            return stopped;
        }
        let elapsed: Duration = self.began.elapsed();
        let micros = i64::try_from(elapsed.as_micros()).unwrap();
        let run = SignedDuration::from_micros(micros + micros / 1_000_000 * drift);
        Timestamp::from_second(BEGINNING).unwrap() + run + offset
    }

    /// Nobody sets this one.
    fn monotonic(&self) -> Duration {
        self.began.elapsed()
    }
}
