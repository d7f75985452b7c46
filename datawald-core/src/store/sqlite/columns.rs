//! Between columns and the model.

use std::str::FromStr;

use jiff::Timestamp;
use rusqlite::Row;
use rusqlite::types::Type;

use crate::model::{Cut, Entity, EntityKey, Fingerprint, FlowId, Intent, SyncStatus, SyncTask, SyncTaskId, Table};
use crate::model::{TxStatus, Version};

/// The columns that [`entity`] reads, of `entities AS e JOIN documents AS d`.
pub(super) const ENTITY: &str = "e.tbl, e.frontend, e.id, e.status, e.note, e.target_id, e.intent, e.reason, \
    e.source_status, e.source_updated_at, e.rev, e.fingerprint, e.attempts, e.due_at, e.lease_until, e.created_at, \
    e.updated_at, d.doc, d.raw, e.name, e.reference, e.written, e.failure, e.erased_at";

/// The columns that [`sync_task`] reads.
pub(super) const SYNC_TASK: &str = "id, tbl, frontend, status, note, cut_before, cut_before_offset, cut_after, \
    cut_after_offset, pulled, started_at, ended_at, pulled_at";

/// A time as it is stored: what is finer than a microsecond is cut off.
pub(super) fn micros(time: Timestamp) -> i64 {
    time.as_microsecond()
}

/// A count as it is stored.
pub(super) fn int(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A count as it was stored.
pub(super) fn count(row: &Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let number: i64 = row.get(column)?;
    u64::try_from(number).map_err(|_| rusqlite::Error::IntegralValueOutOfRange(column, number))
}

/// A count, if one was stored.
pub(super) fn opt_count(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<u64>> {
    match row.get_ref(column)? {
        rusqlite::types::ValueRef::Null => Ok(None),
        _ => count(row, column).map(Some),
    }
}

/// A small count as it was stored.
pub(super) fn small(row: &Row<'_>, column: usize) -> rusqlite::Result<u32> {
    row.get(column)
}

/// A time as it was stored.
pub(super) fn time(row: &Row<'_>, column: usize) -> rusqlite::Result<Timestamp> {
    from_micros(column, row.get(column)?)
}

/// A time, if one was stored.
pub(super) fn opt_time(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    row.get::<_, Option<i64>>(column)?.map(|micros| from_micros(column, micros)).transpose()
}

fn from_micros(column: usize, micros: i64) -> rusqlite::Result<Timestamp> {
    Timestamp::from_microsecond(micros)
        .map_err(|error| rusqlite::Error::FromSqlConversionFailure(column, Type::Integer, Box::new(error)))
}

/// A word that stands for something, as it was stored.
fn word<T>(row: &Row<'_>, column: usize, parse: impl FnOnce(&str) -> Option<T>) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    parse(text).ok_or_else(|| {
        let error = format!("`{text}` is not known here");
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, error.into())
    })
}

/// A status as it was stored.
pub(super) fn status(row: &Row<'_>, column: usize) -> rusqlite::Result<TxStatus> {
    word(row, column, TxStatus::from_letter)
}

/// An intent as it is stored: a word and a reason.
pub(super) fn intent_words(intent: &Intent) -> (&'static str, &str) {
    match intent {
        Intent::Apply => ("apply", ""),
        Intent::Cancel => ("cancel", ""),
        Intent::Ignore(reason) => ("ignore", reason),
        Intent::Reject(reason) => ("reject", reason),
    }
}

/// An intent as it was stored, in this column and the next.
pub(super) fn intent(row: &Row<'_>, column: usize) -> rusqlite::Result<Intent> {
    let reason: String = row.get(column + 1)?;
    word(row, column, |word| match word {
        "apply" => Some(Intent::Apply),
        "cancel" => Some(Intent::Cancel),
        "ignore" => Some(Intent::Ignore(reason)),
        "reject" => Some(Intent::Reject(reason)),
        _ => None,
    })
}

fn table(row: &Row<'_>, column: usize) -> rusqlite::Result<Table> {
    word(row, column, |name| Table::from_str(name).ok())
}

/// A cut as it was stored, in this column and the next.
pub(super) fn opt_cut(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Cut>> {
    let Some(cut_dt) = opt_time(row, column)? else { return Ok(None) };
    Ok(Some(Cut { cut_dt, offset: count(row, column + 1)? }))
}

/// A cut as it is stored, in two columns.
pub(super) fn cut_columns(cut: Option<Cut>) -> (Option<i64>, Option<i64>) {
    (cut.map(|cut| micros(cut.cut_dt)), cut.map(|cut| int(cut.offset)))
}

/// An entity from the columns [`ENTITY`].
pub(super) fn entity(row: &Row<'_>) -> rusqlite::Result<Entity> {
    Ok(Entity {
        key: EntityKey { table: table(row, 0)?, frontend: row.get(1)?, id: row.get(2)? },
        name: row.get(19)?,
        reference: row.get(20)?,
        written: opt_count(row, 21)?,
        status: status(row, 3)?,
        note: row.get(4)?,
        failure: row.get(22)?,
        target_id: row.get(5)?,
        intent: intent(row, 6)?,
        source_status: row.get(8)?,
        source_updated_at: opt_time(row, 9)?,
        rev: count(row, 10)?,
        fingerprint: Fingerprint::from_stored(row.get(11)?),
        attempts: small(row, 12)?,
        due_at: opt_time(row, 13)?,
        lease_until: opt_time(row, 14)?,
        created_at: time(row, 15)?,
        updated_at: time(row, 16)?,
        erased_at: opt_time(row, 23)?,
        doc: row.get(17)?,
        raw: row.get(18)?,
    })
}

/// A version from `rev, status, note, target_id, source_status, doc, raw, replaced_at`.
pub(super) fn version(row: &Row<'_>) -> rusqlite::Result<Version> {
    Ok(Version {
        rev: count(row, 0)?,
        status: status(row, 1)?,
        note: row.get(2)?,
        target_id: row.get(3)?,
        source_status: row.get(4)?,
        doc: row.get(5)?,
        raw: row.get(6)?,
        replaced_at: time(row, 7)?,
    })
}

/// A sync task from the columns [`SYNC_TASK`].
pub(super) fn sync_task(row: &Row<'_>) -> rusqlite::Result<SyncTask> {
    Ok(SyncTask {
        id: SyncTaskId::from_stored(row.get::<_, String>(0)?),
        flow: FlowId { table: table(row, 1)?, frontend: row.get(2)? },
        status: word(row, 3, SyncStatus::from_word)?,
        note: row.get(4)?,
        cut_before: opt_cut(row, 5)?,
        cut_after: opt_cut(row, 7)?,
        pulled: row.get(9)?,
        pulled_at: opt_time(row, 12)?,
        started_at: time(row, 10)?,
        ended_at: opt_time(row, 11)?,
    })
}
