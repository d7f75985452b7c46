//! What the orders flow does with what it finds on the other side, rule by rule: whose document it is, whether "not there" may
//! be believed, what of a newer version follows, what is stored of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod cancels;
mod doubt;
mod found;
mod stored;
mod versions;
mod world;
