//! Fetching orders, contact persons and deliveries.

use std::borrow::Cow;

use serde_json::{Map, Value};

use super::body::{text, write_text};
use super::faults::Faults;
use super::python::PyError;
use super::query::{Condition, columns, conditions, no_column, parse, rows_wanted};
use super::state::{State, Store};

const ORDER_COLUMNS: &[&str] = &[
    "DocEntry",
    "DocNum",
    "NumAtCard",
    "CANCELED",
    "DocStatus",
    "CardCode",
    "CardName",
    "DocDate",
    "DocDueDate",
    "DocTotal",
    "DocTotalFC",
    "DocCur",
    "CntctCode",
    "Address",
    "Address2",
    "BillToCounty",
    "ShipToCounty",
];

const CONTACT_COLUMNS: &[&str] =
    &["CntctCode", "CardCode", "Name", "FirstName", "LastName", "E_MailL", "Tel1", "Address"];

/// The column that `name` means; the service puts names into SQL as they are, so case does not matter.
fn known<'a>(columns: impl Iterator<Item = &'a str>, name: &str) -> Option<&'a str> {
    columns.into_iter().find(|column| column.eq_ignore_ascii_case(name.trim()))
}

/// Rows of ORDR.
pub(super) fn orders(state: &State, num: Option<&str>, body: &[u8], faults: &Faults) -> Result<Vec<u8>, PyError> {
    let most = rows_wanted(num)?;
    let fetch = parse(body)?;
    let all = || ORDER_COLUMNS.iter().copied().chain(state.options.udfs.iter().map(String::as_str));
    let wanted = columns(fetch.columns)?.unwrap_or_else(|| all().map(str::to_owned).collect());
    let conditions = conditions(fetch.params, !faults.refuse_lists)?;
    let names = wanted.iter().map(String::as_str).chain(conditions.iter().map(|condition| condition.column.as_ref()));
    for name in names {
        known(all(), name).ok_or_else(|| no_column(name))?;
    }
    let store = state.store();
    let field = |condition: &Condition<'_>| {
        let udf = state.options.udfs.iter().position(|udf| udf.eq_ignore_ascii_case(&condition.column));
        match udf {
            Some(place) => u16::try_from(place + 1).ok(),
            None => condition.column.eq_ignore_ascii_case("NumAtCard").then_some(0),
        }
    };
    let indexed = conditions
        .iter()
        .filter(|condition| condition.is_equality() && condition.values.iter().all(|value| !value.trim().is_empty()))
        .find_map(|condition| Some((field(condition)?, condition)));
    let mut out = vec![b'['];
    let mut row = |at: u32| {
        if out.len() > 1 {
            out.push(b',');
        }
        out.push(b'{');
        for (i, name) in wanted.iter().enumerate() {
            if i > 0 {
                out.push(b',');
            }
            write_text(&mut out, name);
            out.push(b':');
            write_text(&mut out, &order_cell(state, &store, at, name));
        }
        out.push(b'}');
    };
    let holds =
        |at: u32| conditions.iter().all(|condition| condition.holds(&order_cell(state, &store, at, &condition.column)));
    match indexed {
        Some((field, condition)) => {
            let documents = &store.documents;
            let places = condition.values.iter().flat_map(|value| documents.under(field, value));
            let rest = conditions.len() > 1;
            places.filter(|at| !rest || holds(*at)).take(most).for_each(&mut row);
        }
        None => store.documents.places().filter(|at| holds(*at)).take(most).for_each(&mut row),
    }
    out.push(b']');
    Ok(out)
}

fn order_cell<'a>(state: &'a State, store: &'a Store, at: u32, name: &str) -> Cow<'a, str> {
    let Some(document) = store.documents.get(at) else { return Cow::Borrowed("") };
    let details = store.documents.details(at);
    let by_hand = store.documents.by_hand(at);
    let foreign = by_hand.filter(|by_hand| by_hand.currency != state.options.currency);
    let detail = |text: Option<&'a String>| Cow::Borrowed(text.map(String::as_str).unwrap_or_default());
    let name = name.trim();
    match known(ORDER_COLUMNS.iter().copied(), name) {
        Some("DocEntry" | "DocNum") => Cow::Owned(store.documents.doc_entry(at).to_string()),
        Some("NumAtCard") => Cow::Borrowed(if document.field == 0 { &document.reference } else { "" }),
        Some("CANCELED") => Cow::Borrowed(if document.cancelled { "Y" } else { "N" }),
        Some("DocStatus") => Cow::Borrowed(if document.cancelled { "C" } else { "O" }),
        Some("DocDate") => Cow::Owned(format!("{} 00:00:00", document.date)),
        Some("DocDueDate") => Cow::Owned(format!("{} 00:00:00", document.due)),
        Some("DocTotal") => Cow::Owned(format!("{:.6}", document.total)),
        Some("DocTotalFC") => Cow::Owned(format!("{:.6}", foreign.map(|foreign| foreign.total).unwrap_or_default())),
        Some("DocCur") => Cow::Borrowed(foreign.map_or(&state.options.currency, |foreign| &foreign.currency)),
        Some("CardCode") => Cow::Borrowed(store.documents.card_code(at)),
        Some("CardName") => detail(details.map(|details| &details.card_name)),
        Some("Address") => detail(details.map(|details| &details.address)),
        Some("Address2") => detail(details.map(|details| &details.address2)),
        Some("BillToCounty") => detail(details.map(|details| &details.billto_county)),
        Some("ShipToCounty") => detail(details.map(|details| &details.shipto_county)),
        Some("CntctCode") => Cow::Owned(details.map(|details| details.contact.to_string()).unwrap_or_default()),
        _ => {
            let udf = state.options.udfs.iter().position(|udf| udf.eq_ignore_ascii_case(name));
            let here = udf.and_then(|place| u16::try_from(place + 1).ok()) == Some(document.field);
            let other = by_hand.into_iter().flat_map(|by_hand| &by_hand.fields);
            let mut other =
                other.filter(|(field, _)| field.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str());
            Cow::Borrowed(if here { &document.reference } else { other.next().unwrap_or_default() })
        }
    }
}

/// Rows of OCPR.
pub(super) fn contacts(state: &State, num: Option<&str>, body: &[u8]) -> Result<Vec<u8>, PyError> {
    let most = rows_wanted(num)?;
    let fetch = parse(body)?;
    let wanted =
        columns(fetch.columns)?.unwrap_or_else(|| CONTACT_COLUMNS.iter().map(|name| (*name).to_owned()).collect());
    let card_code = text(fetch.card_code.ok_or_else(|| PyError::key("card_code"))?)?;
    let asked: Map<String, Value> = serde_json::from_str(fetch.contact.ok_or_else(|| PyError::key("contact"))?.get())
        .map_err(|_| PyError::new("AttributeError", "object has no attribute 'items'"))?;
    for name in wanted.iter().chain(asked.keys()) {
        known(CONTACT_COLUMNS.iter().copied(), name).ok_or_else(|| no_column(name))?;
    }
    let store = state.store();
    let rows = store
        .contacts
        .kept
        .iter()
        .filter(|contact| contact.card_code == card_code)
        .map(|contact| {
            let cells = contact.columns.iter();
            cells.map(|(name, value)| ((*name).to_owned(), Value::from(value.as_str()))).collect::<Map<_, _>>()
        })
        .filter(|row| asked.iter().all(|(name, value)| cell(row, name) == value.as_str().unwrap_or("null")))
        .take(most)
        .map(|row| project(&row, &wanted))
        .collect::<Vec<_>>();
    serde_json::to_vec(&rows).map_err(|_| PyError::new("MemoryError", ""))
}

/// Rows of ODLN, each with its rows of DLN1.
pub(super) fn shipments(state: &State, num: Option<&str>, body: &[u8], faults: &Faults) -> Result<Vec<u8>, PyError> {
    let most = rows_wanted(num)?;
    let fetch = parse(body)?;
    let mut wanted = columns(fetch.columns)?;
    let item_columns = columns(fetch.itemcolumns)?;
    let conditions = conditions(fetch.params, !faults.refuse_lists)?;
    // The entry is always added.
    if let Some(wanted) = &mut wanted
        && !wanted.iter().any(|name| name == "DocEntry")
    {
        wanted.push("DocEntry".to_owned());
    }
    let holds =
        |row: &Map<String, Value>| conditions.iter().all(|condition| condition.holds(cell(row, &condition.column)));
    let rows: Vec<_> = state
        .options
        .shipments
        .iter()
        .filter(|row| holds(row))
        .take(most)
        .map(|row| {
            let mut out = match &wanted {
                Some(wanted) => project(row, wanted),
                None => row.clone(),
            };
            let items = row.get("items").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object);
            let items: Vec<Value> = items
                .map(|item| item_columns.as_ref().map_or_else(|| item.clone(), |names| project(item, names)).into())
                .collect();
            out.insert("items".into(), items.into());
            out
        })
        .collect();
    serde_json::to_vec(&rows).map_err(|_| PyError::new("MemoryError", ""))
}

fn cell<'a>(row: &'a Map<String, Value>, name: &str) -> &'a str {
    let found = row.iter().find(|(key, _)| key.eq_ignore_ascii_case(name.trim())).map(|(_, value)| value);
    found.and_then(Value::as_str).unwrap_or_default()
}

fn project(row: &Map<String, Value>, names: &[String]) -> Map<String, Value> {
    names.iter().map(|name| (name.clone(), cell(row, name).into())).collect()
}
