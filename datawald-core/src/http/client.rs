//! One HTTP exchange with limits, and its failures sorted by what they mean for the caller.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::header::{
    ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, DATE, HeaderMap, HeaderName, HeaderValue, RETRY_AFTER, USER_AGENT,
    WWW_AUTHENTICATE,
};
use http::{Method, StatusCode};
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use tokio::time::Instant;
use url::Url;

use super::transport::{Answered, Broken, Carried, Network, Transport};
use super::{body, certificate, redirect};
use crate::tls::CryptoProvider;
use crate::{Concern, Disposition, Effect, Error, ErrorKind, Result};

/// How to reach a server and how much to bear from it.
#[derive(Debug, Clone)]
pub struct HttpSettings {
    /// The address that paths are joined to.
    pub base_url: Url,
    /// For a connection to be made.
    pub connect_timeout: Duration,
    /// For a whole exchange.
    pub timeout: Duration,
    /// The largest answer, in bytes.
    pub max_body: usize,
    /// Certificates to trust beside the system's, as PEM text.
    pub extra_ca_pem: Option<String>,
    /// The provider of cryptography for `https`, if not the one that the program has installed; see [`crate::tls`].
    pub tls_provider: Option<Arc<CryptoProvider>>,
    /// Headers of every request, beside those that it has itself; see [`HttpSettings::header`].
    pub headers: HeaderMap,
    /// What carries the requests, if not the HTTP client of this crate; times to connect and certificates are its own
    /// affair then.
    pub transport: Option<Arc<dyn Transport>>,
}

impl HttpSettings {
    /// Ten seconds to connect, sixty for an exchange, 32 MiB at most.
    ///
    /// # Errors
    /// Of kind `Config` if `base_url` is no `http` or `https` address.
    pub fn new(base_url: &str) -> Result<Self> {
        let operation = "read base URL";
        let mut url = Url::parse(base_url).map_err(|error| {
            Error::config(operation, "is not a URL; it should look like https://shop.example.com").caused_by(error)
        })?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(Error::config(operation, "is not an http or https address"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::config(
                operation,
                "holds a user name or password; configure them as credentials instead",
            ));
        }
        if !url.path().ends_with('/') {
            let path = format!("{}/", url.path());
            url.set_path(&path);
        }
        Ok(Self {
            base_url: url,
            connect_timeout: Duration::from_secs(10),
            timeout: Duration::from_secs(60),
            max_body: 32 << 20,
            extra_ca_pem: None,
            tls_provider: None,
            headers: HeaderMap::new(),
            transport: None,
        })
    }

    /// Adds a header to every request, as a firewall may ask for one; `User-Agent` takes the place of `datawald/<version>`. The
    /// value counts as a secret.
    ///
    /// # Errors
    /// Of kind `Config`, naming the header, if it is none, holds what none can carry, or is one that HTTP itself needs.
    pub fn header(&mut self, name: &str, value: &str) -> Result<()> {
        let wrong = |message| Err(Error::config("read headers", message).field(format!("headers.{name}")));
        let Ok(header) = HeaderName::try_from(name) else { return wrong("is no name of a header") };
        if OF_HTTP.contains(&header.as_str()) {
            return wrong("is a header that is set from what is sent; it cannot be configured");
        }
        let Ok(mut value) = HeaderValue::from_str(value) else {
            return wrong("holds a line break or another character that a header cannot carry");
        };
        value.set_sensitive(true);
        self.headers.insert(header, value);
        Ok(())
    }
}

/// Headers that follow from what is sent.
const OF_HTTP: [&str; 9] = [
    "accept-encoding",
    "connection",
    "content-encoding",
    "content-length",
    "expect",
    "host",
    "te",
    "transfer-encoding",
    "upgrade",
];

/// A request.
#[derive(Debug)]
pub struct HttpRequest {
    /// What is being done, for errors (`fetch orders`).
    pub operation: &'static str,
    /// What it does to the other side; decides the disposition of failures.
    pub effect: Effect,
    /// The method.
    pub method: Method,
    /// The whole address.
    pub url: Url,
    /// Headers; mark secret values as sensitive.
    pub headers: HeaderMap,
    /// The body.
    pub body: Option<Bytes>,
    /// For this exchange, if other than the settings' timeout.
    pub timeout: Option<Duration>,
}

impl HttpRequest {
    /// A request without headers and body.
    pub fn new(operation: &'static str, effect: Effect, method: Method, url: Url) -> Self {
        Self { operation, effect, method, url, headers: HeaderMap::new(), body: None, timeout: None }
    }

    /// With a JSON body.
    #[must_use]
    pub fn json(mut self, body: impl Into<Bytes>) -> Self {
        self.headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        self.body = Some(body.into());
        self
    }

    /// With a header whose value is a secret.
    ///
    /// # Errors
    /// Of kind `Config` if the value holds characters that a header cannot carry.
    pub fn secret_header(mut self, name: HeaderName, value: &str) -> Result<Self> {
        let mut value = HeaderValue::from_str(value).map_err(|_| {
            Error::config(
                self.operation,
                format!("the credential for the header `{name}` holds a line break or another control character"),
            )
        })?;
        value.set_sensitive(true);
        self.headers.insert(name, value);
        Ok(self)
    }
}

/// An answer, whole and within the size limit.
pub struct HttpResponse {
    /// What was being done.
    pub operation: &'static str,
    /// What it does to the other side.
    pub effect: Effect,
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
    /// How long it took, from sending the request to the end of the body.
    pub took: Duration,
}

impl HttpResponse {
    /// The server's own time, from the `Date` header.
    pub fn server_time(&self) -> Option<Timestamp> {
        let date = httpdate::parse_http_date(self.headers.get(DATE)?.to_str().ok()?).ok()?;
        Timestamp::try_from(date).ok()
    }

    /// Whether it asks for a user and a password as browsers do (`WWW-Authenticate: Basic`): something before the API does that.
    pub fn asks_for_basic(&self) -> bool {
        let mut challenges = self.headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
        challenges.any(|value| value.trim_start().get(..5).is_some_and(|scheme| scheme.eq_ignore_ascii_case("basic")))
    }

    /// The wait that a `Retry-After` header asks for, as seconds or as a date against the server's own time.
    pub fn retry_after(&self) -> Option<Duration> {
        let text = self.headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
        if let Ok(seconds) = text.parse::<u64>() {
            return Some(Duration::from_secs(seconds));
        }
        let at = Timestamp::try_from(httpdate::parse_http_date(text).ok()?).ok()?;
        let now = self.server_time().unwrap_or_else(Timestamp::now);
        Some(Duration::try_from(at.duration_since(now)).unwrap_or(Duration::ZERO))
    }

    /// Reads the body as JSON. The text of an error tells what came instead, never its content.
    ///
    /// # Errors
    /// Of kind `Protocol`; uncertain after a write.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| self.not_json(&error))
    }

    /// The error for a body that is not the JSON that was expected.
    pub fn not_json(&self, error: &serde_json::Error) -> Error {
        let kind = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("no content type");
        let start = self.body.iter().find(|byte| !byte.is_ascii_whitespace());
        let what = if self.body.is_empty() {
            "an empty answer".to_owned()
        } else if start == Some(&b'<') {
            "an HTML or XML page: does the URL lead to the API, and is there a proxy or a maintenance page before it?"
                .to_owned()
        } else if let Err(error) = std::str::from_utf8(&self.body) {
            format!("text that is not UTF-8, from byte {} on", error.valid_up_to() + 1)
        } else if error.is_eof() {
            "JSON that was cut short".to_owned()
        } else if error.is_data() {
            // serde's text for data errors may quote a value; its place says enough.
            format!("JSON of another shape, from line {} column {}", error.line(), error.column())
        } else {
            format!("invalid JSON at line {} column {}", error.line(), error.column())
        };
        let message =
            format!("the answer (HTTP {}, {kind}, {} bytes) is {what}", self.status.as_u16(), self.body.len());
        Error::unknown_outcome(ErrorKind::Protocol, self.effect, self.operation, message)
    }

    /// The error for a status that says the server is busy or broken, whatever its body: 408, 425, 429, 502, 503, 504
    /// and other 5xx. `None` for the rest.
    ///
    /// 429 and 503 with `Retry-After` were refused at the door; other 5xx after a write may have been carried out.
    pub fn busy_or_broken(&self) -> Option<Error> {
        let code = self.status.as_u16();
        let after = self.retry_after();
        let retry = Disposition::Retryable { after };
        let error = match code {
            429 => Error::new(ErrorKind::Busy, retry, self.operation, "too many requests: the server asks to wait"),
            425 => Error::new(ErrorKind::Busy, retry, self.operation, "the server asks to try again"),
            503 if after.is_some() || self.effect != Effect::Write => {
                Error::new(ErrorKind::Busy, retry, self.operation, "the server is not available for now")
            }
            408 | 500..=599 => {
                let message = format!("the server failed with HTTP {code}");
                let error = Error::unknown_outcome(ErrorKind::Busy, self.effect, self.operation, message);
                // These say that it is away; any other, that it failed over what it was asked.
                if matches!(code, 408 | 502 | 503 | 504) { error } else { error.about(Concern::Unclear) }
            }
            _ => return None,
        };
        Some(error.code(code.to_string()))
    }
}

impl std::fmt::Debug for HttpResponse {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpResponse").field("status", &self.status).field("bytes", &self.body.len()).finish()
    }
}

/// An HTTP client with limits.
#[derive(Debug, Clone)]
pub struct Http {
    transport: Arc<dyn Transport>,
    headers: HeaderMap,
    settings: HttpSettings,
    sent: Arc<AtomicU64>,
}

impl Http {
    /// A client for `settings`.
    ///
    /// # Errors
    /// Of kind `Config` if TLS is needed and cannot be set up, as without a provider of cryptography.
    pub fn new(settings: HttpSettings) -> Result<Self> {
        let transport = match &settings.transport {
            Some(transport) => transport.clone(),
            None => Arc::new(Network::new(&settings)?),
        };
        let mut headers = HeaderMap::new();
        headers.insert(USER_AGENT, HeaderValue::from_static(concat!("datawald/", env!("CARGO_PKG_VERSION"))));
        headers.insert(ACCEPT, HeaderValue::from_static("*/*"));
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        headers.extend(settings.headers.clone());
        Ok(Self { transport, headers, settings, sent: Arc::default() })
    }

    /// The settings.
    pub fn settings(&self) -> &HttpSettings {
        &self.settings
    }

    /// How many requests were sent, by this client and its clones.
    pub fn requests_sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }

    /// An address below the base URL. `path` is taken as it is: encode its parts first.
    ///
    /// # Errors
    /// Of kind `Config` if the two do not make an address.
    pub fn url(&self, path: &str) -> Result<Url> {
        self.settings
            .base_url
            .join(path.trim_start_matches('/'))
            .map_err(|error| Error::config("build URL", "base URL and path do not make an address").caused_by(error))
    }

    /// Sends a request and reads the whole answer, of any status. It asks for gzip; the body that is given is the text, without a
    /// byte-order mark. Without a `User-Agent` of the settings it is `datawald/<version>`.
    ///
    /// # Errors
    /// No connection: retryable. Time-out, reset or a body cut short: retryable for reads, uncertain for writes. A body
    /// over the limit, before or after it is inflated: as the effect says, of kind `TooLarge`. Redirects are not followed, so
    /// that neither credentials nor data go where nobody has configured it: permanent, and says where it leads.
    pub async fn send(&self, request: HttpRequest) -> Result<HttpResponse> {
        let HttpRequest { operation, effect, method, url, headers, body, timeout } = request;
        let timeout = timeout.unwrap_or(self.settings.timeout);
        let mut all = self.headers.clone();
        all.extend(headers);
        let (max_body, asked) = (self.settings.max_body, url.clone());
        let carried = Carried { method, url, headers: all, body, timeout, max_body };
        self.sent.fetch_add(1, Ordering::Relaxed);
        let began = Instant::now();
        let exchanged = self.transport.exchange(carried).await;
        let Answered { status, headers, body } = exchanged.map_err(|broken| self.failed(operation, effect, broken))?;
        if status.is_redirection() {
            return Err(redirect::refused(operation, &self.settings.base_url, &asked, status, &headers));
        }
        if let Some(name) = body::foreign_encoding(&headers) {
            let message = format!(
                "the answer is encoded as `{name}`, which was not asked for: does a proxy or a cache on the way change the \
                 header `Accept-Encoding`?"
            );
            return Err(Error::unknown_outcome(ErrorKind::Protocol, effect, operation, message));
        }
        let body = body::text(&headers, body, max_body).map_err(|broken| self.failed(operation, effect, broken))?;
        Ok(HttpResponse { operation, effect, status, headers, body, took: began.elapsed() })
    }

    /// Sorts a failure by what it means for the caller.
    fn failed(&self, operation: &'static str, effect: Effect, broken: Broken) -> Error {
        let host = self.settings.base_url.host_str().unwrap_or_default();
        let unknown = |kind, message| Error::unknown_outcome(kind, effect, operation, message);
        let (error, cause) = match broken {
            Broken::Connect(cause) => {
                let message = format!("cannot connect to {host}: is the URL right and the server up?");
                let retry = Disposition::Retryable { after: None };
                (Error::new(ErrorKind::Unreachable, retry, operation, message), cause)
            }
            Broken::Timeout(cause) => (unknown(ErrorKind::Timeout, format!("no answer from {host} in time")), cause),
            Broken::Cut(cause) => {
                let message = format!("the connection to {host} broke before the whole answer was there");
                (unknown(ErrorKind::Protocol, message), cause)
            }
            Broken::TooLarge => {
                let message = format!(
                    "the answer is larger than the limit of {} bytes: ask for smaller pages or raise `max_body`",
                    self.settings.max_body
                );
                (unknown(ErrorKind::TooLarge, message), None)
            }
        };
        let Some(cause) = cause else { return error };
        certificate::refused(operation, host, &*cause).unwrap_or(error).caused_by(cause)
    }
}
