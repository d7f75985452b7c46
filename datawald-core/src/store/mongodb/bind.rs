//! What entities are known by on the other side: a document is one entity's, and the unique index `targets` keeps it so.

use std::collections::HashMap;

use mongodb::bson::{Document, doc};
use mongodb::options::FindOptions;
use serde::Deserialize;

use super::bson::{number, read};
use super::change::{ROUNDS, busy, known, mark};
use super::commands::Commands;
use super::documents::{ENTITIES, EntityDoc};
use super::keys::entity_id;
use crate::Result;
use crate::model::{EntityKey, TxStatus};
use crate::store::{Binding, Bound};

const OPERATION: &str = "bind";

#[derive(Debug, Deserialize)]
struct Holder {
    frontend: String,
    id: String,
}

pub(super) async fn bind(commands: &Commands, bindings: &[Binding]) -> Result<Vec<Bound>> {
    let ids: Vec<String> = bindings.iter().map(|binding| entity_id(&binding.key)).collect();
    let mut answers: HashMap<usize, Bound> = HashMap::new();
    let op = mark();
    for _ in 0..ROUNDS {
        let open: Vec<(usize, &Binding, &String)> = bindings
            .iter()
            .zip(&ids)
            .enumerate()
            .filter(|(at, _)| !answers.contains_key(at))
            .map(|(at, (binding, id))| (at, binding, id))
            .collect();
        if open.is_empty() {
            break;
        }
        let statements: Vec<_> = open.iter().map(|(_, binding, id)| statement(binding, id, &op)).collect();
        let written = commands.update(OPERATION, ENTITIES, statements).await?;
        if written.matched == open.len() as u64 {
            answers.extend(open.iter().map(|(at, ..)| (*at, Bound::Done)));
            break;
        }
        let known = known(commands, OPERATION, &open.iter().map(|(.., id)| *id).collect::<Vec<_>>()).await?;
        for (place, (at, binding, id)) in open.iter().enumerate() {
            let held = known.get(*id).filter(|known| is_held(known, binding.token));
            let answer = match held {
                None => Some(Bound::Fenced),
                Some(held) if written.duplicates.contains(&place) => {
                    let (reference, target_id) = (Some(binding.reference.as_str()), binding.target_id.as_deref());
                    holder(commands, OPERATION, held, reference, target_id).await?.map(|by| Bound::Taken { by })
                }
                Some(held) if held.op == op => Some(Bound::Done),
                // Somebody changes it at the same moment.
                Some(_) => None,
            };
            answers.extend(answer.map(|answer| (*at, answer)));
        }
    }
    let bound: Vec<_> = (0..bindings.len()).filter_map(|at| answers.remove(&at)).collect();
    if bound.len() == bindings.len() { Ok(bound) } else { Err(busy(OPERATION)) }
}

fn statement(binding: &Binding, id: &str, op: &str) -> Document {
    let reference = doc! { "$ifNull": ["$reference", { "$literal": &binding.reference }] };
    let mut set = doc! { "reference": reference, "op": op };
    if let Some(target_id) = &binding.target_id {
        set.insert("target_id", doc! { "$literal": target_id });
    }
    let held = doc! { "_id": id, "token": number(binding.token), "status": TxStatus::InProcess.letter() };
    doc! { "q": held, "u": [{ "$set": set }] }
}

fn is_held(known: &EntityDoc, token: u64) -> bool {
    known.status == TxStatus::InProcess && known.token == number(token)
}

/// Who has a document that `own` was refused; `None` if nobody has it any more.
pub(super) async fn holder(
    commands: &Commands,
    operation: &'static str,
    own: &EntityDoc,
    reference: Option<&str>,
    target_id: Option<&str>,
) -> Result<Option<EntityKey>> {
    let filter = doc! {
        "table": own.table.name(),
        "target_id": target_id.or(own.target_id.as_deref()),
        "reference": own.reference.as_deref().or(reference),
        "_id": { "$ne": &own.key },
    };
    let options = FindOptions::builder().limit(1).projection(doc! { "frontend": 1, "id": 1 }).build();
    let found = commands.find(operation, ENTITIES, filter, options).await?;
    let holder = found.first().map(|found| read::<Holder>(operation, ENTITIES, found)).transpose()?;
    Ok(holder.map(|Holder { frontend, id }| EntityKey { table: own.table, frontend, id }))
}
