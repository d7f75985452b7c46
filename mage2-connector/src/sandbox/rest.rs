//! Magento's routes.

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::Answer;
use super::auth::{self, Asked};
use super::book::At;
use super::criteria::Criteria;
use super::fields;
use super::state::State;

/// Store codes that this Magento has.
const STORES: &[&str] = &["default", "all"];

const ORDERS: &str = "Magento_Sales::actions_view";

/// Answers a request to `/rest/…`.
pub(super) fn handle(state: &mut State, asked: &Asked<'_>, body: &[u8]) -> Answer {
    let answer = route(state, asked, body).unwrap_or_else(|refusal| refusal);
    match answer.status {
        401 => state.counters.unauthorized += 1,
        400..=499 => state.counters.refused += 1,
        _ => {}
    }
    answer
}

fn route(state: &mut State, asked: &Asked<'_>, body: &[u8]) -> Result<Answer, Answer> {
    let parts: Vec<&str> = asked.path.trim_matches('/').split('/').collect();
    let parts = parts.strip_prefix(&["index.php"]).unwrap_or(&parts);
    let parts = match parts {
        ["rest", "V1", rest @ ..] => rest,
        ["rest", store, "V1", rest @ ..] if STORES.contains(store) => rest,
        ["rest", _, "V1", ..] => return Err(Answer::no_such_store()),
        _ => return Err(Answer::no_such_route()),
    };
    match (asked.method, parts) {
        ("POST", ["integration", "admin", "token"]) => token(state, body),
        ("GET", ["orders"]) => {
            auth::check(state, asked, ORDERS)?;
            orders(state, asked.query)
        }
        ("GET", ["orders", id]) => {
            auth::check(state, asked, ORDERS)?;
            let at = id.parse().ok().and_then(|id| state.book.find(id)).ok_or_else(Answer::no_such_order)?;
            if state.quirks().hidden.contains(&state.book.entity_id(at)) {
                return Err(Answer::no_such_order());
            }
            let mut body = String::new();
            write_order(state, at, &mut body)?;
            state.counters.orders_served += 1;
            Ok(cut(body, asked.query))
        }
        _ => Err(Answer::no_such_route()),
    }
}

#[derive(Deserialize)]
struct LogIn {
    username: Option<String>,
    password: Option<String>,
}

fn token(state: &mut State, body: &[u8]) -> Result<Answer, Answer> {
    state.counters.token_requests += 1;
    let log_in: LogIn = serde_json::from_slice(body).map_err(|_| Answer::error(400, "Decoding error.", Value::Null))?;
    let username = log_in.username.ok_or_else(|| Answer::required("username"))?;
    let password = log_in.password.ok_or_else(|| Answer::required("password"))?;
    if username != state.options.admin_username || password != state.options.admin_password {
        let message = "The account sign-in was incorrect or your account is disabled temporarily. Please wait and try \
                       again later.";
        return Err(Answer::error(401, message, Value::Null));
    }
    let token = Uuid::now_v7().simple().to_string();
    let answer = Answer::ok(json!(token).to_string());
    state.issued.insert(token, 0);
    Ok(answer)
}

/// Stands in an order's text for a byte that is not UTF-8, until the answer is written.
const NOT_UTF8: char = '\u{F8FF}';

/// Appends an order as it is given now.
fn write_order(state: &State, at: At, out: &mut String) -> Result<(), Answer> {
    let id = state.book.entity_id(at);
    if state.faults.unserialisable.contains(&id) {
        return Err(Answer::internal_error());
    }
    if !state.faults.invalid_utf8.contains(&id) {
        state.book.write(at, out);
        return Ok(());
    }
    let text = state.book.text(at);
    let rest = text.trim_start().trim_start_matches('{');
    out.push_str(&format!("{{\"customer_note\":\"M{NOT_UTF8}ller\",{rest}"));
    Ok(())
}

/// An answer with what `fields` leave of it, as bytes.
fn cut(body: String, query: &str) -> Answer {
    let body = fields::filtered(body, query);
    match body.contains(NOT_UTF8) {
        false => Answer::ok(body),
        true => {
            let mut bytes = Vec::with_capacity(body.len());
            for (at, part) in body.split(NOT_UTF8).enumerate() {
                if at > 0 {
                    bytes.push(0xFC);
                }
                bytes.extend_from_slice(part.as_bytes());
            }
            Answer { body: bytes, ..Answer::ok(String::new()) }
        }
    }
}

fn orders(state: &mut State, query: &str) -> Result<Answer, Answer> {
    let mut criteria = Criteria::parse(query)?;
    if let Some(limits) = state.options.limits {
        let size = *criteria.page_size.get_or_insert(limits.default_page_size);
        if size > limits.max_page_size {
            return Err(Answer::too_large_a_page(limits.max_page_size));
        }
    }
    if let Some(instead) = &state.faults.instead {
        return Ok(Answer::ok(instead.to_string()));
    }
    let selected = state.book.select(&criteria, &state.quirks())?;
    let mut body = String::with_capacity(256 + selected.rows.len() * 6000);
    body.push_str("{\"items\":[");
    for (at, row) in selected.rows.iter().enumerate() {
        if at > 0 {
            body.push(',');
        }
        write_order(state, *row, &mut body)?;
    }
    body.push_str("],\"search_criteria\":");
    body.push_str(&criteria.echo().to_string());
    body.push_str(&format!(",\"total_count\":{}}}", selected.total));
    state.counters.pages_served += 1;
    state.counters.orders_served += selected.rows.len() as u64;
    Ok(cut(body, query))
}
