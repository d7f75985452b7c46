//! datawald-backoffice
mod flow;
mod native;
mod step;
mod terms;
mod unsupported;

pub use flow::OrdersTarget;
pub use native::{Mapped, NativeLine, NativeOrder, Totals};
pub use step::Backoffice;
pub use terms::{AddressRole, Found, Freight, LineTax, NativeAddress, OrderTerms, Reference};
pub use unsupported::Unsupported;
