//! The ERP side: its steps, each of which an agent can override, and the flows that call them.
//!
//! [`Backoffice`] is what the seed called an abstract class: a flat list of steps. A connector's agency (`B1Agency`) implements
//! all of them; a project's agent overrides the ones that are different in this project and inherits the rest through
//! [`Backoffice::base`]. [`OrdersTarget`] is the flow: *look up → rules → map the header → extend it → per line: tax, map,
//! extend → reconcile → recognize what was found → insert, update or cancel a batch*; it always calls the outermost agent.
//!
//! # Example
//!
//! An agent whose orders are due at the end of the month. Its base would be a connector's agency.
//!
//! ```
//! use async_trait::async_trait;
//! use datawald_backoffice::Backoffice;
//! use datawald_core::model::{FlowId, Order, Table};
//! use datawald_core::{Cx, Result};
//! use jiff::civil::{Date, date};
//! # use datawald_backoffice::Unsupported;
//! # struct Agency;
//! # #[async_trait]
//! # impl Backoffice for Agency {
//! #     fn base(&self) -> &dyn Backoffice { &Unsupported }
//! #     async fn due_date(&self, _: &Cx, _: &Order) -> Result<Date> { Ok(date(2026, 2, 10)) }
//! # }
//!
//! struct AcmeAgent {
//!     base: Agency,
//! }
//!
//! #[async_trait]
//! impl Backoffice for AcmeAgent {
//!     fn base(&self) -> &dyn Backoffice {
//!         &self.base
//!     }
//!
//!     async fn due_date(&self, cx: &Cx, order: &Order) -> Result<Date> {
//!         Ok(self.base.due_date(cx, order).await?.last_of_month()) // what `super` is elsewhere
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! let agent = AcmeAgent { base: Agency };
//! let cx = Cx::new(FlowId::new(Table::Orders, "mage2"));
//! assert_eq!(agent.due_date(&cx, &Order::default()).await?, date(2026, 2, 28));
//! # Ok(())
//! # }
//! ```

mod flow;
mod native;
mod step;
mod terms;
mod unsupported;

pub use flow::OrdersTarget;
pub use native::{Mapped, NativeLine, NativeOrder, Totals};
pub use step::Backoffice;
pub use terms::{AddressRole, Found, FoundDocument, Freight, LineTax, NativeAddress, OrderTerms, Reference};
pub use unsupported::Unsupported;
