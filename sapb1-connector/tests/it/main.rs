//! The connector against its sandboxes, each of which starts anew for each test. What holds over both ways into SAP B1 is
//! tested over both; what is peculiar to one, in a module of its own.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

mod client;
mod codes;
mod common;
mod faults;
mod found;
mod headers;
mod reconcile;
mod restful;
mod rules;
mod service_layer;
mod settings;
mod stalls;
