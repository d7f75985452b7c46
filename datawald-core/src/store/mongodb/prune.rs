//! Removing what is no longer kept.

use mongodb::bson::{DateTime, Document, doc};
use mongodb::options::FindOptions;
use serde::Deserialize;

use super::bson::{date, read};
use super::change::{known, mark};
use super::commands::Commands;
use super::documents::{ENTITIES, EntityDoc, HISTORY, SYNC_TASKS};
use super::keys::{entity_range, flow_id};
use super::members;
use crate::Result;
use crate::model::{FlowId, TxStatus};
use crate::store::Expired;

const OPERATION: &str = "prune";

/// Versions looked at together.
const TOGETHER: i64 = 500;

pub(super) async fn prune(commands: &Commands, flow: &FlowId, expired: &Expired, limit: usize) -> Result<u64> {
    let mut removed = 0;
    if let Some(before) = expired.runs.filter(|_| limit > 0) {
        removed += runs(commands, flow, date(before), limit).await?;
    }
    if let Some(before) = expired.versions {
        removed += versions(commands, flow, date(before), limit.saturating_sub(removed)).await?;
    }
    if let Some(before) = expired.raw.filter(|_| removed < limit) {
        removed += raw(commands, flow, date(before), limit - removed).await?;
    }
    Ok(removed as u64)
}

async fn runs(commands: &Commands, flow: &FlowId, before: DateTime, limit: usize) -> Result<usize> {
    let newest = doc! { "started_at": -1, "_id": -1 };
    let newest = ids(commands, SYNC_TASKS, doc! { "flow": flow_id(flow) }, newest, 1).await?;
    let closed = doc! { "$in": ["Completed", "Fail", "Incompleted"] };
    let filter = doc! {
        "flow": flow_id(flow),
        "_id": { "$nin": newest },
        "status": &closed,
        "started_at": { "$lt": before },
        "ended_at": { "$lt": before },
    };
    let gone = ids(commands, SYNC_TASKS, filter, doc! { "started_at": 1, "_id": 1 }, limit).await?;
    // First what belongs to them: what a crash leaves of them is found by them again.
    members::forget(commands, OPERATION, &gone).await?;
    let tasks = gone.iter().map(|id| doc! { "_id": id, "status": &closed });
    commands.delete(OPERATION, SYNC_TASKS, tasks).await?;
    Ok(gone.len())
}

#[derive(Deserialize)]
struct Replaced {
    #[serde(rename = "_id")]
    id: String,
    entity: String,
    rev: i64,
    replaced_at: DateTime,
}

async fn versions(commands: &Commands, flow: &FlowId, before: DateTime, limit: usize) -> Result<usize> {
    let (first, end) = entity_range(flow);
    let mut filter = doc! { "replaced_at": { "$lt": before }, "entity": { "$gte": first, "$lt": end } };
    let options = FindOptions::builder()
        .sort(doc! { "replaced_at": 1, "_id": 1 })
        .limit(TOGETHER)
        .projection(doc! { "entity": 1, "rev": 1, "replaced_at": 1 })
        .build();
    let mut removed = 0;
    while removed < limit {
        let found = commands.find(OPERATION, HISTORY, filter.clone(), options.clone()).await?;
        let found: Vec<Replaced> = found.iter().map(|found| read(OPERATION, HISTORY, found)).collect::<Result<_>>()?;
        let Some(last) = found.last() else { break };
        let later = doc! { "replaced_at": last.replaced_at, "_id": { "$gt": &last.id } };
        filter.insert("$or", vec![doc! { "replaced_at": { "$gt": last.replaced_at } }, later]);
        let entities: Vec<&String> = found.iter().map(|version| &version.entity).collect();
        let entities = known(commands, OPERATION, &entities).await?;
        let gone =
            found.iter().filter(|version| entities.get(&version.entity).is_none_or(|of| is_over(of, version.rev)));
        let gone: Vec<Document> = gone.take(limit - removed).map(|version| doc! { "_id": &version.id }).collect();
        removed += gone.len();
        commands.delete(OPERATION, HISTORY, gone).await?;
    }
    Ok(removed)
}

/// Whether nobody needs this version of an entity any more.
fn is_over(entity: &EntityDoc, rev: i64) -> bool {
    ENDED.contains(&entity.status) && entity.written.is_none_or(|written| rev < written)
}

/// Those at which there is nothing left to do or to mend.
const ENDED: [TxStatus; 3] = [TxStatus::Success, TxStatus::Ignored, TxStatus::Cancelled];

#[derive(Deserialize)]
struct Seen {
    #[serde(rename = "_id")]
    id: String,
    op: String,
}

async fn raw(commands: &Commands, flow: &FlowId, before: DateTime, limit: usize) -> Result<usize> {
    let filter = doc! {
        "flow": flow_id(flow),
        "raw_print": { "$type": "string" },
        // Nothing that was staged later can have ended earlier.
        "created_at": { "$lt": before },
        "updated_at": { "$lt": before },
        "status": { "$in": ENDED.map(TxStatus::letter).to_vec() },
    };
    let options = FindOptions::builder()
        .sort(doc! { "created_at": 1 })
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .projection(doc! { "op": 1 })
        .build();
    let op = mark();
    let mut statements = Vec::new();
    for found in commands.find(OPERATION, ENTITIES, filter, options).await? {
        let Seen { id, op: seen } = read(OPERATION, ENTITIES, &found)?;
        // One that is changed at the same moment is left for another time.
        statements.push(doc! {
            "q": { "_id": id, "op": seen },
            "u": { "$set": { "raw": "", "op": &op }, "$unset": { "raw_print": "" } },
        });
    }
    let many = commands.update(OPERATION, ENTITIES, statements).await?.matched;
    Ok(usize::try_from(many).unwrap_or_default())
}

async fn ids(
    commands: &Commands,
    collection: &str,
    filter: Document,
    order: Document,
    limit: usize,
) -> Result<Vec<String>> {
    let options = FindOptions::builder()
        .sort(order)
        .limit(i64::try_from(limit).unwrap_or(i64::MAX))
        .projection(doc! { "_id": 1 })
        .build();
    let found = commands.find(OPERATION, collection, filter, options).await?;
    Ok(found.iter().filter_map(|found| found.get_str("_id").ok().map(str::to_owned)).collect())
}
