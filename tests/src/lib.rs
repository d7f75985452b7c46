//! What the tests across the crates share: two plain sides in memory, and processes to start and kill.

mod plain_backoffice;
mod plain_frontend;

pub use plain_backoffice::PlainBackoffice;
pub use plain_frontend::PlainFrontend;
