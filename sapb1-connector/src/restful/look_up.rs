//! Looking orders up by their number: up to 100 in one call.
//!
//! The service answers at most 100 rows and has no paging. An answer of 100 rows may have been cut, so the numbers are
//! split and asked for again until the answers are whole.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

use datawald_backoffice::Reference;
use datawald_core::clock::later;
use datawald_core::model::parse_decimal;
use datawald_core::{Cx, Effect, Error, ErrorKind, Result};
use futures::{FutureExt, StreamExt, TryStreamExt, stream};
use http::Method;
use serde_json::json;

use super::RestfulClient;
use super::client::Call;
use crate::api::B1Document;
use crate::fields;
use crate::settings::is_currency;

const OPERATION: &str = "look up orders in SAP B1";

/// The most rows that an answer has.
const MOST_ROWS: usize = 100;

/// For how long a service that refused a list is asked one by one, before a list is tried again.
const REFUSED_FOR: Duration = Duration::from_secs(600);

type Rows = Vec<BTreeMap<String, String>>;
type Documents = HashMap<String, Vec<B1Document>>;

/// The column that a reference stands in. Names of columns go into SQL as they are, so only user-defined fields pass.
pub(super) fn column(reference: &Reference) -> Result<&str> {
    match &reference.field {
        None => Ok(fields::NUM_AT_CARD),
        Some(field) if fields::is_udf(field) => Ok(field),
        Some(_) => Err(Error::config(OPERATION, "is no user-defined field (`U_` and letters, digits, underscores)")
            .field("reference.udf")),
    }
}

pub(super) async fn look_up(client: &RestfulClient, cx: &Cx, references: &[Reference]) -> Result<Vec<Vec<B1Document>>> {
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for reference in references {
        values.entry(column(reference)?).or_default().insert(&reference.value);
    }
    let mut chunks: Vec<(&str, Vec<&str>)> = Vec::new();
    for (column, values) in values {
        let values: Vec<&str> = values.into_iter().collect();
        let size = if lists_are_refused(client, cx) { 1 } else { client.settings.requests.lookup_batch };
        chunks.extend(values.chunks(size).map(|chunk| (column, chunk.to_vec())));
    }
    let concurrency = client.settings.requests.concurrency;
    let calls: Vec<_> =
        chunks.into_iter().map(|(column, chunk)| look_up_chunk(client, cx, column, chunk).boxed()).collect();
    let mut found: HashMap<&str, Documents> = HashMap::new();
    let answers: Vec<(&str, Documents)> = stream::iter(calls).buffer_unordered(concurrency).try_collect().await?;
    for (column, documents) in answers {
        found.entry(column).or_default().extend(documents);
    }
    references
        .iter()
        .map(|reference| {
            let documents = found.get(column(reference)?).and_then(|found| found.get(reference.value.as_str()));
            Ok(documents.cloned().unwrap_or_default())
        })
        .collect()
}

/// Looks `values` up, splitting them where an answer may have been cut or a list is refused.
async fn look_up_chunk<'a>(
    client: &RestfulClient,
    cx: &Cx,
    column: &'a str,
    values: Vec<&str>,
) -> Result<(&'a str, Documents)> {
    let main_currency = &client.settings.main_currency;
    let mut found = Documents::new();
    let mut waiting = vec![values];
    while let Some(values) = waiting.pop() {
        if values.len() > 1 && lists_are_refused(client, cx) {
            waiting.extend(values.into_iter().map(|value| vec![value]));
            continue;
        }
        let rows = match fetch(client, cx, column, &values).await {
            Err(error) if error.code_text() == Some("501") && !is_there(client, cx, column).await => {
                let message = format!(
                    "orders in SAP B1 have no user-defined field `{column}`: add it to the header of marketing documents, or \
                     correct the name"
                );
                return Err(Error::config(OPERATION, message).field("reference.udf").caused_by(error));
            }
            Err(error) if values.len() > 1 && error.code_text() == Some("501") => {
                // Is it the list that the service refuses, or does nothing work? One number alone tells.
                let Some((first, rest)) = values.split_first() else { continue };
                let rows = fetch(client, cx, column, &[*first]).await.map_err(|_| error)?;
                tracing::warn!("SAP B1 RESTful refuses a list of numbers; looking orders up one by one for a while");
                if let Ok(mut until) = client.lists_refused_until.lock() {
                    *until = Some(later(cx.steady(), REFUSED_FOR));
                }
                take(main_currency, column, &[*first], rows, &mut found)?;
                waiting.extend(rest.iter().map(|value| vec![*value]));
                continue;
            }
            other => other?,
        };
        if rows.len() >= MOST_ROWS && values.len() > 1 {
            let (left, right) = values.split_at(values.len() / 2);
            waiting.push(left.to_vec());
            waiting.push(right.to_vec());
        } else {
            take(main_currency, column, &values, rows, &mut found)?;
        }
    }
    Ok((column, found))
}

/// Whether a column is there, as far as that can be told.
async fn is_there(client: &RestfulClient, cx: &Cx, column: &str) -> bool {
    column == fields::NUM_AT_CARD || !matches!(has_field(client, cx, column).await, Ok(false))
}

/// Whether documents have a user-defined field. A failure tells that they do not, if the same is answered without it.
pub(super) async fn has_field(client: &RestfulClient, cx: &Cx, name: &str) -> Result<bool> {
    fields::udf(OPERATION, name)?;
    let ask = async |columns: &[&str]| -> Result<Rows> {
        let body = json!({ "columns": columns, "params": {} }).to_string();
        let path = "v1/orders/fetch?num=1";
        let call =
            Call { operation: OPERATION, effect: Effect::Read, method: Method::PUT, path, body: Some(body.into()) };
        client.call(cx, call).await?.json()
    };
    match ask(&["DocEntry", name]).await {
        Ok(_) => Ok(true),
        Err(error) if error.code_text() == Some("501") => ask(&["DocEntry"]).await.map(|_| false),
        Err(error) => Err(error),
    }
}

fn lists_are_refused(client: &RestfulClient, cx: &Cx) -> bool {
    client.lists_refused_until.lock().is_ok_and(|until| until.is_some_and(|until| cx.steady() < until))
}

async fn fetch(client: &RestfulClient, cx: &Cx, column: &str, values: &[&str]) -> Result<Rows> {
    let condition = match values {
        [one] => json!({ "op": "=", "value": one }),
        many => json!({ "op": "in", "value": many }),
    };
    let columns = ["DocEntry", column, "CANCELED", "DocStatus", "DocTotal", "DocTotalFC", "DocCur", "CardCode"];
    let body = json!({ "columns": columns, "params": { column: condition } });
    let call = Call {
        operation: OPERATION,
        effect: Effect::Read,
        method: Method::PUT,
        path: "v1/orders/fetch?num=100",
        body: Some(body.to_string().into()),
    };
    client.call(cx, call).await?.json()
}

/// A document by what it comes to. `DocTotal` is in the main currency and `DocTotalFC` in the document's, if that is another;
/// else it is zero. `DocCur` is the company's own code (`$`), which says something only beside the latter.
fn worth(main_currency: &str, local: &str, foreign: &str, code: &str) -> B1Document {
    let foreign = parse_decimal(foreign).filter(|total| !total.is_zero());
    let local = parse_decimal(local);
    // Of nothing, the amounts do not tell in which currency it is.
    let is_other = foreign.is_some() || (local.is_some_and(|total| total.is_zero()) && is_currency(code));
    B1Document {
        total: foreign.or(local).map(|total| total.normalize()),
        currency: Some(if is_other { code } else { main_currency }.to_owned()),
        ..B1Document::default()
    }
}

/// Takes over the documents of `rows`.
fn take(main_currency: &str, column: &str, asked: &[&str], rows: Rows, found: &mut Documents) -> Result<()> {
    let no_trust = |message: &str| Error::unknown_outcome(ErrorKind::Protocol, Effect::Read, OPERATION, message);
    for row in rows {
        let cell = |name: &str| {
            let column = row
                .get(name)
                .or_else(|| row.iter().find(|(key, _)| key.eq_ignore_ascii_case(name)).map(|(_, value)| value));
            column
                .map(|text| text.trim_end())
                .ok_or_else(|| no_trust("an answered row lacks a column that was asked for").field(name.to_owned()))
        };
        let (value, doc_entry) = (cell(column)?, cell("DocEntry")?);
        if asked.contains(&value) {
            let document = B1Document {
                doc_entry: doc_entry.to_owned(),
                cancelled: cell("CANCELED")? == "Y",
                closed: cell("DocStatus")? == "C",
                draft: false,
                ..worth(main_currency, cell("DocTotal")?, cell("DocTotalFC")?, cell("DocCur")?)
            };
            let customer = Some(cell("CardCode")?.to_owned()).filter(|code| !code.is_empty());
            let document = B1Document { customer, ..document };
            let held = found.entry(value.to_owned()).or_default();
            if !held.iter().any(|other| other.doc_entry == document.doc_entry) {
                held.push(document);
            }
        } else if !asked.iter().any(|asked| asked.eq_ignore_ascii_case(value)) {
            // SQL Server compares without case, so a number of other case may come; anything else was not asked for,
            // and then the answer says nothing about what is missing either.
            return Err(no_trust("the answer holds orders that were not asked for").field(column.to_owned()));
        }
    }
    Ok(())
}
