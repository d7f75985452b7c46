//! The client of SAP's *Service Layer*, the way in that SAP itself offers: OData over HTTPS, v3 at `/b1s/v1` and v4 at
//! `/b1s/v2`.
//!
//! A session takes a licence and has two cookies, of which one keeps it on its node. There are never more sessions than
//! configured, each carries one call at a time, and how many calls run adapts to how the server copes. Orders are looked up
//! many at a time and written many at a time, each in a change set of its own; what a batch did not reach because another
//! order failed is sent again. An order that an approval procedure took is found as a draft and recorded as such.
//!
//! What reads answers and batches is public, as plain functions, for those who look into traffic: [`answer`], [`batch`],
//! [`error`], [`link`].
#![doc = include_str!("guide.md")]

pub mod answer;
#[cfg(feature = "sandbox")]
#[doc(hidden)]
pub mod any_input;
pub mod batch;
mod cancel;
mod change;
mod client;
mod codes;
mod config;
mod customers;
mod document;
pub mod error;
mod insert;
pub mod link;
mod look_up;
mod missing;
mod pace;
mod pool;
mod send;
mod session;
mod way_in;

pub use client::ServiceLayerClient;
pub use config::{Contacts, Root, ServiceLayerSettings, TaxTable};
