//! datawald-core
pub mod clock;
mod cx;
pub mod engine;
pub mod error;
#[cfg(feature = "http")]
pub mod http;
pub mod model;
pub mod queue;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;

pub use clock::{Clock, ManualClock, SystemClock};
pub use cx::{Checkpoint, Cx, Observer};
pub use error::{Disposition, Effect, Error, ErrorKind, Result};
