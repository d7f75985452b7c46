//! Answers as HTTP, whole or damaged.

use std::convert::Infallible;
use std::io;
use std::time::{Duration, SystemTime};

use axum::body::{Body, Bytes};
use axum::http::header::{CONTENT_LENGTH, CONTENT_TYPE, DATE, RETRY_AFTER};
use axum::http::{HeaderValue, StatusCode};
use axum::response::Response;
use futures::stream;
use jiff::Timestamp;

use super::answer::Answer;
use super::faults::Faults;

const JSON: HeaderValue = HeaderValue::from_static("application/json; charset=utf-8");

/// Writes an answer; a good one is damaged as the faults say. Tells whether it was.
pub(super) fn respond(answer: Answer, faults: &Faults, now: Timestamp) -> (Response, bool) {
    let good = answer.status == 200;
    let mut damaged = true;
    let mut response = if good && faults.html {
        let page = "<!DOCTYPE html><html><head><title>Maintenance</title></head><body>We are back soon.</body></html>";
        typed(Body::from(page), HeaderValue::from_static("text/html; charset=UTF-8"))
    } else if good && faults.cut_body {
        let whole = answer.body.len();
        let half = Bytes::from(answer.body).slice(..whole / 2);
        let parts: [io::Result<Bytes>; 2] = [Ok(half), Err(io::Error::other("cut short"))];
        let mut response = typed(Body::from_stream(stream::iter(parts)), JSON);
        response.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(whole));
        response
    } else if let (true, Some(bytes)) = (good, faults.huge_body_bytes) {
        typed(huge(bytes), JSON)
    } else if good && faults.invalid_json {
        typed(Body::from("{\"items\":[{\"entity_id\":1,}],\"total_count\":"), JSON)
    } else {
        damaged = false;
        typed(Body::from(answer.body), JSON)
    };
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    if let Some(seconds) = answer.retry_after {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    if let Ok(date) = HeaderValue::from_str(&httpdate::fmt_http_date(system_time(now))) {
        response.headers_mut().insert(DATE, date);
    }
    (response, damaged)
}

/// HTTP dates have whole seconds and begin with 1970.
fn system_time(now: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_secs(u64::try_from(now.as_second()).unwrap_or(0))
}

fn typed(body: Body, kind: HeaderValue) -> Response {
    let mut response = Response::new(body);
    response.headers_mut().insert(CONTENT_TYPE, kind);
    response
}

/// A page that begins well and does not end; made a piece at a time.
fn huge(bytes: u64) -> Body {
    const PIECE: usize = 64 << 10;
    let piece = Bytes::from(vec![b' '; PIECE]);
    let pieces = (0..bytes.div_ceil(PIECE as u64)).map(move |at| {
        Ok::<Bytes, Infallible>(if at == 0 { Bytes::from_static(b"{\"items\":[") } else { piece.clone() })
    });
    Body::from_stream(stream::iter(pieces))
}
