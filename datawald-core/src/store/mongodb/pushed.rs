//! Recording what was pushed as a sync task.

use std::collections::HashMap;

use mongodb::bson::doc;

use super::bson::bson;
use super::change::{ROUNDS, busy, known, mark};
use super::commands::Commands;
use super::documents::{CutDoc, ENTITIES, SightingDoc};
use super::keys::entity_id;
use super::members::{self, has_joined, join, spill};
use super::{pulls, tasks};
use crate::model::{EntityKey, SyncTaskId, TxStatus};
use crate::store::PushedSync;
use crate::{Disposition, Error, ErrorKind, Result};

const OPERATION: &str = "record sync task";

pub(super) async fn record(commands: &Commands, pushed: PushedSync) -> Result<()> {
    let PushedSync { task, members, cut } = pushed;
    let (flow, id, now) = (task.flow.clone(), task.id.clone(), task.now);
    let mut joining: HashMap<String, bool> = HashMap::new();
    for member in members {
        // One that is named twice is unchanged only if it is said to be each time.
        *joining.entry(entity_id(&EntityKey::new(&flow, member.id))).or_insert(true) &= member.unchanged;
    }
    check_staged(commands, &joining).await?;
    tasks::create(commands, task).await?;
    join_all(commands, &id, joining).await?;
    // Last, so that the cut is never further than what is recorded.
    if let Some(cut) = cut {
        let stands = pulls::advance_pushed(commands, OPERATION, &flow, CutDoc::of(cut)).await?;
        tasks::reached(commands, OPERATION, &id, stands).await?;
    }
    tasks::finish_pull(commands, &id, now).await
}

async fn check_staged(commands: &Commands, members: &HashMap<String, bool>) -> Result<()> {
    let ids: Vec<&String> = members.keys().collect();
    let there = known(commands, OPERATION, &ids).await?;
    match ids.into_iter().filter(|id| !there.contains_key(*id)).min() {
        None => Ok(()),
        Some(missing) => {
            let message = "is not staged; nothing was recorded";
            Err(Error::new(ErrorKind::NotFound, Disposition::Rejected, OPERATION, message).entity(missing.clone()))
        }
    }
}

/// Joins those that have not joined.
async fn join_all(commands: &Commands, task: &SyncTaskId, mut members: HashMap<String, bool>) -> Result<()> {
    for _ in 0..ROUNDS {
        let ids: Vec<&String> = members.keys().collect();
        if ids.is_empty() {
            return Ok(());
        }
        let known = known(commands, OPERATION, &ids).await?;
        let mut sightings: Vec<SightingDoc> = Vec::new();
        let mut statements = Vec::new();
        let op = mark();
        for (id, entity) in &known {
            if has_joined(&entity.passes, task) {
                continue;
            }
            if members.get(id) == Some(&true) && entity.status.is_final() {
                sightings.push(members::sighting(task, id, TxStatus::Ignored));
                continue;
            }
            let mut passes = entity.passes.clone();
            join(&mut passes, task.as_str());
            sightings.extend(spill(&mut passes, id));
            let set = doc! { "$set": { "passes": bson(OPERATION, &passes)?, "op": &op } };
            statements.push(doc! { "q": { "_id": id, "op": &entity.op }, "u": set });
        }
        let all = statements.len() as u64;
        members::see(commands, OPERATION, &sightings).await?;
        if all == 0 || commands.update(OPERATION, ENTITIES, statements).await?.matched == all {
            return Ok(());
        }
        // Others changed some of them: those that are still to join are looked at again.
        members.retain(|id, _| known.contains_key(id));
    }
    Err(busy(OPERATION))
}
