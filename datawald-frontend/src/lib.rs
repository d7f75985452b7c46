//! The e-commerce side: its steps, each of which an agent can override, and the flows that call them.
//!
//! [`Frontend`] is what the seed called an abstract class: a flat list of steps. A connector's agency (`Mage2Agency`)
//! implements all of them; a project's agent overrides the ones that are different in this project and inherits the rest
//! through [`Frontend::base`]. [`OrdersSource`] is the flow: *fetch a page → map → extend all, then one → decide → validate*;
//! it always calls the outermost agent.
//!
//! # Example
//!
//! An agent that sells under another order number. Its base would be a connector's agency.
//!
//! ```
//! use async_trait::async_trait;
//! use datawald_core::{Cx, Result};
//! use datawald_core::model::{FlowId, Order, Table};
//! use datawald_frontend::{Frontend, RawDoc};
//! # use datawald_frontend::Unsupported;
//! # struct Agency;
//! # #[async_trait]
//! # impl Frontend for Agency {
//! #     fn base(&self) -> &dyn Frontend { &Unsupported }
//! #     async fn map_order(&self, _: &Cx, raw: &RawDoc) -> Result<Order> { raw.read() }
//! # }
//!
//! struct AcmeAgent {
//!     base: Agency,
//! }
//!
//! #[async_trait]
//! impl Frontend for AcmeAgent {
//!     fn base(&self) -> &dyn Frontend {
//!         &self.base
//!     }
//!
//!     async fn map_order(&self, cx: &Cx, raw: &RawDoc) -> Result<Order> {
//!         let mut order = self.base.map_order(cx, raw).await?; // what `super` is elsewhere
//!         order.fe_order_id = format!("ACME-{}", order.fe_order_id);
//!         Ok(order)
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! let agent = AcmeAgent { base: Agency };
//! let cx = Cx::new(FlowId::new(Table::Orders, "mage2"));
//! let order = agent.map_order(&cx, &RawDoc::new(r#"{"fe_order_id":"000000013"}"#)).await?;
//! assert_eq!(order.fe_order_id, "ACME-000000013");
//! # Ok(())
//! # }
//! ```

mod flow;
mod raw;
mod step;
mod unsupported;

pub use flow::OrdersSource;
pub use raw::{PulledOrder, RawDoc, RawPage, SourceRef};
pub use step::Frontend;
pub use unsupported::Unsupported;
