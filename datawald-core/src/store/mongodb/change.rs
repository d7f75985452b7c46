//! Changing entities by compare-and-set: each change compares the mark of the last one, and leaves its own.

use std::collections::{HashMap, HashSet};

use mongodb::bson::{Document, doc};
use mongodb::options::FindOptions;

use super::bson::{date, read};
use super::commands::Commands;
use super::documents::{ENTITIES, EntityDoc};
use crate::store::transition::Standing;
use crate::{Error, Result};

/// How often entities are looked at again because others changed them at the same moment.
pub(super) const ROUNDS: usize = 100;

/// A mark that no other change has.
pub(super) fn mark() -> String {
    uuid::Uuid::now_v7().simple().to_string()
}

/// Entities without their documents.
pub(super) async fn known(
    commands: &Commands,
    operation: &'static str,
    ids: &[&String],
) -> Result<HashMap<String, EntityDoc>> {
    let options = FindOptions::builder().projection(doc! { "doc": 0, "raw": 0 }).build();
    let found = commands.find(operation, ENTITIES, doc! { "_id": { "$in": ids } }, options).await?;
    found
        .iter()
        .map(|found| read::<EntityDoc>(operation, ENTITIES, found).map(|found| (found.key.clone(), found)))
        .collect()
}

/// Those of `ids` whose last change has this mark.
pub(super) async fn carried_out(
    commands: &Commands,
    operation: &'static str,
    ids: &[&String],
    op: &str,
) -> Result<HashSet<String>> {
    if ids.is_empty() {
        return Ok(HashSet::new());
    }
    let options = FindOptions::builder().projection(doc! { "_id": 1 }).build();
    let found = commands.find(operation, ENTITIES, doc! { "_id": { "$in": ids }, "op": op }, options).await?;
    Ok(found.iter().filter_map(|found| found.get_str("_id").ok().map(str::to_owned)).collect())
}

/// Writes where an entity stands into an update.
pub(super) fn standing(standing: Standing, set: &mut Document, unset: &mut Document) {
    set.insert("status", standing.status.letter());
    set.insert("note", standing.note);
    match standing.failure {
        Some(class) => set.insert("failure", class),
        None => unset.insert("failure", ""),
    };
    match standing.due_at {
        Some(at) => set.insert("due_at", date(at)),
        None => unset.insert("due_at", ""),
    };
}

/// What is told if others are quicker each time.
pub(super) fn busy(operation: &'static str) -> Error {
    Error::store(operation, "entities are changed by others all the time; try again")
}
