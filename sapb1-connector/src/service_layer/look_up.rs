//! Looking orders up by their number, many in one request: documents, and drafts that wait for approval.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use datawald_backoffice::Reference;
use datawald_core::{Cx, Effect, Error, ErrorKind, Result};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::answer::Page;
use super::batch::Request;
use super::error::{MALFORMED, has_code};
use super::link::{query, quoted};
use super::send::send_all;
use super::{ServiceLayerClient, codes};
use crate::api::B1Document;
use crate::fields;
use crate::number::decimal;

const OPERATION: &str = "look up orders in SAP B1";

/// The sets that are looked into: documents, and drafts of them.
const ORDERS: &str = "Orders";
const DRAFTS: &str = "Drafts";

pub(super) type Documents = HashMap<String, Vec<B1Document>>;

/// The property that a reference stands in.
pub(super) fn property(reference: &Reference) -> Result<&str> {
    match &reference.field {
        None => Ok(fields::NUM_AT_CARD),
        Some(field) if fields::is_udf(field) => Ok(field),
        Some(_) => Err(Error::config(OPERATION, "is no user-defined field (`U_` and letters, digits, underscores)")
            .field("reference.udf")),
    }
}

/// What is read of a document. The reference stands among the rest, under a name that is configured.
#[derive(Deserialize)]
pub(super) struct Row(Map<String, Value>);

impl Row {
    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// Reads a document of `set`.
    fn document(&self, set: &str, mark: Option<&str>) -> Result<B1Document> {
        let missing = |name: &str| {
            let message = "an answered document lacks a property that was asked for";
            Error::unknown_outcome(ErrorKind::Protocol, Effect::Read, OPERATION, message).field(name.to_owned())
        };
        let doc_entry = self.0.get("DocEntry").and_then(Value::as_i64).ok_or_else(|| missing("DocEntry"))?;
        let closed = self.text("DocumentStatus").ok_or_else(|| missing("DocumentStatus"))? == "bost_Close";
        let cancelled = self.text("Cancelled").ok_or_else(|| missing("Cancelled"))? == "tYES";
        let draft = set == DRAFTS;
        // Whoever approves may refuse or take it back.
        let refused = draft && matches!(self.text("AuthorizationStatus"), Some("dasRejected" | "dasCancelled"));
        let amount = |name: &str| self.0.get(name).and_then(decimal);
        // The total in the document's own currency, where that is not the main one; else it is zero.
        let (local, foreign) = (amount("DocTotal"), amount("DocTotalFc").filter(|total| !total.is_zero()));
        // Of nothing, the amounts do not tell in which currency it is.
        let is_other = foreign.is_some() || local.is_none_or(|total| total.is_zero());
        let text = |name: &str| self.text(name).map(str::trim_end).filter(|text| !text.is_empty()).map(str::to_owned);
        Ok(B1Document {
            doc_entry: doc_entry.to_string(),
            cancelled: cancelled || refused,
            closed,
            draft,
            total: foreign.or(local).map(|total| total.normalize()),
            // By the company's own code; none for the main one.
            currency: text(fields::DOC_CURRENCY).filter(|_| is_other),
            customer: text(fields::CARD_CODE),
            mark: mark.and_then(text),
        })
    }
}

/// The documents under each reference. A draft counts only where no document stands, since one that was approved may stay.
pub(super) async fn look_up(
    client: &ServiceLayerClient,
    cx: &Cx,
    references: &[Reference],
) -> Result<Vec<Vec<B1Document>>> {
    let mut values: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for reference in references {
        values.entry(property(reference)?).or_default().insert(&reference.value);
    }
    // Drafts first: one that becomes a document between the two is then found as both, else as neither.
    let sets: &[&str] = if client.settings.approvals { &[DRAFTS, ORDERS] } else { &[ORDERS] };
    let mut asked = Vec::new();
    for (property, values) in values {
        let values: Vec<&str> = values.into_iter().collect();
        for chunk in values.chunks(client.settings.requests.lookup_batch) {
            asked.extend(sets.iter().map(|set| (*set, property, chunk.to_vec())));
        }
    }
    // In a batch the filter is part of the body: an address of a hundred numbers is longer than many servers take.
    let requests: Vec<Request> =
        asked.iter().map(|(set, property, values)| request(client, set, property, values)).collect();
    let answers = send_all(client, cx, OPERATION, Effect::Read, sets.len(), &requests).await;
    let mut found: HashMap<&str, (Documents, Documents)> = HashMap::new();
    for ((set, property, values), answer) in asked.iter().zip(answers) {
        let page: Page<Row> = answer.map_err(|error| unknown_field(client, property, error))?.read(OPERATION)?;
        let next = client.next_page(OPERATION, page.next_link.as_deref())?;
        let rows = client.rows_from(cx, OPERATION, page.value, next).await?;
        let (documents, drafts) = found.entry(property).or_default();
        let found = if *set == DRAFTS { drafts } else { documents };
        take(set, property, client.settings.mark.as_deref(), values, rows, found)?;
    }
    let answer = |reference: &Reference| {
        let Some((documents, drafts)) = found.get(property(reference)?) else { return Ok(Vec::new()) };
        let documents = documents.get(&reference.value).cloned().unwrap_or_default();
        if documents.is_empty() { Ok(drafts.get(&reference.value).cloned().unwrap_or_default()) } else { Ok(documents) }
    };
    let mut found: Vec<Vec<B1Document>> = references.iter().map(answer).collect::<Result<_>>()?;
    // The company's tables are asked for only where a document is in another currency than the main one.
    let other = found.iter().flatten().any(|document| document.currency.is_some());
    let codes = if other { Some(codes::held(client, cx).await?) } else { None };
    for document in found.iter_mut().flatten() {
        let iso = match (&document.currency, &codes) {
            (Some(code), Some(codes)) => codes.iso_of(&client.settings.currency_codes, code),
            _ => client.settings.main_currency.clone(),
        };
        document.currency = Some(iso);
    }
    Ok(found)
}

/// Whether documents have a user-defined field. A refusal tells that they do not, if the same is answered without it.
pub(super) async fn has_field(client: &ServiceLayerClient, cx: &Cx, name: &str) -> Result<bool> {
    fields::udf(OPERATION, name)?;
    let ask = |select: String| {
        let path = query(ORDERS, &[("$select", select.as_str()), ("$top", "1")]);
        async move { client.rows::<Row>(cx, OPERATION, &path).await }
    };
    match ask(format!("DocEntry,{name}")).await {
        Ok(_) => Ok(true),
        Err(error) if error.kind() == ErrorKind::Refused => ask("DocEntry".to_owned()).await.map(|_| false),
        Err(error) => Err(error),
    }
}

fn request(client: &ServiceLayerClient, set: &str, property: &str, values: &[&str]) -> Request {
    let any: Vec<String> = values.iter().map(|value| format!("{property} eq {}", quoted(value))).collect();
    let mut filter = any.join(" or ");
    let mut select = format!("DocEntry,{property},Cancelled,DocumentStatus,DocTotal,DocTotalFc,DocCurrency,CardCode");
    if let Some(mark) = &client.settings.mark {
        select.push(',');
        select.push_str(mark);
    }
    if set == DRAFTS {
        // Other documents have drafts in the same table. Closed ones are left out only once they are here: a row that no
        // longer fits the filter would shift others to a page that was read already.
        filter = format!("DocObjectCode eq 'oOrders' and ({filter})");
        select.push_str(",AuthorizationStatus");
    }
    let path = query(set, &[("$select", &select), ("$filter", &filter), ("$orderby", "DocEntry")]);
    Request::get(path).header("Prefer", client.prefer())
}

/// SAP B1 tells in its own language that there is no such property; most likely it is a field that nobody has added.
fn unknown_field(client: &ServiceLayerClient, property: &str, error: Error) -> Error {
    let mark = client.settings.mark.as_deref().map(|mark| ("reference.mark", mark));
    let udf = fields::is_udf(property).then_some(("reference.udf", property));
    let Some((key, field)) = mark.or(udf).filter(|_| has_code(&error, MALFORMED)) else { return error };
    let message = format!(
        "SAP B1 does not answer for {field}: is there a user-defined field of that name on the header of marketing documents? \
         One that was just added can be used once the Service Layer is restarted"
    );
    Error::config(OPERATION, message).field(key).caused_by(error)
}

/// Takes over the documents of `rows`.
pub(super) fn take(
    set: &str,
    property: &str,
    mark: Option<&str>,
    asked: &[&str],
    rows: Vec<Row>,
    found: &mut Documents,
) -> Result<()> {
    for row in rows {
        let Some(value) = row.text(property).map(str::trim_end) else { return Err(no_text(property)) };
        if asked.contains(&value) {
            let document = row.document(set, mark)?;
            if document.draft && document.closed {
                // It was approved, and is a document now.
                continue;
            }
            let held = found.entry(value.to_owned()).or_default();
            // Rows may shift from one page to the next.
            if !held.contains(&document) {
                held.push(document);
            }
        } else if !asked.iter().any(|asked| asked.to_lowercase() == value.to_lowercase()) {
            // SQL Server compares without case, so a number of other case may come; anything else was not asked for,
            // and then the answer says nothing about what is missing either.
            let message = "the answer holds orders that were not asked for";
            return Err(Error::unknown_outcome(ErrorKind::Protocol, Effect::Read, OPERATION, message)
                .field(property.to_owned()));
        }
    }
    Ok(())
}

/// The reference of a found document is no text, so nothing that is looked up by it would ever be found.
fn no_text(property: &str) -> Error {
    let message =
        "holds no text in the documents that it is looked up by: order numbers need a field of an alphanumeric type";
    Error::config(OPERATION, message).field(property.to_owned())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn taken(set: &str, rows: Value) -> Result<Documents> {
        let mut found = Documents::new();
        take(set, "U_WebOrder", None, &["1", "2"], serde_json::from_value(rows).unwrap(), &mut found)?;
        Ok(found)
    }

    fn row(reference: Value, status: &str) -> Value {
        json!({ "DocEntry": 540, "U_WebOrder": reference, "Cancelled": "tNO", "DocumentStatus": status,
            "AuthorizationStatus": "dasPending" })
    }

    #[test]
    fn a_field_of_numbers_is_an_error_and_not_an_order_that_is_missing() {
        for reference in [json!(1), json!(null)] {
            let error = taken(ORDERS, json!([row(reference, "bost_Open")])).unwrap_err();
            assert_eq!((error.kind(), error.field_path()), (ErrorKind::Config, Some("U_WebOrder")));
        }
    }

    #[test]
    fn a_closed_draft_is_none_and_a_closed_document_is_one() {
        let rows = || json!([row("1".into(), "bost_Close"), row("2".into(), "bost_Open")]);
        assert_eq!(taken(DRAFTS, rows()).unwrap().into_keys().collect::<Vec<_>>(), ["2"]);
        assert_eq!(taken(ORDERS, rows()).unwrap().len(), 2);
    }
}
