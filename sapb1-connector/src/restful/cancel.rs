//! Cancelling orders by their number.

use datawald_backoffice::Reference;
use datawald_core::{Cx, Error, Result};
use futures::{FutureExt, StreamExt, stream};
use serde::Serialize;

use super::RestfulClient;
use super::insert::{Outcome, by_id, send};
use super::look_up::column;
use super::reason::{cancel_failure, doc_entry, no_trust};

const OPERATION: &str = "cancel orders in SAP B1";

#[derive(Serialize)]
struct WireCancel<'a> {
    fe_order_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    fe_order_id_udf: Option<&'a str>,
}

pub(super) async fn cancel(client: &RestfulClient, cx: &Cx, references: &[&Reference]) -> Result<Vec<Result<String>>> {
    for reference in references {
        column(reference)?;
    }
    if references.is_empty() {
        return Ok(Vec::new());
    }
    client.log_in(cx).await?;
    // Boxed and collected, since a lazy map over borrowed chunks is not `Send` for every lifetime.
    let calls: Vec<_> = references
        .chunks(client.settings.requests.write_batch)
        .map(|chunk| cancel_chunk(client, cx, chunk).boxed())
        .collect();
    let answered: Vec<_> = stream::iter(calls).buffered(client.settings.requests.concurrency).collect().await;
    Ok(answered.into_iter().flatten().collect())
}

async fn cancel_chunk(client: &RestfulClient, cx: &Cx, chunk: &[&Reference]) -> Vec<Result<String>> {
    let orders: Vec<_> = chunk
        .iter()
        .map(|reference| WireCancel { fe_order_id: &reference.value, fe_order_id_udf: reference.field.as_deref() })
        .collect();
    let outcomes = match serde_json::to_vec(&orders) {
        Ok(body) => send(client, cx, OPERATION, "v1/orders/cancel", body.into()).await,
        Err(_) => Err(Error::config(OPERATION, "the numbers cannot be written as JSON")),
    };
    match outcomes {
        Err(error) => chunk.iter().map(|_| Err(error.clone())).collect(),
        Ok(outcomes) => {
            let mut by_id = by_id(outcomes);
            chunk.iter().map(|reference| outcome(by_id.remove(&reference.value))).collect()
        }
    }
}

fn outcome(outcome: Option<Option<Outcome>>) -> Result<String> {
    match outcome {
        None => Err(no_trust(OPERATION, "the answer does not tell of this order")),
        Some(None) => Err(no_trust(OPERATION, "the answer tells of this order twice")),
        Some(Some(outcome)) => match outcome.tx_status.as_deref() {
            Some("X") => doc_entry(OPERATION, outcome.bo_order_id.as_deref()),
            Some("F") => Err(cancel_failure(OPERATION, outcome.tx_note.as_deref().unwrap_or_default())),
            _ => Err(no_trust(OPERATION, "the answer reports neither success nor failure")),
        },
    }
}
