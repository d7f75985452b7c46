//! sapb1
mod agency;
mod api;
pub mod fields;
mod restful;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod settings;

pub use agency::B1Agency;
pub use api::{B1Api, B1Codes, B1Document, B1Info, Capabilities, TextLimits};
pub use restful::{RestfulClient, RestfulSettings};
pub use settings::B1Settings;
