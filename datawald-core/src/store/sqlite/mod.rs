//! The embedded store: one SQLite file, which any SQLite tool can read.

mod bind;
mod columns;
mod erase;
mod error;
mod guard;
mod lists;
mod open;
mod overview;
mod owner;
mod prune;
mod readers;
mod records;
mod schema;
mod stage;
mod store;
mod tasks;
mod work;
mod writer;

pub use store::{SqliteSettings, SqliteStore};
