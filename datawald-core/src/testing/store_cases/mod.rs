//! The cases of [`staging_store_conformance`](crate::staging_store_conformance), each a function that takes a fresh store.
#![allow(missing_docs, reason = "the names of the cases say what they check")]

pub mod binding;
pub mod claims;
pub mod cuts;
pub mod erasing;
pub mod lists;
pub mod overviews;
pub mod pruning;
pub mod pulls;
pub mod pushes;
pub mod records;
pub mod settling;
pub mod staging;
pub mod tasks;
mod world;

use std::sync::Arc;

use crate::store::StagingStore;

/// The store that a case works on.
pub type Store = Arc<dyn StagingStore>;
