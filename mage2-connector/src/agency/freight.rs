//! Freight, and what was taken off it.
//!
//! Where a rule *applies to shipping amount*, Magento leaves `shipping_amount` as it was and counts what it took off in
//! `discount_amount`, beside what it took off the goods; `shipping_discount_amount` tells it alone
//! (`Magento\SalesRule\Model\Quote\Address\Total\ShippingDiscount`). In a shop whose shipping prices include tax it includes tax,
//! and `shipping_discount_tax_compensation_amount` is that tax.

use rust_decimal::Decimal;

use super::doc::OrderDoc;
use super::leaf::{self, Wrong};
use super::lines::net_discount;

const DISCOUNT: &str = "shipping_discount_amount";

/// Amounts before tax.
pub(super) struct Parts {
    /// Freight less its discount.
    pub(super) freight: Decimal,
    /// What was taken off freight, as a positive amount.
    pub(super) freight_discount: Decimal,
    /// The discount on the goods, as a positive amount.
    pub(super) goods_discount: Decimal,
}

/// Takes the discount apart.
pub(super) fn parts(doc: &OrderDoc<'_>) -> Result<Parts, Wrong> {
    let all = leaf::amount(doc.discount_amount, "discount_amount")?;
    let off_freight = leaf::amount(doc.shipping_discount_amount, DISCOUNT)?;
    let goods_tax = leaf::amount(doc.discount_tax_compensation_amount, "discount_tax_compensation_amount")?;
    let name = "shipping_discount_tax_compensation_amount";
    let freight_tax = leaf::amount(doc.shipping_discount_tax_compensation_amount, name)?;
    let freight_discount = net_discount(off_freight, freight_tax);
    let freight = leaf::amount(doc.shipping_amount, "shipping_amount")?.saturating_sub(freight_discount);
    if freight.is_sign_negative() && !freight.is_zero() {
        return Err(Wrong::new(DISCOUNT, "is more than freight costs before tax"));
    }
    let goods = all.abs().saturating_sub(off_freight.abs());
    if goods.is_sign_negative() && !goods.is_zero() {
        return Err(Wrong::new(DISCOUNT, "is more than `discount_amount`, of which it should be a part"));
    }
    Ok(Parts { freight, freight_discount, goods_discount: net_discount(goods, goods_tax) })
}
