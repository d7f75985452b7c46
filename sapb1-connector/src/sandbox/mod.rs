//! In-process servers that behave like the ways into SAP B1, for examples and for tests of agents.

mod damage;
mod listener;
pub mod restful;
pub mod service_layer;
