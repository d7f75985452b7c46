//! The core as a service: its REST API, and the client that is a staging store over it.

mod client;
mod conformance;
mod document;
mod limits;
mod resources;
mod security;
mod transcript;
mod world;
