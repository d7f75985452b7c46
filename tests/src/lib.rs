//! What the tests across the crates share: two plain sides in memory, and processes and servers to start and kill.

#![allow(clippy::panic, clippy::unwrap_used, reason = "only tests use this crate")]

mod child;
mod data;
pub mod endure;
pub mod mutants;
mod peer;
mod plain_backoffice;
mod plain_frontend;
mod process;
pub mod servers;

pub use child::Process;
pub use data::{data_folder, elements, service_layer_folder};
pub use peer::{Peer, PeerOn};
pub use plain_backoffice::PlainBackoffice;
pub use plain_frontend::PlainFrontend;
pub use process::{Run, example, orders_sync, run_orders_sync};
