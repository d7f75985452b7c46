//! How to reach a core.

use std::fmt;
use std::sync::Arc;

use secrecy::SecretString;

use crate::tls::CryptoProvider;

/// How to reach a core, and how patiently. `Debug` leaves the token out.
#[derive(Clone)]
pub struct ClientSettings {
    /// Where its API is (`https://core.example.com`).
    pub url: String,
    /// The token.
    pub token: SecretString,
    /// For one exchange, in milliseconds.
    pub timeout_ms: u64,
    /// How long a call goes on trying while the core is away, busy or limits its callers, in milliseconds. A call carries
    /// the time at which it was made, and the core refuses one that is older than its `max_clock_skew_ms`: more than that
    /// is of no use.
    pub patience_ms: u64,
    /// Certificates to trust beside the system's, as PEM text.
    pub extra_ca_pem: Option<String>,
    /// The provider of cryptography for `https`, if not the one that the program has installed; see [`crate::tls`].
    pub tls_provider: Option<Arc<CryptoProvider>>,
    /// The largest answer, in bytes.
    pub max_body: usize,
}

impl ClientSettings {
    /// Thirty seconds for an exchange, a minute of patience, answers up to 64 MiB.
    pub fn new(url: impl Into<String>, token: impl Into<SecretString>) -> Self {
        Self {
            url: url.into(),
            token: token.into(),
            timeout_ms: 30_000,
            patience_ms: 60_000,
            extra_ca_pem: None,
            tls_provider: None,
            max_body: 64 << 20,
        }
    }
}

impl fmt::Debug for ClientSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientSettings").field("url", &self.url).finish_non_exhaustive()
    }
}
