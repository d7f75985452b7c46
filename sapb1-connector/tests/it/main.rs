//! The connector against its sandbox, which starts anew for each test.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stderr)]

mod client;
mod common;
mod contract;
mod examples;
mod faults;
mod reconcile;
mod rules;
mod service_layer;
mod settings;
