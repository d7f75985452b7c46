//! How spans are sent: over the HTTP layer of the connectors, with its limits and its TLS.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use datawald_core::http::{Http, HttpRequest, HttpSettings};
use datawald_core::{Effect, Result};
use opentelemetry_http::{Bytes, HttpClient, HttpError, Request, Response};
use tokio::runtime::Handle;
use url::Url;

/// Spans are worth little waiting.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends what the exporter has encoded. The exporter asks on a thread of its own; the runtime does the work.
#[derive(Debug)]
pub(super) struct Sender {
    http: Http,
    runtime: Handle,
    away: AtomicBool,
}

impl Sender {
    /// To the server of `settings`.
    pub(super) fn new(mut settings: HttpSettings) -> Result<Self> {
        settings.timeout = PATIENCE;
        Ok(Self { http: Http::new(settings)?, runtime: Handle::current(), away: AtomicBool::new(false) })
    }

    /// The collector does not take spans; told once, until it does again.
    fn failed(&self, reason: &str) {
        if !self.away.swap(true, Ordering::Relaxed) {
            tracing::warn!(reason, "traces are not taken, and dropped meanwhile");
        }
    }
}

#[async_trait]
impl HttpClient for Sender {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let (head, body) = request.into_parts();
        let url = Url::parse(&head.uri.to_string())?;
        let mut request = HttpRequest::new("send traces", Effect::IdempotentWrite, head.method, url);
        request.headers = head.headers;
        request.body = Some(body);
        let http = self.http.clone();
        let answer = self.runtime.spawn(async move { http.send(request).await }).await?;
        let answer = answer.inspect_err(|error| self.failed(&error.to_string()))?;
        if answer.status.is_success() {
            if self.away.swap(false, Ordering::Relaxed) {
                tracing::info!("traces are taken again");
            }
        } else {
            self.failed(&format!("HTTP {}", answer.status.as_u16()));
        }
        let mut response = Response::builder().status(answer.status).body(answer.body)?;
        *response.headers_mut() = answer.headers;
        Ok(response)
    }
}
