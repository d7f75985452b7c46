//! What of a flow has no outcome yet.

use jiff::Timestamp;
use rusqlite::{Connection, params};

use super::columns::{count, micros, opt_time};
use crate::model::{FlowId, TxStatus};
use crate::store::Overview;

/// Read by the index of what is due, which holds what is open and nothing else.
pub(super) fn overview(db: &Connection, flow: &FlowId, now: Timestamp) -> rusqlite::Result<Overview> {
    let mut statement = db.prepare_cached(
        "SELECT status, due_at <= ?3, count(*), min(max(created_at, coalesce(source_updated_at, created_at)))
         FROM entities WHERE tbl = ?1 AND frontend = ?2 AND due_at IS NOT NULL GROUP BY 1, 2",
    )?;
    let mut rows = statement.query(params![flow.table.name(), flow.frontend, micros(now)])?;
    let mut overview = Overview::default();
    while let Some(row) = rows.next()? {
        let status = TxStatus::from_letter(row.get_ref(0)?.as_str()?).unwrap_or(TxStatus::New);
        overview.add(status, row.get(1)?, count(row, 2)?, opt_time(row, 3)?);
    }
    Ok(overview)
}
