//! `$batch`: many requests in one. Writing an envelope and reading the answer; pure functions.
//!
//! The server carries parts out in their order and stops at the first that fails. A change set is all or nothing; one that
//! failed is answered by a single part that is no multipart.

mod answer;
mod request;

pub use answer::{Answer, Fate, Malformed, Part, fates, read};
pub use request::{Envelope, Request, envelope};
