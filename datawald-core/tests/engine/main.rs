//! The engine over the embedded store: what it does when sides fail, agents panic, queues lose and processes die.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod again;
mod embedding;
mod lost_workers;
mod outcomes;
mod pulls;
mod recovery;
mod rights;
mod sides;
