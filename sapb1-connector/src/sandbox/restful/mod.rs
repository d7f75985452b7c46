//! A server on 127.0.0.1 that behaves like *SAP B1 RESTful*, oddities and all, and computes totals as SAP B1 does.
//!
//! It is strict: what the real service refuses is refused, in its words. It counts requests and documents. Faults are
//! switched on with [`Sandbox::set_faults`] or, from another process, with `PUT /control/faults`; `GET /control/counters`,
//! `/control/faults` and `/control/documents` tell how it stands.
//!
//! Of a document about 100 bytes are kept; the addresses of the first [`SandboxOptions::details`] only.

mod auth;
mod body;
mod contacts;
mod documents;
mod faults;
mod fetch;
mod options;
mod orders;
mod python;
mod query;
mod server;

mod state;
mod total;

pub use documents::DocumentRecord;
pub use faults::Faults;
pub use options::{SandboxOptions, TaxRounding};
pub use server::Sandbox;
pub use state::Counters;
