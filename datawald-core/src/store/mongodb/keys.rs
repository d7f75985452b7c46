//! The `_id`s: each names what it stands for, so that the index on them keeps it to one document.

use crate::model::{EntityKey, FlowId, SyncTaskId};

/// The `_id` of a flow: `orders/mage2`. A frontend's own `/` and `%` are escaped, so no two flows share one.
pub(super) fn flow_id(flow: &FlowId) -> String {
    let frontend = flow.frontend.replace('%', "%25").replace('/', "%2F");
    format!("{}/{frontend}", flow.table.name())
}

/// The `_id` of an entity: `orders/mage2/000000123`. Within a flow they sort as the source keys do.
pub(super) fn entity_id(key: &EntityKey) -> String {
    format!("{}/{}", flow_id(&key.flow()), key.id)
}

/// The range of the `_id`s of a flow's entities: from the first, inclusively, to the second, exclusively.
pub(super) fn entity_range(flow: &FlowId) -> (String, String) {
    let flow = flow_id(flow);
    // `0` follows `/`.
    (format!("{flow}/"), format!("{flow}0"))
}

/// The `_id` of an earlier version of an entity. They sort by version.
pub(super) fn version_id(entity: &str, rev: i64) -> String {
    format!("{entity}/{rev:020}")
}

/// The `_id` of an entity's place in a pass, where the entity itself does not tell.
pub(super) fn sighting_id(task: &SyncTaskId, entity: &str) -> String {
    format!("{task}/{entity}")
}
