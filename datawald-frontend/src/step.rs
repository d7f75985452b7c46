//! The steps of the e-commerce side.

use async_trait::async_trait;
use datawald_core::engine::FetchQuery;
use datawald_core::model::{Intent, Order};
use datawald_core::{Cx, Result};
use jiff::Timestamp;

use crate::{PulledOrder, RawDoc, RawPage, SourceRef};

/// The steps of the e-commerce side, each one thing. Every step forwards to [`Frontend::base`] unless it is overridden.
///
/// **A step never calls another step of `self`.** The flows do that, on the outermost object, so that an override at any
/// depth is what runs. `self.base().step(…)` is what `super` is elsewhere.
#[async_trait]
pub trait Frontend: Send + Sync {
    /// What this one inherits from: an agency, another agent, or [`crate::Unsupported`].
    fn base(&self) -> &dyn Frontend;

    /// Fetches a page of orders that changed since `query.from`, inclusively, oldest change first.
    ///
    /// Following `next` visits every order that stays unchanged meanwhile; one that changes may come twice.
    async fn fetch_orders(&self, cx: &Cx, query: &FetchQuery) -> Result<RawPage> {
        self.base().fetch_orders(cx, query).await
    }

    /// How many orders changed since `from`, inclusively; `None` if the shop cannot tell without reading them.
    async fn count_orders(&self, cx: &Cx, from: Option<Timestamp>) -> Result<Option<u64>> {
        self.base().count_orders(cx, from).await
    }

    /// Tells which order a document is. It must get by with documents that cannot be mapped, since even those are
    /// staged, with their reason; if it fails, the order is staged under a key made of its content.
    async fn identify_order(&self, cx: &Cx, raw: &RawDoc) -> Result<SourceRef> {
        self.base().identify_order(cx, raw).await
    }

    /// Maps a document to the canonical order.
    ///
    /// An error of disposition `Rejected` stages the order as failed with that reason; any other ends the pull.
    async fn map_order(&self, cx: &Cx, raw: &RawDoc) -> Result<Order> {
        self.base().map_order(cx, raw).await
    }

    /// Extends all orders of a page at once, for what is asked in batches.
    async fn extend_orders(&self, cx: &Cx, orders: &mut [PulledOrder]) -> Result<()> {
        self.base().extend_orders(cx, orders).await
    }

    /// Extends one order.
    async fn extend_order(&self, cx: &Cx, raw: &RawDoc, order: &mut Order) -> Result<()> {
        self.base().extend_order(cx, raw, order).await
    }

    /// Checks an order; an error of disposition `Rejected` stages it as failed with that reason.
    async fn validate_order(&self, cx: &Cx, order: &Order) -> Result<()> {
        self.base().validate_order(cx, order).await
    }

    /// Decides what is to be done with an order: apply it, cancel it, or nothing.
    async fn decide_order(&self, cx: &Cx, order: &Order) -> Result<Intent> {
        self.base().decide_order(cx, order).await
    }
}
