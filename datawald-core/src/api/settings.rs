//! The limits of the API.

use serde::Deserialize;

use crate::{Error, Result};

/// The limits of the API.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiSettings {
    /// The largest body of a request, in bytes.
    pub max_body: usize,
    /// How deep a JSON body may be nested.
    pub max_depth: usize,
    /// How many entities one request may carry.
    pub max_batch: usize,
    /// How long the head of a request may take to arrive, in milliseconds.
    pub head_timeout_ms: u64,
    /// How long a body may take to arrive, in milliseconds.
    pub body_timeout_ms: u64,
    /// How long the work for a request may take, in milliseconds.
    pub timeout_ms: u64,
    /// Requests per second, per token.
    pub requests_per_second: u32,
    /// Requests that a token may send at once beyond that.
    pub burst: u32,
    /// Connections at the same time.
    pub max_connections: usize,
    /// How far the times that a caller gives may be from the store's clock, which it asks for, in milliseconds; and how far a cut
    /// may be ahead of this host's wall clock.
    pub max_clock_skew_ms: u64,
    /// For how long a token is not looked up again, in milliseconds; one that is revoked may be of use for that long.
    pub token_cache_ms: u64,
}

impl Default for ApiSettings {
    fn default() -> Self {
        Self {
            max_body: 16 << 20,
            max_depth: 64,
            max_batch: 1_000,
            head_timeout_ms: 10_000,
            body_timeout_ms: 30_000,
            timeout_ms: 60_000,
            requests_per_second: 500,
            burst: 1_000,
            max_connections: 1_024,
            max_clock_skew_ms: 60_000,
            token_cache_ms: 2_000,
        }
    }
}

impl ApiSettings {
    /// Checks what would refuse every request.
    ///
    /// # Errors
    /// Of kind `Config`, naming the first setting that is zero.
    pub fn check(&self) -> Result<()> {
        let numbers = [
            ("max_body", self.max_body as u64),
            ("max_depth", self.max_depth as u64),
            ("max_batch", self.max_batch as u64),
            ("head_timeout_ms", self.head_timeout_ms),
            ("body_timeout_ms", self.body_timeout_ms),
            ("timeout_ms", self.timeout_ms),
            ("requests_per_second", u64::from(self.requests_per_second)),
            ("burst", u64::from(self.burst)),
            ("max_connections", self.max_connections as u64),
            ("max_clock_skew_ms", self.max_clock_skew_ms),
        ];
        match numbers.iter().find(|(_, number)| *number == 0) {
            None => Ok(()),
            Some((name, _)) => Err(Error::config("read API settings", "must be at least 1").field(*name)),
        }
    }
}
