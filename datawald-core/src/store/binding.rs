//! What entities are known by on the other side.

use serde::{Deserialize, Serialize};

use crate::model::EntityKey;

/// What a leased entity is known by on the other side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Binding {
    /// The entity.
    pub key: EntityKey,
    /// The token of the claim.
    pub token: u64,
    /// Under what the other side is told of it. The first that is stored stays.
    pub reference: String,
    /// The key of its document there, if that was found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_id: Option<String>,
}

/// What binding did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub enum Bound {
    /// It is stored.
    Done,
    /// The document is another entity's, as far as is recorded: nothing was stored.
    Taken {
        /// Whose.
        by: EntityKey,
    },
    /// The lease had passed to a successor: nothing was stored.
    Fenced,
}

impl Bound {
    /// The note of an entity whose document is recorded as another's.
    pub fn taken_note(target_id: &str, by: &EntityKey) -> String {
        format!(
            "document {target_id} is recorded as that of {by} already, under the same reference, and one document cannot stand \
             for two: look at both, enter by hand the one that has none and report it as done; so that it does not happen again, \
             give one of the two shops a prefix (SAP B1: `reference.prefix`)"
        )
    }
}
