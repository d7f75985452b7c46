//! datawald-frontend
mod flow;
mod raw;
mod step;
mod unsupported;

pub use flow::OrdersSource;
pub use raw::{PulledOrder, RawDoc, RawPage, SourceRef};
pub use step::Frontend;
pub use unsupported::Unsupported;
