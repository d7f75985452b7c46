//! Magento's routes.

use serde::Deserialize;
use serde_json::{Value, json};
use uuid::Uuid;

use super::answer::Answer;
use super::auth::{self, Asked};
use super::criteria::Criteria;
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
    let parts = match parts.as_slice() {
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
            state.counters.orders_served += 1;
            Ok(Answer::ok(state.book.text(at).into_owned()))
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

fn orders(state: &mut State, query: &str) -> Result<Answer, Answer> {
    let criteria = Criteria::parse(query)?;
    let selected = state.book.select(&criteria, &state.quirks())?;
    let mut body = String::with_capacity(256 + selected.rows.len() * 6000);
    body.push_str("{\"items\":[");
    for (at, row) in selected.rows.iter().enumerate() {
        if at > 0 {
            body.push(',');
        }
        state.book.write(*row, &mut body);
    }
    body.push_str("],\"search_criteria\":");
    body.push_str(&criteria.echo().to_string());
    body.push_str(&format!(",\"total_count\":{}}}", selected.total));
    state.counters.pages_served += 1;
    state.counters.orders_served += selected.rows.len() as u64;
    Ok(Answer::ok(body))
}
