//! Fixed product taxes (Magento's *FPT* or *weee*): so much apiece for recycling and the like, beside the price.
//!
//! They are in no price and no `row_total`; the order's `subtotal` has them or not, as configured in the shop. They may be
//! taxed themselves, and that tax is in the order's `tax_amount` but in none of a row. So each becomes a line of its own.

use datawald_core::model::OrderItem;
use rust_decimal::Decimal;

use super::doc::{FixedTaxDoc, ItemDoc, Object};
use super::leaf::{self, Wrong};

const ROW_AMOUNT: &str = "weee_tax_applied_row_amount";
const APPLIED: &str = "weee_tax_applied";
const NO_SKU: &str = "is fixed product tax, for which no item is configured: set `orders.fixed_tax_sku` to the SKU that it is \
                      booked as in the backoffice";
const UNREADABLE: &str = "should be a list of the fixed product taxes, as text";

/// Whether a row tells any.
pub(super) fn has_some(doc: &ItemDoc<'_>) -> Result<bool, Wrong> {
    Ok(!leaf::amount(doc.weee_tax_applied_row_amount, ROW_AMOUNT)?.is_zero())
}

/// The fixed product taxes of a row as one line, if it has any; `sold` is the row that is sold.
pub(super) fn line(doc: &ItemDoc<'_>, sold: &ItemDoc<'_>, sku: Option<&str>) -> Result<Option<OrderItem>, Wrong> {
    if !has_some(doc)? {
        return Ok(None);
    }
    let Some(sku) = sku else { return Err(Wrong::new(ROW_AMOUNT, NO_SKU)) };
    let amount = leaf::amount(doc.weee_tax_applied_row_amount, ROW_AMOUNT)?;
    let qty = leaf::needed_amount(sold.qty_ordered, "qty_ordered")?;
    let price = amount.checked_div(qty).unwrap_or_default().round_dp(4);
    let tax_amt = tax(doc)?;
    // They are taxed as the goods that they are on, or not at all.
    let percent = leaf::decimal(sold.tax_percent, "tax_percent")?;
    Ok(Some(OrderItem {
        sku: sku.to_owned(),
        name: "Fixed product tax".to_owned(),
        qty,
        price,
        original_price: price,
        tax_amt,
        sub_total: amount,
        tax_percent: percent.map(|percent| if tax_amt.is_zero() { Decimal::ZERO } else { percent }),
        ..OrderItem::default()
    }))
}

/// The tax on them, which is told only in the text that lists them.
fn tax(doc: &ItemDoc<'_>) -> Result<Decimal, Wrong> {
    let text = leaf::text(doc.weee_tax_applied, APPLIED)?.unwrap_or_default();
    if text.trim().is_empty() {
        return Ok(Decimal::ZERO);
    }
    let applied: Vec<Object<FixedTaxDoc<'_>>> =
        serde_json::from_str(&text).map_err(|_| Wrong::new(APPLIED, UNREADABLE))?;
    let mut sum = Decimal::ZERO;
    for Object(tax) in &applied {
        let before = leaf::amount(tax.row_amount, APPLIED)?;
        let with = leaf::decimal(tax.row_amount_incl_tax, APPLIED)?.unwrap_or(before);
        sum = sum.saturating_add(with.saturating_sub(before));
    }
    Ok(sum)
}
