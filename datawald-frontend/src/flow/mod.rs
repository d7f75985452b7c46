//! The flows: which steps run, and in which order.
mod orders;
pub use orders::OrdersSource;
