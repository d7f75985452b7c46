//! Inserting orders: many in one call, an outcome each.

use std::collections::{HashMap, HashSet};

use bytes::Bytes;
use datawald_backoffice::NativeOrder;
use datawald_core::http::HttpResponse;
use datawald_core::{Cx, Effect, Error, Result};
use futures::{FutureExt, StreamExt, stream};
use http::Method;
use serde::Deserialize;

use super::RestfulClient;
use super::client::Call;
use super::reason::{doc_entry, insert_failure, no_trust};
use super::wire::WireOrder;

const OPERATION: &str = "insert orders into SAP B1";

/// What is read of an order in the answer; the rest of it is what was sent.
#[derive(Deserialize)]
pub(super) struct Outcome {
    pub(super) fe_order_id: String,
    pub(super) tx_status: Option<String>,
    pub(super) bo_order_id: Option<String>,
    pub(super) tx_note: Option<String>,
}

pub(super) async fn insert(client: &RestfulClient, cx: &Cx, docs: &[NativeOrder]) -> Result<Vec<Result<String>>> {
    let mut results: Vec<Option<Result<String>>> = docs.iter().map(|_| None).collect();
    let mut good = Vec::with_capacity(docs.len());
    let mut seen = HashSet::new();
    for (i, doc) in docs.iter().enumerate() {
        match WireOrder::translate(doc, &client.settings.main_currency) {
            // The outcomes of one call are told apart by this number alone.
            Ok(_) if !seen.insert(doc.reference.as_str()) => {
                let message = "stands twice in one batch; only the first of them was sent";
                results[i] = Some(Err(Error::invalid(OPERATION, message).field("reference")));
            }
            Ok(wire) => good.push((i, wire)),
            Err(error) => results[i] = Some(Err(error)),
        }
    }
    if !good.is_empty() {
        client.log_in(cx).await?;
    }
    // Boxed and collected, since a lazy map over borrowed chunks is not `Send` for every lifetime.
    let calls: Vec<_> =
        good.chunks(client.write_size.orders()).map(|chunk| insert_chunk(client, cx, chunk).boxed()).collect();
    let answered: Vec<_> = stream::iter(calls).buffered(client.settings.requests.concurrency).collect().await;
    for ((i, _), result) in good.iter().zip(answered.into_iter().flatten()) {
        results[*i] = Some(result);
    }
    let missing = || Err(no_trust(OPERATION, "no outcome came for this order"));
    Ok(results.into_iter().map(|result| result.unwrap_or_else(missing)).collect())
}

/// One call; answers one result per order, in order.
async fn insert_chunk(client: &RestfulClient, cx: &Cx, chunk: &[(usize, WireOrder<'_>)]) -> Vec<Result<String>> {
    let orders: Vec<&WireOrder<'_>> = chunk.iter().map(|(_, wire)| wire).collect();
    let outcomes = match serde_json::to_vec(&orders) {
        Ok(body) => send_measured(client, cx, body.into(), orders.len()).await,
        Err(_) => Err(Error::config(OPERATION, "the orders cannot be written as JSON")),
    };
    match outcomes {
        Err(error) => orders.iter().map(|_| Err(error.clone())).collect(),
        Ok(outcomes) => {
            let mut by_id = by_id(outcomes);
            orders.iter().map(|order| outcome(order, by_id.remove(order.fe_order_id.as_ref()))).collect()
        }
    }
}

/// Inserts so many orders, and learns how long they take.
async fn send_measured(client: &RestfulClient, cx: &Cx, body: Bytes, orders: usize) -> Result<Vec<Outcome>> {
    let response = post(client, cx, OPERATION, "v1/orders/insert", body).await;
    client.write_size.learn(orders, response.as_ref().map(|response| response.took));
    response?.json()
}

/// Sends a writing call and reads its outcomes.
pub(super) async fn send(
    client: &RestfulClient,
    cx: &Cx,
    operation: &'static str,
    path: &str,
    body: Bytes,
) -> Result<Vec<Outcome>> {
    post(client, cx, operation, path, body).await?.json()
}

async fn post(
    client: &RestfulClient,
    cx: &Cx,
    operation: &'static str,
    path: &str,
    body: Bytes,
) -> Result<HttpResponse> {
    client.call(cx, Call { operation, effect: Effect::Write, method: Method::POST, path, body: Some(body) }).await
}

/// The outcomes by order number. A number that is answered twice has none that can be trusted.
pub(super) fn by_id(outcomes: Vec<Outcome>) -> HashMap<String, Option<Outcome>> {
    let mut by_id: HashMap<String, Option<Outcome>> = HashMap::with_capacity(outcomes.len());
    for outcome in outcomes {
        let id = outcome.fe_order_id.clone();
        by_id.entry(id).and_modify(|held| *held = None).or_insert(Some(outcome));
    }
    by_id
}

fn outcome(order: &WireOrder<'_>, outcome: Option<Option<Outcome>>) -> Result<String> {
    match outcome {
        None => Err(no_trust(OPERATION, "the answer does not tell of this order")),
        Some(None) => Err(no_trust(OPERATION, "the answer tells of this order twice")),
        Some(Some(outcome)) => match outcome.tx_status.as_deref() {
            Some("S") => doc_entry(OPERATION, outcome.bo_order_id.as_deref()),
            Some("F") => Err(insert_failure(OPERATION, order, outcome.tx_note.as_deref().unwrap_or_default())),
            _ => Err(no_trust(OPERATION, "the answer reports neither success nor failure")),
        },
    }
}
