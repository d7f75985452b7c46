//! An order that is kept as text, with its columns.

use std::collections::BTreeMap;

use datawald_core::{Error, Result};
use serde_json::value::RawValue;
use serde_json::{Map, Value};

use super::filter::Columns;
use crate::client::parse_time;

const OPERATION: &str = "put order into the sandbox";

/// An order as it is answered.
#[derive(Debug)]
pub(super) struct Stored {
    pub(super) entity_id: u64,
    pub(super) increment_id: String,
    /// `updated_at` in seconds; the beginning of time if it has none.
    pub(super) updated: i64,
    pub(super) columns: Columns,
    pub(super) text: String,
}

impl Stored {
    pub(super) fn parse(text: String) -> Result<Self> {
        let columns = columns(&text)?;
        let entity_id = columns
            .get("entity_id")
            .and_then(|id| id.parse().ok())
            .ok_or_else(|| Error::invalid(OPERATION, "should be a number").field("entity_id"))?;
        let updated = columns.get("updated_at").and_then(|time| parse_time(time)).map_or(i64::MIN, |t| t.as_second());
        let increment_id = columns.get("increment_id").cloned().unwrap_or_default();
        Ok(Self { entity_id, increment_id, updated, columns, text })
    }
}

fn columns(text: &str) -> Result<Columns> {
    let fields: BTreeMap<String, &RawValue> = serde_json::from_str(text).map_err(|error| {
        let message = format!("the order is no JSON object, at line {} column {}", error.line(), error.column());
        Error::invalid(OPERATION, message)
    })?;
    let mut columns = Columns::new();
    for (name, raw) in fields {
        let value = match raw.get().as_bytes().first() {
            Some(b'"') => serde_json::from_str::<String>(raw.get()).unwrap_or_default(),
            Some(b't') => "1".to_owned(),
            Some(b'f') => "0".to_owned(),
            Some(b'-' | b'0'..=b'9') => raw.get().to_owned(),
            _ => continue,
        };
        columns.insert(name, value);
    }
    Ok(columns)
}

/// The order with some top-level fields changed; the others keep their text.
pub(super) fn edited(text: &str, changes: &Map<String, Value>) -> Result<String> {
    let failed = |_| Error::invalid(OPERATION, "the order cannot be edited");
    let mut fields: BTreeMap<String, Box<RawValue>> = serde_json::from_str(text).map_err(failed)?;
    for (name, value) in changes {
        let raw = RawValue::from_string(value.to_string()).map_err(failed)?;
        fields.insert(name.clone(), raw);
    }
    serde_json::to_string(&fields).map_err(failed)
}
