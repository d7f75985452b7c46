//! A server on 127.0.0.1 that behaves like SAP's own *Service Layer*, and computes totals as SAP B1 does.
//!
//! It is strict by the metadata: names and types are those of [`SCHEMA`]; what it does not know it refuses, what is
//! read-only it ignores. OData v3 is at `/b1s/v1`, v4 at `/b1s/v2`. Faults are switched on with [`Sandbox::set_faults`]
//! or, from another process, with `PUT /control/faults`; `GET /control/counters`, `/control/faults` and
//! `/control/documents` tell how it stands.
//!
//! It speaks plain HTTP. What the real one does with `DocTotal` in a request (it derives a discount), with `$apply` and
//! with `$expand`, this one does not do: it ignores the first and refuses the others.

mod actions;
mod answer;
mod batch;
mod body;
mod call;
mod capacity;
mod check;
mod company;
mod counters;
mod decimal;
mod documents;
mod envelope;
mod error;
mod faults;
mod filter;
mod filter_parser;
mod lines;
mod options;
mod partners;
mod path;
mod query;
mod read;
mod run;
mod schema;
mod server;
mod sessions;
mod state;
mod tables;
mod total;
mod write;

pub use counters::Counters;
pub use documents::DocumentRecord;
pub use faults::{Busy, Faults, NextLink};
pub use options::{SandboxOptions, TaxRounding, UserField};
pub use schema::SCHEMA;
pub use server::Sandbox;
