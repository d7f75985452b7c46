//! The canonical order: what Magento gives and what SAP B1 takes, in neither's words.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Fingerprint, Money, money};
use crate::{Error, Result};

/// An order, in order currency, with decimal amounts. Every field holds what the customer saw and was charged.
///
/// As JSON, amounts are text (`"35.10"`). A number is read, too, if it has no more than fifteen digits.
///
/// `Debug` shows the number and the totals only, since an order is full of personal data.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Order {
    /// The frontend's name in the configuration.
    pub frontend: String,
    /// The store view, as its code where the frontend tells it.
    pub store_code: String,
    /// The number that the customer sees (Magento's `increment_id`, as `000000013-1`); unique per frontend.
    pub fe_order_id: String,
    /// When it was placed (UTC).
    pub fe_order_date: Option<Timestamp>,
    /// When it last changed (UTC).
    pub fe_order_update_date: Option<Timestamp>,
    /// The frontend's status (`pending`, `processing`, …).
    pub fe_order_status: String,
    /// The frontend's store id.
    pub fe_store_id: String,
    /// The frontend's customer id; guests have none.
    pub fe_customer_id: Option<String>,
    /// The frontend's customer group.
    pub fe_customer_group: String,
    /// The carrier's part of the shipping method (`flatrate`).
    pub shipment_carrier: String,
    /// The whole shipping method (`flatrate_flatrate`).
    pub shipment_method: String,
    /// The payment method's code (`checkmo`).
    pub payment_method: String,
    /// ISO 4217 code of every amount below.
    pub currency: String,
    /// The number of pieces ordered.
    #[serde(deserialize_with = "money::amount")]
    pub total_qty: Money,
    /// The lines before discount and tax.
    #[serde(deserialize_with = "money::amount")]
    pub sub_total: Money,
    /// The discount on the lines, as a positive amount. What was taken off freight is not in it.
    #[serde(deserialize_with = "money::amount")]
    pub discount_amt: Money,
    /// Freight before tax, less what was taken off it.
    #[serde(deserialize_with = "money::amount")]
    pub shipping_amt: Money,
    /// What was taken off freight, before tax, as a positive amount. It is in neither `shipping_amt` nor `discount_amt`.
    #[serde(deserialize_with = "money::amount", skip_serializing_if = "Money::is_zero")]
    pub shipping_discount_amt: Money,
    /// Tax on freight.
    #[serde(deserialize_with = "money::amount")]
    pub shipping_tax_amt: Money,
    /// All tax, that on freight included.
    #[serde(deserialize_with = "money::amount")]
    pub tax_amt: Money,
    /// Paid by gift card, as a positive amount.
    #[serde(deserialize_with = "money::amount")]
    pub giftcard_amt: Money,
    /// Paid by store credit, as a positive amount.
    #[serde(deserialize_with = "money::amount")]
    pub storecredit_amt: Money,
    /// Paid by reward points, as a positive amount.
    #[serde(deserialize_with = "money::amount", skip_serializing_if = "Money::is_zero")]
    pub points_amt: Money,
    /// What the customer was charged: all of the above, less what was paid by gift card, store credit and points.
    #[serde(deserialize_with = "money::amount")]
    pub grand_total: Money,
    /// What has been paid of it so far, where the frontend tells. For messages only: it is no part of what decides whether
    /// an order has changed.
    #[serde(deserialize_with = "money::optional_amount", skip_serializing_if = "Option::is_none")]
    pub paid_amt: Option<Money>,
    /// The coupon, if one was used.
    pub coupon_code: Option<String>,
    /// Where the invoice and the goods go.
    pub addresses: Addresses,
    /// The sellable lines.
    pub items: Vec<OrderItem>,
    /// What an agent adds of its own; part of what decides whether an order has changed.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub ext: BTreeMap<String, serde_json::Value>,
}

/// The two addresses of an order.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Addresses {
    /// Where the invoice goes.
    pub billto: Address,
    /// Where the goods go; the bill-to address for an order without shipping.
    pub shipto: Address,
}

/// A postal address with its person. `Debug` shows country, region and postcode only.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Address {
    /// First name.
    pub firstname: String,
    /// Last name.
    pub lastname: String,
    /// Email.
    pub email: String,
    /// Company.
    pub companyname: String,
    /// The street lines, joined by a line break.
    pub address: String,
    /// City.
    pub city: String,
    /// Region as its code where the frontend has one (`MI`), else its name.
    pub region: String,
    /// Postcode.
    pub postcode: String,
    /// ISO 3166 two-letter code.
    pub country: String,
    /// Telephone.
    pub telephone: String,
}

/// A sellable line.
#[derive(Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct OrderItem {
    /// The SKU of what leaves the warehouse.
    pub sku: String,
    /// What the customer read.
    pub name: String,
    /// Unit of measure, where the frontend tells one.
    pub uom: String,
    /// Quantity ordered.
    #[serde(deserialize_with = "money::amount")]
    pub qty: Money,
    /// Unit price before tax and discount.
    #[serde(deserialize_with = "money::amount")]
    pub price: Money,
    /// Unit price before special prices, before tax where the frontend tells it so.
    #[serde(deserialize_with = "money::amount")]
    pub original_price: Money,
    /// Discount on the whole line, as a positive amount; a cent below nought where the frontend has rounded so.
    #[serde(deserialize_with = "money::amount")]
    pub discount_amt: Money,
    /// Tax on the whole line.
    #[serde(deserialize_with = "money::amount")]
    pub tax_amt: Money,
    /// The line before discount and tax, as the frontend rounded it.
    #[serde(deserialize_with = "money::amount")]
    pub sub_total: Money,
    /// The tax rate in percent where the frontend tells it.
    #[serde(deserialize_with = "money::optional_amount")]
    pub tax_percent: Option<Money>,
}

impl Order {
    /// The JSON text that is staged, and the fingerprint of its content. The time of the last change and what has been paid
    /// are no part of the content: a source may touch an order without changing it, and is paid after it was placed.
    ///
    /// # Errors
    /// Of kind `Mapping` if the order cannot be written as JSON.
    pub fn to_document(&mut self) -> Result<(String, Fingerprint)> {
        let write = |order: &Order| {
            serde_json::to_string(order)
                .map_err(|error| Error::mapping("write canonical order", "cannot be written as JSON").caused_by(error))
        };
        let (updated_at, paid_amt) = (self.fe_order_update_date.take(), self.paid_amt.take());
        let content = write(self);
        (self.fe_order_update_date, self.paid_amt) = (updated_at, paid_amt);
        Ok((write(self)?, Fingerprint::of(content?.as_bytes())))
    }
}

impl fmt::Debug for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Order")
            .field("frontend", &self.frontend)
            .field("fe_order_id", &self.fe_order_id)
            .field("fe_order_status", &self.fe_order_status)
            .field("currency", &self.currency)
            .field("grand_total", &self.grand_total)
            .field("items", &self.items.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Addresses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Addresses").field("billto", &self.billto).field("shipto", &self.shipto).finish()
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Address").field("country", &self.country).field("region", &self.region).finish_non_exhaustive()
    }
}

impl fmt::Debug for OrderItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OrderItem")
            .field("sku", &self.sku)
            .field("qty", &self.qty)
            .field("price", &self.price)
            .finish_non_exhaustive()
    }
}
