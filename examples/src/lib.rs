//! What the examples share: a sandbox SAP B1 and the settings that fit the sample orders, the backends, signals.

mod backends;
mod signals;

pub use backends::{Backends, QueueAt, StoreAt};
use datawald_core::Result;
use rust_decimal::Decimal;
use sapb1_connector::B1Settings;
use sapb1_connector::sandbox::restful::{Faults, Sandbox, SandboxOptions};
use sapb1_connector::sandbox::service_layer;
pub use signals::Signals;

/// User and password of the sandbox SAP B1.
pub const B1_SANDBOX_LOGIN: (&str, &str) = ("user1", "abcxyz");

/// Currencies besides the main one, with what a hundred of them are worth in it.
const CURRENCIES: [(&str, i64); 3] = [("EUR", 108), ("PLN", 25), ("INR", 1)];

/// The settings that fit the sample orders: `examples/config/sapb1.toml`.
///
/// # Errors
/// Of kind `Config`, naming the key that is wrong.
pub fn b1_settings() -> Result<B1Settings> {
    B1Settings::from_toml(include_str!("../config/sapb1.toml"))
}

/// The company of the sandbox Service Layer.
pub const B1_SANDBOX_COMPANY: &str = "SBODEMOUS";

const TRANSPORTS: [&str; 5] = ["Standard", "Table Rate", "Fedex", "UPS", "Pickup"];
const PAYMENTS: [&str; 4] = ["Check", "Credit Card", "Bank Transfer", "COD"];

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}

fn tax_codes() -> Vec<(String, Decimal)> {
    let codes = [("EX", 0, 0), ("MI", 825, 2), ("CA", 725, 2), ("VA", 53, 1), ("PL23", 23, 0)];
    codes.iter().map(|(code, rate, scale)| ((*code).to_owned(), Decimal::new(*rate, *scale))).collect()
}

/// A sandbox SAP B1 RESTful whose company has the tax codes and names of the sample settings.
///
/// # Errors
/// If the port cannot be opened.
pub async fn b1_sandbox(port: u16, latency_ms: u64) -> std::io::Result<Sandbox> {
    let (user, password) = B1_SANDBOX_LOGIN;
    let sandbox = Sandbox::start(SandboxOptions {
        port,
        user: user.into(),
        password: password.into(),
        tax_codes: tax_codes(),
        expenses: names(&["Freight"]),
        transports: names(&TRANSPORTS),
        payments: names(&PAYMENTS),
        ..SandboxOptions::default()
    })
    .await?;
    sandbox.set_faults(Faults { latency_ms, ..Faults::default() });
    Ok(sandbox)
}

/// A sandbox Service Layer with the same company, [`B1_SANDBOX_COMPANY`], for the same user.
///
/// # Errors
/// If the port cannot be opened.
pub async fn b1_service_layer(port: u16, latency_ms: u64) -> std::io::Result<service_layer::Sandbox> {
    let (user, password) = B1_SANDBOX_LOGIN;
    let sandbox = service_layer::Sandbox::start(service_layer::SandboxOptions {
        port,
        company_db: B1_SANDBOX_COMPANY.into(),
        // Some clients know nothing of `ROUTEID`.
        nodes: 1,
        user: user.into(),
        password: password.into(),
        currencies: CURRENCIES.iter().map(|(code, rate)| ((*code).to_owned(), Decimal::new(*rate, 2))).collect(),
        tax_codes: tax_codes(),
        expenses: names(&["Freight"]),
        shipping_types: names(&TRANSPORTS),
        payment_methods: names(&PAYMENTS),
        ..service_layer::SandboxOptions::default()
    })
    .await?;
    sandbox.set_faults(service_layer::Faults { latency_ms, ..service_layer::Faults::default() });
    Ok(sandbox)
}
