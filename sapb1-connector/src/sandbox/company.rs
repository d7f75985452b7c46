//! What company a sandbox plays, whatever the way in.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use datawald_core::Clock;
use rust_decimal::Decimal;

use super::{restful, service_layer};
use crate::sandbox::restful::TaxRounding;

/// User and password of every [`B1Sandbox`](super::B1Sandbox).
pub const LOGIN: (&str, &str) = ("user1", "abcxyz");

/// The company's database, which the Service Layer wants to know.
pub const COMPANY_DB: &str = "SBODEMOUS";

/// How many characters a user-defined field holds.
const UDF_SIZE: usize = 50;

/// What company a sandbox plays: what can be said of it over either way in.
#[derive(Clone)]
pub struct Company {
    /// The main currency.
    pub currency: String,
    /// Other currencies, with their rate of today: how much of the main one they are worth. SAP B1 RESTful makes documents
    /// in the main one only.
    pub currencies: Vec<(String, Decimal)>,
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
    /// The user-defined fields that orders have, each with its `U_`.
    pub udfs: Vec<String>,
    /// The item codes that there are; `None` for any.
    pub items: Option<BTreeSet<String>>,
    /// The customer codes that there are; `None` for any.
    pub customers: Option<BTreeSet<String>>,
    /// How many log-ins the Service Layer gives at a time; SAP B1 RESTful gives any number.
    pub licences: usize,
    /// How tax is rounded.
    pub rounding: TaxRounding,
    /// The sandbox's clock; log-ins expire and documents are dated by it.
    pub clock: Arc<dyn Clock>,
    /// The first document's `DocEntry`.
    pub first_doc_entry: u32,
}

impl Default for Company {
    fn default() -> Self {
        let restful::SandboxOptions {
            currency,
            decimals,
            tax_codes,
            expenses,
            transports,
            payments,
            udfs,
            items,
            customers,
            rounding,
            clock,
            first_doc_entry,
            ..
        } = restful::SandboxOptions::default();
        let service_layer::SandboxOptions { currencies, licences, .. } = service_layer::SandboxOptions::default();
        Self {
            currency,
            currencies,
            decimals,
            tax_codes,
            expenses,
            transports,
            payments,
            udfs,
            items,
            customers,
            licences,
            rounding,
            clock,
            first_doc_entry,
        }
    }
}

impl Company {
    pub(super) fn over_restful(self, port: u16) -> restful::SandboxOptions {
        restful::SandboxOptions {
            port,
            user: LOGIN.0.into(),
            password: LOGIN.1.into(),
            currency: self.currency,
            decimals: self.decimals,
            tax_codes: self.tax_codes,
            expenses: self.expenses,
            transports: self.transports,
            payments: self.payments,
            udfs: self.udfs,
            items: self.items,
            customers: self.customers,
            rounding: self.rounding,
            clock: self.clock,
            first_doc_entry: self.first_doc_entry,
            ..restful::SandboxOptions::default()
        }
    }

    /// What a sandbox Service Layer needs to be told to play this company, for [`LOGIN`]; for what is peculiar to that way in,
    /// change it and start a [`service_layer::Sandbox`].
    pub fn over_service_layer(self, port: u16) -> service_layer::SandboxOptions {
        let field = |udf: String| {
            let name = udf.strip_prefix("U_").unwrap_or(&udf).to_owned();
            service_layer::UserField { table: "ORDR".into(), name, size: UDF_SIZE }
        };
        service_layer::SandboxOptions {
            port,
            company_db: COMPANY_DB.into(),
            // Some clients know nothing of `ROUTEID`.
            nodes: 1,
            user: LOGIN.0.into(),
            password: LOGIN.1.into(),
            currency: self.currency,
            currencies: self.currencies,
            decimals: self.decimals,
            tax_codes: self.tax_codes,
            expenses: self.expenses,
            shipping_types: self.transports,
            payment_methods: self.payments,
            user_fields: self.udfs.into_iter().map(field).collect(),
            items: self.items,
            customers: self.customers,
            licences: self.licences,
            rounding: self.rounding,
            clock: self.clock,
            first_doc_entry: self.first_doc_entry.into(),
            ..service_layer::SandboxOptions::default()
        }
    }
}

impl fmt::Debug for Company {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Company").field("currency", &self.currency).finish_non_exhaustive()
    }
}
