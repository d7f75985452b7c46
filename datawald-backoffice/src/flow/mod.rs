//! The flows: which steps run, and in which order.
mod document;
mod orders;
pub use orders::OrdersTarget;
