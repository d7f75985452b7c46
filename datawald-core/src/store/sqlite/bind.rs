//! What entities are known by on the other side: a document is one entity's, and the unique index `entities_target` keeps it so.

use rusqlite::{Connection, ErrorCode, OptionalExtension, params};

use super::columns::int;
use super::writer::WorkError;
use crate::model::EntityKey;
use crate::store::{Binding, Bound};

type Work<T> = std::result::Result<T, WorkError>;

pub(super) fn bind(db: &Connection, bindings: &[Binding]) -> Work<Vec<Bound>> {
    let mut write = db.prepare_cached(
        "UPDATE entities SET reference = coalesce(reference, ?5), target_id = coalesce(?6, target_id)
         WHERE tbl = ?1 AND frontend = ?2 AND id = ?3 AND status = 'P' AND token = ?4",
    )?;
    let mut bound = Vec::with_capacity(bindings.len());
    for Binding { key, token, reference, target_id } in bindings {
        let written = write.execute(params![key.table.name(), key.frontend, key.id, int(*token), reference, target_id]);
        bound.push(match written {
            Ok(0) => Bound::Fenced,
            Ok(_) => Bound::Done,
            Err(error) => Bound::Taken { by: holder(db, error, key, Some(reference), target_id.as_deref())? },
        });
    }
    Ok(bound)
}

/// Who has a document, if an entity was refused it for that.
pub(super) fn holder(
    db: &Connection,
    error: rusqlite::Error,
    key: &EntityKey,
    reference: Option<&str>,
    target_id: Option<&str>,
) -> Work<EntityKey> {
    if error.sqlite_error_code() != Some(ErrorCode::ConstraintViolation) {
        return Err(error.into());
    }
    let holder = db
        .prepare_cached(
            "SELECT other.frontend, other.id FROM entities AS own JOIN entities AS other
                 ON other.tbl = own.tbl AND other.target_id = coalesce(?5, own.target_id)
                 AND other.reference = coalesce(own.reference, ?4) AND other.seq <> own.seq
             WHERE own.tbl = ?1 AND own.frontend = ?2 AND own.id = ?3",
        )?
        .query_row(params![key.table.name(), key.frontend, key.id, reference, target_id], |row| {
            Ok(EntityKey { table: key.table, frontend: row.get(0)?, id: row.get(1)? })
        })
        .optional()?;
    holder.ok_or_else(|| error.into())
}
