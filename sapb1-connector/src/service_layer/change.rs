//! Changing orders that are still open.

use datawald_backoffice::NativeOrder;
use datawald_core::{Cx, Disposition, Effect, Error, ErrorKind, Result};
use serde::Deserialize;
use serde_json::Value;

use super::answer::Marks;
use super::batch::Request;
use super::cancel::is_key;
use super::document::Header;
use super::link::query;
use super::send::{Done, send_all};
use super::{ServiceLayerClient, codes};
use crate::api::Changed;

const OPERATION: &str = "change orders in SAP B1";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct State {
    document_status: String,
    cancelled: String,
}

/// Reads the state of each document and changes those that are open, unless somebody else changes them in between.
pub(super) async fn change(
    client: &ServiceLayerClient,
    cx: &Cx,
    changes: &[(&str, NativeOrder)],
) -> Result<Vec<Result<Changed>>> {
    let mut results: Vec<Option<Result<Changed>>> =
        changes.iter().map(|(key, _)| if is_key(key) { None } else { Some(Ok(Changed::NotOpen)) }).collect();
    let places = |results: &[Option<Result<Changed>>]| -> Vec<usize> {
        results.iter().enumerate().filter(|(_, result)| result.is_none()).map(|(place, _)| place).collect()
    };
    let asked = places(&results);
    if asked.is_empty() {
        return Ok(results.into_iter().flatten().collect());
    }
    let codes = codes::held(client, cx).await?;
    let size = client.settings.requests.write_batch;
    let ask = |place: &usize| {
        let key = changes.get(*place).map_or("", |(key, _)| key);
        Request::get(query(&format!("Orders({key})"), &[("$select", "DocEntry,DocumentStatus,Cancelled")]))
    };
    let requests: Vec<Request> = asked.iter().map(ask).collect();
    let answers = send_all(client, cx, OPERATION, Effect::Read, size, &requests).await;
    let mut written: Vec<(usize, Request)> = Vec::with_capacity(asked.len());
    for (place, answer) in asked.into_iter().zip(answers) {
        let Some((key, doc)) = changes.get(place) else { continue };
        let request = answer.and_then(|done| open_etag(&done)).and_then(|open| match open {
            None => Ok(None),
            Some(etag) => {
                let body = Value::Object(Header::new(doc, &client.settings, &codes)?.json).to_string();
                let request = Request::patch(format!("Orders({key})"), body);
                Ok(Some(match etag {
                    Some(etag) => request.header("If-Match", etag),
                    None => request,
                }))
            }
        });
        match request {
            Ok(Some(request)) => written.push((place, request)),
            Ok(None) => set(&mut results, place, Ok(Changed::NotOpen)),
            Err(error) => set(&mut results, place, Err(error)),
        }
    }
    let (places, requests): (Vec<usize>, Vec<Request>) = written.into_iter().unzip();
    let answers = send_all(client, cx, OPERATION, Effect::Write, size, &requests).await;
    for (place, answer) in places.into_iter().zip(answers) {
        set(&mut results, place, answer.map(|_| Changed::Done));
    }
    let missing = || Err(Error::new(ErrorKind::Protocol, Disposition::Uncertain, OPERATION, "no outcome came"));
    Ok(results.into_iter().map(|result| result.unwrap_or_else(missing)).collect())
}

fn set(results: &mut [Option<Result<Changed>>], place: usize, result: Result<Changed>) {
    if let Some(slot) = results.get_mut(place) {
        *slot = Some(result);
    }
}

/// The etag of a document that is open, where the server has etags; `None` for one that is not open.
pub(super) fn open_etag(done: &Done) -> Result<Option<Option<String>>> {
    let read = || Ok::<_, serde_json::Error>((serde_json::from_slice::<State>(&done.body)?, Marks::read(&done.body)?));
    let (state, marks) = read().map_err(|error| {
        let message = format!("the answer is no document (line {}, column {})", error.line(), error.column());
        Error::unknown_outcome(ErrorKind::Protocol, Effect::Read, OPERATION, message)
    })?;
    // A header cannot carry a line break, and no etag has one.
    let etag = marks.etag.filter(|etag| !etag.contains(char::is_control));
    Ok((state.document_status == "bost_Open" && state.cancelled == "tNO").then_some(etag))
}
