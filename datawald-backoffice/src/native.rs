//! A document in the ERP's own words.

use std::fmt;

use datawald_core::model::Money;
use serde::Serialize;
use serde_json::{Map, Value};

/// An order in the ERP's own field names (for SAP B1 those of its Service Layer: `CardCode`, `U_Channel`, …).
///
/// `Debug` shows names, not values.
#[derive(Clone, Default, PartialEq, Serialize)]
pub struct NativeOrder {
    /// What the order is looked up by on the other side.
    pub reference: String,
    /// The header.
    pub header: Map<String, Value>,
    /// The lines.
    pub lines: Vec<NativeLine>,
    /// What the totals come to, once they have been reconciled.
    pub totals: Option<Totals>,
    /// A remark that goes into the outcome's note.
    pub note: String,
}

/// A line in the ERP's own field names. `Debug` shows names, not values.
#[derive(Clone, Default, PartialEq, Serialize)]
pub struct NativeLine {
    /// The fields.
    pub fields: Map<String, Value>,
}

/// What the ERP will make of a document, beside what the customer was charged; in document currency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Totals {
    /// The document's total as the ERP computes it.
    pub document: Money,
    /// What the customer was charged.
    pub charged: Money,
}

/// What mapping an order's header gave.
#[derive(Debug)]
pub enum Mapped {
    /// A document, to which the flow adds the lines.
    Ready(NativeOrder),
    /// Nothing is to be written, with the reason.
    Ignore(String),
}

impl NativeOrder {
    /// Sets a header field.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.header.insert(name.into(), value.into());
    }

    /// A header field.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.header.get(name)
    }
}

impl NativeLine {
    /// Sets a field.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Value>) {
        self.fields.insert(name.into(), value.into());
    }

    /// A field.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.fields.get(name)
    }
}

impl fmt::Debug for NativeOrder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NativeOrder")
            .field("reference", &self.reference)
            .field("header", &self.header.keys().collect::<Vec<_>>())
            .field("lines", &self.lines.len())
            .field("totals", &self.totals)
            .finish()
    }
}

impl fmt::Debug for NativeLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NativeLine").field("fields", &self.fields.keys().collect::<Vec<_>>()).finish()
    }
}
