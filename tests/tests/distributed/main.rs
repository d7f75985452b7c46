//! The orders sync over MongoDB and RabbitMQ: processes of their own, of which any may die, and servers likewise.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod chaos;
mod combinations;
mod errors;
mod frontends;
mod queues;
mod stopping;
mod world;
