//! The client of SAP's *Service Layer*, the way in that SAP itself offers: OData over HTTPS, v3 at `/b1s/v1` and v4 at
//! `/b1s/v2`.
//!
//! A session takes a licence and has two cookies, of which one keeps it on its node. There are never more sessions than
//! configured, each carries one call at a time, and as many run as get the most done: one more is tried now and then, and if
//! calls become slow or are refused, fewer are.
//!
//! Orders are looked up many at a time and written many at a time, each in a change set of its own; what a batch did not reach
//! because another order failed is sent again. They are sent with `Prefer: return-no-content`: the answer is the document's
//! number, not all that SAP B1 has of it. An order that an approval procedure took is answered by less than that, and found
//! as a draft and recorded as such; where the preference is not heeded, such an order is refused with code -2028 and its
//! change set taken back, so it is looked for, sent once more alone, and looked for again.
//!
//! Who ordered becomes a contact person of the customer, unless that one has [`ServiceLayerSettings::most_contacts`] already.
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
mod contacts;
mod currencies;
mod customers;
mod document;
mod door;
pub mod error;
mod insert;
pub mod link;
mod look_up;
mod lost;
mod missing;
mod pace;
mod pool;
mod send;
mod session;
mod turn;
mod way_in;

pub use client::ServiceLayerClient;
pub use config::{Contacts, Root, ServiceLayerSettings, TaxTable};
