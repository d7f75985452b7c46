//! Tests of the connector against its sandbox, in one binary: it is linked once.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test that cannot go on says so by a panic, and one that has no data by a line"
)]

mod bad_orders;
mod client;
mod common;
mod failures;
mod mapping;
mod odd_values;
mod paging;
mod sandbox;
mod stores;
mod totals;
