//! SAP Business One as a backoffice.
//!
//! Orders go into SAP B1 through [`B1Agency`]: it knows SAP B1's rules (customer, due date, freight, discount, tax codes,
//! transport, payment, reference), each a step of [`datawald_backoffice::Backoffice`] that an agent can override, and
//! each steered by [`B1Settings`], which load from TOML. Before anything is sent it reckons what SAP B1 will make of the
//! document and refuses what would not come to what the customer was charged. What keeps an order from becoming two
//! documents, and what of it SAP B1 itself can do, is told in [`fence`].
//!
//! The agency works on any [`B1Api`]. [`RestfulClient`] is the way in through *SAP B1 RESTful*, a small service on top of
//! SAP's DI API; [`ServiceLayerClient`] is the one through SAP's own *Service Layer*, with [its own
//! settings](service_layer#settings-that-matter) and [more that it can do](service_layer#what-differs-from-sap-b1-restful).
//! With the feature `sandbox` there are servers that behave like either, to try things out and to test agents:
//!
//! ```
//! use std::sync::Arc;
//!
//! use datawald_backoffice::{Backoffice, Found, Reference};
//! use datawald_core::Cx;
//! use datawald_core::model::{FlowId, Table};
//! use sapb1_connector::sandbox::restful::{Sandbox, SandboxOptions};
//! use sapb1_connector::{B1Agency, B1Settings, RestfulClient, RestfulSettings};
//! use secrecy::SecretString;
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let settings = B1Settings::from_toml(
//!     r#"
//!     exempt_code = "EX"
//!     customer.default = "C20000"
//!     freight.expense_name = "Freight"
//!     tax = [{ code = "CA", rate = "8.25", country = "US", region = "CA" }]
//!     "#,
//! )?;
//! let sandbox = Sandbox::start(SandboxOptions::default()).await?;
//! let password = SecretString::from("abcxyz");
//! let client = RestfulClient::new(RestfulSettings::new(&sandbox.url(), "user1", password, &settings)?)?;
//! let agency = B1Agency::new(Arc::new(client), settings);
//!
//! let cx = Cx::new(FlowId::new(Table::Orders, "mage2"));
//! let reference = Reference { field: None, value: "000000013".into() };
//! assert_eq!(agency.look_up_orders(&cx, &[reference]).await?, [Found::Missing]);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! `https` takes the TLS provider that the program has: it installs one in its `main`, hands one over (`http.tls_provider` of
//! either client's settings), or asks for datawald-core's feature `ring`; see [`datawald_core::tls`].

mod agency;
mod api;
/// What keeps an order from becoming two documents.
pub mod fence {
    #![doc = include_str!("fence.md")]
}
pub mod fields;
mod number;
mod restful;
#[cfg(feature = "sandbox")]
pub mod sandbox;
pub mod service_layer;
pub mod settings;
mod write_size;

pub use agency::B1Agency;
pub use api::{B1Absent, B1Api, B1Codes, B1Document, B1Info, B1Partner, Capabilities, Changed, NewPartner, TextLimits};
pub use restful::{RestfulClient, RestfulSettings};
pub use service_layer::{ServiceLayerClient, ServiceLayerSettings};
pub use settings::B1Settings;
