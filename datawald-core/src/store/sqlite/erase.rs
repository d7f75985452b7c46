//! Erasing what an entity tells of a person.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, params};

use super::columns::{micros, opt_count, status};
use super::writer::WorkError;
use crate::Error;
use crate::model::EntityKey;
use crate::store::transition;

type Work<T> = std::result::Result<T, WorkError>;

pub(super) fn erase(db: &Connection, key: &EntityKey, now: Timestamp) -> Work<bool> {
    let found = db
        .prepare_cached(
            "SELECT seq, status, written, target_id, erased_at IS NOT NULL FROM entities
             WHERE tbl = ?1 AND frontend = ?2 AND id = ?3",
        )?
        .query_row(params![key.table.name(), key.frontend, key.id], |row| {
            let why = transition::not_to_be_erased(
                status(row, 1)?,
                opt_count(row, 2)?,
                row.get::<_, Option<String>>(3)?.as_deref(),
            );
            Ok((row.get::<_, i64>(0)?, why, row.get::<_, bool>(4)?))
        })
        .optional()?;
    let seq = match found {
        None => return Ok(false),
        Some((_, _, true)) => return Ok(true),
        Some((_, Some(why), false)) => {
            return Err(WorkError::Refused(Error::invalid("erase", why).entity(key.to_string())));
        }
        Some((seq, None, false)) => seq,
    };
    let note = transition::erased_note(now);
    db.prepare_cached(
        "UPDATE entities SET note = ?2, reason = iif(reason = '', '', ?2), erased_at = ?3, updated_at = ?3 WHERE seq = ?1",
    )?
    .execute(params![seq, note, micros(now)])?;
    db.prepare_cached("UPDATE documents SET doc = '', raw = '' WHERE entity = ?1")?.execute([seq])?;
    db.prepare_cached("UPDATE history SET doc = '', raw = '', note = ?2 WHERE entity = ?1")?
        .execute(params![seq, note])?;
    Ok(true)
}
