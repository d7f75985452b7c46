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
    /// The ids of the stores (views) whose orders are taken, as `["1", "3"]`; those of all if it is empty. An order knows its
    /// store and not its website: list the stores of a website.
    pub stores: Vec<String>,
    /// What is put before the numbers of a store's orders, by store id, as `{ "2" = "EU-" }`. Magento's numbers are unique per
    /// store only: where two stores use the same ones, all but one need a prefix.
    pub number_prefix: BTreeMap<String, String>,
}

impl OrderSettings {
    /// The number of an order of a store.
    pub(crate) fn number(&self, store_id: &str, increment_id: &str) -> String {
        let prefix = self.number_prefix.get(store_id).map(String::as_str).unwrap_or_default();
        format!("{prefix}{increment_id}")
    }

    /// Whether the orders of a store are taken.
    pub(crate) fn takes(&self, store_id: &str) -> bool {
        self.stores.is_empty() || self.stores.iter().any(|store| store == store_id)
    }
}

impl Default for OrderSettings {
    fn default() -> Self {
        let owned = |names: &[&str]| names.iter().map(|&name| name.to_owned()).collect();
        Self {
            insert_statuses: owned(&["pending", "processing", "complete"]),
            cancel_statuses: owned(&["canceled"]),
            store_codes: BTreeMap::new(),
            stores: Vec::new(),
            number_prefix: BTreeMap::new(),
        }
    }
}
