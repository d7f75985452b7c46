//! For tests: conformance suites for implementations of the contracts.
//!
//! A suite is one macro. It emits a test per case, so that a report names the sentence of the contract that does not
//! hold:
//!
//! ```
//! use datawald_core::store::SqliteStore;
//!
//! # mod no_test_here {
//! # use super::*;
//! // In a file under `tests/`. The function makes a fresh, empty store, and something to keep until the case is over.
//! datawald_core::testing::staging_store_conformance!(sqlite, || async { (SqliteStore::in_memory().unwrap(), ()) });
//! # }
//! # fn main() {}
//! ```
//!
//! The crate that calls a macro needs `tokio` with its features `macros` and `rt-multi-thread`.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "this is test code: a failure is a panic")]

pub mod queue_cases;
mod queue_macro;
pub mod store_cases;
mod store_macro;

pub use crate::{staging_store_conformance, task_queue_conformance};
