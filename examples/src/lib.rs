//! What the examples share: a sandbox SAP B1 and the settings that fit the sample orders, the backends, signals.

mod backends;
mod signals;

pub use backends::{Backends, QueueAt, StoreAt};
use datawald_core::Result;
use rust_decimal::Decimal;
use sapb1_connector::B1Settings;
use sapb1_connector::sandbox::restful::{Faults, Sandbox, SandboxOptions};
pub use signals::Signals;

/// User and password of the sandbox SAP B1.
pub const B1_SANDBOX_LOGIN: (&str, &str) = ("user1", "abcxyz");

/// The settings that fit the sample orders: `examples/config/sapb1.toml`.
///
/// # Errors
/// Of kind `Config`, naming the key that is wrong.
pub fn b1_settings() -> Result<B1Settings> {
    B1Settings::from_toml(include_str!("../config/sapb1.toml"))
}

/// A sandbox SAP B1 whose company has the tax codes and names of the sample settings.
///
/// # Errors
/// If the port cannot be opened.
pub async fn b1_sandbox(port: u16, latency_ms: u64) -> std::io::Result<Sandbox> {
    let (user, password) = B1_SANDBOX_LOGIN;
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
    let codes = [("EX", 0, 0), ("MI", 825, 2), ("CA", 725, 2), ("VA", 53, 1), ("PL23", 23, 0)];
    let sandbox = Sandbox::start(SandboxOptions {
        port,
        user: user.into(),
        password: password.into(),
        tax_codes: codes.iter().map(|(code, rate, scale)| ((*code).to_owned(), Decimal::new(*rate, *scale))).collect(),
        expenses: names(&["Freight"]),
        transports: names(&["Standard", "Table Rate", "Fedex", "UPS", "Pickup"]),
        payments: names(&["Check", "Credit Card", "Bank Transfer", "Cash on Delivery"]),
        ..SandboxOptions::default()
    })
    .await?;
    sandbox.set_faults(Faults { latency_ms, ..Faults::default() });
    Ok(sandbox)
}
