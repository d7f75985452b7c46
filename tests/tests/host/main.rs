//! The host as a process, against the sandboxes of both sides.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod access;
mod check;
mod collector;
mod connections;
mod core;
mod killed;
mod observed;
mod practice;
mod redaction;
mod reload;
mod stopping;
mod traces;
mod world;
