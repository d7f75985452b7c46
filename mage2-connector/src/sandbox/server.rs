//! The server.

use std::collections::{HashMap, HashSet};
use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State as Extract};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use datawald_core::Result;
use jiff::Timestamp;
use serde_json::{Map, Value};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::answer::Answer;
use super::auth::Asked;
use super::book::Book;
use super::faults::{Counters, EveryNth, Faults};
use super::fixtures::fixtures;
use super::options::{OrderSet, SandboxOptions};
use super::state::{Shared, State};
use super::{control, damage, rest};
use crate::client::format_time;

/// A running sandbox. It stops when it is dropped.
#[derive(Debug)]
pub struct Sandbox {
    url: String,
    shared: Arc<Shared>,
    served: Option<Served>,
}

/// The server, if it listens.
#[derive(Debug)]
struct Served {
    stop: oneshot::Sender<()>,
    task: JoinHandle<io::Result<()>>,
}

impl Sandbox {
    /// Starts a sandbox on 127.0.0.1, within the current Tokio runtime.
    ///
    /// # Errors
    /// If the port is not to be had, or an order of [`OrderSet::Files`] is no JSON object with an `entity_id` (of kind
    /// `InvalidData`, naming it).
    pub async fn start(options: SandboxOptions) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (mut sandbox, router) = Self::made(options, url)?;
        let (stop, stopped) = oneshot::channel::<()>();
        let serve = axum::serve(listener, router).with_graceful_shutdown(async {
            // An error is a sender that was dropped, with the sandbox.
            let _ = stopped.await;
        });
        sandbox.served = Some(Served { stop, task: tokio::spawn(serve.into_future()) });
        Ok(sandbox)
    }

    /// A sandbox that listens nowhere, and what answers in its place: for a test without sockets, whose transport
    /// ([`datawald_core::http::Transport`]) calls the router. Its times are those of Tokio's clock, which a test may pause.
    /// An answer that is cut short is one whose body fails.
    ///
    /// # Errors
    /// As [`Sandbox::start`], but for the port.
    pub fn in_process(options: SandboxOptions) -> io::Result<(Self, Router)> {
        Self::made(options, "http://magento.sandbox".to_owned())
    }

    fn made(options: SandboxOptions, url: String) -> io::Result<(Self, Router)> {
        let book = book(&options.orders)?;
        let shared = Arc::new(Shared::new(State {
            now: options.now,
            // The orders are in the book now.
            options: SandboxOptions { orders: OrderSet::Empty, ..options },
            book,
            faults: Faults::default(),
            counters: Counters::default(),
            issued: HashMap::new(),
            nonces: HashSet::new(),
        }));
        let router = Router::new().fallback(handle).layer(DefaultBodyLimit::max(256 << 20)).with_state(shared.clone());
        Ok((Self { url, shared, served: None }, router))
    }

    /// The shop's address, as `http://127.0.0.1:40123`.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// The integration's token.
    pub fn token(&self) -> String {
        self.shared.lock().options.token.clone()
    }

    /// What it has done so far.
    pub fn counters(&self) -> Counters {
        self.shared.lock().counters.clone()
    }

    /// The faults that are on.
    pub fn faults(&self) -> Faults {
        self.shared.lock().faults.clone()
    }

    /// Switches faults on and off.
    pub fn set_faults(&self, faults: Faults) {
        self.shared.lock().faults = faults;
    }

    /// Makes the clock stand at a time, or run with the system's. The `Date` header and late commits go by it.
    pub fn set_now(&self, now: Option<Timestamp>) {
        self.shared.lock().now = now;
    }

    /// Puts an order: a new one, or in the place of the one with the same entity id and number. It is answered exactly as
    /// the text is.
    ///
    /// # Errors
    /// Of kind `Invalid`, if the text is no JSON object or has no `entity_id`.
    pub fn put_order(&self, json: impl Into<String>) -> Result<()> {
        self.shared.lock().book.put(json.into())
    }

    /// Changes top-level fields of an order; `updated_at` becomes the clock's time unless it is among them.
    ///
    /// # Errors
    /// Of kind `Invalid`, if there is no such order.
    pub fn edit_order(&self, entity_id: u64, mut changes: Map<String, Value>) -> Result<()> {
        let mut state = self.shared.lock();
        let now = state.now();
        changes.entry("updated_at").or_insert_with(|| Value::String(format_time(now)));
        state.book.edit(entity_id, &changes)
    }

    /// The text of an order as it is answered now.
    pub fn order(&self, entity_id: u64) -> Option<String> {
        let state = self.shared.lock();
        let at = state.book.find(entity_id)?;
        Some(state.book.text(at).into_owned())
    }

    /// Stops it, and waits until it has.
    pub async fn stop(mut self) {
        let Some(Served { stop, task }) = self.served.take() else { return };
        // An error is a server that has ended already.
        let _ = stop.send(());
        if let Err(error) = task.await {
            tracing::warn!(%error, "the sandbox did not end well");
        }
    }
}

fn book(orders: &OrderSet) -> io::Result<Book> {
    let mut book = Book::default();
    let files: Vec<(String, String)> = match orders {
        OrderSet::Empty => Vec::new(),
        OrderSet::Fixtures => fixtures().map(|(name, text)| (name.to_owned(), text.to_owned())).collect(),
        OrderSet::Files(files) => files.clone(),
        OrderSet::Synthetic(count) => return Ok(Book::with_synthetic(*count)),
    };
    for (name, text) in files {
        book.add(text).map_err(|error| {
            io::Error::new(io::ErrorKind::InvalidData, format!("order file {name}: {}", error.report()))
        })?;
    }
    Ok(book)
}

async fn handle(
    Extract(shared): Extract<Arc<Shared>>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if uri.path().starts_with("/control/") {
        let (status, text) = control::handle(&mut shared.lock(), method.as_str(), uri.path(), &body);
        return (status, [(CONTENT_TYPE, HeaderValue::from_static("application/json"))], text).into_response();
    }
    // What was received is carried out, whether or not the caller waits: a server drops the future of one who has hung up.
    tokio::spawn(call(shared, method, uri, headers, body)).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "a call of the sandbox ended early");
        StatusCode::INTERNAL_SERVER_ERROR.into_response()
    })
}

async fn call(shared: Arc<Shared>, method: Method, uri: Uri, headers: HeaderMap, body: Bytes) -> Response {
    let (number, latency) = {
        let mut state = shared.lock();
        state.counters.requests += 1;
        (state.counters.requests, Duration::from_millis(state.faults.latency_ms))
    };
    if !latency.is_zero() {
        tokio::time::sleep(latency).await;
    }
    let header = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok()).unwrap_or_default();
    let asked = Asked {
        method: method.as_str(),
        host: header(HOST),
        path: uri.path(),
        query: uri.query().unwrap_or_default(),
        authorization: header(AUTHORIZATION),
    };
    let mut state = shared.lock();
    let (answer, turned_away) = match turned_away(&state.faults, number) {
        Some(answer) => (answer, true),
        None => (rest::handle(&mut state, &asked, &body), false),
    };
    // What is damaged is answers about orders: logging in works.
    let none = Faults::default();
    let faults = if method == Method::GET { &state.faults } else { &none };
    let (response, damaged) = damage::respond(answer, faults, state.now());
    state.counters.faulted += u64::from(turned_away || damaged);
    response
}

/// 429 and 503.
fn turned_away(faults: &Faults, number: u64) -> Option<Answer> {
    let hits = |nth: Option<EveryNth>| nth.filter(|nth| nth.hits(number));
    if let Some(nth) = hits(faults.too_many_requests) {
        let answer = Answer::error(429, "Too Many Requests", Value::Null);
        return Some(Answer { retry_after: nth.retry_after_secs, ..answer });
    }
    let nth = hits(faults.unavailable)?;
    let answer = Answer::error(503, "Service Temporarily Unavailable", Value::Null);
    Some(Answer { retry_after: nth.retry_after_secs, ..answer })
}
