//! The servers of a whole test run, for tests that do not kill them.

use super::{Result, ServerError};

/// The variable that holds the URI of the MongoDB server of a test run.
pub const MONGODB_URI: &str = "MONGODB_URI";

/// The variable that holds the URL of the RabbitMQ node of a test run.
pub const AMQP_URL: &str = "AMQP_URL";

/// The MongoDB server of this test run. Tests share it: each takes a database of its own.
///
/// # Errors
/// If there is none.
pub fn shared_mongodb_uri() -> Result<String> {
    variable(MONGODB_URI)
}

/// The RabbitMQ node of this test run. Tests share it: each takes queue names of its own.
///
/// # Errors
/// If there is none.
pub fn shared_amqp_url() -> Result<String> {
    variable(AMQP_URL)
}

fn variable(name: &str) -> Result<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty()).ok_or_else(|| {
        ServerError::new(format!(
            "{name} is not set: run the tests with `./scripts/test`, or under \
             `cargo run -p datawald-tests --bin with_servers -- COMMAND`"
        ))
    })
}

/// A URI of a MongoDB server, with the name of a database in it.
pub fn in_database(uri: &str, name: &str) -> String {
    let (scheme, rest) = uri.split_once("://").unwrap_or(("mongodb", uri));
    let (before, query) = rest.split_once('?').map_or((rest, None), |(before, query)| (before, Some(query)));
    let hosts = before.split_once('/').map_or(before, |(hosts, _)| hosts);
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{scheme}://{hosts}/{name}{query}")
}
