//! Reading entities.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};

use super::columns::{ENTITY, entity, int, version};
use crate::model::{Entity, EntityKey, FlowId, TxStatus, Version};
use crate::store::{EntityFilter, HISTORY_LIMIT};

pub(super) fn get(db: &Connection, key: &EntityKey) -> rusqlite::Result<Option<Entity>> {
    db.prepare_cached(&format!(
        "SELECT {ENTITY} FROM entities AS e JOIN documents AS d ON d.entity = e.seq
         WHERE e.tbl = ?1 AND e.frontend = ?2 AND e.id = ?3"
    ))?
    .query_row(params![key.table.name(), key.frontend, key.id], entity)
    .optional()
}

pub(super) fn named(db: &Connection, flow: &FlowId, name: &str) -> rusqlite::Result<Option<EntityKey>> {
    db.prepare_cached("SELECT id FROM entities WHERE tbl = ?1 AND frontend = ?2 AND name = ?3 AND holds_name")?
        .query_row(params![flow.table.name(), flow.frontend, name], |row| row.get::<_, String>(0))
        .optional()
        .map(|id| id.map(|id| EntityKey::new(flow, id)))
}

/// Up to `limit` entities by key, after the key `after`.
pub(super) fn list(
    db: &Connection,
    filter: &EntityFilter,
    after: Option<[String; 3]>,
    limit: usize,
) -> rusqlite::Result<Vec<Entity>> {
    // The keys first, then the documents of this page only: they are not to go through a sort.
    let mut sql = "SELECT e.seq FROM entities AS e WHERE true".to_owned();
    let mut values: Vec<Value> = Vec::new();
    if let Some(flow) = &filter.flow {
        sql.push_str(" AND e.tbl = ? AND e.frontend = ?");
        values.extend([flow.table.name().to_owned().into(), flow.frontend.clone().into()]);
    }
    if !filter.statuses.is_empty() {
        // Each once, in one order, however they were given: there are few such statements to keep prepared.
        let wanted: Vec<_> = TxStatus::ALL.into_iter().filter(|status| filter.statuses.contains(status)).collect();
        sql.push_str(" AND e.status IN (?");
        sql.push_str(&", ?".repeat(wanted.len().saturating_sub(1)));
        sql.push(')');
        values.extend(wanted.iter().map(|status| Value::from(status.letter().to_owned())));
    }
    if let Some(class) = &filter.failure {
        sql.push_str(" AND e.status = 'F' AND e.failure = ?");
        values.push(class.clone().into());
    }
    if let Some(task) = &filter.sync_task {
        sql.push_str(
            " AND e.seq IN (SELECT m.entity FROM sync_tasks AS t JOIN sync_task_entities AS m ON m.sync_task = t.seq
              WHERE t.id = ?)",
        );
        values.push(task.as_str().to_owned().into());
    }
    match (after, &filter.flow) {
        // Within one flow, so that the index leads straight to the page.
        (Some([table, frontend, id]), Some(flow)) if table == flow.table.name() && frontend == flow.frontend => {
            sql.push_str(" AND e.id > ?");
            values.push(id.into());
        }
        (Some(key), _) => {
            sql.push_str(" AND (e.tbl, e.frontend, e.id) > (?, ?, ?)");
            values.extend(key.map(Value::from));
        }
        (None, _) => {}
    }
    sql.push_str(" ORDER BY e.tbl, e.frontend, e.id LIMIT ?");
    values.push(int(limit as u64).into());
    db.prepare_cached(&format!(
        "SELECT {ENTITY} FROM ({sql}) AS page JOIN entities AS e ON e.seq = page.seq
         JOIN documents AS d ON d.entity = e.seq ORDER BY e.tbl, e.frontend, e.id"
    ))?
    .query_map(params_from_iter(values), entity)?
    .collect()
}

pub(super) fn history(db: &Connection, key: &EntityKey) -> rusqlite::Result<Vec<Version>> {
    db.prepare_cached(
        "SELECT h.rev, h.status, h.note, h.target_id, h.source_status, h.doc, h.raw, h.replaced_at
         FROM entities AS e JOIN history AS h ON h.entity = e.seq
         WHERE e.tbl = ?1 AND e.frontend = ?2 AND e.id = ?3 ORDER BY h.rev DESC LIMIT ?4",
    )?
    .query_map(params![key.table.name(), key.frontend, key.id, HISTORY_LIMIT], version)?
    .collect()
}
