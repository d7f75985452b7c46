//! What company the sandbox plays.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use datawald_core::{Clock, SystemClock};
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use crate::sandbox::decimals::usual;

/// How SAP B1 rounds tax.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TaxRounding {
    /// Once per tax code.
    #[default]
    PerCode,
    /// Line by line.
    PerLine,
}

/// What company the sandbox plays, and who may use it.
#[derive(Clone)]
pub struct SandboxOptions {
    /// The port; 0 for any that is free.
    pub port: u16,
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
    /// The company's main currency, in which every document is made.
    pub currency: String,
    /// How many decimals amounts have, by currency; two where it is not listed.
    pub decimals: BTreeMap<String, u32>,
    /// Tax codes with their rates in percent.
    pub tax_codes: Vec<(String, Decimal)>,
    /// Names of expenses (freight).
    pub expenses: Vec<String>,
    /// Names of ways of transport.
    pub transports: Vec<String>,
    /// Codes of ways of payment.
    pub payments: Vec<String>,
    /// The user-defined fields that orders have.
    pub udfs: Vec<String>,
    /// The item codes that there are; `None` for any.
    pub items: Option<BTreeSet<String>>,
    /// The customer codes that there are; `None` for any.
    pub customers: Option<BTreeSet<String>>,
    /// How tax is rounded.
    pub rounding: TaxRounding,
    /// How long tokens live.
    pub token_life: Duration,
    /// The sandbox's clock; tokens expire and documents are dated by it.
    pub clock: Arc<dyn Clock>,
    /// The first document's `DocEntry`.
    pub first_doc_entry: u32,
    /// Of how many documents and contact persons names and addresses are kept.
    pub details: usize,
    /// Deliveries, each a row of text values with a list `items` of such rows.
    pub shipments: Vec<Map<String, Value>>,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            port: 0,
            user: "user1".into(),
            password: "abcxyz".into(),
            currency: "USD".into(),
            decimals: usual(),
            tax_codes: vec![
                ("EX".into(), Decimal::ZERO),
                ("Exempt".into(), Decimal::ZERO),
                ("CA".into(), Decimal::new(825, 2)),
                ("VA".into(), Decimal::new(53, 1)),
                ("MI".into(), Decimal::new(825, 2)),
                ("PL23".into(), Decimal::new(23, 0)),
            ],
            expenses: names(&["Freight", "Insurance"]),
            transports: names(&["Fedex ON", "UPS", "Pickup"]),
            payments: names(&["Incoming BT 02", "Check"]),
            udfs: names(&["U_WebOrder"]),
            items: None,
            customers: None,
            rounding: TaxRounding::PerCode,
            token_life: Duration::from_secs(300),
            clock: Arc::new(SystemClock),
            first_doc_entry: 536,
            details: 100,
            shipments: Vec::new(),
        }
    }
}

impl fmt::Debug for SandboxOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SandboxOptions")
            .field("port", &self.port)
            .field("currency", &self.currency)
            .field("rounding", &self.rounding)
            .finish_non_exhaustive()
    }
}
