//! The client of *SAP B1 RESTful*, a small service on top of SAP's DI API and direct SQL.
//!
//! Its oddities are hidden here: every success is HTTP 201; a failed call is HTTP 501 with a traceback as a JSON string;
//! tokens are sent with the scheme `JWT` and live 300 seconds; it does not check for a repeated order number; and an
//! order that it reports as failed has, in rare cases, been made.

mod answer;
mod auth;
mod cancel;
mod client;
mod codes;
mod config;
mod insert;
mod look_up;
mod reason;
mod traceback;
mod wire;

pub use client::RestfulClient;
pub use config::RestfulSettings;
