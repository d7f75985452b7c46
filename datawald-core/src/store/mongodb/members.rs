//! What a pass brought, and how it counts there.
//!
//! An entity tells itself which passes brought it, so that both change in one step. Only what a pass found unchanged and
//! at its end stands apart, as a sighting: it counts as I for good, and the entity need not be written for it. The oldest
//! of an entity's passes become sightings, too, when they are many. Where both tell, the entity is right.

use std::collections::HashSet;

use mongodb::bson::{Document, doc};
use mongodb::options::FindOptions;

use super::bson::{document, read};
use super::change::mark;
use super::commands::Commands;
use super::documents::{ENTITIES, PassDoc, SIGHTINGS, SightingDoc};
use super::keys::sighting_id;
use crate::model::{Counts, SyncTaskId, TxStatus};
use crate::{Error, Result};

/// How many passes an entity tells of itself.
const PASSES_KEPT: usize = 64;

/// Sightings looked at together.
const TOGETHER: i64 = 1_000;

/// The passes in which the entity's own status counted keep this one.
pub(super) fn freeze(passes: &mut [PassDoc], status: TxStatus) {
    for pass in passes {
        pass.status.get_or_insert(status);
    }
}

/// The entity counts in the pass as what it is.
pub(super) fn join(passes: &mut Vec<PassDoc>, task: &str) {
    match passes.iter_mut().find(|pass| pass.task == task) {
        Some(pass) => pass.status = None,
        None => passes.push(PassDoc { task: task.to_owned(), status: None }),
    }
}

/// Whether the entity tells of the pass.
pub(super) fn has_joined(passes: &[PassDoc], task: &SyncTaskId) -> bool {
    passes.iter().any(|pass| pass.task == task.as_str())
}

/// Takes the oldest passes out, as sightings, if there are many. One in which the entity's own status counts stays.
pub(super) fn spill(passes: &mut Vec<PassDoc>, entity: &str) -> Vec<SightingDoc> {
    let mut sightings = Vec::new();
    let mut too_many = passes.len().saturating_sub(PASSES_KEPT);
    passes.retain(|pass| match pass.status {
        Some(status) if too_many > 0 => {
            too_many -= 1;
            sightings.push(sighting(&SyncTaskId::from_stored(pass.task.clone()), entity, status));
            false
        }
        _ => true,
    });
    sightings
}

pub(super) fn sighting(task: &SyncTaskId, entity: &str, status: TxStatus) -> SightingDoc {
    SightingDoc { id: sighting_id(task, entity), task: task.as_str().to_owned(), entity: entity.to_owned(), status }
}

/// Writes sightings; those that are there stay.
pub(super) async fn see(commands: &Commands, operation: &'static str, sightings: &[SightingDoc]) -> Result<()> {
    let documents = sightings.iter().map(|sighting| document(operation, sighting)).collect::<Result<Vec<_>>>()?;
    commands.insert(operation, SIGHTINGS, documents).await.map(drop)
}

/// Forgets what these passes brought, not the entities.
pub(super) async fn forget(commands: &Commands, operation: &'static str, tasks: &[String]) -> Result<()> {
    // `0` follows the `/` after the task.
    let sightings = tasks
        .iter()
        .map(|task| doc! { "_id": { "$gte": format!("{task}/"), "$lt": format!("{task}0") }, "task": task });
    commands.delete(operation, SIGHTINGS, sightings).await?;
    let passes = tasks.iter().map(|task| {
        doc! {
            "q": { "passes.task": task },
            // Who changes one of them at the same moment looks again.
            "u": { "$pull": { "passes": { "task": task } }, "$set": { "op": mark() } },
            "multi": true,
        }
    });
    commands.update(operation, ENTITIES, passes.collect()).await.map(drop)
}

/// Sightings of a pass that the entities do not overrule, from the entity `from` on, and where to go on.
pub(super) async fn sightings(
    commands: &Commands,
    operation: &'static str,
    task: &SyncTaskId,
    from: &str,
) -> Result<(Vec<SightingDoc>, Option<String>)> {
    // `0` follows the `/` after the task.
    let id = doc! { "$gte": sighting_id(task, from), "$lt": format!("{task}0") };
    let options = FindOptions::builder().sort(doc! { "_id": 1 }).limit(TOGETHER).build();
    let found = commands.find(operation, SIGHTINGS, doc! { "_id": id, "task": task.as_str() }, options).await?;
    let mut sightings: Vec<SightingDoc> =
        found.iter().map(|found| read(operation, SIGHTINGS, found)).collect::<Result<_>>()?;
    let full = sightings.len() as i64 == TOGETHER;
    let next = sightings.last().filter(|_| full).map(|last| format!("{}\0", last.entity));
    if !sightings.is_empty() {
        let entities: Vec<&str> = sightings.iter().map(|sighting| sighting.entity.as_str()).collect();
        let filter = doc! { "_id": { "$in": entities }, "passes.task": task.as_str() };
        let options = FindOptions::builder().projection(doc! { "_id": 1 }).build();
        let overruled: HashSet<String> = commands
            .find(operation, ENTITIES, filter, options)
            .await?
            .iter()
            .filter_map(|found| found.get_str("_id").ok().map(str::to_owned))
            .collect();
        sightings.retain(|sighting| !overruled.contains(&sighting.entity));
    }
    Ok((sightings, next))
}

pub(super) async fn counts(commands: &Commands, task: &SyncTaskId) -> Result<Counts> {
    const OPERATION: &str = "count sync task";
    let of_task = doc! { "$match": { "passes.task": task.as_str() } };
    let pipeline = vec![
        of_task.clone(),
        doc! { "$project": { "status": 1, "passes": 1 } },
        doc! { "$unwind": "$passes" },
        of_task,
        doc! { "$group": { "_id": { "$ifNull": ["$passes.status", "$status"] }, "entities": { "$sum": 1_i64 } } },
    ];
    let mut counts = Counts::default();
    for group in commands.aggregate(OPERATION, ENTITIES, pipeline).await? {
        let status = group.get_str("_id").ok().and_then(TxStatus::from_letter);
        let Some(status) = status else {
            return Err(Error::store(
                OPERATION,
                format!("entities of sync task {task} have a status that is none; look for them in `{ENTITIES}`"),
            ));
        };
        counts.add(status, whole(&group));
    }
    let mut from = String::new();
    loop {
        let (sightings, next) = sightings(commands, OPERATION, task, &from).await?;
        for sighting in sightings {
            counts.add(sighting.status, 1);
        }
        match next {
            Some(next) => from = next,
            None => return Ok(counts),
        }
    }
}

fn whole(group: &Document) -> u64 {
    let count = group.get_i64("entities").or_else(|_| group.get_i32("entities").map(i64::from)).unwrap_or_default();
    u64::try_from(count).unwrap_or_default()
}
