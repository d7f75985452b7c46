//! The end of every chain.

use async_trait::async_trait;
use datawald_core::engine::FetchQuery;
use datawald_core::model::{Intent, Order};
use datawald_core::{Cx, Error, Result};
use jiff::Timestamp;

use crate::{Frontend, PulledOrder, RawDoc, RawPage, SourceRef};

/// The end of every chain: answers each step with an error that says that nobody implements it.
#[derive(Debug, Clone, Copy, Default)]
pub struct Unsupported;

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Frontend for Unsupported {
    fn base(&self) -> &dyn Frontend {
        self
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
