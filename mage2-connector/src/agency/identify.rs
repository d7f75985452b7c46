//! Which order a document is, as far as it tells, whatever else is wrong with it.

use datawald_core::{Error, Result};
use datawald_frontend::SourceRef;
use serde::Deserialize;

use super::doc::Object;
use super::leaf::{self, Leaf};
use crate::client::parse_time;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Head<'a> {
    #[serde(borrow)]
    increment_id: Leaf<'a>,
    #[serde(borrow)]
    entity_id: Leaf<'a>,
    #[serde(borrow)]
    status: Leaf<'a>,
    #[serde(borrow)]
    updated_at: Leaf<'a>,
}

/// The order's `increment_id`, or `entity_id:<n>` where it has none.
pub(super) fn identify(text: &str) -> Result<SourceRef> {
    let operation = "identify order";
    let head = serde_json::from_str::<Object<Head<'_>>>(text)
        .map_err(|error| {
            let message = format!("the document is no JSON object, at line {} column {}", error.line(), error.column());
            Error::mapping(operation, message)
        })?
        .0;
    let plain = |leaf| leaf::text(leaf, "").ok().flatten();
    let id = match plain(head.increment_id).filter(|id| !id.trim().is_empty()) {
        Some(id) => id.into_owned(),
        None => {
            let id = leaf::unsigned(head.entity_id)
                .ok_or_else(|| Error::mapping(operation, "has neither increment_id nor entity_id"))?;
            format!("entity_id:{id}")
        }
    };
    Ok(SourceRef {
        id,
        status: plain(head.status).unwrap_or_default().into_owned(),
        updated_at: plain(head.updated_at).and_then(|time| parse_time(&time)),
    })
}

/// What to call the order in an error.
pub(super) fn name(text: &str) -> String {
    match identify(text) {
        Ok(source) => label(&source.id),
        Err(_) => "an order without number".to_owned(),
    }
}

/// What to call the order of an id in an error; an id may hold anything.
pub(super) fn label(id: &str) -> String {
    let plain: String = id.chars().filter(|c| !c.is_control()).take(64).collect();
    format!("order {plain}")
}
