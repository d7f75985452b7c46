//! Inserting orders: many in one batch, an outcome each.

use std::collections::HashSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use datawald_backoffice::{NativeOrder, Reference};
use datawald_core::{Cx, Disposition, Effect, Error, ErrorKind, Result};
use futures::{FutureExt, StreamExt, stream};
use http::Method;
use http::header::LOCATION;
use serde::Deserialize;
use serde_json::Value;

use super::ServiceLayerClient;
use super::answer::key_in_location;
use super::batch::Request;
use super::client::Call;
use super::currencies::Rates;
use super::document::{Decimals, Translated};
use super::error::{NO_MATCH, alone, has_code};
use super::missing::Missing;
use super::send::{Done, send_all};
use super::{codes, contacts, look_up};
use crate::api::B1Document;
use crate::fields;

pub(super) const OPERATION: &str = "insert orders into SAP B1";

/// What is answered without content: success, and of a draft for approval not even its number.
const NO_CONTENT: i64 = 204;

/// What is read of a document that was made.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Made {
    doc_entry: i64,
}

pub(super) async fn insert(client: &ServiceLayerClient, cx: &Cx, docs: &[NativeOrder]) -> Result<Vec<Result<String>>> {
    if docs.is_empty() {
        return Ok(Vec::new());
    }
    let mut codes = codes::held(client, cx).await?;
    let mut results: Vec<Option<Result<String>>> = docs.iter().map(|_| None).collect();
    let mut seen = HashSet::new();
    let mut good: Vec<(usize, Translated)> = Vec::with_capacity(docs.len());
    let mut rates = Rates::default();
    for (i, doc) in docs.iter().enumerate() {
        let mut translated = translate(client, cx, doc, &codes, &mut rates).await;
        if translated.as_ref().is_err_and(|error| error.disposition() == Disposition::Rejected) {
            let newer = codes::anew(client, cx).await?;
            if !Arc::ptr_eq(&newer, &codes) {
                codes = newer;
                translated = translate(client, cx, doc, &codes, &mut rates).await;
            }
        }
        let result = match translated {
            Ok(translated) if seen.insert(translated.reference.clone()) => {
                good.push((i, translated));
                continue;
            }
            Ok(_) => {
                let message = "stands twice in one batch; only the first of them was sent";
                Err(Error::invalid(OPERATION, message).field("reference"))
            }
            Err(error) => Err(error),
        };
        if let Some(slot) = results.get_mut(i) {
            *slot = Some(result);
        }
    }
    contacts::add_contacts(client, cx, good.iter_mut().map(|(_, translated)| translated).collect()).await?;
    // The number is all that is wanted of a document; an answer with all that SAP B1 has of each takes long to write and read.
    let post = |order: &Translated| {
        Request::post("Orders".into(), Some(order.body())).header("Prefer", "return-no-content".into())
    };
    let requests: Vec<Request> = good.iter().map(|(_, translated)| post(translated)).collect();
    let answers = send_all(client, cx, OPERATION, Effect::Write, client.write_size.orders(), &requests).await;
    if answers.iter().flatten().any(|done| done.body.is_empty()) {
        client.heeds_no_content.store(true, Ordering::Relaxed);
    }
    let mut made: Vec<Result<String>> = answers.into_iter().map(|answer| key(client, &answer?)).collect();
    let orders: Vec<&Translated> = good.iter().map(|(_, translated)| translated).collect();
    if client.settings.approvals {
        find_drafts(client, cx, &orders, &mut made).await;
        // Where no content is answered, none is answered for drafts either, and a refusal is one.
        if !client.heeds_no_content.load(Ordering::Relaxed) {
            post_alone(client, cx, &orders, &mut made).await;
            find_drafts(client, cx, &orders, &mut made).await;
        }
    }
    name_missing(client, cx, &orders, &mut made).await;
    for ((i, _), result) in good.iter().zip(made) {
        if let Some(slot) = results.get_mut(*i) {
            *slot = Some(result);
        }
    }
    let missing = || Err(Error::new(ErrorKind::Protocol, Disposition::Uncertain, OPERATION, "no outcome came"));
    Ok(results.into_iter().map(|result| result.unwrap_or_else(missing)).collect())
}

async fn translate(
    client: &ServiceLayerClient,
    cx: &Cx,
    doc: &NativeOrder,
    codes: &codes::Codes,
    rates: &mut Rates,
) -> Result<Translated> {
    let mut translated = Translated::new(doc, &client.settings, codes)?;
    if let Some(currency) = translated.converted() {
        if codes.indirect_rates {
            let message = "freight of an order in another currency cannot be an expense where SAP B1 has indirect rates of \
                           exchange: charge it as a line (`freight.item_code`)";
            return Err(Error::invalid(OPERATION, message).field(fields::DOC_CURRENCY));
        }
        let rate = match translated.rate() {
            Some(rate) => rate,
            None => rates.of(client, cx, currency).await?,
        };
        let settings = &client.settings;
        let document = doc.get(fields::DOC_CURRENCY).and_then(Value::as_str).unwrap_or(&settings.main_currency);
        let (main, document) = (settings.decimals(&settings.main_currency), settings.decimals(document));
        translated.convert(rate, Decimals { main, document })?;
    }
    Ok(translated)
}

/// The key of a document that was made, if the answer tells.
pub(super) fn told(done: &Done) -> Option<String> {
    let body = serde_json::from_slice::<Made>(&done.body).ok().map(|made| made.doc_entry.to_string());
    let location = || key_in_location(done.location.as_deref()?, "Orders");
    body.or_else(location).filter(|key| key.bytes().all(|byte| byte.is_ascii_digit()))
}

/// The key of a document that was made.
fn key(client: &ServiceLayerClient, done: &Done) -> Result<String> {
    told(done).ok_or_else(|| match done.body.is_empty() {
        false => {
            let message = "the answer reports success without the document's number";
            Error::new(ErrorKind::Protocol, Disposition::Uncertain, OPERATION, message)
        }
        true if client.settings.approvals => {
            let message = "was taken, but neither a document nor a draft for approval is under its number";
            Error::new(ErrorKind::Protocol, Disposition::Uncertain, OPERATION, message).code(NO_CONTENT.to_string())
        }
        true => {
            let message = "seems to be a draft for approval now: approve or remove it in SAP B1, and turn `approvals` on, so \
                           that drafts are found";
            Error::new(ErrorKind::Refused, Disposition::Rejected, OPERATION, message).code(NO_CONTENT.to_string())
        }
    })
}

/// Whether it was refused as what does not match, which an approval procedure's draft is answered by too.
fn is_refused(result: &Result<String>) -> bool {
    result.as_ref().is_err_and(|error| error.disposition() == Disposition::Rejected && has_code(error, NO_MATCH))
}

/// Whether it may be a draft: refused so, or taken without a number.
fn is_doubtful(result: &Result<String>) -> bool {
    is_refused(result) || result.as_ref().is_err_and(|error| has_code(error, NO_CONTENT))
}

/// A refusal by -2028 for what is neither a customer nor an item: SAP B1 does not tell what it does not have.
fn explained(error: &Error, order: &Translated) -> Error {
    let message = format!(
        "{} (it does not tell more: is there a customer `{}`? A rule of the company's own may refuse the order too)",
        error.message(),
        order.card_code
    );
    Error::refused(OPERATION, message).code(NO_MATCH.to_string())
}

/// Looks for what may have become a draft for approval.
async fn find_drafts(client: &ServiceLayerClient, cx: &Cx, orders: &[&Translated], made: &mut [Result<String>]) {
    let doubtful = made.iter().zip(orders).filter(|(result, _)| is_doubtful(result));
    let asked: Vec<Reference> = doubtful.map(|(_, order)| order.reference.clone()).collect();
    if asked.is_empty() {
        return;
    }
    let found = look_up::look_up(client, cx, &asked).await;
    let mut found = found.map(Vec::into_iter);
    for result in made.iter_mut().filter(|result| is_doubtful(result)) {
        match &mut found {
            Ok(found) => {
                let documents = found.next().unwrap_or_default();
                if let Some(document) = documents.iter().find(|document| !document.cancelled) {
                    *result = Ok(B1Document::key(document));
                }
            }
            Err(error) => {
                let message = "may have become a draft for approval, and that could not be looked up";
                let uncertain = Error::new(ErrorKind::Refused, Disposition::Uncertain, OPERATION, message);
                *result = Err(uncertain.code(NO_MATCH.to_string()).caused_by(error.clone()));
            }
        }
    }
}

/// Sends once more, each alone, what was answered by -2028 and of which there is no draft: a change set that fails is taken
/// back as a whole, and the draft with it.
async fn post_alone(client: &ServiceLayerClient, cx: &Cx, orders: &[&Translated], made: &mut [Result<String>]) {
    let mut calls = Vec::new();
    for (place, order) in orders.iter().enumerate().filter(|(place, _)| made.get(*place).is_some_and(is_refused)) {
        calls.push(async move { (place, post(client, cx, order).await) }.boxed());
    }
    let answered: Vec<_> = stream::iter(calls).buffered(client.settings.sessions).collect().await;
    for (place, result) in answered {
        if let Some(slot) = made.get_mut(place) {
            *slot = result;
        }
    }
}

/// Tells of what was refused for want of a match which code that is, where it is one that can be asked for.
async fn name_missing(client: &ServiceLayerClient, cx: &Cx, orders: &[&Translated], made: &mut [Result<String>]) {
    let refused: Vec<&Translated> =
        made.iter().zip(orders).filter(|(result, _)| is_refused(result)).map(|(_, order)| *order).collect();
    if refused.is_empty() {
        return;
    }
    let missing = Missing::of(client, cx, &refused).await;
    for (result, order) in made.iter_mut().zip(orders).filter(|(result, _)| is_refused(result)) {
        if let Err(error) = result {
            *error = missing.error(OPERATION, order).unwrap_or_else(|| explained(error, order));
        }
    }
}

async fn post(client: &ServiceLayerClient, cx: &Cx, order: &Translated) -> Result<String> {
    let body = order.body();
    let bytes = body.len();
    let call = Call {
        operation: OPERATION,
        effect: Effect::Write,
        method: Method::POST,
        url: client.url("Orders")?,
        body: Some(("application/json", body.into())),
        parts: 1,
    };
    let sent = client.call(cx, call).await;
    let response = sent.map_err(|error| alone(error, Effect::Write, OPERATION, bytes))?;
    let location = response.headers.get(LOCATION).and_then(|value| value.to_str().ok()).map(str::to_owned);
    key(client, &Done { body: response.body, location })
}
