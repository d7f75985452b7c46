//! The control routes.

use axum::http::StatusCode;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::faults::Faults;
use super::state::State;

/// A status and a JSON text.
pub(super) type Controlled = (StatusCode, String);

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ClockBody {
    now: Option<Timestamp>,
}

pub(super) fn handle(state: &mut State, method: &str, path: &str, body: &[u8]) -> Controlled {
    match (method, path) {
        ("GET", "/control/counters") => written(&state.counters),
        ("GET", "/control/faults") => written(&state.faults),
        ("PUT", "/control/faults") => match serde_json::from_slice::<Faults>(body) {
            Ok(faults) => {
                state.faults = faults;
                written(&state.faults)
            }
            Err(error) => wrong(&error.to_string()),
        },
        ("PUT", "/control/clock") => match serde_json::from_slice::<ClockBody>(body) {
            Ok(clock) => {
                state.now = clock.now;
                (StatusCode::OK, "true".to_owned())
            }
            Err(error) => wrong(&error.to_string()),
        },
        ("PUT", "/control/orders") => put_orders(state, body),
        _ => (StatusCode::NOT_FOUND, "{\"message\":\"no such control route\"}".to_owned()),
    }
}

fn put_orders(state: &mut State, body: &[u8]) -> Controlled {
    let list = body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'[');
    let orders = if list {
        serde_json::from_slice::<Vec<Box<RawValue>>>(body)
    } else {
        serde_json::from_slice::<Box<RawValue>>(body).map(|order| vec![order])
    };
    let orders = match orders {
        Ok(orders) => orders,
        Err(error) => return wrong(&error.to_string()),
    };
    let count = orders.len();
    for order in orders {
        if let Err(error) = state.book.put(order.get().to_owned()) {
            return wrong(&error.to_string());
        }
    }
    (StatusCode::OK, format!("{{\"orders\":{count}}}"))
}

fn written<T: Serialize>(value: &T) -> Controlled {
    match serde_json::to_string(value) {
        Ok(text) => (StatusCode::OK, text),
        Err(error) => {
            (StatusCode::INTERNAL_SERVER_ERROR, serde_json::json!({"message": error.to_string()}).to_string())
        }
    }
}

fn wrong(message: &str) -> Controlled {
    (StatusCode::BAD_REQUEST, serde_json::json!({ "message": message }).to_string())
}
