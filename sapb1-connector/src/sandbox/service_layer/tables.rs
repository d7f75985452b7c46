//! What is kept: entities by set and key, as JSON text, with their versions; and how to take a change back.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};
use sha1::{Digest, Sha1};

/// A part of a key.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Part {
    Int(i64),
    Text(String),
}

/// A key: usually of one part.
pub(super) type Key = Vec<Part>;

/// An entity.
#[derive(Debug, Clone)]
pub(super) struct Row {
    json: Box<str>,
    /// What it is found by: indexed properties with their texts in lower case.
    found_by: Box<[(String, String)]>,
    /// `DataVersion`: how often it was changed.
    pub(super) version: u32,
}

impl Row {
    fn new(values: &Map<String, Value>, version: u32) -> Self {
        let texts = values.iter().filter(|(name, _)| indexed(name)).filter_map(|(name, value)| match value {
            Value::String(text) => Some((name.clone(), text.to_lowercase())),
            _ => None,
        });
        let found_by = texts.collect();
        Self { json: serde_json::to_string(values).unwrap_or_default().into(), found_by, version }
    }

    /// Some of its values, without a look at the others.
    pub(super) fn read<T: DeserializeOwned>(&self) -> Option<T> {
        serde_json::from_str(&self.json).ok()
    }

    pub(super) fn values(&self) -> Map<String, Value> {
        serde_json::from_str(&self.json).unwrap_or_default()
    }

    /// `W/"…"`, of the SHA-1 of the version in decimal.
    pub(super) fn etag(&self) -> String {
        let hash = Sha1::digest(self.version.to_string());
        let hex: String = hash.iter().map(|byte| format!("{byte:02X}")).collect();
        format!("W/\"{hex}\"")
    }
}

/// A row as it was before a change.
struct Before {
    set: &'static str,
    key: Key,
    row: Option<Row>,
}

#[derive(Default)]
struct Table {
    rows: BTreeMap<Key, Row>,
    index: HashMap<(String, String), BTreeSet<Key>>,
}

#[derive(Default)]
pub(super) struct Tables {
    tables: HashMap<&'static str, Table>,
    undo: Option<Vec<Before>>,
}

/// Whether rows can be found by this property without a look at all of them.
fn indexed(property: &str) -> bool {
    property == "NumAtCard" || property == "EmailAddress" || property.starts_with("U_")
}

impl Tables {
    pub(super) fn get(&self, set: &str, key: &Key) -> Option<&Row> {
        self.tables.get(set)?.rows.get(key)
    }

    pub(super) fn rows(&self, set: &str) -> impl Iterator<Item = (&Key, &Row)> {
        self.tables.get(set).into_iter().flat_map(|table| table.rows.iter())
    }

    pub(super) fn len(&self, set: &str) -> usize {
        self.tables.get(set).map_or(0, |table| table.rows.len())
    }

    /// The last key's number plus one, or `first`.
    pub(super) fn next(&self, set: &str, first: i64) -> i64 {
        let last = self.tables.get(set).and_then(|table| table.rows.last_key_value());
        match last.and_then(|(key, _)| key.first()) {
            Some(Part::Int(last)) => last.saturating_add(1).max(first),
            _ => first,
        }
    }

    /// Keys of the rows whose indexed property may have this value (case aside); `None` if it is not indexed.
    pub(super) fn under(&self, set: &str, property: &str, value: &str) -> Option<BTreeSet<Key>> {
        if !indexed(property) {
            return None;
        }
        let at = (property.to_owned(), value.to_lowercase());
        Some(self.tables.get(set).and_then(|table| table.index.get(&at)).cloned().unwrap_or_default())
    }

    /// Writes a row; its version is one more than that of the row it replaces.
    pub(super) fn put(&mut self, set: &'static str, key: Key, values: &Map<String, Value>) {
        let before = self.get(set, &key).cloned();
        let version = before.as_ref().map_or(1, |row| row.version.saturating_add(1));
        self.set(set, key.clone(), Some(Row::new(values, version)));
        if let Some(undo) = &mut self.undo {
            undo.push(Before { set, key, row: before });
        }
    }

    pub(super) fn remove(&mut self, set: &'static str, key: &Key) {
        let before = self.get(set, key).cloned();
        self.set(set, key.clone(), None);
        if let Some(undo) = &mut self.undo {
            undo.push(Before { set, key: key.clone(), row: before });
        }
    }

    /// From here on changes can be taken back; whether that is new.
    pub(super) fn begin(&mut self) -> bool {
        let new = self.undo.is_none();
        self.undo.get_or_insert_default();
        new
    }

    /// Keeps what was changed since `begin`.
    pub(super) fn commit(&mut self) {
        self.undo = None;
    }

    /// Takes back what was changed since `begin`.
    pub(super) fn roll_back(&mut self) {
        for Before { set, key, row } in self.undo.take().unwrap_or_default().into_iter().rev() {
            self.set(set, key, row);
        }
    }

    fn set(&mut self, set: &'static str, key: Key, row: Option<Row>) {
        let table = self.tables.entry(set).or_default();
        if let Some(old) = table.rows.get(&key) {
            for at in &old.found_by {
                if let Some(keys) = table.index.get_mut(at) {
                    keys.remove(&key);
                    if keys.is_empty() {
                        table.index.remove(at);
                    }
                }
            }
        }
        match row {
            Some(row) => {
                for at in &row.found_by {
                    table.index.entry(at.clone()).or_default().insert(key.clone());
                }
                table.rows.insert(key, row);
            }
            None => {
                table.rows.remove(&key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn values(number: &str) -> Map<String, Value> {
        json!({ "NumAtCard": number }).as_object().unwrap().clone()
    }

    #[test]
    fn changes_are_taken_back() {
        let mut tables = Tables::default();
        let key = |n| vec![Part::Int(n)];
        tables.put("Orders", key(1), &values("a"));
        assert!(tables.begin());
        assert!(!tables.begin());
        tables.put("Orders", key(1), &values("b"));
        tables.put("Orders", key(2), &values("a"));
        tables.remove("Orders", &key(1));
        assert_eq!(tables.under("Orders", "NumAtCard", "A").unwrap(), BTreeSet::from([key(2)]));
        tables.roll_back();
        assert_eq!(tables.under("Orders", "NumAtCard", "a").unwrap(), BTreeSet::from([key(1)]));
        assert!(tables.under("Orders", "NumAtCard", "b").unwrap().is_empty());
        assert_eq!(tables.get("Orders", &key(1)).unwrap().version, 1);
        assert_eq!(tables.len("Orders"), 1);
    }

    #[test]
    fn the_etag_is_that_of_recorded_answers() {
        let row = Row::new(&Map::new(), 1);
        assert_eq!(row.etag(), "W/\"356A192B7913B04C54574D18C28D46E6395428AB\"");
        let row = Row::new(&Map::new(), 30);
        assert_eq!(row.etag(), "W/\"22D200F8670DBDB3E253A90EEE5098477C95C23D\"");
    }
}
