//! The end of every chain.

use async_trait::async_trait;
use datawald_core::model::{Order, OrderItem};
use datawald_core::{Cx, Error, Result};
use jiff::civil::Date;
use rust_decimal::Decimal;

use crate::{
    AddressRole, Backoffice, Found, FoundDocument, Freight, LineTax, Mapped, NativeAddress, NativeLine, NativeOrder,
    OrderTerms, Reference,
};

/// What is behind the end of every chain. Nothing comes this far.
struct Beyond;

impl Backoffice for Beyond {
    fn base(&self) -> &dyn Backoffice {
        &Unsupported
    }
}

/// The end of every chain: answers each step with an error that says that nobody implements it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unsupported;

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Backoffice for Unsupported {
    // Not itself: by that an agent is told that does so by mistake.
    fn base(&self) -> &dyn Backoffice {
        &Beyond
    }

    fn settings_digest(&self) -> Option<String> {
        None
    }

    async fn order_reference(&self, _: &Cx, _: &Order) -> Result<Reference> {
        Err(Error::unsupported("order_reference"))
    }

    async fn look_up_orders(&self, _: &Cx, _: &[Reference]) -> Result<Vec<Found>> {
        Err(Error::unsupported("look_up_orders"))
    }

    async fn customer_codes(&self, _: &Cx, _: &[&Order]) -> Result<Vec<Result<String>>> {
        Err(Error::unsupported("customer_codes"))
    }

    async fn due_date(&self, _: &Cx, _: &Order) -> Result<Date> {
        Err(Error::unsupported("due_date"))
    }

    async fn freight(&self, _: &Cx, _: &Order) -> Result<Freight> {
        Err(Error::unsupported("freight"))
    }

    async fn discount_percent(&self, _: &Cx, _: &Order) -> Result<Decimal> {
        Err(Error::unsupported("discount_percent"))
    }

    async fn transport(&self, _: &Cx, _: &Order) -> Result<Option<String>> {
        Err(Error::unsupported("transport"))
    }

    async fn payment(&self, _: &Cx, _: &Order) -> Result<Option<String>> {
        Err(Error::unsupported("payment"))
    }

    async fn address(&self, _: &Cx, _: &Order, _: AddressRole) -> Result<NativeAddress> {
        Err(Error::unsupported("address"))
    }

    async fn map_order(&self, _: &Cx, _: &Order, _: &OrderTerms) -> Result<Mapped> {
        Err(Error::unsupported("map_order"))
    }

    async fn extend_order(&self, _: &Cx, _: &Order, _: &mut NativeOrder) -> Result<()> {
        Err(Error::unsupported("extend_order"))
    }

    async fn line_tax(&self, _: &Cx, _: &Order, _: &OrderItem) -> Result<LineTax> {
        Err(Error::unsupported("line_tax"))
    }

    async fn map_line(&self, _: &Cx, _: &Order, _: &OrderItem, _: &LineTax) -> Result<NativeLine> {
        Err(Error::unsupported("map_line"))
    }

    async fn extend_line(&self, _: &Cx, _: &Order, _: &OrderItem, _: &mut NativeLine) -> Result<()> {
        Err(Error::unsupported("extend_line"))
    }

    async fn reconcile_order(&self, _: &Cx, _: &Order, _: &mut NativeOrder) -> Result<()> {
        Err(Error::unsupported("reconcile_order"))
    }

    async fn recognize_order(&self, _: &Cx, _: &Order, _: &NativeOrder, _: &FoundDocument) -> Result<bool> {
        Err(Error::unsupported("recognize_order"))
    }

    async fn insert_orders(&self, _: &Cx, _: &[NativeOrder]) -> Result<Vec<Result<String>>> {
        Err(Error::unsupported("insert_orders"))
    }

    async fn update_orders(&self, _: &Cx, _: &[(&Order, &str)]) -> Result<Vec<Result<String>>> {
        Err(Error::unsupported("update_orders"))
    }

    async fn cancel_orders(&self, _: &Cx, _: &[(&Reference, &str)]) -> Result<Vec<Result<String>>> {
        Err(Error::unsupported("cancel_orders"))
    }
}

#[cfg(test)]
mod tests {
    use datawald_core::engine::check_chain;

    use super::*;

    /// An agent whose base is `base`, or itself.
    struct Agent<T>(Option<T>);

    impl<T: Backoffice> Backoffice for Agent<T> {
        fn base(&self) -> &dyn Backoffice {
            match &self.0 {
                Some(base) => base,
                None => self,
            }
        }
    }

    fn check(outermost: &dyn Backoffice) -> Result<()> {
        check_chain(outermost, |link| link.base())
    }

    #[test]
    fn an_agent_over_itself_is_refused() {
        let sound = Agent(Some(Agent(Some(Unsupported))));
        check(&sound).unwrap();
        check(&Unsupported).unwrap();
        for error in [
            check(&Agent::<Unsupported>(None)).unwrap_err(),
            check(&Agent(Some(Agent::<Unsupported>(None)))).unwrap_err(),
        ] {
            assert!(error.to_string().contains("`base()` answers the agent itself"), "{error}");
        }
    }
}
