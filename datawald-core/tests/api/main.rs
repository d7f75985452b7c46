//! The core as a service: its REST API, and the client that is a staging store over it.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, reason = "tests' own")]

mod client;
mod conformance;
mod document;
mod limits;
mod outcomes;
mod pauses;
mod resources;
mod security;
mod transcript;
mod world;
