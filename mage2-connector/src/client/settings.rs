//! What is configured about a Magento 2.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use datawald_core::http::{HttpSettings, Transport};
use datawald_core::tls::CryptoProvider;
use datawald_core::{Error, Result};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::credentials::{Credentials, CredentialsTable};
use crate::agency::OrderSettings;
use crate::wording::without_values;

const OPERATION: &str = "read Magento settings";

/// A Magento 2: where it is, how to get in, how much to ask of it.
///
/// ```
/// use mage2_connector::Mage2Settings;
/// let settings = Mage2Settings::from_toml(r#"
///     base_url = "https://shop.example.com"
///     store = "default"          # optional: the store code in /rest/<store>/V1
///     page_size = 100            # optional: at most so many orders per request
///     timeout_secs = 60          # optional
///     [credentials]
///     kind = "bearer"            # or "admin" (username, password), or "oauth1" (the four keys)
///     token = "secret"
///     [headers]                  # optional: of every request, as a firewall asks for one
///     X-Shop-Gate = "secret"
///     [orders]
///     insert_statuses = ["pending", "processing", "complete"]
/// "#)?;
/// assert_eq!(settings.page_size, 100);
///
/// let error = Mage2Settings::from_toml("base_url = 'https://shop.example.com'\n[credentials]\nkind = 'bearer'").unwrap_err();
/// assert_eq!(error.field_path(), Some("credentials.token"));
/// # Ok::<(), datawald_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Mage2Settings {
    /// The shop's address, without `/rest`.
    pub base_url: String,
    /// The code of the store view in the address (`/rest/<store>/V1`); `None` for `/rest/V1`, Magento's default view.
    pub store: Option<String>,
    /// How to get in.
    pub credentials: Credentials,
    /// At most so many orders per request (default 100). Magento may have a limit of its own.
    pub page_size: usize,
    /// For a connection to be made (default 10 s).
    pub connect_timeout: Duration,
    /// For a whole exchange (default 60 s).
    pub timeout: Duration,
    /// The largest answer, in bytes (default 32 MiB).
    pub max_body: usize,
    /// A PEM file of certificates to trust beside the system's.
    pub ca_file: Option<PathBuf>,
    /// The provider of cryptography for `https`, if not the one that the program has installed; see [`datawald_core::tls`].
    /// It is not part of a file.
    pub tls_provider: Option<Arc<CryptoProvider>>,
    /// How long an admin token lives (Magento's default: 4 hours).
    pub admin_token_lifetime: Duration,
    /// Headers of every request, by name: what a firewall before the shop asks for, or another `User-Agent` than
    /// `datawald/<version>`. Their values count as secrets.
    pub headers: BTreeMap<String, SecretString>,
    /// What carries the requests, if not an HTTP client; not part of a file.
    pub transport: Option<Arc<dyn Transport>>,
    /// What is done with orders.
    pub orders: OrderSettings,
}

/// As it stands in TOML.
#[derive(Deserialize)]
#[serde(default, deny_unknown_fields)]
struct SettingsTable {
    base_url: String,
    store: Option<String>,
    credentials: Option<CredentialsTable>,
    page_size: usize,
    connect_timeout_secs: u64,
    timeout_secs: u64,
    max_body: usize,
    ca_file: Option<PathBuf>,
    admin_token_lifetime_secs: u64,
    headers: BTreeMap<String, SecretString>,
    orders: OrderSettings,
}

impl Default for SettingsTable {
    fn default() -> Self {
        Self {
            base_url: String::new(),
            store: None,
            credentials: None,
            page_size: 100,
            connect_timeout_secs: 10,
            timeout_secs: 60,
            max_body: 32 << 20,
            ca_file: None,
            admin_token_lifetime_secs: 4 * 3600,
            headers: BTreeMap::new(),
            orders: OrderSettings::default(),
        }
    }
}

impl Mage2Settings {
    /// Whether both may take one order: they lead to the same Magento, and their limits to stores have one in common.
    pub fn takes_orders_of(&self, other: &Self) -> bool {
        let shared = match (self.orders.store_ids(), other.orders.store_ids()) {
            (Some(one), Some(two)) => one.iter().any(|store| two.contains(store)),
            _ => true,
        };
        shared && place(&self.base_url).eq_ignore_ascii_case(place(&other.base_url))
    }

    /// Settings with the defaults, an integration's token and no store code.
    pub fn new(base_url: impl Into<String>, credentials: Credentials) -> Self {
        let table = SettingsTable::default();
        Self {
            base_url: base_url.into(),
            store: None,
            credentials,
            page_size: table.page_size,
            connect_timeout: Duration::from_secs(table.connect_timeout_secs),
            timeout: Duration::from_secs(table.timeout_secs),
            max_body: table.max_body,
            ca_file: None,
            tls_provider: None,
            admin_token_lifetime: Duration::from_secs(table.admin_token_lifetime_secs),
            headers: BTreeMap::new(),
            transport: None,
            orders: table.orders,
        }
    }

    /// Settings with the defaults and a bearer token.
    pub fn bearer(base_url: impl Into<String>, token: impl Into<String>) -> Self {
        Self::new(base_url, Credentials::Bearer(SecretString::from(token.into())))
    }

    /// Reads settings from a TOML text.
    ///
    /// # Errors
    /// Of kind `Config`, naming the key (`credentials.token`), never a value.
    pub fn from_toml(text: &str) -> Result<Self> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let line = error.span().map_or(0, |span| text.get(..span.start).unwrap_or_default().matches('\n').count());
            Error::config(OPERATION, format!("the text is not TOML at line {}", line + 1))
        })?;
        Self::from_table(table)
    }

    /// Reads settings from a table of a larger TOML document.
    ///
    /// # Errors
    /// As [`Mage2Settings::from_toml`].
    pub fn from_table(table: toml::Table) -> Result<Self> {
        let table: SettingsTable = read(table)?;
        let credentials = table.credentials.ok_or_else(|| {
            Error::config(OPERATION, "is missing: a table with `kind` = bearer, admin or oauth1").field("credentials")
        })?;
        let credentials = credentials
            .into_credentials()
            .map_err(|wrong| Error::config(OPERATION, wrong.1).field(format!("credentials.{}", wrong.0)))?;
        let settings = Self {
            base_url: table.base_url,
            store: table.store,
            credentials,
            page_size: table.page_size,
            connect_timeout: Duration::from_secs(table.connect_timeout_secs),
            timeout: Duration::from_secs(table.timeout_secs),
            max_body: table.max_body,
            ca_file: table.ca_file,
            tls_provider: None,
            admin_token_lifetime: Duration::from_secs(table.admin_token_lifetime_secs),
            headers: table.headers,
            transport: None,
            orders: table.orders,
        };
        settings.check()?;
        Ok(settings)
    }

    /// Checks what a type cannot say.
    ///
    /// # Errors
    /// Of kind `Config`, naming the key.
    pub fn check(&self) -> Result<()> {
        let wrong = |key: &'static str, message: &'static str| Err(Error::config(OPERATION, message).field(key));
        if self.base_url.trim().is_empty() {
            return wrong("base_url", "is missing: the shop's address, as https://shop.example.com");
        }
        let url = HttpSettings::new(&self.base_url).map_err(|error| error.field("base_url"))?.base_url;
        if url.path_segments().is_some_and(|mut parts| parts.any(|part| part == "rest")) {
            return wrong("base_url", "should be the shop's address without /rest, which is added");
        }
        if let Some(store) = &self.store
            && (store.is_empty() || !store.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'))
        {
            return wrong("store", "is no store code: letters, digits and underscores");
        }
        // A test may be shorter of patience than a file can be.
        let secs = |time: Duration| time.as_secs() + u64::from(time.subsec_nanos() > 0);
        let bounds = [
            ("page_size", self.page_size as u64, 1, 10_000),
            ("timeout_secs", secs(self.timeout), 1, 3600),
            ("connect_timeout_secs", secs(self.connect_timeout), 1, 300),
            ("admin_token_lifetime_secs", secs(self.admin_token_lifetime), 60, 365 * 86_400),
            // A page of orders is larger than that.
            ("max_body", self.max_body as u64, 1 << 10, 1 << 30),
        ];
        if let Some((key, _, least, most)) = bounds.into_iter().find(|(_, is, least, most)| is < least || is > most) {
            return Err(Error::config(OPERATION, format!("must be at least {least} and at most {most}")).field(key));
        }
        let mut http = HttpSettings::new(&self.base_url)?;
        self.add_headers(&mut http)?;
        self.orders.check().map_err(|(key, message)| Error::config(OPERATION, message).field(key))
    }

    /// The settings of the HTTP layer; reads the CA file.
    pub(super) fn http(&self) -> Result<HttpSettings> {
        let mut http = HttpSettings::new(&self.base_url).map_err(|error| error.field("base_url"))?;
        http.connect_timeout = self.connect_timeout;
        http.timeout = self.timeout;
        http.max_body = self.max_body;
        http.tls_provider = self.tls_provider.clone();
        http.transport = self.transport.clone();
        self.add_headers(&mut http)?;
        if let Some(path) = &self.ca_file {
            let pem = std::fs::read_to_string(path).map_err(|error| {
                Error::config(OPERATION, format!("cannot be read ({})", error.kind())).field("ca_file")
            })?;
            http.extra_ca_pem = Some(pem);
        }
        Ok(http)
    }

    fn add_headers(&self, http: &mut HttpSettings) -> Result<()> {
        for (name, value) in &self.headers {
            let of_ours = ["authorization", "accept", "content-type"];
            if of_ours.iter().any(|ours| ours.eq_ignore_ascii_case(name)) {
                let message = "is set by this connection itself; credentials are configured under `credentials`";
                return Err(Error::config(OPERATION, message).field(format!("headers.{name}")));
            }
            http.header(name, value.expose_secret())?;
        }
        Ok(())
    }
}

fn read<T: DeserializeOwned>(table: toml::Table) -> Result<T> {
    serde_path_to_error::deserialize(toml::Value::Table(table)).map_err(|error| {
        let path = error.path().to_string();
        Error::config(OPERATION, without_values(error.inner().message())).field(path)
    })
}

/// An address, however it is reached.
fn place(base_url: &str) -> &str {
    base_url.split_once("://").map_or(base_url, |(_, rest)| rest).trim_end_matches('/')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(text: &str) -> Error {
        Mage2Settings::from_toml(text).unwrap_err()
    }

    #[test]
    fn errors_name_the_key_and_hold_no_secret() {
        let credentials = "\n[credentials]\nkind = 'bearer'\ntoken = 's3cret'";
        let cases = [
            (format!("base_url = 5{credentials}"), "base_url", "should be a string"),
            (format!("base_url = 'shop.example.com'{credentials}"), "base_url", "not a URL"),
            (format!("base_url = 'https://a.example/rest/V1'{credentials}"), "base_url", "without /rest"),
            (format!("base_url = 'https://a.example'\nstore = 'a/b'{credentials}"), "store", "no store code"),
            (format!("base_url = 'https://a.example'\npage_size = -1{credentials}"), "page_size", ""),
            (format!("base_url = 'https://a.example'\npage_size = 0{credentials}"), "page_size", "at least 1"),
            (format!("base_url = 'https://a.example'{credentials}\npasword = 's3cret'"), "credentials.pasword", ""),
            (
                format!("base_url = 'https://a.example'{credentials}\n[headers]\nHost = 's3cret'"),
                "headers.Host",
                "cannot be",
            ),
            (
                format!("base_url = 'https://a.example'{credentials}\n[headers]\nauthorization = 's3cret'"),
                "headers.authorization",
                "`credentials`",
            ),
            (
                format!("base_url = 'https://a.example'{credentials}\n[headers]\nX-Gate = \"s3cret\\n\""),
                "headers.X-Gate",
                "line break",
            ),
            (
                format!("base_url = 'https://a.example'{credentials}\n[orders]\ninsert_statuses = 's3cret'"),
                "orders.insert_statuses",
                "",
            ),
            (
                format!("base_url = 'https://a.example'{credentials}\n[orders]\ncancel_statuses = ['pending']"),
                "orders.cancel_statuses",
                "insert_statuses",
            ),
            ("base_url = 'https://a.example'".into(), "credentials", "is missing"),
            (
                "base_url = 'https://a.example'\n[credentials]\ntoken = 's3cret'".into(),
                "credentials.kind",
                "is missing",
            ),
            ("base_url = 'https://a.example'\n[credentials]\nkind = 's3cret'".into(), "credentials.kind", "none of"),
            (
                "base_url = 'https://a.example'\n[credentials]\nkind = 'admin'\nusername = 'u'".into(),
                "credentials.password",
                "is missing",
            ),
            (
                "base_url = 'https://a.example'\n[credentials]\nkind = 'bearer'\ntoken = 735353".into(),
                "credentials.token",
                "",
            ),
        ];
        for (text, key, part) in cases {
            let error = error(&text);
            assert_eq!(error.field_path(), Some(key), "{error}");
            assert!(error.to_string().contains(part), "{error}");
            assert!(!error.report().contains("s3cret") && !error.report().contains("735353"), "{error:?}");
            assert_eq!(error.kind(), datawald_core::ErrorKind::Config);
        }
        assert!(error("a = [\nb").to_string().contains("line"), "{}", error("a = [\nb"));
    }

    #[test]
    fn debug_shows_no_secret() {
        let mut settings = Mage2Settings::bearer("https://a.example", "s3cret");
        settings.headers.insert("X-Gate".to_owned(), SecretString::from("s3cret"));
        let http = settings.http().unwrap();
        assert_eq!(http.headers["x-gate"], "s3cret");
        assert!(!format!("{http:?}").contains("s3cret"));
        assert!(!format!("{settings:?}").contains("s3cret"));
    }
}
