//! The SAP B1 that fits the sample orders: its settings, a company for a sandbox, and how `orders_sync` reaches one.

use datawald_core::Result;
use rust_decimal::Decimal;
use sapb1_connector::B1Settings;
use sapb1_connector::sandbox::{B1Sandbox, COMPANY_DB, Company, LOGIN, Way};

/// Currencies besides the main one, with what a hundred of them are worth in it.
const CURRENCIES: [(&str, i64); 3] = [("EUR", 108), ("PLN", 25), ("INR", 1)];

/// Tax codes, with their rates in percent: digits and how many of them are decimals.
const TAX_CODES: [(&str, i64, u32); 5] = [("EX", 0, 0), ("MI", 825, 2), ("CA", 725, 2), ("VA", 53, 1), ("PL23", 23, 0)];

const TRANSPORTS: [&str; 5] = ["Standard", "Table Rate", "Fedex", "UPS", "Pickup"];
const PAYMENTS: [&str; 4] = ["Check", "Credit Card", "Bank Transfer", "COD"];

/// The settings that fit the sample orders: `examples/config/sapb1.toml`.
///
/// # Errors
/// Of kind `Config`, naming the key that is wrong.
pub fn b1_settings() -> Result<B1Settings> {
    B1Settings::from_toml(include_str!("../config/sapb1.toml"))
}

/// The company of a sandbox SAP B1 that has the tax codes and names of the sample settings.
pub fn sample_company() -> Company {
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let currency = |(code, rate): (&str, i64)| (code.to_owned(), Decimal::new(rate, 2));
    let tax_code = |(code, rate, scale): (&str, i64, u32)| (code.to_owned(), Decimal::new(rate, scale));
    Company {
        currencies: CURRENCIES.into_iter().map(currency).collect(),
        tax_codes: TAX_CODES.into_iter().map(tax_code).collect(),
        expenses: names(&["Freight"]),
        transports: names(&TRANSPORTS),
        payments: names(&PAYMENTS),
        ..Company::default()
    }
}

/// The arguments by which `orders_sync` reaches a sandbox; it reads the password from the environment variable
/// `B1_PASSWORD`.
pub fn b1_arguments(sandbox: &B1Sandbox) -> Vec<String> {
    let url = sandbox.url();
    let mut arguments = vec!["--b1-api", sandbox.way().name(), "--b1", &url, "--b1-user", LOGIN.0];
    if sandbox.way() == Way::ServiceLayer {
        arguments.extend(["--b1-company", COMPANY_DB]);
    }
    arguments.into_iter().map(str::to_owned).collect()
}
