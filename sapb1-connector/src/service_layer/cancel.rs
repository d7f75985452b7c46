//! Cancelling orders by their key.

use datawald_backoffice::Reference;
use datawald_core::{Cx, Effect, Error, Result};

use super::ServiceLayerClient;
use super::batch::Request;
use super::send::send_all;

const OPERATION: &str = "cancel orders in SAP B1";

/// Whether it is the key of a document. That of a draft is none.
pub(super) fn is_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_digit())
}

pub(super) async fn cancel(
    client: &ServiceLayerClient,
    cx: &Cx,
    orders: &[(&Reference, &str)],
) -> Result<Vec<Result<String>>> {
    let keys: Vec<&str> = orders.iter().map(|(_, key)| *key).filter(|key| is_key(key)).collect();
    let requests: Vec<Request> = keys.iter().map(|key| Request::post(format!("Orders({key})/Cancel"), None)).collect();
    let size = client.settings.requests.write_batch;
    let mut answers = send_all(client, cx, OPERATION, Effect::Write, size, &requests).await.into_iter();
    let outcome = |(_, key): &(&Reference, &str)| {
        if !is_key(key) {
            let message = format!("`{key}` waits for approval in SAP B1: refuse or remove the draft there");
            return Err(Error::refused(OPERATION, message));
        }
        match answers.next() {
            Some(answer) => answer.map(|_| (*key).to_owned()),
            None => Err(Error::unknown_outcome(
                datawald_core::ErrorKind::Protocol,
                Effect::Write,
                OPERATION,
                "no outcome came",
            )),
        }
    };
    Ok(orders.iter().map(outcome).collect())
}
