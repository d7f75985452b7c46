//! The sandbox Service Layer, which starts anew for each test: what it takes and refuses, as the real one does.
#![allow(clippy::unwrap_used, clippy::panic)]

mod batches;
mod common;
mod faults;
mod orders;
mod partners;
mod reading;
mod sessions;
