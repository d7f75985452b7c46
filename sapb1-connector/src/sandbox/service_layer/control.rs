//! What other processes look at and set, under `/control`.

use axum::body::Body;
use axum::http::header::HeaderValue;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use serde::Serialize;
use serde_json::json;

use super::faults::Faults;
use super::record::DocumentRecord;
use super::state::State;

pub(super) fn control(state: &State, method: &Method, what: &str, body: &[u8]) -> Response {
    match (method, what) {
        (&Method::GET, "counters") => json_answer(StatusCode::OK, &state.counters()),
        (&Method::GET, "faults") => json_answer(StatusCode::OK, &*state.faults()),
        (&Method::PUT, "faults") => match serde_json::from_slice::<Faults>(body) {
            Ok(faults) => {
                state.set_faults(faults.clone());
                json_answer(StatusCode::OK, &faults)
            }
            Err(error) => json_answer(StatusCode::BAD_REQUEST, &json!({ "error": error.to_string() })),
        },
        (&Method::GET, "documents") => json_answer(StatusCode::OK, &records(state, "Orders")),
        (&Method::GET, "drafts") => json_answer(StatusCode::OK, &records(state, "Drafts")),
        _ => json_answer(
            StatusCode::NOT_FOUND,
            &json!({ "error": "control has GET counters, GET and PUT faults, GET documents, GET drafts" }),
        ),
    }
}

/// Every document of a set, oldest first.
pub(super) fn records(state: &State, set: &str) -> Vec<DocumentRecord> {
    state.store().tables.rows(set).map(|(_, row)| DocumentRecord::new(row.values())).collect()
}

fn json_answer(status: StatusCode, body: &impl Serialize) -> Response {
    let mut response = Response::new(Body::from(serde_json::to_vec(body).unwrap_or_default()));
    *response.status_mut() = status;
    response.headers_mut().insert("content-type", HeaderValue::from_static("application/json"));
    response
}
