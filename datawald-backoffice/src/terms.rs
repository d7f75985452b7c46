//! What the rules of the ERP side say of an order, before it is written in the ERP's own words.

use std::fmt;

use datawald_core::model::Money;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

/// Where the frontend's order number goes, and what is looked up.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Reference {
    /// The user-defined field that it goes into; `None` for the ERP's own field (SAP B1: `NumAtCard`).
    pub field: Option<String>,
    /// The number as it is written there.
    pub value: String,
}

/// How freight is charged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Freight {
    /// There is none.
    None,
    /// As an expense of the document.
    Expense {
        /// The expense's name in the ERP.
        name: String,
        /// The amount before tax.
        amount: Money,
        /// The tax on it.
        tax: LineTax,
    },
    /// As a line of its own.
    Item {
        /// The item code.
        item_code: String,
        /// The amount before tax.
        amount: Money,
        /// The tax on it.
        tax: LineTax,
    },
}

/// The tax of a line or of freight.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LineTax {
    /// The ERP's code.
    pub code: String,
    /// Its rate in percent.
    pub rate: Money,
}

/// Which address of an order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AddressRole {
    /// Where the invoice goes.
    BillTo,
    /// Where the goods go.
    ShipTo,
}

/// An address as the ERP divides it. `Debug` shows country, state and county only.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NativeAddress {
    /// First name.
    pub firstname: String,
    /// Last name.
    pub lastname: String,
    /// Email.
    pub email: String,
    /// Company.
    pub company: String,
    /// Street lines in one.
    pub street: String,
    /// City.
    pub city: String,
    /// State, for the countries whose region goes there.
    pub state: String,
    /// County, for the rest.
    pub county: String,
    /// Postcode.
    pub zipcode: String,
    /// Two-letter country code.
    pub country: String,
    /// Telephone.
    pub telephone: String,
}

impl fmt::Debug for NativeAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NativeAddress")
            .field("country", &self.country)
            .field("state", &self.state)
            .field("county", &self.county)
            .finish_non_exhaustive()
    }
}

/// All that the rules say of an order's header.
#[derive(Debug, Clone)]
pub struct OrderTerms {
    /// The customer's code.
    pub customer_code: String,
    /// When it is due.
    pub due_date: Date,
    /// Where the frontend's number goes.
    pub reference: Reference,
    /// What tells its document from all others: the frontend's name and the id of the source record, as `mage2/7`. Written into
    /// a field of our own, where the ERP has one, it shows whose a document is that is found later.
    pub mark: String,
    /// Freight.
    pub freight: Freight,
    /// The document discount in percent of the lines.
    pub discount_percent: Money,
    /// The ERP's name for the way of transport.
    pub transport: Option<String>,
    /// The ERP's code for the way of payment.
    pub payment: Option<String>,
    /// Where the invoice goes.
    pub billto: NativeAddress,
    /// Where the goods go.
    pub shipto: NativeAddress,
}

/// A document that a look-up found, as far as the ERP tells.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundDocument {
    /// Its key.
    pub target_id: String,
    /// What it comes to, in its own currency.
    pub total: Option<Money>,
    /// Its currency, as ISO 4217 has it.
    pub currency: Option<String>,
    /// The customer's code.
    pub customer: Option<String>,
    /// What stands in the field for [`OrderTerms::mark`]; `None` if nothing does, or there is no such field.
    pub mark: Option<String>,
}

/// What a look-up found for one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Found {
    /// Nothing.
    Missing,
    /// One document that stands.
    Open(FoundDocument),
    /// One document, and it is cancelled.
    Cancelled(FoundDocument),
    /// Several documents that stand: somebody must decide which one is right.
    Several {
        /// Their keys.
        target_ids: Vec<String>,
    },
}
