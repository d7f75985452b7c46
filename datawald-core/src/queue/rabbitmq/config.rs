//! The settings of the RabbitMQ queue, and the address that they name.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use lapin::uri::AMQPUri;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use url::{Host, Url};

use crate::tls::CryptoProvider;
use crate::{Error, Result};

/// How to reach RabbitMQ, and how its queues are made. Only `uri` must be given.
///
/// What the queues are made with (`prefix`, `capacity`, `dead_capacity`, `delivery_limit`) must be the same in every process
/// that shares them: RabbitMQ keeps the arguments that a queue was first declared with and refuses others.
///
/// ```
/// # use datawald_core::queue::RabbitSettings;
/// let settings: RabbitSettings = serde_json::from_str(r#"{"uri": "amqp://shop:s3cret@mq.example.com/shop", "prefetch": 32}"#)?;
/// assert_eq!((settings.prefix.as_str(), settings.prefetch), ("datawald", 32));
/// assert!(!format!("{settings:?}").contains("s3cret"));
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RabbitSettings {
    /// `amqp://user:password@host:port/vhost`, or `amqps://` for TLS. Without a path the virtual host is `/`; one whose name
    /// holds a slash is written `%2f`. The query may set `heartbeat` (seconds; 10 if it does not), `frame_max` and
    /// `channel_max`.
    pub uri: SecretString,
    /// The beginning of the names of all queues: letters, digits, `-`, `_` and `.`, at most 64. Installations that share a
    /// virtual host have different ones.
    #[serde(default = "defaults::prefix")]
    pub prefix: String,
    /// Messages of a flow that a process holds at once, those in the hands of its workers included. No more workers than this
    /// have something to do, and what is held beyond them waits for them while other processes may be idle: the engine's
    /// `concurrency` and a few.
    #[serde(default = "defaults::prefetch")]
    pub prefetch: u16,
    /// Messages that wait in the queue of a flow; more are refused ([`Published::Full`](super::super::Published::Full)).
    #[serde(default = "defaults::capacity")]
    pub capacity: u32,
    /// Messages kept in the dead-letter queue of a flow; the oldest give way. To look at some is to fetch them all.
    #[serde(default = "defaults::dead_capacity")]
    pub dead_capacity: u32,
    /// How often RabbitMQ delivers a message again that was neither acknowledged nor put back (its receiver died, say) before
    /// it sets it aside as one that kills its receivers.
    #[serde(default = "defaults::delivery_limit")]
    pub delivery_limit: u32,
    /// After how long without a receiver in this process what it holds and has not handed out is given back to RabbitMQ, for
    /// other processes, in milliseconds. It counts as delivered for the `delivery_limit`.
    #[serde(default = "defaults::idle_ms")]
    pub idle_ms: u64,
    /// How long publishing waits for RabbitMQ to confirm, in milliseconds.
    #[serde(default = "defaults::timeout_ms")]
    pub publish_timeout_ms: u64,
    /// How long making a connection may take, and every other exchange with RabbitMQ, in milliseconds. RabbitMQ takes up to
    /// three seconds to refuse a login.
    #[serde(default = "defaults::timeout_ms")]
    pub connect_timeout_ms: u64,
    /// A file of certificate authorities (PEM) to trust beside the system's, for `amqps`.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// The provider of cryptography for `amqps`, if not the one that the program has installed; see [`crate::tls`]. It is not
    /// part of a file.
    #[serde(skip)]
    pub tls_provider: Option<Arc<CryptoProvider>>,
}

mod defaults {
    pub(super) fn prefix() -> String {
        "datawald".to_owned()
    }
    pub(super) fn prefetch() -> u16 {
        8
    }
    pub(super) fn capacity() -> u32 {
        10_000
    }
    pub(super) fn dead_capacity() -> u32 {
        1_000
    }
    pub(super) fn delivery_limit() -> u32 {
        20
    }
    pub(super) fn idle_ms() -> u64 {
        30_000
    }
    pub(super) fn timeout_ms() -> u64 {
        5_000
    }
}

/// The longest prefix: with the name of a table, an escaped frontend and a suffix it must fit into a queue's 255 bytes.
const LONGEST_PREFIX: usize = 64;

/// Seconds between heartbeats, unless the URI says otherwise: a peer that vanished is noticed within two of them.
const HEARTBEAT: u16 = 10;

impl RabbitSettings {
    /// The defaults for `uri`.
    pub fn new(uri: impl Into<SecretString>) -> Self {
        Self {
            uri: uri.into(),
            prefix: defaults::prefix(),
            prefetch: defaults::prefetch(),
            capacity: defaults::capacity(),
            dead_capacity: defaults::dead_capacity(),
            delivery_limit: defaults::delivery_limit(),
            idle_ms: defaults::idle_ms(),
            publish_timeout_ms: defaults::timeout_ms(),
            connect_timeout_ms: defaults::timeout_ms(),
            ca_file: None,
            tls_provider: None,
        }
    }

    /// Checks what would make the queue stand still or RabbitMQ refuse it.
    ///
    /// # Errors
    /// Of kind `Config`, naming the setting. The URI is checked when connecting.
    pub fn check(&self) -> Result<()> {
        let wrong = |field: &'static str, message: &str| Err(Error::config(OPERATION, message).field(field));
        let numbers = [
            ("prefetch", u64::from(self.prefetch)),
            ("capacity", u64::from(self.capacity)),
            ("dead_capacity", u64::from(self.dead_capacity)),
            ("delivery_limit", u64::from(self.delivery_limit)),
            ("idle_ms", self.idle_ms),
            ("publish_timeout_ms", self.publish_timeout_ms),
            ("connect_timeout_ms", self.connect_timeout_ms),
        ];
        if let Some((name, _)) = numbers.iter().find(|(_, number)| *number == 0) {
            return wrong(name, "must be at least 1");
        }
        let plain = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
        if self.prefix.is_empty() || self.prefix.len() > LONGEST_PREFIX || !self.prefix.chars().all(plain) {
            return wrong("prefix", "must be 1 to 64 letters, digits, `-`, `_` or `.`");
        }
        if self.prefix.starts_with("amq.") {
            return wrong("prefix", "must not begin with `amq.`, which RabbitMQ keeps for itself");
        }
        Ok(())
    }

    pub(super) fn idle(&self) -> Duration {
        Duration::from_millis(self.idle_ms)
    }

    pub(super) fn publish_timeout(&self) -> Duration {
        Duration::from_millis(self.publish_timeout_ms)
    }

    pub(super) fn connect_timeout(&self) -> Duration {
        Duration::from_millis(self.connect_timeout_ms)
    }

    /// What is in the CA file.
    pub(super) fn extra_ca_pem(&self) -> Result<Option<String>> {
        let Some(path) = &self.ca_file else { return Ok(None) };
        std::fs::read_to_string(path).map(Some).map_err(|error| {
            Error::config(OPERATION, format!("cannot read {}", path.display())).field("ca_file").caused_by(error)
        })
    }
}

const OPERATION: &str = "read RabbitMQ settings";

/// Where RabbitMQ is. It holds the credentials and is never shown but as `host:port`.
pub(super) struct Address {
    pub(super) uri: AMQPUri,
    /// `host:port`.
    pub(super) shown: String,
}

impl Address {
    /// Reads a URI. No error quotes it: it may hold a password.
    pub(super) fn parse(uri: &SecretString) -> Result<Self> {
        let wrong = |message: &str| Error::config(OPERATION, message).field("uri");
        let text = uri.expose_secret().trim();
        let url = Url::parse(text)
            .map_err(|_| wrong("is not a URI; it should look like amqp://user:password@host:5672/vhost"))?;
        if !matches!(url.scheme(), "amqp" | "amqps") {
            return Err(wrong("must begin with amqp:// or amqps://"));
        }
        if url.host().is_none() {
            return Err(wrong("names no host; it should look like amqp://user:password@host:5672/vhost"));
        }
        let mut uri: AMQPUri = text.parse().map_err(|_| {
            wrong("cannot be read: is a special character of the user, the password or the virtual host not percent-encoded, or a number in its query none?")
        })?;
        // The library takes an IPv6 address for no host at all, and with it for `localhost`.
        if let Some(Host::Ipv6(address)) = url.host() {
            uri.authority.host = address.to_string();
        }
        if uri.vhost.len() > 255 {
            return Err(wrong("names a virtual host of more than 255 bytes"));
        }
        uri.query.heartbeat.get_or_insert(HEARTBEAT);
        let host = &uri.authority.host;
        let port = uri.authority.port;
        let shown = if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
        Ok(Self { uri, shown })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(uri: &str) -> Result<Address> {
        Address::parse(&uri.to_owned().into())
    }

    #[test]
    fn addresses_are_shown_without_credentials() {
        for (uri, shown, vhost) in [
            ("amqp://shop:s3cret@mq", "mq:5672", "/"),
            ("amqps://shop:s3cret@mq.example.com/%2fa", "mq.example.com:5671", "/a"),
            (" amqp://127.0.0.1:27672/v?heartbeat=3 ", "127.0.0.1:27672", "v"),
            ("amqp://shop:s3cret@[::1]:1234", "[::1]:1234", "/"),
        ] {
            let address = address(uri).unwrap();
            assert_eq!((address.shown.as_str(), address.uri.vhost.as_str()), (shown, vhost));
        }
        assert_eq!(address("amqp://[::1]").unwrap().uri.authority.host, "::1");
        assert_eq!(address("amqp://mq").unwrap().uri.query.heartbeat, Some(10));
        assert_eq!(address("amqp://mq?heartbeat=3").unwrap().uri.query.heartbeat, Some(3));
    }

    #[test]
    fn what_is_no_address_is_said_without_quoting_it() {
        let long = format!("amqp://mq/{}", "s3cret".repeat(50));
        for uri in [
            "",
            "s3cret",
            "http://shop:s3cret@mq",
            "amqp:s3cret",
            "amqp:///s3cret",
            "amqp://mq?heartbeat=s3cret",
            "amqp://s%FFcret:s3cret@mq",
            long.as_str(),
        ] {
            let error = address(uri).err().unwrap_or_else(|| panic!("{uri} was taken"));
            assert_eq!(error.kind(), crate::ErrorKind::Config);
            assert_eq!(error.field_path(), Some("uri"));
            assert!(!error.report().contains("cret"), "{}", error.report());
        }
    }

    #[test]
    fn settings_are_checked() {
        let good = RabbitSettings::new("amqp://mq");
        good.check().unwrap();
        type Change = fn(&mut RabbitSettings);
        let bad: [(&str, Change); 5] = [
            ("prefetch", |settings| settings.prefetch = 0),
            ("capacity", |settings| settings.capacity = 0),
            ("prefix", |settings| settings.prefix = String::new()),
            ("prefix", |settings| settings.prefix = "a b".to_owned()),
            ("prefix", |settings| settings.prefix = "amq.mine".to_owned()),
        ];
        for (field, change) in bad {
            let mut settings = good.clone();
            change(&mut settings);
            assert_eq!(settings.check().unwrap_err().field_path(), Some(field));
        }
        assert!(serde_json::from_str::<RabbitSettings>(r#"{"uri":"amqp://mq","prefech":3}"#).is_err());
        assert!(serde_json::from_str::<RabbitSettings>("{}").is_err());
    }
}
