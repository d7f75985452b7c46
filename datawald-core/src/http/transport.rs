//! What carries requests: by default the HTTP client of this crate, or a carrier of your own.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use reqwest::header::HeaderMap;
use reqwest::{Method, StatusCode};
use url::Url;

use super::HttpSettings;
use crate::{Error, Result, tls};

/// Carries a request to a server and its answer back. Give one of your own to [`HttpSettings::transport`] for a way that
/// the default does not know: a proxy of your own, a recording, a server within the process.
///
/// What a failure means for the caller is decided by [`super::Http`], from [`Broken`] and the effect of the request.
#[async_trait]
pub trait Transport: Send + Sync + fmt::Debug {
    /// Carries one request.
    ///
    /// # Behavior
    /// The future ends within [`Carried::timeout`], with [`Broken::Timeout`] if nothing else. If it is dropped, the request
    /// may still be carried out. Redirects are answered, not followed. A body is given as it came: if its header says that it is
    /// in gzip, it is inflated by the caller.
    ///
    /// # Errors
    /// How the exchange broke.
    async fn exchange(&self, request: Carried) -> std::result::Result<Answered, Broken>;
}

/// A request to be carried. `Debug` shows neither headers nor body.
pub struct Carried {
    /// The method.
    pub method: Method,
    /// The whole address.
    pub url: Url,
    /// Headers; secret values are marked as sensitive.
    pub headers: HeaderMap,
    /// The body.
    pub body: Option<Bytes>,
    /// For the whole exchange.
    pub timeout: Duration,
    /// The largest answer, in bytes.
    pub max_body: usize,
}

impl fmt::Debug for Carried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Carried").field("method", &self.method).finish_non_exhaustive()
    }
}

/// A whole answer.
pub struct Answered {
    /// The status.
    pub status: StatusCode,
    /// The headers.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl fmt::Debug for Answered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answered").field("status", &self.status).finish_non_exhaustive()
    }
}

/// What is known of the cause of a failure.
pub type Cause = Option<Box<dyn StdError + Send + Sync>>;

/// How an exchange broke.
#[derive(Debug)]
pub enum Broken {
    /// No connection was made, so nothing was sent.
    Connect(Cause),
    /// The time was over before the whole answer was there.
    Timeout(Cause),
    /// The connection broke before the whole answer was there.
    Cut(Cause),
    /// The answer is larger than [`Carried::max_body`].
    TooLarge,
}

/// The default: the HTTP client underneath.
#[derive(Debug)]
pub(super) struct Network(reqwest::Client);

impl Network {
    pub(super) fn new(settings: &HttpSettings) -> Result<Self> {
        let tls = match settings.base_url.scheme() {
            "https" => tls::tls_config(settings.extra_ca_pem.as_deref())?,
            _ => tls::trust_nobody()?,
        };
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(tls)
            .connect_timeout(settings.connect_timeout)
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .map_err(|error| Error::config("set up HTTP client", "cannot be built").caused_by(error))?;
        Ok(Self(client))
    }
}

#[async_trait]
impl Transport for Network {
    async fn exchange(&self, request: Carried) -> std::result::Result<Answered, Broken> {
        let Carried { method, url, headers, body, timeout, max_body } = request;
        let mut builder = self.0.request(method, url).headers(headers).timeout(timeout);
        if let Some(body) = body {
            builder = builder.body(body);
        }
        let response = builder.send().await.map_err(broken)?;
        let status = response.status();
        let headers = response.headers().clone();
        if response.content_length().is_some_and(|length| length > max_body as u64) && !status.is_redirection() {
            return Err(Broken::TooLarge);
        }
        let mut body = BytesMut::new();
        let mut chunks = response.bytes_stream();
        while !status.is_redirection()
            && let Some(chunk) = chunks.next().await
        {
            let chunk = chunk.map_err(broken)?;
            if body.len() + chunk.len() > max_body {
                return Err(Broken::TooLarge);
            }
            body.extend_from_slice(&chunk);
        }
        Ok(Answered { status, headers, body: body.freeze() })
    }
}

fn broken(error: reqwest::Error) -> Broken {
    let (connect, timeout) = (error.is_connect(), error.is_timeout());
    // The address may carry identifiers in its query.
    let cause: Cause = Some(Box::new(error.without_url()));
    match (connect, timeout) {
        (true, _) => Broken::Connect(cause),
        (_, true) => Broken::Timeout(cause),
        _ => Broken::Cut(cause),
    }
}
