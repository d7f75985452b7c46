//! Tests of the connector against its sandbox, in one binary: it is linked once.

mod bad_orders;
mod common;
mod mapping;
