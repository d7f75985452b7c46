//! What is configured about orders.

use std::collections::BTreeMap;

use serde::Deserialize;

/// What is done with orders, by their status, and how stores are called.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct OrderSettings {
    /// The statuses whose orders are inserted in the backoffice. Default: `pending`, `processing`, `complete`.
    pub insert_statuses: Vec<String>,
    /// The statuses whose orders are cancelled there. Default: `canceled` (as Magento spells it).
    pub cancel_statuses: Vec<String>,
    /// Store codes by store id, as `{ "1" = "us", "2" = "eu" }`. An order carries the store's id and its *name*, not its
    /// code; for a store that is not listed the last line of the name is taken (`Default Store View`).
    pub store_codes: BTreeMap<String, String>,
}

impl Default for OrderSettings {
    fn default() -> Self {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            insert_statuses: owned(&["pending", "processing", "complete"]),
            cancel_statuses: owned(&["canceled"]),
            store_codes: BTreeMap::new(),
        }
    }
}
