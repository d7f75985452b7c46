//! In-process servers that behave like the ways into SAP B1, for examples and for tests of agents.
//!
//! What holds over either way in is tested on a [`B1Sandbox`], by [`over_both_ways!`](crate::over_both_ways); what is
//! peculiar to one, on [`restful::Sandbox`] or [`service_layer::Sandbox`].

mod by_hand;
mod company;
mod damage;
mod decimals;
mod either;
mod faults;
mod listener;
mod own_task;
pub mod restful;
pub mod service_layer;
mod stall;
mod way;

pub use by_hand::ByHand;
pub use company::{COMPANY_DB, Company, LOGIN};
pub use either::{B1Sandbox, Counters, Document};
pub use faults::Faults;
pub use way::Way;
