//! Records: small named texts with a revision.

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::columns::{count, int};
use super::writer::WorkError;
use crate::store::Record;

type Work<T> = std::result::Result<T, WorkError>;

fn record(row: &Row<'_>) -> rusqlite::Result<Record> {
    Ok(Record { name: row.get(0)?, rev: count(row, 1)?, value: row.get(2)? })
}

pub(super) fn find(db: &Connection, name: &str) -> rusqlite::Result<Option<Record>> {
    db.prepare_cached("SELECT name, rev, value FROM records WHERE name = ?1")?.query_row([name], record).optional()
}

pub(super) fn list(db: &Connection, prefix: &str) -> rusqlite::Result<Vec<Record>> {
    // Names are compared byte by byte, so those with the prefix follow each other.
    let mut statement = db.prepare_cached("SELECT name, rev, value FROM records WHERE name >= ?1 ORDER BY name")?;
    let mut found = Vec::new();
    for row in statement.query_map([prefix], record)? {
        let row = row?;
        if !row.name.starts_with(prefix) {
            break;
        }
        found.push(row);
    }
    Ok(found)
}

pub(super) fn write(db: &Connection, name: &str, rev: u64, value: &str) -> Work<bool> {
    let written = match rev {
        0 => db
            .prepare_cached("INSERT INTO records (name, rev, value) VALUES (?1, 1, ?2) ON CONFLICT DO NOTHING")?
            .execute(params![name, value])?,
        _ => db
            .prepare_cached("UPDATE records SET rev = rev + 1, value = ?3 WHERE name = ?1 AND rev = ?2")?
            .execute(params![name, int(rev), value])?,
    };
    // An earlier call may have written it.
    Ok(written > 0 || find(db, name)?.is_some_and(|there| there.rev == rev.saturating_add(1) && there.value == value))
}

pub(super) fn delete(db: &Connection, name: &str, rev: u64) -> Work<bool> {
    db.prepare_cached("DELETE FROM records WHERE name = ?1 AND rev = ?2")?.execute(params![name, int(rev)])?;
    Ok(find(db, name)?.is_none())
}
