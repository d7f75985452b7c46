//! Erasing what an entity tells of a person.

use jiff::Timestamp;
use mongodb::bson::doc;

use super::bson::{date, time};
use super::change::{ROUNDS, busy, known, mark};
use super::commands::Commands;
use super::documents::{ENTITIES, HISTORY};
use super::keys::{entity_id, version_id};
use crate::model::EntityKey;
use crate::store::transition;
use crate::{Error, Result};

const OPERATION: &str = "erase";

pub(super) async fn erase(commands: &Commands, key: &EntityKey, now: Timestamp) -> Result<bool> {
    let id = entity_id(key);
    for _ in 0..ROUNDS {
        let Some(known) = known(commands, OPERATION, &[&id]).await?.remove(&id) else { return Ok(false) };
        let Some(erased_at) = known.erased_at else {
            let written = known.written.and_then(|written| u64::try_from(written).ok());
            if let Some(why) = transition::not_to_be_erased(known.status, written, known.target_id.as_deref()) {
                return Err(Error::invalid(OPERATION, why).entity(key.to_string()));
            }
            let note = transition::erased_note(now);
            let reason = if known.reason.is_empty() { "" } else { &note };
            let set = doc! {
                "doc": "", "raw": "", "note": &note, "reason": reason, "erased_at": date(now), "updated_at": date(now), "op": mark(),
            };
            let update = doc! { "$set": set, "$unset": { "raw_print": "" } };
            commands
                .update(OPERATION, ENTITIES, vec![doc! { "q": { "_id": &id, "op": &known.op }, "u": update }])
                .await?;
            // Whether it was this change or another that was quicker, the next look tells.
            continue;
        };
        // After the entity, and again if it is erased again: what a crash has left goes with the next time.
        let versions = doc! { "$gte": version_id(&id, 0), "$lte": version_id(&id, i64::MAX) };
        let set = doc! { "doc": "", "raw": "", "note": transition::erased_note(time(erased_at)) };
        let statement = doc! { "q": { "_id": versions, "entity": &id }, "u": { "$set": set }, "multi": true };
        commands.update(OPERATION, HISTORY, vec![statement]).await?;
        return Ok(true);
    }
    Err(busy(OPERATION))
}
