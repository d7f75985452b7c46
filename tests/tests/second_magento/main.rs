//! The client against a second Magento, which was written without a look at the connector's sandbox: searches, orders that cannot
//! be serialised, answers that are none, formats, log-ins.

#![recursion_limit = "256"]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, unreachable_pub)]

mod formats;
mod log_ins;
mod no_answer;
mod orders;
mod process;
mod pulls;
mod search;
mod searches;
mod shop;
mod unreadable;
