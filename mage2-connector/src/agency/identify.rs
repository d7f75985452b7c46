//! Which order a document is, as far as it tells, whatever else is wrong with it.

use datawald_core::{Error, Result};
use datawald_frontend::SourceRef;
use serde::Deserialize;

use super::doc::Object;
use super::leaf::{self, Leaf};
use super::settings::OrderSettings;
use crate::client::parse_time;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Head<'a> {
    #[serde(borrow)]
    increment_id: Leaf<'a>,
    #[serde(borrow)]
    entity_id: Leaf<'a>,
    #[serde(borrow)]
    store_id: Leaf<'a>,
    #[serde(borrow)]
    status: Leaf<'a>,
    #[serde(borrow)]
    updated_at: Leaf<'a>,
}

/// The order's `entity_id`, and its number: `increment_id` is unique per store only
/// (`Magento_Sales`, `sales_order`: the key `SALES_ORDER_INCREMENT_ID_STORE_ID`).
pub(super) fn identify(text: &str, settings: &OrderSettings) -> Result<SourceRef> {
    let operation = "identify order";
    let head = serde_json::from_str::<Object<Head<'_>>>(text)
        .map_err(|error| {
            let message = format!("the document is no JSON object, at line {} column {}", error.line(), error.column());
            Error::mapping(operation, message)
        })?
        .0;
    let plain = |leaf| leaf::text(leaf, "").ok().flatten();
    let id = leaf::unsigned(head.entity_id).ok_or_else(|| {
        Error::mapping(operation, "is missing, so that the order cannot be told from others").field("entity_id")
    })?;
    let store = plain(head.store_id).unwrap_or_default();
    let number = plain(head.increment_id).filter(|number| !number.trim().is_empty());
    Ok(SourceRef {
        id: id.to_string(),
        name: number.map(|number| settings.number(&store, &number)).unwrap_or_default(),
        status: plain(head.status).unwrap_or_default().into_owned(),
        updated_at: plain(head.updated_at).and_then(|time| parse_time(&time)),
    })
}

/// What to call the order in an error.
pub(super) fn name(text: &str, settings: &OrderSettings) -> String {
    match identify(text, settings) {
        Ok(source) if source.name.is_empty() => format!("order with the entity_id {}", source.id),
        Ok(source) => label(&source.name),
        Err(_) => "an order without entity_id".to_owned(),
    }
}

/// What to call the order of an id in an error; an id may hold anything.
pub(super) fn label(id: &str) -> String {
    let plain: String = id.chars().filter(|c| !c.is_control()).take(64).collect();
    format!("order {plain}")
}
