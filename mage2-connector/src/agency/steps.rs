//! The agency: every step of the frontend side, for Magento 2.

use async_trait::async_trait;
use datawald_core::engine::FetchQuery;
use datawald_core::model::{Intent, Order};
use datawald_core::{Cx, Result};
use datawald_frontend::{Frontend, PulledOrder, RawDoc, RawPage, SourceRef, Unsupported};
use jiff::Timestamp;

use super::settings::OrderSettings;
use super::{decide, identify, map, validate};
use crate::client::{Mage2Client, Mage2Settings, check_readable};

/// Magento 2 as a frontend.
///
/// # What an order becomes
///
/// * **Amounts** are in order currency, as the customer was charged, with all decimals that Magento has. `sub_total` is
///   Magento's `subtotal`; a line's is `row_total` before its discount (which some versions take off), or quantity × price
///   where `row_total` does not go with them.
/// * **Discounts** are positive and before tax. In a shop whose catalogue prices include tax, Magento's discount includes
///   tax, and `discount_tax_compensation_amount` holds that tax; it is taken off the discount here (line and header), so
///   that the totals add up with `tax_amount`, which is the tax on the discounted price.
/// * **Freight** is `shipping_amount` less `shipping_discount_amount`, both before tax, and the discount of the order is what
///   is left of `discount_amount`, which has both.
/// * **Fixed product taxes** are lines of the item [`OrderSettings::fixed_tax_sku`], each with its own tax, and are in
///   `sub_total`. Without that setting an order that has some is refused.
/// * **Lines** are what is sold: a configurable's parent with its variant's SKU; the parts of a bundle that is priced by
///   them; a bundle of a fixed price itself; `total_qty` is their sum.
/// * **Gift cards, store credit and reward points** are positive amounts that `grand_total` has been lowered by.
/// * **Refunds** are not read: an order that was refunded in part before it was first seen is what was ordered.
/// * **Ship-to** is the address of the first shipping assignment; bill-to where nothing is shipped.
/// * **Store code**: by [`OrderSettings::store_codes`], else the last line of `store_name`.
#[derive(Debug, Clone)]
pub struct Mage2Agency {
    client: Mage2Client,
    base: Unsupported,
}

impl Mage2Agency {
    /// An agency with a client of its own.
    ///
    /// # Errors
    /// Of kind `Config`, naming the setting.
    pub fn new(settings: Mage2Settings) -> Result<Self> {
        Ok(Self::with_client(Mage2Client::new(settings)?))
    }

    /// An agency over a client, whose settings are used.
    pub fn with_client(client: Mage2Client) -> Self {
        Self { client, base: Unsupported }
    }

    /// The client, for an agent that asks Magento for more.
    pub fn client(&self) -> &Mage2Client {
        &self.client
    }

    fn orders(&self) -> &OrderSettings {
        &self.client.settings().orders
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Frontend for Mage2Agency {
    fn base(&self) -> &dyn Frontend {
        &self.base
    }

    async fn fetch_orders(&self, _: &Cx, query: &FetchQuery) -> Result<RawPage> {
        let mut page = self.client.orders_page(query).await?;
        if query.after.is_none() {
            page.docs.extend(self.client.read_again().await);
        }
        Ok(page)
    }

    async fn count_orders(&self, _: &Cx, from: Option<Timestamp>) -> Result<Option<u64>> {
        self.client.count_orders(from).await.map(Some)
    }

    async fn identify_order(&self, _: &Cx, raw: &RawDoc) -> Result<SourceRef> {
        identify::identify(raw.text(), self.orders())
    }

    async fn map_order(&self, cx: &Cx, raw: &RawDoc) -> Result<Order> {
        check_readable(raw.text())?;
        map::map(cx.frontend(), raw.text(), self.orders())
    }

    async fn extend_orders(&self, _: &Cx, _: &mut [PulledOrder]) -> Result<()> {
        Ok(())
    }

    async fn extend_order(&self, _: &Cx, _: &RawDoc, _: &mut Order) -> Result<()> {
        Ok(())
    }

    async fn validate_order(&self, _: &Cx, order: &Order) -> Result<()> {
        validate::validate(order)
    }

    async fn decide_order(&self, _: &Cx, order: &Order) -> Result<Intent> {
        Ok(decide::decide(order, self.orders()))
    }
}
