//! In-process servers that behave like the ways into SAP B1, for examples and for tests of agents.

pub mod restful;
