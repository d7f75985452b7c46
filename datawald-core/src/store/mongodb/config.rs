//! Where the store is and how patient it is.

use secrecy::SecretString;
use serde::Deserialize;

/// How to reach the MongoDB server or replica set. `Debug` hides the URI.
///
/// ```
/// use datawald_core::store::MongoSettings;
/// let settings = MongoSettings { database: Some("staging".into()), ..MongoSettings::new("mongodb://localhost:27017") };
/// assert!(!format!("{settings:?}").contains("localhost"));
/// ```
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MongoSettings {
    /// `mongodb://` or `mongodb+srv://`, with credentials, TLS and the like as MongoDB's documentation of connection
    /// strings has it (`tls=true&tlsCAFile=ca.pem`). The provider of TLS is chosen by a feature: ring by `ring` of this crate,
    /// others by the driver's own.
    pub uri: SecretString,
    /// The database; if not given here, the one that the URI names, else `datawald`.
    #[serde(default)]
    pub database: Option<String>,
    /// How long a call waits for a server that is away (restarting, electing a primary) before it fails, in
    /// milliseconds.
    #[serde(default = "patience_ms")]
    pub patience_ms: u64,
    /// How long opening the store waits for a server to answer at all, in milliseconds.
    #[serde(default = "connect_timeout_ms")]
    pub connect_timeout_ms: u64,
}

impl MongoSettings {
    /// The usual settings for a URI.
    pub fn new(uri: impl Into<String>) -> Self {
        Self {
            uri: SecretString::from(uri.into()),
            database: None,
            patience_ms: patience_ms(),
            connect_timeout_ms: connect_timeout_ms(),
        }
    }
}

fn patience_ms() -> u64 {
    60_000
}

fn connect_timeout_ms() -> u64 {
    10_000
}
