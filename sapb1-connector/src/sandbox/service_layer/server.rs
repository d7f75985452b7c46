//! The server: who is let in, what is called, and what goes wrong on the way.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State as Shared};
use axum::http::header::{HeaderMap, HeaderName, HeaderValue};
use axum::http::{Method, StatusCode};
use axum::middleware::from_fn;
use axum::response::Response;
use rust_decimal::Decimal;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::answer::Answer;
use super::call::Call;
use super::carry_out::{batched, pause, rest, single};
use super::control::{control, records};
use super::counters::Counters;
use super::documents;
use super::error::{Refusal, Version};
use super::faults::{Busy, Faults};
use super::options::{SandboxOptions, Tls, UserField};
use super::ping::ping;
use super::record::DocumentRecord;
use super::sessions::{Cookies, Entry};
use super::state::{State, Work};
use super::tables::Part;
use crate::sandbox::ByHand;
use crate::sandbox::damage::{cut_in_the_middle, hits, take_chance};
use crate::sandbox::listener::{CuttableListener, Cutter, without_connection};
use crate::sandbox::own_task::in_own_task;

/// A running sandbox. It stops when it is dropped.
pub struct Sandbox {
    state: Arc<State>,
    _stop: Option<oneshot::Sender<()>>,
}

impl Sandbox {
    /// Starts a sandbox on the current tokio runtime.
    ///
    /// # Errors
    /// If the port cannot be had, or certificate and key are none.
    pub async fn start(options: SandboxOptions) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", options.port)).await?;
        let address: SocketAddr = listener.local_addr()?;
        let (listener, scheme) = match &options.tls {
            Some(Tls { certificate, key }) => (CuttableListener::tls(listener, certificate, key)?, "https"),
            None => (CuttableListener::plain(listener), "http"),
        };
        let (mut sandbox, app) = Self::made(options, format!("{scheme}://{address}"));
        let service = app.into_make_service_with_connect_info::<Cutter>();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = axum::serve(listener, service).with_graceful_shutdown(async {
            // Dropping the sender stops the server too.
            let _ = stopped.await;
        });
        tokio::spawn(async move {
            if let Err(error) = server.await {
                tracing::warn!(%error, "the sandbox ended");
            }
        });
        sandbox._stop = Some(stop);
        Ok(sandbox)
    }

    /// A sandbox that listens nowhere, and what answers in its place: for a test without sockets, whose transport
    /// ([`datawald_core::http::Transport`]) calls the router. Its times are those of Tokio's clock, which a test may pause.
    /// An answer that is cut short is one whose body fails. Port and certificate mean nothing to it.
    pub fn in_process(options: SandboxOptions) -> (Self, Router) {
        let (sandbox, router) = Self::made(options, "http://b1.sandbox".to_owned());
        (sandbox, router.layer(from_fn(without_connection)))
    }

    fn made(options: SandboxOptions, url: String) -> (Self, Router) {
        let state = Arc::new(State::new(options, url));
        let router = Router::new().fallback(handle).with_state(state.clone());
        (Self { state, _stop: None }, router)
    }

    /// Its address, as `http://127.0.0.1:41234` (`https` with TLS); the roots are `/b1s/v1` and `/b1s/v2` below it.
    pub fn url(&self) -> String {
        self.state.url.clone()
    }

    /// What was asked of it, and what came of it.
    pub fn counters(&self) -> Counters {
        self.state.counters()
    }

    /// Every order, oldest first.
    pub fn documents(&self) -> Vec<DocumentRecord> {
        records(&self.state, "Orders")
    }

    /// The orders under a number, in `NumAtCard` or a user-defined field, oldest first.
    pub fn documents_of(&self, reference: &str) -> Vec<DocumentRecord> {
        let store = self.state.store();
        let user_fields = store.user_fields.iter().map(|field| format!("U_{}", field.name));
        let properties: Vec<String> = std::iter::once("NumAtCard".to_owned()).chain(user_fields).collect();
        let keys: std::collections::BTreeSet<_> =
            properties.iter().filter_map(|name| store.tables.under("Orders", name, reference)).flatten().collect();
        let rows = keys.iter().filter_map(|key| store.tables.get("Orders", key)).map(|row| row.values());
        // The index heeds no case.
        let found = rows
            .filter(|values| properties.iter().any(|name| values.get(name).and_then(Value::as_str) == Some(reference)));
        found.map(DocumentRecord::new).collect()
    }

    /// The first order under a number.
    pub fn document(&self, reference: &str) -> Option<DocumentRecord> {
        self.documents_of(reference).into_iter().next()
    }

    /// Has somebody write another number into `NumAtCard` of the first order under `reference`. Answers whether there was one.
    pub fn overwrite_reference(&self, reference: &str, with: &str) -> bool {
        documents::overwrite_reference(&mut self.state.store(), reference, with).is_some()
    }

    /// Has somebody enter an order; its `DocEntry`.
    pub fn enter(&self, document: ByHand) -> i64 {
        let faults = self.state.faults();
        let mut store = self.state.store();
        documents::enter(&mut Work::new(&self.state, &mut store, &faults), &document)
    }

    /// Every draft that an approval procedure took, oldest first; one that became an order is closed.
    pub fn drafts(&self) -> Vec<DocumentRecord> {
        records(&self.state, "Drafts")
    }

    /// Makes the order of a draft, as its approval and its author do; the order's `DocEntry`.
    pub fn approve(&self, draft: i64) -> Option<i64> {
        let faults = self.state.faults();
        let mut store = self.state.store();
        let mut work = Work::new(&self.state, &mut store, &faults);
        match documents::approve(&mut work, &vec![Part::Int(draft)]).ok()?.first()? {
            Part::Int(entry) => Some(*entry),
            Part::Text(_) => None,
        }
    }

    /// Enters the rate of exchange of a currency, what one of it is worth in the main one, or takes it away.
    pub fn set_rate(&self, currency: &str, rate: Option<Decimal>) {
        let rates = &mut self.state.store().rates;
        match rate {
            Some(rate) => rates.insert(currency.to_owned(), rate),
            None => rates.remove(currency),
        };
    }

    /// Starts the service anew: sessions end, and user fields that were added can be used.
    pub fn restart(&self) {
        let mut store = self.state.store();
        store.sessions.close_all();
        let fields = store.tables.rows("UserFieldsMD").map(|(_, row)| row.values()).map(|values| {
            let text = |name: &str| values.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
            let size = values.get("EditSize").and_then(Value::as_u64).and_then(|size| size.try_into().ok());
            let table = super::company::marketing_table(&text("TableName")).to_owned();
            UserField { table, name: text("Name"), size: size.unwrap_or(usize::MAX) }
        });
        store.user_fields = fields.collect::<Vec<_>>().into();
    }

    /// Sets what goes wrong from now on, and counts calls anew for it.
    pub fn set_faults(&self, faults: Faults) {
        self.state.set_faults(faults);
    }

    /// Changes what goes wrong, the capacity for example, while calls are counted on.
    pub fn change_faults(&self, change: impl FnOnce(&mut Faults)) {
        self.state.change_faults(change);
    }
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("url", &self.state.url).finish_non_exhaustive()
    }
}

async fn handle(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(cutter): ConnectInfo<Cutter>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let path = parts.uri.path().to_owned();
    let Ok(body) = to_bytes(body, state.options.max_body).await else {
        state.store().counters.requests += 1;
        return too_large();
    };
    if let Some(what) = path.strip_prefix("/control/") {
        return control(&state, &parts.method, what, &body);
    }
    let target = parts.uri.path_and_query().map_or(path.as_str(), |target| target.as_str());
    let root = [Version::V1, Version::V2].into_iter().find_map(|version| {
        let rest = target.strip_prefix(version.root())?;
        (rest.is_empty() || rest.starts_with(['/', '?'])).then_some((version, rest))
    });
    let faults = state.faults();
    state.store().counters.requests += 1;
    let number = take_chance(&state.chances.calls);
    let Some((version, target)) = root else {
        if parts.method == Method::GET
            && let Some(answer) = ping(&state, &path)
        {
            return respond(answer);
        }
        return page(StatusCode::NOT_FOUND, "<title>404 Not Found</title>");
    };
    let call = Call::new(version, parts.method, target, parts.headers, body);
    in_own_task(received(state, cutter, faults, call, number)).await
}

/// What becomes of the n-th call.
async fn received(state: Arc<State>, cutter: Cutter, faults: Arc<Faults>, call: Call, number: u64) -> Response {
    if faults.largest_alone > 0 && call.body.len() > faults.largest_alone && call.path != "/$batch" {
        return too_large();
    }
    let leaving = call.path == "/Logout";
    let at_call = hits(faults.unavailable_every, number) || faults.unavailable_at.contains(&number);
    if (faults.unavailable && !leaving) || at_call {
        return unavailable(&state, &faults);
    }
    if hits(faults.html_every, number) {
        return page(StatusCode::BAD_GATEWAY, "<!DOCTYPE html><title>502 Proxy Error</title>");
    }
    let _place = match (state.capacity.try_take(faults.capacity), faults.busy) {
        (Some(place), _) => place,
        (None, Busy::Refuse) => return unavailable(&state, &faults),
        (None, Busy::Wait) => state.capacity.take(|| state.faults().capacity).await,
        (None, Busy::Slow) => {
            let place = state.capacity.take(|| 0).await;
            pause(faults.busy_ms).await;
            place
        }
    };
    // Half before and half after the work, so that a caller who goes away meanwhile may find it done already or not yet.
    let began = Instant::now();
    tokio::time::sleep(Duration::from_millis(faults.latency_ms) / 2).await;
    let response = enter(&state, &cutter, &faults, call, began).await;
    if hits(faults.cut_body_every, number) { cut_in_the_middle(response).await } else { response }
}

/// Log-ins and log-outs; other calls only with a session.
async fn enter(state: &Arc<State>, cutter: &Cutter, faults: &Arc<Faults>, call: Call, began: Instant) -> Response {
    let cookies = Cookies::read(&call.headers);
    if matches!(call.path.as_str(), "/Login" | "/Logout") {
        rest(faults, began, 0).await;
    }
    match (&call.method, call.path.as_str()) {
        (&Method::POST, "/Login") => return respond(log_in(state, faults, &call)),
        (&Method::POST, "/Logout") => {
            let mut store = state.store();
            let closed = store.sessions.close(&cookies);
            store.counters.logouts += u64::from(closed);
            store.counters.unauthorized += u64::from(!closed);
            drop(store);
            let refusal = || Answer::refusal(call.version, &Refusal::session());
            return respond(if closed { Answer::no_content() } else { refusal() });
        }
        _ => {}
    }
    let number = take_chance(&state.chances.entered);
    let ends = hits(faults.end_session_every, number) || faults.end_session_at.contains(&number);
    let moved = {
        let mut store = state.store();
        if ends {
            store.sessions.close(&cookies);
        }
        match store.sessions.enter(&state.options, &cookies, &faults.failed_nodes) {
            Entry::Refused => {
                store.counters.unauthorized += 1;
                return respond(Answer::refusal(call.version, &Refusal::session()));
            }
            Entry::In => None,
            Entry::Moved(node) => Some(node),
        }
    };
    if moved.is_some() {
        pause(faults.fail_over_ms).await;
    }
    let answer = match (&call.method, call.path.as_str()) {
        (&Method::POST, "/$batch") => batched(state, cutter, faults, &call, began).await,
        _ => single(state, cutter, faults, call, began).await,
    };
    respond(match moved {
        Some(node) => answer.with("Set-Cookie", format!("ROUTEID=.node{node}; path=/b1s")),
        None => answer,
    })
}

fn log_in(state: &State, faults: &Faults, call: &Call) -> Answer {
    let options = &state.options;
    let given = call.object().unwrap_or_default();
    let is = |name: &str, right: &str| given.get(name).and_then(Value::as_str) == Some(right);
    let known =
        is("CompanyDB", &options.company_db) && is("UserName", &options.user) && is("Password", &options.password);
    let right = known && !faults.password_changed;
    let mut store = state.store();
    let opened = if right { store.sessions.open(options) } else { None };
    let Some((id, node)) = opened else {
        store.counters.logins_refused += 1;
        let refusal = match right {
            true => Refusal::new(401, options.licence_code, "The number of licences is exceeded"),
            false => Refusal::new(401, 100_000_027, "Login failed"),
        };
        return Answer::refusal(call.version, &refusal);
    };
    store.counters.logins += 1;
    let (context, kind) = match call.version {
        Version::V1 => ("odata.metadata", "@Element"),
        Version::V2 => ("@odata.context", "$entity"),
    };
    let body = json!({
        context: format!("{}{}/$metadata#B1Sessions/{kind}", state.url, call.version.root()),
        "SessionId": id,
        "Version": "1000190",
        "SessionTimeout": options.session_timeout.as_secs().div_ceil(60),
    });
    Answer::json(call.version, 200, &body)
        .with("Set-Cookie", format!("B1SESSION={id};HttpOnly;"))
        .with("Set-Cookie", format!("ROUTEID=.node{node}; path=/b1s"))
}

fn too_large() -> Response {
    page(StatusCode::PAYLOAD_TOO_LARGE, "<title>413 Request Entity Too Large</title>")
}

fn unavailable(state: &State, faults: &Faults) -> Response {
    state.store().counters.unavailable += 1;
    let mut response = page(StatusCode::SERVICE_UNAVAILABLE, "<title>503 Service Unavailable</title>");
    if faults.retry_after_s > 0 {
        response.headers_mut().insert("retry-after", faults.retry_after_s.into());
    }
    response
}

fn respond(answer: Answer) -> Response {
    let mut response = Response::new(Body::from(answer.body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut headers = HeaderMap::new();
    for (name, value) in answer.headers {
        if let (Ok(name), Ok(value)) = (HeaderName::try_from(name), HeaderValue::try_from(value)) {
            headers.append(name, value);
        }
    }
    *response.headers_mut() = headers;
    response
}

fn page(status: StatusCode, text: &'static str) -> Response {
    let mut response = Response::new(Body::from(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", HeaderValue::from_static("text/html"));
    response
}
