//! The rules of [`crate::B1Agency`] as settings.
#![doc = include_str!("sample.md")]

mod headers;
mod load;
mod names;
mod requests;
mod tax;

use std::collections::{BTreeMap, BTreeSet};

pub(crate) use headers::add_headers;
pub(crate) use load::is_currency;
pub use names::NameMap;
pub use requests::Requests;
pub use tax::{TaxArea, TaxRule};

use datawald_core::model::minor_units;
use serde::Deserialize;

/// The rules by which orders become SAP B1's. See [the sample](crate::settings) for each key.
#[derive(Debug, Clone, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct B1Settings {
    /// The company's main currency (ISO 4217).
    pub company_currency: String,
    /// How many decimals amounts of a currency have in SAP B1, by ISO 4217 code, where that is not what the standard says.
    pub currency_decimals: BTreeMap<String, u32>,
    /// Days from today (UTC) to the due date.
    pub due_days: u16,
    /// Which customer an order belongs to.
    pub customer: CustomerRule,
    /// How freight is charged.
    pub freight: FreightRule,
    /// How the discount is written.
    pub discount: DiscountMode,
    /// The tax codes, by rate and area; the first that fits is taken.
    pub tax: Vec<TaxRule>,
    /// The code of what is not taxed.
    pub exempt_code: Option<String>,
    /// Which address decides on tax.
    pub tax_address: TaxAddress,
    /// SAP B1's names of the ways of transport, by the shop's shipping method.
    pub transport: NameMap,
    /// SAP B1's codes of the ways of payment, by the shop's payment method.
    pub payment: NameMap,
    /// Where the shop's order number goes.
    pub reference: ReferenceRule,
    /// The countries whose regions are states in SAP B1; elsewhere the region is the county.
    pub states_countries: BTreeSet<String>,
    /// What happens if SAP B1 would come to another total than the customer was charged.
    pub reconcile: ReconcileRule,
    /// How SAP B1 rounds tax.
    pub rounding: TaxRounding,
    /// What happens with orders paid in part by gift card, store credit or reward points.
    pub prepaid: PrepaidRule,
    /// What is changed in a document of an order that has changed in the shop since.
    pub changes: ChangeRule,
    /// Sizes, times and concurrency of requests.
    pub requests: Requests,
}

impl Default for B1Settings {
    fn default() -> Self {
        Self {
            company_currency: "USD".into(),
            currency_decimals: BTreeMap::new(),
            due_days: 7,
            customer: CustomerRule::default(),
            freight: FreightRule::default(),
            discount: DiscountMode::default(),
            tax: Vec::new(),
            exempt_code: None,
            tax_address: TaxAddress::default(),
            transport: NameMap::default(),
            payment: NameMap::default(),
            reference: ReferenceRule::default(),
            states_countries: ["US", "CA", "AU", "BR", "MX", "IN"].into_iter().map(String::from).collect(),
            reconcile: ReconcileRule::default(),
            rounding: TaxRounding::default(),
            prepaid: PrepaidRule::default(),
            changes: ChangeRule::default(),
            requests: Requests::default(),
        }
    }
}

impl B1Settings {
    /// How many decimals amounts of a currency have: as configured, else as ISO 4217 says.
    pub fn decimals(&self, currency: &str) -> u32 {
        self.currency_decimals.get(currency).copied().unwrap_or_else(|| minor_units(currency))
    }

    /// Tells these settings from others. There are no secrets among them, and personal data cannot be read out of it.
    pub(crate) fn digest(&self, capabilities: &crate::api::Capabilities) -> String {
        // `Debug` shows every setting but the emails.
        let text = format!("{self:?} {:?} {capabilities:?}", self.customer.by_email);
        datawald_core::model::Fingerprint::of(text.as_bytes()).as_str().to_owned()
    }
}

/// Which customer (business partner) an order belongs to: by email, else by customer group, else the default.
///
/// SAP B1 RESTful has no search for partners, so these tables are the look-up. The Service Layer has one: then `search`
/// comes after `by_email`, and `make` after that.
#[derive(Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct CustomerRule {
    /// `CardCode` of whoever stands in no table.
    pub default: Option<String>,
    /// `CardCode` by the customer's email; case does not matter.
    pub by_email: BTreeMap<String, String>,
    /// `CardCode` by the shop's customer group.
    pub by_group: BTreeMap<String, String>,
    /// Whether the customer is looked for in SAP B1 by email.
    pub search: bool,
    /// Whether a customer that is not found is made.
    pub make: Option<MakeCustomer>,
}

/// How customers are made that SAP B1 does not have.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MakeCustomer {
    /// What is put before the shop's customer number to give `CardCode`, as `W`. Who orders without an account has none,
    /// and is not made.
    pub prefix: String,
}

impl std::fmt::Debug for CustomerRule {
    /// Emails are personal: only how many there are is shown.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CustomerRule")
            .field("default", &self.default)
            .field("by_email", &self.by_email.len())
            .field("by_group", &self.by_group)
            .field("search", &self.search)
            .field("make", &self.make)
            .finish()
    }
}

/// How freight is charged. At most one of the two names is given.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct FreightRule {
    /// As an expense of the document with this name in SAP B1.
    pub expense_name: Option<String>,
    /// As a line with this item code.
    pub item_code: Option<String>,
    /// The tax code of freight that is taxed; without it the tax table decides, as for lines.
    pub tax_code: Option<String>,
}

/// How the discount is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DiscountMode {
    /// As a percentage of the whole document: |discount| / subtotal × 100.
    #[default]
    Document,
    /// Off the total of each line.
    Lines,
}

/// Which address decides on tax.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaxAddress {
    /// Where the goods go.
    #[default]
    ShipTo,
    /// Where the invoice goes.
    BillTo,
}

/// Where the shop's order number goes.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReferenceRule {
    /// The user-defined field; without it `NumAtCard`.
    pub udf: Option<String>,
    /// What is put before the number, by frontend, so that two shops with the same numbers do not collide. It ends in a
    /// character that is neither letter nor digit: "2" before "000000001" would be the number "2000000001" of another.
    pub prefix: BTreeMap<String, String>,
    /// The user-defined field of our own that tells our documents from all others, whatever number they bear. With SAP B1 made
    /// to refuse a second document of the same mark, nothing can be doubled at all.
    pub mark: Option<String>,
}

/// What happens if SAP B1 would come to another total than the customer was charged.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReconcileRule {
    /// What to do.
    pub mode: ReconcileMode,
    /// The largest difference, in the smallest amounts of the currency (cents), that `tolerance` and `rounding-line` put up with.
    pub max_cents: u32,
    /// The item code of the rounding line.
    pub item_code: Option<String>,
}

/// What to do about a difference in totals.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReconcileMode {
    /// The order is not sent; it fails with both totals and the likely cause.
    #[default]
    Reject,
    /// A small difference is noted.
    Tolerance,
    /// A small difference becomes a line of its own.
    RoundingLine,
}

/// How SAP B1 rounds tax (its *rounding* settings of the company).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TaxRounding {
    /// Once per tax code, on the sum of its lines.
    #[default]
    PerCode,
    /// Line by line.
    PerLine,
}

/// What is changed in a document that is still open when its order has changed in the shop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ChangeRule {
    /// Nothing; the remark says so.
    #[default]
    Leave,
    /// Both addresses. SAP B1 RESTful cannot change orders.
    Addresses,
}

/// What happens with orders paid in part by gift card, store credit or reward points: the shop's grand total is what is left
/// to pay, SAP B1's is the whole.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PrepaidRule {
    /// The order fails.
    #[default]
    Reject,
    /// The document has the whole total, which is the grand total and what was prepaid; how much was paid by which of them is
    /// noted, to be booked as payments.
    Payment,
}
