//! Removing what is no longer kept.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::columns::{int, micros};
use super::writer::WorkError;
use crate::model::FlowId;
use crate::store::Expired;

type Work<T> = std::result::Result<T, WorkError>;

/// The sync tasks of a flow that are no longer kept, the oldest first.
const RUNS: &str = "SELECT t.seq FROM sync_tasks AS t
     WHERE t.tbl = ?1 AND t.frontend = ?2 AND t.started_at < ?3 AND t.ended_at < ?3 AND t.status <> 'Processing'
         AND t.seq <> (SELECT n.seq FROM sync_tasks AS n WHERE n.tbl = ?1 AND n.frontend = ?2
                       ORDER BY n.started_at DESC, n.id DESC LIMIT 1)
     ORDER BY t.started_at, t.id LIMIT ?4";

/// Earlier versions that are no longer kept. Found by the index of their times.
const VERSIONS: &str = "DELETE FROM history WHERE rowid IN (
         SELECT h.rowid FROM history AS h CROSS JOIN entities AS e ON e.seq = h.entity
         WHERE h.replaced_at < ?3 AND e.tbl = ?1 AND e.frontend = ?2 AND e.status IN ('S', 'I', 'X')
             AND (e.written IS NULL OR h.rev < e.written)
         ORDER BY h.replaced_at LIMIT ?4)";

/// The source's documents that are no longer kept. Nothing that was staged later can have ended earlier: so those that were
/// staged since are not looked at, and the index holds none of those that are gone.
const RAW: &str = "UPDATE documents SET raw = '' WHERE entity IN (
         SELECT d.entity FROM documents AS d CROSS JOIN entities AS e ON e.seq = d.entity
         WHERE d.raw <> '' AND d.entity <= (SELECT seq FROM entities WHERE created_at < ?3 ORDER BY seq DESC LIMIT 1)
             AND e.tbl = ?1 AND e.frontend = ?2 AND e.status IN ('S', 'I', 'X') AND e.updated_at < ?3
         ORDER BY d.entity LIMIT ?4)";

pub(super) fn prune(db: &Connection, flow: &FlowId, expired: &Expired, limit: usize) -> Work<u64> {
    let runs = [
        format!(
            "DELETE FROM sync_task_entities WHERE (sync_task, entity) IN (
                 SELECT m.sync_task, m.entity FROM sync_task_entities AS m WHERE m.sync_task IN ({RUNS}) LIMIT ?4)"
        ),
        format!(
            "DELETE FROM sync_tasks WHERE seq IN ({RUNS})
                 AND NOT EXISTS (SELECT 1 FROM sync_task_entities AS m WHERE m.sync_task = sync_tasks.seq)"
        ),
    ];
    let mut removed = 0;
    let mut remove = |sql: &str, before: Option<Timestamp>| -> Work<()> {
        let left = limit.saturating_sub(removed);
        if let Some(before) = before.filter(|_| left > 0) {
            removed += db.prepare_cached(sql)?.execute(params![
                flow.table.name(),
                flow.frontend,
                micros(before),
                int(left as u64)
            ])?;
        }
        Ok(())
    };
    runs.iter().try_for_each(|sql| remove(sql, expired.runs))?;
    remove(VERSIONS, expired.versions)?;
    remove(RAW, expired.raw)?;
    Ok(removed as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::sqlite::open;

    /// Once there is nothing to remove, to look for it is to cost little, however much is kept.
    #[cfg(feature = "testing")]
    #[test]
    fn what_is_no_longer_kept_is_found_by_indexes() {
        let db = open::in_memory().unwrap();
        for (sql, index) in [(VERSIONS, "history_replaced"), (RAW, "documents_raw"), (RUNS, "sync_tasks_started")] {
            let mut explain = db.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
            let plan = explain.query_map(params!["", "", 0, 0], |row| row.get::<_, String>(3)).unwrap();
            let plan: Vec<String> = plan.map(Result::unwrap).collect();
            assert!(plan.iter().any(|step| step.contains(index)), "{plan:#?}");
        }
    }
}
