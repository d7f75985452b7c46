//! What the examples share: settings and a sandbox SAP B1 that fit the sample orders, the backends, signals.

mod b1;
mod backends;
mod signals;

pub use b1::{b1_arguments, b1_settings, sample_company};
pub use backends::{Backends, QueueAt, StoreAt};
pub use signals::Signals;
