//! What carries requests: by default the HTTP client of this crate, or a carrier of your own.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::HeaderMap;
use http::response::Parts;
use http::{Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Incoming};
use hyper_rustls::{HttpsConnectorBuilder, MaybeHttpsStream};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tower::timeout::Timeout;
use tower::util::BoxCloneSyncService;
use tower::{BoxError, ServiceExt};
use url::Url;

use super::HttpSettings;
use crate::{Result, tls};

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

/// The default: HTTP/1.1 over pooled connections.
///
/// It is made of its parts rather than of a ready client such as reqwest: that cannot be built without a provider of
/// cryptography, not even for plain HTTP, and what it does depends on features that others in the program switch on.
#[derive(Debug)]
pub(super) struct Network(Client<Connector, Full<Bytes>>);

/// Makes connections, with TLS or without.
type Connector = BoxCloneSyncService<Uri, MaybeHttpsStream<TokioIo<TcpStream>>, BoxError>;

impl Network {
    pub(super) fn new(settings: &HttpSettings) -> Result<Self> {
        let mut tcp = HttpConnector::new();
        tcp.set_nodelay(true);
        // The whole way to a connection, the handshake of TLS included.
        let limit = settings.connect_timeout;
        let connector = if settings.base_url.scheme() == "https" {
            let tls = tls::tls_config(settings.extra_ca_pem.as_deref(), settings.tls_provider.clone())?;
            tcp.enforce_http(false);
            let tls = HttpsConnectorBuilder::new().with_tls_config(tls).https_or_http().enable_http1();
            Connector::new(Timeout::new(tls.wrap_connector(tcp), limit))
        } else {
            Connector::new(Timeout::new(tcp.map_response(MaybeHttpsStream::Http), limit))
        };
        Ok(Self(Client::builder(TokioExecutor::new()).pool_timer(TokioTimer::new()).build(connector)))
    }
}

#[async_trait]
impl Transport for Network {
    async fn exchange(&self, request: Carried) -> std::result::Result<Answered, Broken> {
        let Carried { method, url, headers, body, timeout, max_body } = request;
        let mut request = Request::new(Full::new(body.unwrap_or_default()));
        *request.uri_mut() = url.as_str().parse().map_err(|error| Broken::Connect(Some(Box::new(error))))?;
        (*request.method_mut(), *request.headers_mut()) = (method, headers);
        let exchange = async {
            let response = self.0.request(request).await.map_err(broken)?;
            whole(response, max_body).await
        };
        tokio::time::timeout(timeout, exchange).await.unwrap_or_else(|late| Err(Broken::Timeout(Some(Box::new(late)))))
    }
}

/// The whole answer; the body of a redirect is of no use.
async fn whole(response: Response<Incoming>, max_body: usize) -> std::result::Result<Answered, Broken> {
    let (Parts { status, headers, .. }, body) = response.into_parts();
    if status.is_redirection() {
        return Ok(Answered { status, headers, body: Bytes::new() });
    }
    if body.size_hint().lower() > max_body as u64 {
        return Err(Broken::TooLarge);
    }
    match Limited::new(body, max_body).collect().await {
        Ok(body) => Ok(Answered { status, headers, body: body.to_bytes() }),
        Err(error) if error.is::<LengthLimitError>() => Err(Broken::TooLarge),
        Err(error) => Err(Broken::Cut(Some(error))),
    }
}

fn broken(error: hyper_util::client::legacy::Error) -> Broken {
    let connect = error.is_connect();
    let cause: Cause = Some(Box::new(error));
    if connect { Broken::Connect(cause) } else { Broken::Cut(cause) }
}
