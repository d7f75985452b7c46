//! The embedded store.
/// The embedded store.
pub struct SqliteStore;
