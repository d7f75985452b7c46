//! Headers of every request.

use std::collections::BTreeMap;

use datawald_core::http::HttpSettings;
use datawald_core::{Error, Result};
use secrecy::{ExposeSecret, SecretString};

/// Adds configured headers; none of `own`, which the connection sets itself.
pub(crate) fn add_headers(
    http: &mut HttpSettings,
    headers: &BTreeMap<String, SecretString>,
    own: &[&str],
) -> Result<()> {
    for (name, value) in headers {
        if own.iter().any(|own| own.eq_ignore_ascii_case(name)) {
            let message = "is set by this connection itself, from its credentials and from what is sent";
            return Err(Error::config("read headers", message).field(format!("headers.{name}")));
        }
        http.header(name, value.expose_secret())?;
    }
    Ok(())
}
