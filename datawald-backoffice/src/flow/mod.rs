//! The flows: which steps run, and in which order.

mod bind;
mod document;
mod job;
mod orders;
mod recognize;
mod refusals;
mod results;
mod write;

pub use orders::OrdersTarget;
