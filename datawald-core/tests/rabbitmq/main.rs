//! The RabbitMQ queue, against a node.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

#[allow(dead_code)]
mod broker;
mod publishing;
#[allow(dead_code)]
mod tasks;
