//! What the MongoDB store does beyond the conformance suite: opening, odd databases, lost answers.
#![cfg(feature = "mongodb")]
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests' own")]

mod foreign;
mod interrupted;
mod lost_answers;
mod names;
mod opening;
mod passes;
mod proxy;
#[path = "../servers/mod.rs"]
mod servers;
mod world;
