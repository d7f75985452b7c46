//! What company the sandbox plays.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use datawald_core::{Clock, SystemClock};
use rust_decimal::Decimal;

use crate::sandbox::decimals::usual;
pub use crate::sandbox::restful::TaxRounding;

/// A user-defined field that there is from the start. It holds text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserField {
    /// The table: `ORDR` for the headers of all documents, `RDR1` for their lines, `OCRD` partners, `OITM` items.
    pub table: String,
    /// The name, without `U_`.
    pub name: String,
    /// How many characters it holds.
    pub size: usize,
}

/// What the sandbox shows to clients that speak TLS.
#[derive(Clone)]
pub struct Tls {
    /// The certificate for 127.0.0.1, self-signed or with its chain, as PEM text.
    pub certificate: String,
    /// Its private key, as PEM text.
    pub key: String,
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls")
    }
}

/// What company the sandbox plays, and who may use it.
#[derive(Clone)]
pub struct SandboxOptions {
    /// The port; 0 for any that is free.
    pub port: u16,
    /// With this it speaks TLS only, as the real one does; without, plain HTTP.
    pub tls: Option<Tls>,
    /// The company's database.
    pub company_db: String,
    /// The user.
    pub user: String,
    /// The password.
    pub password: String,
    /// How many sessions there may be at a time.
    pub licences: usize,
    /// The code with which a login beyond that is refused; which one the real thing has is not recorded.
    pub licence_code: i64,
    /// After how long without a call a session ends.
    pub session_timeout: Duration,
    /// How many nodes there are behind the balancer. With more than one, a call without the cookie `ROUTEID` is refused.
    pub nodes: u32,
    /// The company's main currency.
    pub currency: String,
    /// Whether `CompanyService_GetAdminInfo` says that rates of exchange are indirect. Amounts are reckoned by direct ones
    /// all the same.
    pub indirect_rates: bool,
    /// Other currencies, with their rate: how much of the main one they are worth.
    pub currencies: Vec<(String, Decimal)>,
    /// How many decimals amounts have, by currency; two where it is not listed.
    pub decimals: BTreeMap<String, u32>,
    /// Tax codes with their rates in percent.
    pub tax_codes: Vec<(String, Decimal)>,
    /// Names of expenses (freight); their codes count from 1.
    pub expenses: Vec<String>,
    /// Names of shipping types; their codes count from 1.
    pub shipping_types: Vec<String>,
    /// Codes of (wizard) payment methods.
    pub payment_methods: Vec<String>,
    /// User-defined fields.
    pub user_fields: Vec<UserField>,
    /// The item codes that there are; `None` for any.
    pub items: Option<BTreeSet<String>>,
    /// The customer codes that there are, besides those that are added; with `None` each code that is asked for is one.
    pub customers: Option<BTreeSet<String>>,
    /// How tax is rounded.
    pub rounding: TaxRounding,
    /// Whether texts are compared without regard to case, as some databases do.
    pub ignore_case: bool,
    /// How many entities a page has that nobody asked for.
    pub page_size: usize,
    /// The largest request that is read, in bytes.
    pub max_body: usize,
    /// The sandbox's clock; sessions expire and documents are dated by it.
    pub clock: Arc<dyn Clock>,
    /// The first order's `DocEntry`.
    pub first_doc_entry: i64,
}

impl Default for SandboxOptions {
    fn default() -> Self {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Self {
            port: 0,
            tls: None,
            company_db: "SBODEMOUS".into(),
            user: "manager".into(),
            password: "1234".into(),
            licences: 10,
            licence_code: -131,
            session_timeout: Duration::from_secs(30 * 60),
            nodes: 2,
            currency: "USD".into(),
            indirect_rates: false,
            decimals: usual(),
            currencies: vec![("EUR".into(), Decimal::new(108, 2)), ("GBP".into(), Decimal::new(12641, 4))],
            tax_codes: vec![
                ("EX".into(), Decimal::ZERO),
                ("Exempt".into(), Decimal::ZERO),
                ("CA".into(), Decimal::new(825, 2)),
                ("VA".into(), Decimal::new(53, 1)),
                ("MI".into(), Decimal::new(825, 2)),
                ("PL23".into(), Decimal::new(23, 0)),
            ],
            expenses: names(&["Freight", "Insurance"]),
            shipping_types: names(&["Fedex ON", "UPS", "Pickup"]),
            payment_methods: names(&["Incoming BT 02", "Check"]),
            user_fields: vec![UserField { table: "ORDR".into(), name: "WebOrder".into(), size: 50 }],
            items: None,
            customers: None,
            rounding: TaxRounding::PerCode,
            ignore_case: false,
            page_size: 20,
            max_body: 8 << 20,
            clock: Arc::new(SystemClock),
            first_doc_entry: 536,
        }
    }
}

impl fmt::Debug for SandboxOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SandboxOptions")
            .field("port", &self.port)
            .field("currency", &self.currency)
            .field("indirect_rates", &self.indirect_rates)
            .field("licences", &self.licences)
            .finish_non_exhaustive()
    }
}
