//! The server: who is let in, what is called, and what goes wrong on the way.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{ConnectInfo, Request, State as Shared};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE};
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::middleware::from_fn;
use axum::response::Response;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

use super::documents::DocumentRecord;
use super::faults::Faults;
use super::options::SandboxOptions;
use super::python::PyError;
use super::state::{Counters, State};
use super::{fetch, orders};
use crate::sandbox::ByHand;
use crate::sandbox::damage::{cut_in_the_middle, hits, take_chance};
use crate::sandbox::listener::{CuttableListener, Cutter, without_connection};
use crate::sandbox::own_task::in_own_task;

/// The largest request that is read.
const MOST_BYTES: usize = 64 << 20;

/// A running sandbox. It stops when it is dropped.
pub struct Sandbox {
    state: Arc<State>,
    url: String,
    _stop: Option<oneshot::Sender<()>>,
}

impl Sandbox {
    /// Starts a sandbox on the current tokio runtime.
    ///
    /// # Errors
    /// If the port cannot be had.
    pub async fn start(options: SandboxOptions) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", options.port)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let (mut sandbox, app) = Self::made(options, url);
        let service = app.into_make_service_with_connect_info::<Cutter>();
        let (stop, stopped) = oneshot::channel::<()>();
        let server = axum::serve(CuttableListener::plain(listener), service).with_graceful_shutdown(async {
            // Dropping the sender stops the server too.
            let _ = stopped.await;
        });
        tokio::spawn(async move {
            if let Err(error) = server.await {
                tracing::warn!(%error, "the sandbox of SAP B1 RESTful stopped");
            }
        });
        sandbox._stop = Some(stop);
        Ok(sandbox)
    }

    /// A sandbox that listens nowhere, and what answers in its place: for a test without sockets, whose transport
    /// ([`datawald_core::http::Transport`]) calls the router. Its times are those of Tokio's clock, which a test may pause.
    /// An answer that is cut short is one whose body fails.
    pub fn in_process(options: SandboxOptions) -> (Self, Router) {
        let (sandbox, router) = Self::made(options, "http://b1.sandbox".to_owned());
        (sandbox, router.layer(from_fn(without_connection)))
    }

    fn made(options: SandboxOptions, url: String) -> (Self, Router) {
        let state = Arc::new(State::new(options));
        let router = Router::new().fallback(handle).with_state(state.clone());
        (Self { state, url, _stop: None }, router)
    }

    /// Its address, as `http://127.0.0.1:41234`.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// What was asked of it, and what came of it.
    pub fn counters(&self) -> Counters {
        self.state.counters()
    }

    /// Every document, oldest first.
    pub fn documents(&self) -> Vec<DocumentRecord> {
        let store = self.state.store();
        store.documents.places().filter_map(|at| store.documents.record(at)).collect()
    }

    /// The documents under a number, in `NumAtCard` or a user-defined field, oldest first.
    pub fn documents_of(&self, reference: &str) -> Vec<DocumentRecord> {
        let store = self.state.store();
        let fields = 0..=u16::try_from(self.state.options.udfs.len()).unwrap_or(u16::MAX);
        let places = fields.flat_map(|field| store.documents.under(field, reference).collect::<Vec<_>>());
        places.filter_map(|at| store.documents.record(at)).collect()
    }

    /// The first document under a number.
    pub fn document(&self, reference: &str) -> Option<DocumentRecord> {
        self.documents_of(reference).into_iter().next()
    }

    /// Has somebody write another number into the first document under `reference`. Answers whether there was one.
    pub fn overwrite_reference(&self, reference: &str, with: &str) -> bool {
        self.state.store().documents.overwrite_reference(reference, with)
    }

    /// Has somebody enter a document; its `DocEntry`.
    pub fn enter(&self, document: ByHand) -> u32 {
        let date = TimeZone::UTC.to_datetime(self.state.options.clock.now()).date();
        let documents = &mut self.state.store().documents;
        let at = documents.enter(document, date);
        documents.doc_entry(at)
    }

    /// Sets what goes wrong from now on.
    pub fn set_faults(&self, faults: Faults) {
        self.state.set_faults(faults);
    }
}

impl std::fmt::Debug for Sandbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Sandbox").field("url", &self.url).finish_non_exhaustive()
    }
}

async fn handle(
    Shared(state): Shared<Arc<State>>,
    ConnectInfo(cutter): ConnectInfo<Cutter>,
    request: Request,
) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, MOST_BYTES).await else {
        return text_answer(StatusCode::PAYLOAD_TOO_LARGE, "text/html", "<title>413</title>");
    };
    if let Some(what) = parts.uri.path().strip_prefix("/control/") {
        return control(&state, &parts.method, what, &body);
    }
    let faults = state.faults();
    state.store().counters.requests += 1;
    in_own_task(call(state, cutter, faults, parts, body)).await
}

async fn call(state: Arc<State>, cutter: Cutter, faults: Faults, parts: Parts, body: Bytes) -> Response {
    let path = parts.uri.path();
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    if faults.latency_ms > 0 {
        tokio::time::sleep(Duration::from_millis(faults.latency_ms)).await;
    }
    let number = take_chance(&state.chances.calls);
    if hits(faults.unavailable_every, number) {
        return text_answer(StatusCode::SERVICE_UNAVAILABLE, "text/html", "<h1>Service Unavailable</h1>");
    }
    if hits(faults.html_every, number) {
        return text_answer(StatusCode::OK, "text/html", "<!DOCTYPE html><title>Maintenance</title>");
    }
    let header = parts.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
    let received =
        Received { method: &parts.method, segments: &segments, query: parts.uri.query(), header, body: &body };
    let response = route(&state, &cutter, &faults, received).await;
    if hits(faults.cut_body_every, number) { cut_in_the_middle(response).await } else { response }
}

/// A request, read.
struct Received<'a> {
    method: &'a Method,
    segments: &'a [&'a str],
    query: Option<&'a str>,
    header: Option<&'a str>,
    body: &'a Bytes,
}

async fn route(state: &Arc<State>, cutter: &Cutter, faults: &Faults, request: Received<'_>) -> Response {
    let Received { method, segments, query, header, body } = request;
    let allowed: &[Method] = match segments {
        ["auth"] => &[Method::POST],
        ["v1", "info" | "code"] => &[Method::GET],
        ["v1", "orders" | "contacts", _] => &[Method::PUT, Method::POST],
        ["v1", "shipments", _] => &[Method::PUT],
        _ => {
            let body = json!({ "status": 404, "error": "not found", "message": "item not found" });
            return json_answer(StatusCode::NOT_FOUND, &body);
        }
    };
    if !allowed.contains(method) {
        let body = json!({ "status": 405, "error": "method not allowed" });
        return json_answer(StatusCode::METHOD_NOT_ALLOWED, &body);
    }
    if segments == ["auth"] {
        return log_in(state, body);
    }
    let expire = hits(faults.expire_token_every, take_chance(&state.chances.authorised));
    {
        let mut store = state.store();
        if let Err(refusal) = store.tokens.check(header, state.options.clock.now(), expire) {
            store.counters.unauthorized += 1;
            return json_answer(StatusCode::UNAUTHORIZED, &refusal);
        }
    }
    // What is not allowed writes nothing.
    match segments {
        ["v1", _, "insert" | "cancel"] => state.stall.write(faults.stall_every, faults.stall_ms).await,
        _ => state.stall.read(faults.stall_reads).await,
    }
    let num = query_value(query, "num");
    let result = match (method, segments) {
        (_, ["v1", "info"]) => info(state),
        (_, ["v1", "code"]) => codes(state, query_value(query, "type")),
        (&Method::PUT, ["v1", "orders", "fetch"]) => {
            state.store().counters.lookups += 1;
            fetch::orders(state, num, body, faults)
        }
        (&Method::POST, ["v1", "orders", "insert"]) => return insert(state, cutter, faults, body),
        (&Method::POST, ["v1", "orders", "cancel"]) => cancel(state, faults, body),
        (&Method::PUT, ["v1", "contacts", "fetch"]) => fetch::contacts(state, num, body),
        (&Method::POST, ["v1", "contacts", "insert"]) => insert_contacts(state, body),
        (&Method::PUT, ["v1", "shipments", "fetch"]) => fetch::shipments(state, num, body, faults),
        (_, [.., function]) => Err(PyError::new("Exception", format!("No such function({function})!!!"))),
        _ => Err(PyError::new("Exception", "No such function!!!")),
    };
    answer(result)
}

fn log_in(state: &State, body: &[u8]) -> Response {
    let mut store = state.store();
    store.counters.auth += 1;
    match store.tokens.log_in(&state.options, body) {
        Ok(token) => json_answer(StatusCode::OK, &json!({ "access_token": token })),
        Err(refusal) => {
            store.counters.unauthorized += 1;
            json_answer(StatusCode::UNAUTHORIZED, &refusal)
        }
    }
}

fn info(state: &State) -> Result<Vec<u8>, PyError> {
    state.store().counters.codes += 1;
    Ok(json!({ "diapi": "SAPbobsCOM90", "company_db": "SBODEMOUS", "company_name": "OEC Computers", "server": "SAPB191" })
        .to_string()
        .into_bytes())
}

fn codes(state: &State, kind: Option<&str>) -> Result<Vec<u8>, PyError> {
    state.store().counters.codes += 1;
    let options = &state.options;
    let taxes = || {
        let taxes = options.tax_codes.iter();
        taxes.map(|(code, rate)| json!({ "Code": code, "Name": code, "Rate": format!("{rate:.6}") })).collect()
    };
    let list = match kind {
        Some("ExpnsName") => json!(options.expenses),
        Some("TrnspName") => json!(options.transports),
        Some("PayMethCod") => json!(options.payments),
        Some("TaxCode") => serde_json::Value::Array(taxes()),
        _ => json!([]),
    };
    Ok(list.to_string().into_bytes())
}

fn insert(state: &Arc<State>, cutter: &Cutter, faults: &Faults, body: &Bytes) -> Response {
    {
        let mut store = state.store();
        store.counters.writes += 1;
        store.counters.inserts += 1;
    }
    let n = take_chance(&state.chances.inserts);
    if hits(faults.slow_commit_every, n) {
        cutter.cut();
        let (state, faults, body) = (state.clone(), faults.clone(), body.clone());
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(faults.slow_commit_ms)).await;
            // Nobody is left to be answered.
            let _ = orders::insert(&state, &body, &faults, usize::MAX);
        });
        return answer(Ok(Vec::new()));
    }
    let most = if hits(faults.crash_every, n) { faults.crash_after_orders } else { usize::MAX };
    let mut answers = match orders::insert(state, body, faults, most) {
        Ok(answers) => answers,
        Err(error) => return answer(Err(error)),
    };
    if hits(faults.drop_after_commit_every, n) {
        cutter.cut();
    }
    if faults.reorder {
        answers.reverse();
    }
    if faults.short {
        answers.pop();
    }
    answer(Ok(join(&answers)))
}

fn cancel(state: &State, faults: &Faults, body: &[u8]) -> Result<Vec<u8>, PyError> {
    {
        let mut store = state.store();
        store.counters.writes += 1;
        store.counters.cancels += 1;
    }
    orders::cancel(state, body, faults).map(|answers| join(&answers))
}

/// One failing contact person fails the call, though earlier ones are there.
fn insert_contacts(state: &State, body: &[u8]) -> Result<Vec<u8>, PyError> {
    let mut store = state.store();
    store.counters.writes += 1;
    let not_an_object = |_| PyError::new("TypeError", "list indices must be integers, not str");
    let raw: &serde_json::value::RawValue = serde_json::from_slice(body)
        .map_err(|_| PyError::new("BadRequest", "400 Bad Request: Failed to decode JSON object"))?;
    let sent = orders::dict(raw).map_err(not_an_object)?;
    let card_code = sent.text("card_code")?;
    let contacts: Vec<super::body::Dict<'_>> = serde_json::from_str(sent.need("contacts")?.get())
        .map_err(|_| PyError::new("TypeError", "string indices must be integers, not str"))?;
    let micros = state.options.clock.now().as_microsecond();
    let mut answers = Vec::with_capacity(contacts.len());
    for contact in &contacts {
        let code = store.contacts.insert(&card_code, contact, micros, state.options.details)?;
        answers.push(orders::with(contact, "contact_code", &code.to_string()));
    }
    Ok(join(&answers))
}

fn control(state: &State, method: &Method, what: &str, body: &[u8]) -> Response {
    match (method, what) {
        (&Method::GET, "counters") => json_answer(StatusCode::OK, &state.counters()),
        (&Method::GET, "faults") => json_answer(StatusCode::OK, &state.faults()),
        (&Method::PUT, "faults") => match serde_json::from_slice::<Faults>(body) {
            Ok(faults) => {
                state.set_faults(faults.clone());
                json_answer(StatusCode::OK, &faults)
            }
            Err(error) => json_answer(StatusCode::BAD_REQUEST, &json!({ "error": error.to_string() })),
        },
        (&Method::GET, "documents") => {
            let store = state.store();
            let documents: Vec<_> = store.documents.places().filter_map(|at| store.documents.record(at)).collect();
            json_answer(StatusCode::OK, &documents)
        }
        _ => json_answer(
            StatusCode::NOT_FOUND,
            &json!({ "error": "control has GET counters, GET and PUT faults, GET documents" }),
        ),
    }
}

fn query_value<'a>(query: Option<&'a str>, name: &str) -> Option<&'a str> {
    query?.split('&').filter_map(|pair| pair.split_once('=')).find(|(key, _)| *key == name).map(|(_, value)| value)
}

fn join(answers: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::with_capacity(answers.iter().map(|answer| answer.len() + 1).sum::<usize>() + 2);
    out.push(b'[');
    for (i, answer) in answers.iter().enumerate() {
        if i > 0 {
            out.push(b',');
        }
        out.extend_from_slice(answer);
    }
    out.push(b']');
    out
}

/// Every success is 201, every failure 501 with the traceback as a JSON string.
fn answer(result: Result<Vec<u8>, PyError>) -> Response {
    match result {
        Ok(body) => raw_answer(StatusCode::CREATED, "application/json", body.into()),
        Err(error) => json_answer(StatusCode::NOT_IMPLEMENTED, &error.traceback("post")),
    }
}

fn json_answer(status: StatusCode, body: &impl Serialize) -> Response {
    let body = serde_json::to_vec(body).unwrap_or_default();
    raw_answer(status, "application/json", body.into())
}

fn text_answer(status: StatusCode, kind: &'static str, text: &'static str) -> Response {
    raw_answer(status, kind, text.into())
}

fn raw_answer(status: StatusCode, kind: &'static str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, axum::http::HeaderValue::from_static(kind));
    response
}
