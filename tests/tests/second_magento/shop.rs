//! A Magento of our own making for the tests, beside the connector's sandbox: written from what is known of the real one, so that
//! the client gets along with more than its own picture of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, Method, Response, StatusCode, Uri};
use datawald_core::{Clock, ManualClock};
use flate2::Compression;
use flate2::write::GzEncoder;
use jiff::{SignedDuration, Timestamp};
use mage2_connector::Mage2Settings;
use serde_json::{Value, json};
use tokio::task::JoinHandle;

use super::orders::order;
use super::search;

/// Stands for a byte that is not UTF-8, until the answer is written.
const LATIN_1: char = '\u{E000}';

/// An answer as it is: status, headers, body.
pub type Canned = (u16, Vec<(&'static str, String)>, Vec<u8>);

#[derive(Default)]
pub struct Book {
    pub rows: BTreeMap<u64, Value>,
    /// Orders over which the service fails, whatever is asked of them.
    pub unserialisable: BTreeSet<u64>,
    /// Everything fails.
    pub down: bool,
    /// Orders whose `customer_firstname` is not UTF-8: PHP refuses to encode it.
    pub latin_1: BTreeSet<u64>,
    /// As if PHP encoded it all the same.
    pub lenient_json: bool,
    /// Answers every request so: status, headers, body.
    pub canned: Option<Canned>,
    /// Answers in gzip whoever takes it.
    pub gzip: bool,
    /// Begins answers with a byte-order mark.
    pub byte_order_mark: bool,
    /// Times as `2026-03-01T00:00:00+01:00`.
    pub iso_times: bool,
    pub log_ins: u64,
    /// Wrong passwords since the last pause of half an hour, and the time of the last one.
    failures: (u32, Option<Timestamp>),
    pub locked: bool,
    pub requests: Vec<(String, HeaderMap)>,
}

/// A running shop. It stops when it is dropped.
pub struct Shop {
    pub url: String,
    pub clock: Arc<ManualClock>,
    book: Arc<Mutex<Book>>,
    served: JoinHandle<()>,
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Book>>, Arc<ManualClock>);

impl Shop {
    /// A shop with orders of these ids.
    pub async fn with(ids: impl IntoIterator<Item = u64>) -> Self {
        let book =
            Arc::new(Mutex::new(Book { rows: ids.into_iter().map(|id| (id, order(id))).collect(), ..Book::default() }));
        let clock = Arc::new(ManualClock::at("2026-06-01T00:00:00Z".parse().unwrap()));
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(handle).with_state(Shared(book.clone(), clock.clone()));
        let served = tokio::spawn(async { axum::serve(listener, router).await.unwrap() });
        Self { url, clock, book, served }
    }

    pub fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap()
    }

    pub fn settings(&self) -> Mage2Settings {
        Mage2Settings::bearer(&self.url, "t0ken")
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        self.served.abort();
    }
}

async fn handle(
    State(shared): State<Shared>,
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response<axum::body::Body> {
    let mut book = shared.0.lock().unwrap();
    book.requests.push((uri.to_string(), headers.clone()));
    if let Some((status, headers, body)) = &book.canned {
        let mut response = Response::builder().status(*status);
        for (name, value) in headers {
            response = response.header(*name, value);
        }
        return response.body(body.clone().into()).unwrap();
    }
    let (status, answer) =
        answer(&mut book, &shared.1, &method, &uri, &headers, &body).unwrap_or_else(|status| (status, error(status)));
    let mut bytes: Vec<u8> = Vec::new();
    if book.byte_order_mark {
        bytes.extend(b"\xEF\xBB\xBF");
    }
    for (at, part) in answer.to_string().split(LATIN_1).enumerate() {
        bytes.extend((at > 0).then_some(0xFC));
        bytes.extend(part.as_bytes());
    }
    let mut response = Response::builder().status(StatusCode::from_u16(status).unwrap());
    let takes = headers.get("accept-encoding").is_some_and(|value| value.to_str().unwrap().contains("gzip"));
    if book.gzip && takes {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&bytes).unwrap();
        bytes = encoder.finish().unwrap();
        response = response.header("content-encoding", "gzip");
    }
    response.header("content-type", "application/json; charset=utf-8").body(bytes.into()).unwrap()
}

fn error(status: u16) -> Value {
    match status {
        401 => {
            json!({"message": "The consumer isn't authorized to access %resources.", "parameters": {"resources": "Magento_Sales::sales"}})
        }
        404 => json!({"message": "Request does not match any route.", "trace": null}),
        500 => {
            json!({"message": "Internal Error. Details are available in Magento log file. Report ID: webapi-5f00dbabe"})
        }
        _ => {
            json!({"message": "\"%fieldName\" is required. Enter and try again.", "parameters": {"fieldName": "searchCriteria"}})
        }
    }
}

fn answer(
    book: &mut Book,
    clock: &ManualClock,
    method: &Method,
    uri: &Uri,
    headers: &HeaderMap,
    body: &[u8],
) -> Result<(u16, Value), u16> {
    if book.down {
        return Err(500);
    }
    let path = uri.path().trim_start_matches("/index.php");
    let path = path.strip_prefix("/rest/V1/").or_else(|| path.strip_prefix("/rest/default/V1/")).ok_or(404_u16)?;
    if (method, path) == (&Method::POST, "integration/admin/token") {
        return log_in(book, clock, body);
    }
    let authorization = headers.get("authorization").map(|value| value.to_str().unwrap()).unwrap_or_default();
    let (scheme, token) = authorization.split_once(' ').unwrap_or_default();
    if !scheme.eq_ignore_ascii_case("bearer") || token != "t0ken" {
        return Err(401);
    }
    let query = search::read(uri.query().unwrap_or_default());
    let mut answer = match path.split_once('/') {
        None if path == "orders" => {
            let (rows, total) = search::search(&book.rows, &query)?;
            let items: Result<Vec<Value>, u16> = rows.into_iter().map(|row| given(book, row)).collect();
            json!({"items": items?, "search_criteria": {"filter_groups": []}, "total_count": total})
        }
        Some(("orders", id)) => {
            let row = id.parse::<u64>().ok().and_then(|id| book.rows.get(&id)).ok_or(404_u16)?;
            given(book, row.clone())?
        }
        _ => return Err(404),
    };
    if let Some(fields) = query.get("fields") {
        answer = search::cut(answer, fields);
    }
    // What is left is encoded last.
    if !book.lenient_json && answer.to_string().contains(LATIN_1) {
        return Err(500);
    }
    Ok((200, answer))
}

/// A row as the service gives it.
fn given(book: &Book, mut row: Value) -> Result<Value, u16> {
    let id = row["entity_id"].as_u64().unwrap();
    if book.unserialisable.contains(&id) {
        return Err(500);
    }
    if book.latin_1.contains(&id) {
        row["customer_firstname"] = format!("J{LATIN_1}rgen").into();
    }
    if book.iso_times {
        for field in ["updated_at", "created_at"] {
            // An hour ahead of UTC, as its offset says.
            let utc: Timestamp = format!("{}Z", row[field].as_str().unwrap()).parse().unwrap();
            let local = (utc + SignedDuration::from_hours(1)).strftime("%Y-%m-%dT%H:%M:%S+01:00");
            row[field] = local.to_string().into();
        }
    }
    Ok(row)
}

/// Six failures, each less than half an hour after the one before, lock the user.
fn log_in(book: &mut Book, clock: &ManualClock, body: &[u8]) -> Result<(u16, Value), u16> {
    book.log_ins += 1;
    let wanted: Value = serde_json::from_slice(body).unwrap();
    let now = clock.now();
    if !book.locked && wanted["password"] == "right" {
        book.failures = (0, None);
        return Ok((200, json!("t0ken")));
    }
    let recent = book.failures.1.is_some_and(|last| now < last + SignedDuration::from_mins(30));
    book.failures = (if recent { book.failures.0 + 1 } else { 1 }, Some(now));
    book.locked |= book.failures.0 >= 6;
    let message =
        "The account sign-in was incorrect or your account is disabled temporarily. Please wait and try again later.";
    Ok((401, json!({ "message": message })))
}
