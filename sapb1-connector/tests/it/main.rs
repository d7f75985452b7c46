//! The connector against its sandbox, which starts anew for each test.

mod common;
mod reconcile;
