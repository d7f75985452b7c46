//! Whole runs over the Service Layer while it misbehaves: sandbox Magento, engine, agency, client, sandbox Service Layer. In
//! each of them nothing is lost and nothing doubled, there are never more sessions than configured, and what cannot end
//! well says why.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod approvals;
mod certificate;
mod licences;
mod lost_answers;
mod pages;
mod refusals;
mod sessions;
mod storms;
mod world;
