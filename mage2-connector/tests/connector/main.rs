//! Tests of the connector against its sandbox, in one binary: it is linked once.

mod bad_orders;
mod client;
mod common;
mod failures;
mod mapping;
mod paging;
mod sandbox;
