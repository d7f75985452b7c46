//! What look-ups and writes came to.

use datawald_backoffice::{Found, FoundDocument, NativeOrder};
use serde_json::Value;

use crate::{B1Document, Changed, fields};

/// What the documents under one reference mean.
pub(super) fn found(mut documents: Vec<B1Document>) -> Found {
    documents.sort_by(|a, b| (a.doc_entry.len(), &a.doc_entry).cmp(&(b.doc_entry.len(), &b.doc_entry)));
    let (cancelled, mut standing): (Vec<_>, Vec<_>) = documents.into_iter().partition(|document| document.cancelled);
    match (standing.pop(), standing.is_empty()) {
        (Some(only), true) => Found::Open(shown(only)),
        (Some(last), false) => {
            let mut target_ids: Vec<String> = standing.iter().map(B1Document::key).collect();
            target_ids.push(last.key());
            Found::Several { target_ids }
        }
        (None, _) => match cancelled.into_iter().next_back() {
            Some(newest) => Found::Cancelled(shown(newest)),
            None => Found::Missing,
        },
    }
}

/// Whether a document comes to what would be made, for the same customer in the same currency. What SAP B1 does not tell of
/// it, or would not be written, agrees with nothing.
pub(super) fn agrees(made: &NativeOrder, found: &FoundDocument) -> bool {
    let same = |found: &Option<String>, name: &str| {
        let written = made.get(name).and_then(Value::as_str);
        written.is_some_and(|written| found.as_deref() == Some(written))
    };
    let total = made.totals.as_ref().map(|totals| totals.document);
    total.is_some()
        && total == found.total
        && same(&found.currency, fields::DOC_CURRENCY)
        && same(&found.customer, fields::CARD_CODE)
}

/// What is told of a document.
fn shown(document: B1Document) -> FoundDocument {
    FoundDocument {
        target_id: document.key(),
        total: document.total,
        currency: document.currency,
        customer: document.customer,
        mark: document.mark,
    }
}

/// The remark for an order that is there already.
pub(super) fn already_there(key: &str) -> String {
    format!("already in SAP B1 (DocEntry {key}); changes in the shop are not carried over to it")
}

/// The remark for an order whose addresses have changed in the shop.
pub(super) fn changed(key: &str, changed: Changed) -> String {
    match changed {
        Changed::Done => format!("its addresses are brought up to date in SAP B1 (DocEntry {key})"),
        Changed::NotOpen => {
            format!("is not open in SAP B1 any more ({key}); changes in the shop are not carried over to it")
        }
    }
}

/// The remark for a cancelled order.
pub(super) fn cancelled(expected: &str, key: &str) -> String {
    if expected == key || expected.is_empty() {
        format!("cancelled in SAP B1 (DocEntry {key})")
    } else {
        format!("cancelled in SAP B1 (DocEntry {key}, where {expected} was expected: look at both)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn doc(doc_entry: &str, cancelled: bool) -> B1Document {
        B1Document { doc_entry: doc_entry.into(), cancelled, closed: cancelled, ..B1Document::default() }
    }

    fn keyed(target_id: &str) -> FoundDocument {
        FoundDocument { target_id: target_id.into(), ..FoundDocument::default() }
    }

    #[test]
    fn documents_by_how_many_stand() {
        assert_eq!(found(vec![]), Found::Missing);
        assert_eq!(found(vec![doc("9", false)]), Found::Open(keyed("9")));
        assert_eq!(found(vec![doc("9", true), doc("10", false)]), Found::Open(keyed("10")));
        assert_eq!(found(vec![doc("10", true), doc("9", true)]), Found::Cancelled(keyed("10")));
        let several = found(vec![doc("10", false), doc("9", false), doc("8", true)]);
        assert_eq!(several, Found::Several { target_ids: vec!["9".into(), "10".into()] });
    }

    #[test]
    fn a_cancelled_document_of_another_key_is_told() {
        assert_eq!(cancelled("540", "540"), "cancelled in SAP B1 (DocEntry 540)");
        assert!(cancelled("541", "540").contains("where 541 was expected"));
    }
}
