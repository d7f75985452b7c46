//! Sizes, times and concurrency of requests to SAP B1.

use std::time::Duration;

use datawald_core::{Cx, Disposition, Error, ErrorKind, Result};
use serde::Deserialize;

/// The least time that a writing call is given; with less left of the lease it is not sent.
const LEAST_WRITE_TIME: Duration = Duration::from_secs(1);

/// Sizes, times and concurrency of requests to SAP B1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Requests {
    /// How many orders go into one insert or cancel call at most. An insert has no more than half of `write_timeout_s` was
    /// enough for lately, and ten before that is known: what is given up may go on, and be made twice.
    pub write_batch: usize,
    /// How many references go into one look-up call; at most 100.
    pub lookup_batch: usize,
    /// How many calls run at the same time.
    pub concurrency: usize,
    /// The longest that a writing call may take, in seconds.
    pub write_timeout_s: u64,
    /// The longest that a reading call may take, in seconds.
    pub read_timeout_s: u64,
    /// How long before the end of its lease a write must be over, in seconds.
    pub lease_margin_s: u64,
    /// How long names and codes are kept before they are fetched again, in seconds.
    pub codes_fresh_s: u64,
    /// How long SAP B1 RESTful's tokens live, in seconds.
    pub token_life_s: u64,
}

impl Default for Requests {
    fn default() -> Self {
        Self {
            write_batch: 50,
            lookup_batch: 100,
            concurrency: 4,
            write_timeout_s: 60,
            read_timeout_s: 30,
            lease_margin_s: 5,
            codes_fresh_s: 900,
            token_life_s: 300,
        }
    }
}

impl Requests {
    /// The longest that a writing call may take.
    pub fn write_timeout(&self) -> Duration {
        Duration::from_secs(self.write_timeout_s)
    }

    /// How long a write may take that begins now: it must be over well before the lease ends.
    pub(crate) fn write_time(&self, cx: &Cx, operation: &'static str) -> Result<Duration> {
        let configured = self.write_timeout();
        let Some(left) = cx.time_left() else { return Ok(configured) };
        // Of a short lease the margin is a quarter, so that there is time to write at all.
        let usable = left.saturating_sub(self.lease_margin().min(left / 4));
        if usable < LEAST_WRITE_TIME {
            let message = "was not sent: too little is left of the lease for the answer to come in time";
            return Err(Error::new(ErrorKind::Timeout, Disposition::Retryable { after: None }, operation, message));
        }
        Ok(configured.min(usable))
    }

    /// The longest that a reading call may take.
    pub fn read_timeout(&self) -> Duration {
        Duration::from_secs(self.read_timeout_s)
    }

    /// How long before the end of its lease a write must be over.
    pub fn lease_margin(&self) -> Duration {
        Duration::from_secs(self.lease_margin_s)
    }

    /// How long names and codes are kept.
    pub fn codes_fresh(&self) -> Duration {
        Duration::from_secs(self.codes_fresh_s)
    }

    /// How old they are at least when they are fetched again for an order that fails by them: however many fail, SAP B1 is
    /// asked once a minute.
    pub fn codes_anew(&self) -> Duration {
        self.codes_fresh().min(Duration::from_secs(60))
    }

    /// How old a token gets before it is renewed: a tenth of its life, at most 30 seconds, before its end.
    pub fn token_age(&self) -> Duration {
        Duration::from_secs(self.token_life_s - (self.token_life_s / 10).min(30))
    }
}
