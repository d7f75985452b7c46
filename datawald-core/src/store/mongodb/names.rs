//! What entities are called: one of a flow has a name, and the unique index `names` keeps it so.
//!
//! An entity is staged as the one that has its name, and the index refuses it if another has: only then is the other looked
//! for. A name that is nobody else's, as nearly all are, costs no look.

use std::collections::{HashMap, HashSet};

use mongodb::bson::doc;
use mongodb::options::FindOptions;
use serde::Deserialize;

use super::bson::read;
use super::commands::Commands;
use super::documents::{ENTITIES, EntityDoc};
use super::keys::flow_id;
use crate::Result;
use crate::model::{FlowId, Intent};
use crate::store::{StageEntity, transition};

/// What is to be done with an entity, seen what it is called, and whether it is the one that is called so.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Named {
    pub(super) intent: Intent,
    pub(super) holds_name: bool,
}

#[derive(Debug, Deserialize)]
struct Holder {
    id: String,
    held: String,
}

/// The source keys of those who have these names.
pub(super) async fn holders(
    commands: &Commands,
    operation: &'static str,
    flow: &FlowId,
    names: &[&str],
) -> Result<HashMap<String, String>> {
    if names.is_empty() {
        return Ok(HashMap::new());
    }
    let filter = doc! { "flow": flow_id(flow), "held": { "$in": names } };
    let options = FindOptions::builder().projection(doc! { "id": 1, "held": 1 }).build();
    let found = commands.find(operation, ENTITIES, filter, options).await?;
    let holders = found.iter().map(|found| read::<Holder>(operation, ENTITIES, found));
    holders.map(|holder| holder.map(|holder| (holder.held, holder.id))).collect()
}

/// The name that an entity is to take, if it has to be seen first whether another has it.
pub(super) fn to_look_up<'a>(
    entity: &'a StageEntity,
    known: Option<&EntityDoc>,
    refused: &HashSet<String>,
) -> Option<&'a str> {
    let keeps =
        known.is_some_and(|known| known.held.as_ref().is_some_and(|held| *held == entity.name || known.may_be_there()));
    let doubtful = known.is_some() || refused.contains(&entity.name);
    (doubtful && !keeps && !entity.name.is_empty()).then_some(entity.name.as_str())
}

/// What is to be done with an entity, seen what it is called.
pub(super) fn check(
    flow: &FlowId,
    entity: &StageEntity,
    known: Option<&EntityDoc>,
    holders: &HashMap<String, String>,
) -> Named {
    if let Some((known, held)) = known.and_then(|known| Some((known, known.held.as_ref()?))) {
        if *held == entity.name {
            return Named { intent: entity.intent.clone(), holds_name: true };
        }
        if known.may_be_there() {
            let intent = transition::renamed(&entity.intent, held, &entity.name, known.reference.is_some());
            return Named { intent, holds_name: true };
        }
    }
    if entity.name.is_empty() {
        return Named { intent: entity.intent.clone(), holds_name: false };
    }
    match holders.get(&entity.name).filter(|holder| **holder != entity.id) {
        None => Named { intent: entity.intent.clone(), holds_name: true },
        Some(holder) => {
            let intent = transition::name_taken(&entity.intent, flow.table, &entity.name, holder);
            Named { intent, holds_name: false }
        }
    }
}

/// The names that staging an entity takes or gives back. Two of a page that have one in common are taken in order.
pub(super) fn touched<'a>(entity: &'a StageEntity, known: Option<&'a EntityDoc>) -> impl Iterator<Item = &'a str> {
    let before = known.and_then(|known| known.held.as_deref());
    [Some(entity.name.as_str()), before].into_iter().flatten().filter(|name| !name.is_empty())
}
