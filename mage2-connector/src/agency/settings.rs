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
    /// The stores (views) whose orders are taken, by id or by a code of `store_codes`, as `["1", "eu"]`; those of all if it is
    /// empty. An order knows its store and not its website: for a website, list its stores. One whose store was deleted
    /// has none any more, and is taken only where all are. A store that is added later is pulled from then on: for what
    /// it has sold before, set the cut back.
    pub stores: Vec<String>,
    /// What is put before the numbers of a store's orders, by store id, as `{ "2" = "EU-" }`. Magento's numbers are unique per
    /// store only: where two stores use the same ones, all but one need a prefix. It ends in a character that is neither
    /// letter nor digit, and none is how another begins, so that no two orders are called alike.
    pub number_prefix: BTreeMap<String, String>,
    /// The SKU that fixed product taxes (FPT) are booked as: each becomes a line of this item behind the goods, with the
    /// quantity of the goods that it is on. Without it orders with fixed product tax are refused.
    pub fixed_tax_sku: Option<String>,
}

impl OrderSettings {
    /// The number of an order of a store.
    pub(crate) fn number(&self, store_id: &str, increment_id: &str) -> String {
        let prefix = self.number_prefix.get(store_id).map(String::as_str).unwrap_or_default();
        format!("{prefix}{increment_id}")
    }

    /// The ids of the stores whose orders are taken; `None` for all.
    pub(crate) fn store_ids(&self) -> Option<Vec<&str>> {
        (!self.stores.is_empty()).then(|| self.stores.iter().filter_map(|store| self.id_of(store)).collect())
    }

    fn id_of<'a>(&'a self, store: &'a str) -> Option<&'a str> {
        if is_store_id(store) {
            return Some(store);
        }
        self.store_codes.iter().find(|(_, code)| *code == store).map(|(id, _)| id.as_str())
    }

    /// What is wrong with it: the key, and why.
    pub(crate) fn check(&self) -> Result<(), (String, String)> {
        let wrong = |key: String, message: &str| Err((format!("orders.{key}"), message.to_owned()));
        if self.insert_statuses.iter().any(|status| self.cancel_statuses.contains(status)) {
            return wrong("cancel_statuses".into(), "names a status that is among insert_statuses, too");
        }
        if self.fixed_tax_sku.as_ref().is_some_and(|sku| sku.trim().is_empty()) {
            return wrong("fixed_tax_sku".into(), "is empty; leave the key out instead");
        }
        if let Some(id) = self.store_codes.keys().find(|id| !is_store_id(id)) {
            return wrong(format!("store_codes.{id}"), "should be a store\'s id, a number: codes stand on the right");
        }
        for (at, store) in self.stores.iter().enumerate() {
            if self.id_of(store).is_none() {
                let message = "is neither a store\'s id nor a code of `orders.store_codes`, which tells ids by codes: orders \
                               know their store by its id only";
                return wrong(format!("stores[{at}]"), message);
            }
        }
        for (id, prefix) in &self.number_prefix {
            let key = || format!("number_prefix.{id}");
            if !is_store_id(id) {
                return wrong(key(), "should be a store\'s id, a number");
            }
            if prefix.is_empty() || !prefix.chars().all(|c| c.is_ascii_graphic()) {
                return wrong(key(), "must be visible ASCII characters without blanks, as \"EU-\"");
            }
            if prefix.ends_with(|c: char| c.is_ascii_alphanumeric()) {
                let message = "must end in a character that is neither letter nor digit, as \"EU-\": else it and a number may \
                               be another order\'s number";
                return wrong(key(), message);
            }
            let other = self.number_prefix.iter().find(|(other, longer)| *other != id && longer.starts_with(prefix));
            if let Some((other, _)) = other {
                let message =
                    format!("is how the prefix of the store {other} begins, so that their orders may be called alike");
                return wrong(key(), &message);
            }
        }
        Ok(())
    }
}

fn is_store_id(text: &str) -> bool {
    text.parse::<u32>().is_ok_and(|id| id.to_string() == text)
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
            fixed_tax_sku: None,
        }
    }
}
