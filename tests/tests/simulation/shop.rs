//! A shop: its orders, each with something of its own by which a document can be told, and what becomes of them.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use datawald_core::Clock;
use jiff::{SignedDuration, Timestamp};
use mage2_connector::sandbox::Sandbox;
use serde_json::{Value, json};

use super::clock::WallClock;
use super::story::Story;

/// What people have done to an order or its document, so that a person may have to look: it may end F.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Excuse {
    SharedNumber,
    ForeignDocument,
    MoneyChanged,
    CannotBeMapped,
    ReferenceOverwritten,
    CancelledLate,
}

impl Excuse {
    /// Whether a person has to look for this reason, as the note says.
    fn explains(self, note: &str) -> bool {
        let any = |texts: &[&str]| texts.iter().any(|text| note.contains(text));
        let anothers = ["is not shown to be its own", "documents stand for this order", "already exists"];
        match self {
            Excuse::SharedNumber => {
                any(&anothers) || any(&["is another order of the number", "one document cannot stand for two"])
            }
            Excuse::ForeignDocument => any(&anothers),
            // A draft that was approved has another key, and does not agree any more.
            Excuse::MoneyChanged => any(&["an open document cannot follow", "is not shown to be its own"]),
            Excuse::CannotBeMapped => any(&["grand_total"]),
            Excuse::ReferenceOverwritten => any(&["is not found under its reference"]),
            Excuse::CancelledLate => any(&["draft"]),
        }
    }
}

/// A version of an order. Its total is its own: no other version of any order, and no document of anybody else, has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Version {
    pub(crate) cents: u64,
    pub(crate) street: String,
    pub(crate) status: &'static str,
    pub(crate) mappable: bool,
}

/// An order at a shop.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) shop: usize,
    pub(crate) entity_id: u64,
    pub(crate) number: String,
    pub(crate) store: u64,
    pub(crate) versions: Vec<Version>,
    pub(crate) excuses: BTreeSet<Excuse>,
}

impl Record {
    pub(crate) fn latest(&self) -> &Version {
        self.versions.last().unwrap()
    }

    /// Whether what people have done explains that it is F with this note.
    pub(crate) fn is_excused(&self, note: &str) -> bool {
        self.excuses.iter().any(|excuse| excuse.explains(note))
    }

    /// Whether a document of this total is its own.
    pub(crate) fn bears(&self, cents: u64) -> bool {
        self.versions.iter().any(|version| version.cents == cents)
    }

    pub(crate) fn name(&self) -> String {
        format!("order {} ({} of store {}, shop {})", self.entity_id, self.number, self.store, self.shop)
    }

    fn json(&self, updated: Timestamp) -> String {
        let Version { cents, street, status, mappable } = self.latest();
        let total = format!("{}.{:02}", cents / 100, cents % 100);
        let amount: Value = serde_json::from_str(&total).unwrap();
        let grand_total = if *mappable { amount.clone() } else { json!("a lot") };
        let time = updated.strftime("%Y-%m-%d %H:%M:%S").to_string();
        let address = json!({
            "firstname": "Ada", "lastname": "Lovelace", "street": [street], "city": "Reno", "postcode": "89501",
            "country_id": "US", "region": "Nevada", "region_code": "NV", "telephone": "555 0100",
            "email": "ada@example.com",
        });
        json!({
            "entity_id": self.entity_id, "increment_id": self.number, "created_at": time, "updated_at": time,
            "status": status, "state": "new", "store_id": self.store,
            "store_name": format!("Main\nMain\nView {}", self.store), "customer_is_guest": 1, "customer_group_id": 0,
            "customer_email": "ada@example.com", "order_currency_code": "USD", "subtotal": amount,
            "discount_amount": 0, "shipping_amount": 0, "shipping_tax_amount": 0, "tax_amount": 0,
            "grand_total": grand_total, "total_qty_ordered": 1, "is_virtual": 0,
            "billing_address": address, "payment": { "method": "checkmo" },
            "items": [{
                "item_id": self.entity_id * 10, "product_type": "simple", "sku": "SKU-1", "name": "A thing",
                "qty_ordered": 1, "price": amount, "original_price": amount, "row_total": amount,
                "row_total_incl_tax": amount, "discount_amount": 0, "tax_amount": 0, "tax_percent": 0,
            }],
            "extension_attributes": { "shipping_assignments": [{
                "shipping": { "address": address, "method": "flatrate_flatrate" }
            }] },
        })
        .to_string()
    }
}

pub(crate) struct Shop {
    pub(crate) place: usize,
    pub(crate) sandbox: Sandbox,
    pub(crate) clock: WallClock,
    pub(crate) records: Mutex<Vec<Record>>,
    story: Arc<Story>,
}

impl Shop {
    pub(crate) fn new(place: usize, sandbox: Sandbox, story: Arc<Story>) -> Self {
        Self { place, sandbox, clock: WallClock::right(), records: Mutex::default(), story }
    }

    /// What the frontend is called.
    pub(crate) fn name(&self) -> &'static str {
        ["north", "south"][self.place]
    }

    /// Has the shop's clock show its time to whoever asks the sandbox.
    pub(crate) fn tick(&self) {
        self.sandbox.set_now(Some(self.clock.now()));
    }

    /// An order is placed. What commits `late` seconds late bears the time at which it began.
    pub(crate) fn place(&self, record: Record, late: i64) {
        self.story.tell(
            format!("shop {}", self.place),
            format!("has {} of {} cents, committed {late} s late", record.name(), record.latest().cents),
        );
        self.put(&record, late);
        self.records.lock().unwrap().push(record);
    }

    /// An order changes.
    pub(crate) fn change(&self, entity_id: u64, late: i64, excuse: Option<Excuse>, how: impl FnOnce(&mut Version)) {
        let mut records = self.records.lock().unwrap();
        let record = records.iter_mut().find(|record| record.entity_id == entity_id).unwrap();
        let mut version = record.latest().clone();
        how(&mut version);
        self.story.tell(format!("shop {}", self.place), format!("changes {} to {version:?}", record.name()));
        record.versions.push(version);
        record.excuses.extend(excuse);
        self.put(record, late);
    }

    pub(crate) fn excuse(&self, entity_id: u64, excuse: Excuse) {
        let mut records = self.records.lock().unwrap();
        let record = records.iter_mut().find(|record| record.entity_id == entity_id).unwrap();
        record.excuses.insert(excuse);
    }

    fn put(&self, record: &Record, late: i64) {
        let updated = self.clock.now() - SignedDuration::from_secs(late);
        self.sandbox.put_order(record.json(updated)).unwrap();
    }
}
