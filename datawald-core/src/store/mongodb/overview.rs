//! What of a flow has no outcome yet.

use jiff::Timestamp;
use mongodb::bson::{Bson, doc};

use super::bson::{date, time};
use super::commands::Commands;
use super::documents::ENTITIES;
use super::keys::flow_id;
use crate::Result;
use crate::model::{FlowId, TxStatus};
use crate::store::Overview;

/// Read by the index of what is due, which holds what is open and nothing else.
pub(super) async fn overview(commands: &Commands, flow: &FlowId, now: Timestamp) -> Result<Overview> {
    let pipeline = vec![
        doc! { "$match": { "flow": flow_id(flow), "due_at": { "$exists": true } } },
        doc! { "$group": {
            "_id": { "status": "$status", "due": { "$lte": ["$due_at", date(now)] } },
            "count": { "$sum": 1_i64 },
            "since": { "$min": { "$max": ["$created_at", "$source_updated_at"] } },
        } },
    ];
    let mut overview = Overview::default();
    for group in commands.aggregate("count what is open", ENTITIES, pipeline).await? {
        let Ok(kind) = group.get_document("_id") else { continue };
        let status = kind.get_str("status").ok().and_then(TxStatus::from_letter).unwrap_or(TxStatus::New);
        let count = match group.get("count") {
            Some(Bson::Int64(count)) => u64::try_from(*count).unwrap_or_default(),
            Some(Bson::Int32(count)) => u64::try_from(*count).unwrap_or_default(),
            _ => 0,
        };
        let since = group.get_datetime("since").ok().map(|since| time(*since));
        overview.add(status, kind.get_bool("due").unwrap_or_default(), count, since);
    }
    Ok(overview)
}
