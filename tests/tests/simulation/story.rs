//! What happened, in lines that one can read.

use std::fmt::Display;
use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

pub(crate) struct Story {
    began: Instant,
    lines: Mutex<Vec<String>>,
}

impl Story {
    pub(crate) fn new() -> Self {
        Self { began: Instant::now(), lines: Mutex::default() }
    }

    pub(crate) fn elapsed(&self) -> Duration {
        self.began.elapsed()
    }

    pub(crate) fn tell(&self, who: impl Display, what: impl Display) {
        let at = self.elapsed().as_millis();
        let (minutes, seconds, millis) = (at / 60_000, at / 1_000 % 60, at % 1_000);
        self.lines.lock().unwrap().push(format!("{minutes:3}:{seconds:02}.{millis:03}  {who:<11} {what}"));
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        self.lines.lock().unwrap().clone()
    }
}
