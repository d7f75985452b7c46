//! Sync tasks.

use jiff::Timestamp;
use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use super::columns::{SYNC_TASK, count, cut_columns, int, micros, status, sync_task};
use super::writer::WorkError;
use crate::Error;
use crate::model::{Counts, FlowId, SyncStatus, SyncTask, SyncTaskId};
use crate::store::NewSyncTask;

type Work<T> = std::result::Result<T, WorkError>;

pub(super) fn create(db: &Connection, task: &NewSyncTask) -> Work<()> {
    let (cut, offset) = cut_columns(task.cut_before);
    let flow = &task.flow;
    db.prepare_cached(
        "INSERT INTO sync_tasks (id, tbl, frontend, status, note, cut_before, cut_before_offset, pulled, started_at)
         VALUES (?1, ?2, ?3, 'Processing', '', ?4, ?5, 0, ?6) ON CONFLICT DO NOTHING",
    )?
    .execute(params![task.id.as_str(), flow.table.name(), flow.frontend, cut, offset, micros(task.now)])?;
    // Asked for twice, it is there already; but an id names one task of one flow.
    match find(db, &task.id)? {
        Some(found) if found.flow == *flow => Ok(()),
        _ => Err(WorkError::Refused(
            Error::invalid("record sync task", "another flow has a sync task with this id; take a new one")
                .entity(format!("sync task {}", task.id)),
        )),
    }
}

pub(super) fn finish_pull(db: &Connection, id: &SyncTaskId, now: Timestamp) -> Work<()> {
    db.prepare_cached("UPDATE sync_tasks SET pulled = 1, pulled_at = ?2 WHERE id = ?1 AND pulled = 0")?
        .execute(params![id.as_str(), micros(now)])?;
    Ok(())
}

pub(super) fn find(db: &Connection, id: &SyncTaskId) -> rusqlite::Result<Option<SyncTask>> {
    db.prepare_cached(&format!("SELECT {SYNC_TASK} FROM sync_tasks WHERE id = ?1"))?
        .query_row([id.as_str()], sync_task)
        .optional()
}

pub(super) fn counts(db: &Connection, id: &SyncTaskId) -> rusqlite::Result<Counts> {
    let mut counts = Counts::default();
    let mut statement = db.prepare_cached(
        "SELECT coalesce(m.pass_status, e.status) AS status, count(*) FROM sync_tasks AS t
         JOIN sync_task_entities AS m ON m.sync_task = t.seq
         JOIN entities AS e ON e.seq = m.entity
         WHERE t.id = ?1 GROUP BY 1",
    )?;
    let mut rows = statement.query([id.as_str()])?;
    while let Some(row) = rows.next()? {
        counts.add(status(row, 0)?, count(row, 1)?);
    }
    Ok(counts)
}

pub(super) fn close(db: &Connection, id: &SyncTaskId, status: SyncStatus, note: &str, now: Timestamp) -> Work<bool> {
    let closed = db
        .prepare_cached(
            "UPDATE sync_tasks SET status = ?2, note = ?3, ended_at = iif(?2 = 'Processing', NULL, ?4) WHERE id = ?1",
        )?
        .execute(params![id.as_str(), status.as_str(), note, micros(now)])?;
    Ok(closed > 0)
}

pub(super) fn delete(db: &Connection, id: &SyncTaskId) -> Work<bool> {
    db.prepare_cached("DELETE FROM sync_task_entities WHERE sync_task = (SELECT seq FROM sync_tasks WHERE id = ?1)")?
        .execute([id.as_str()])?;
    let deleted = db.prepare_cached("DELETE FROM sync_tasks WHERE id = ?1")?.execute([id.as_str()])?;
    Ok(deleted > 0)
}

/// Up to `limit` sync tasks, newest first, after the one that started at `after.0` with the id `after.1`.
pub(super) fn list(
    db: &Connection,
    flow: Option<&FlowId>,
    status: Option<SyncStatus>,
    after: Option<(i64, String)>,
    limit: usize,
) -> rusqlite::Result<Vec<SyncTask>> {
    let mut sql = format!("SELECT {SYNC_TASK} FROM sync_tasks WHERE true");
    let mut values: Vec<Value> = Vec::new();
    if let Some(flow) = flow {
        sql.push_str(" AND tbl = ? AND frontend = ?");
        values.extend([flow.table.name().to_owned().into(), flow.frontend.clone().into()]);
    }
    if let Some(status) = status {
        // As a literal, without which the index of open ones is not used.
        sql.push_str(&format!(" AND status = '{}'", status.as_str()));
    }
    if let Some((started_at, id)) = after {
        sql.push_str(" AND (started_at, id) < (?, ?)");
        values.extend([started_at.into(), id.into()]);
    }
    sql.push_str(" ORDER BY started_at DESC, id DESC LIMIT ?");
    values.push(int(limit as u64).into());
    db.prepare_cached(&sql)?.query_map(params_from_iter(values), sync_task)?.collect()
}
