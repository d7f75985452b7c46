//! The client of the Service Layer against the reference data, which nobody in this project wrote: every recorded answer is
//! understood, and every request that the client can send holds against the metadata.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod recorded;
mod requests;
