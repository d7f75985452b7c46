//! The HTTP layer that every client of a foreign system shares: TLS, limits, and errors with the right disposition.

mod client;
mod tls;

pub use client::{Http, HttpRequest, HttpResponse, HttpSettings};
pub use tls::tls_config;
