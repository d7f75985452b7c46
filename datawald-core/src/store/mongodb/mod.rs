//! The staging store on MongoDB: many processes on many machines share it, and any of them may die at any moment.
//!
//! No transactions are used, so that a standalone server does as well as a replica set. What takes several writes is
//! ordered so that a stop between any two of them loses nothing and shows nothing too early: an entity with all that
//! belongs to it (standing, lease, the passes that brought it) is one document, changed by compare-and-set on the mark of
//! its last change (`op`); the cut is written after the entities that it covers.

mod bind;
mod bson;
mod change;
mod commands;
mod config;
mod documents;
mod erase;
mod error;
mod keys;
mod layout;
mod lists;
mod members;
mod names;
mod overview;
mod prune;
mod pulls;
mod pushed;
mod records;
mod settle;
mod stage;
mod store;
mod tasks;
mod work;

pub use config::MongoSettings;
pub use store::MongoStore;
