//! The RabbitMQ queue against a node: what the conformance suite does not ask of every queue.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod broker;
mod connecting;
mod losing;
mod proxy;
mod publishing;
mod queues;
mod sharing;
mod tasks;
mod tls;
