//! A server on 127.0.0.1 that behaves like SAP's own *Service Layer*, and computes totals as SAP B1 does.
//!
//! It is strict by the metadata: names and types are those of [`SCHEMA`]; what it does not know it refuses, what is
//! read-only it ignores. OData v3 is at `/b1s/v1`, v4 at `/b1s/v2`. Faults are switched on with [`Sandbox::set_faults`]
//! or, from another process, with `PUT /control/faults`; `GET /control/counters`, `/control/faults` and
//! `/control/documents` tell how it stands.
//!
//! ```
//! use sapb1_connector::sandbox::service_layer::{Faults, Sandbox, SandboxOptions};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let sandbox = Sandbox::start(SandboxOptions { licences: 2, ..SandboxOptions::default() }).await?;
//! // Each third order is taken by an approval procedure; every call takes 50 ms, four at a time.
//! sandbox.set_faults(Faults { approval_every: 3, latency_ms: 50, capacity: 4, ..Faults::default() });
//! let root = format!("{}/b1s/v1", sandbox.url());
//! assert!(root.starts_with("http://127.0.0.1:") && sandbox.counters().requests == 0);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `$metadata` has what this one serves, with the fields of its company; `/ping` tells that it is there, without a session.
//!
//! It speaks plain HTTP unless it is given a certificate ([`SandboxOptions::tls`]). What the real one does with `DocTotal` in
//! a request (it derives a discount), with `$apply` and with `$expand`, this one does not do: it ignores the first and refuses
//! the others.

mod actions;
mod answer;
#[doc(hidden)]
pub mod any_input;
mod base_lines;
mod batch;
mod body;
mod call;
mod capacity;
mod carry_out;
mod check;
mod company;
mod control;
mod counters;
mod decimal;
mod documents;
mod envelope;
mod error;
mod faults;
mod filter;
mod filter_parser;
mod lines;
mod metadata;
mod options;
mod partners;
mod path;
mod ping;
mod query;
mod read;
mod record;
mod run;
mod schema;
mod server;
mod sessions;
mod state;
mod tables;
mod total;
mod write;

pub use counters::Counters;
pub use faults::{Busy, Faults, NextLink};
pub use options::{SandboxOptions, TaxRounding, Tls, UserField};
pub use record::DocumentRecord;
pub use schema::SCHEMA;
pub use server::Sandbox;
