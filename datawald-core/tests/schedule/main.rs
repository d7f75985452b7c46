//! The scheduler on clocks that the tests own: ticks, claims, and what becomes of runs.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod bad_input;
mod control;
mod hosts;
mod runs;
mod store_errors;
mod sync_flow;
mod ticks;
mod world;
