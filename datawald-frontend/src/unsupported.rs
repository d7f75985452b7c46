//! The end of every chain.

use async_trait::async_trait;
use datawald_core::engine::FetchQuery;
use datawald_core::model::{Intent, Order};
use datawald_core::{Cx, Error, Result};
use jiff::Timestamp;

use crate::{Frontend, PulledOrder, RawDoc, RawPage, SourceRef};

/// What is behind the end of every chain. Nothing comes this far.
struct Beyond;

impl Frontend for Beyond {
    fn base(&self) -> &dyn Frontend {
        &Unsupported
    }
}

/// The end of every chain: answers each step with an error that says that nobody implements it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unsupported;

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Frontend for Unsupported {
    // Not itself: by that an agent is told that does so by mistake.
    fn base(&self) -> &dyn Frontend {
        &Beyond
    }

    async fn fetch_orders(&self, _: &Cx, _: &FetchQuery) -> Result<RawPage> {
        Err(Error::unsupported("fetch_orders"))
    }

    async fn count_orders(&self, _: &Cx, _: Option<Timestamp>) -> Result<Option<u64>> {
        Ok(None)
    }

    async fn identify_order(&self, _: &Cx, _: &RawDoc) -> Result<SourceRef> {
        Err(Error::unsupported("identify_order"))
    }

    async fn map_order(&self, _: &Cx, _: &RawDoc) -> Result<Order> {
        Err(Error::unsupported("map_order"))
    }

    async fn extend_orders(&self, _: &Cx, _: &mut [PulledOrder]) -> Result<()> {
        Err(Error::unsupported("extend_orders"))
    }

    async fn extend_order(&self, _: &Cx, _: &RawDoc, _: &mut Order) -> Result<()> {
        Err(Error::unsupported("extend_order"))
    }

    async fn validate_order(&self, _: &Cx, _: &Order) -> Result<()> {
        Err(Error::unsupported("validate_order"))
    }

    async fn decide_order(&self, _: &Cx, _: &Order) -> Result<Intent> {
        Err(Error::unsupported("decide_order"))
    }
}

#[cfg(test)]
mod tests {
    use datawald_core::engine::check_chain;

    use super::*;

    /// An agent whose base is `base`, or itself.
    struct Agent<T>(Option<T>);

    impl<T: Frontend> Frontend for Agent<T> {
        fn base(&self) -> &dyn Frontend {
            match &self.0 {
                Some(base) => base,
                None => self,
            }
        }
    }

    fn check(outermost: &dyn Frontend) -> Result<()> {
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
