//! Which rows of an order are sellable lines.
//!
//! Magento keeps a row for what the customer chose and one for what leaves the warehouse:
//!
//! * **configurable**: the parent row carries price, quantity, discount and tax; its child is the variant, without price
//!   (its `price` may repeat the parent's, but its `row_total` is 0). The line is the parent with the child's SKU.
//! * **bundle, priced by its parts** (dynamic): the children carry price, discount and tax; the parent's amounts are
//!   their sum. The lines are the children.
//! * **bundle of a fixed price**: the parent carries the amounts, the children none. The line is the parent.
//! * everything else (simple, virtual, downloadable, the parts of a grouped product) is a row, and a line, by itself.
//!
//! A child names its parent by `parent_item_id`, sometimes by `parent_item` alone. After some payment extensions neither is
//! there: then a simple row without price right behind a configurable of the same SKU is its child.

use std::borrow::Cow;

use datawald_core::model::{OrderItem, minor_units, round_money};
use rust_decimal::Decimal;

use super::doc::{ItemDoc, Object};
use super::fixed_tax;
use super::leaf::{self, Leaf, Wrong};

/// What Magento rounds to, whatever the currency (`Magento\Framework\Pricing\PriceCurrencyInterface::DEFAULT_PRECISION`);
/// shops that need more have an extension for it.
pub(super) const MAGENTO_DECIMALS: u32 = 2;

/// A row with what decides its place.
struct Row<'a> {
    doc: &'a ItemDoc<'a>,
    kind: Cow<'a, str>,
    sku: Cow<'a, str>,
    /// Whether it carries amounts of its own.
    priced: bool,
    parent: Option<usize>,
}

/// Maps the sellable lines, and behind them the fixed product taxes, which are booked as the item `fixed_tax_sku`. The field
/// of an error is below the order (`items[0].sku`).
pub(super) fn map(items: &[Object<ItemDoc<'_>>], currency: &str, fixed_tax_sku: Option<&str>) -> Result<Lines, Wrong> {
    let rows = rows(items)?;
    let (mut goods, mut fixed_taxes) = (Vec::with_capacity(rows.len()), Vec::new());
    for (at, row) in rows.iter().enumerate() {
        let within = |wrong: Wrong| wrong.within(&format!("items[{at}]"));
        // The row that is the line, for this one or for its parent's sake.
        let line_of = match row.parent {
            Some(parent) if children_are_lines(&rows, parent) => at,
            Some(parent) => parent,
            None => at,
        };
        let is_line = line_of == at && (row.parent.is_some() || !children_are_lines(&rows, at));
        if is_line {
            goods.push(line(row, variant_sku(&rows, at), currency).map_err(within)?);
        }
        // A variant tells the fixed product taxes, its configurable none; where both do they are the same.
        let told_here = line_of != at && !fixed_tax::has_some(rows[line_of].doc).map_err(within)?;
        if is_line || told_here {
            fixed_taxes.extend(fixed_tax::line(row.doc, rows[line_of].doc, fixed_tax_sku).map_err(within)?);
        }
    }
    Ok(Lines { goods, fixed_taxes })
}

/// What an order is made of.
pub(super) struct Lines {
    pub(super) goods: Vec<OrderItem>,
    /// The fixed product taxes on them.
    pub(super) fixed_taxes: Vec<OrderItem>,
}

fn rows<'a>(items: &'a [Object<ItemDoc<'a>>]) -> Result<Vec<Row<'a>>, Wrong> {
    let mut rows: Vec<Row<'a>> = Vec::with_capacity(items.len());
    for (at, Object(doc)) in items.iter().enumerate() {
        let row = Row {
            doc,
            kind: read(doc.product_type, at, "product_type")?.unwrap_or_default(),
            sku: read(doc.sku, at, "sku")?.unwrap_or_default(),
            priced: is_priced(doc).map_err(|wrong| wrong.within(&format!("items[{at}]")))?,
            parent: None,
        };
        rows.push(row);
    }
    for at in 0..rows.len() {
        rows[at].parent = parent_of(&rows, at).filter(|&parent| parent != at);
    }
    Ok(rows)
}

fn read<'a>(leaf: Leaf<'a>, at: usize, field: &str) -> Result<Option<Cow<'a, str>>, Wrong> {
    leaf::text(leaf, field).map_err(|wrong| wrong.within(&format!("items[{at}]")))
}

/// Whether a row carries amounts: `price` does not tell, since a variant's may repeat its parent's, and `row_total` alone
/// does not, since it may be after a discount of 100 %.
fn is_priced(doc: &ItemDoc<'_>) -> Result<bool, Wrong> {
    if doc.row_total.is_none() && doc.row_total_incl_tax.is_none() {
        return Ok(!leaf::amount(doc.price, "price")?.is_zero());
    }
    Ok(!leaf::amount(doc.row_total, "row_total")?.is_zero()
        || !leaf::amount(doc.row_total_incl_tax, "row_total_incl_tax")?.is_zero()
        || !leaf::amount(doc.discount_amount, "discount_amount")?.is_zero()
        || !leaf::amount(doc.tax_amount, "tax_amount")?.is_zero())
}

fn parent_of(rows: &[Row<'_>], at: usize) -> Option<usize> {
    let doc = rows[at].doc;
    let named = doc.parent_item_id.or_else(|| doc.parent_item.as_ref().and_then(|parent| parent.0.item_id));
    if let Some(id) = leaf::unsigned(named).filter(|&id| id != 0) {
        return rows.iter().position(|row| leaf::unsigned(row.doc.item_id) == Some(id));
    }
    let before = at.checked_sub(1)?;
    let unnamed_child = rows[before].kind == "configurable"
        && rows[at].kind != "configurable"
        && rows[at].kind != "bundle"
        && !rows[at].priced
        && rows[at].sku == rows[before].sku
        && !rows[at].sku.is_empty();
    unnamed_child.then_some(before)
}

/// Whether the children of a row are the lines, and not the row.
fn children_are_lines(rows: &[Row<'_>], parent: usize) -> bool {
    rows[parent].kind != "configurable" && rows.iter().any(|row| row.parent == Some(parent) && row.priced)
}

/// The SKU of a configurable's variant. Magento puts it on the parent as well, but an extension may leave the
/// configurable's own there.
fn variant_sku<'a>(rows: &'a [Row<'a>], at: usize) -> &'a str {
    let variant = rows.iter().find(|row| row.parent == Some(at) && !row.sku.is_empty());
    match variant {
        Some(variant) if rows[at].kind == "configurable" => &variant.sku,
        _ => &rows[at].sku,
    }
}

fn line(row: &Row<'_>, sku: &str, currency: &str) -> Result<OrderItem, Wrong> {
    let doc = row.doc;
    if sku.trim().is_empty() {
        return Err(Wrong::new("sku", leaf::MISSING));
    }
    let qty = leaf::needed_amount(doc.qty_ordered, "qty_ordered")?;
    let price = leaf::needed_amount(doc.price, "price")?;
    let compensation = leaf::amount(doc.discount_tax_compensation_amount, "discount_tax_compensation_amount")?;
    let discount_amt = net_discount(leaf::amount(doc.discount_amount, "discount_amount")?, compensation);
    let sub_total = sub_total(doc, qty, price, discount_amt, currency)?;
    let original_price = leaf::amount(doc.original_price, "original_price")?;
    Ok(OrderItem {
        sku: sku.to_owned(),
        name: leaf::string(doc.name, "name")?,
        uom: String::new(),
        qty,
        price,
        // A part of a bundle has none.
        original_price: if original_price.is_zero() { price } else { original_price },
        discount_amt,
        tax_amt: leaf::amount(doc.tax_amount, "tax_amount")?,
        sub_total,
        tax_percent: leaf::decimal(doc.tax_percent, "tax_percent")?,
    })
}

/// A row before its discount, without tax. That is `row_total` where it can be: out of a price that includes tax Magento
/// takes the tax off the row and makes the price of a piece of what is left, so that quantity × price may be some cents off.
/// Some versions have `row_total` after the discount, and some extensions have none.
fn sub_total(
    doc: &ItemDoc<'_>,
    qty: Decimal,
    price: Decimal,
    discount: Decimal,
    currency: &str,
) -> Result<Decimal, Wrong> {
    let too_large = || Wrong::new("price", "is too large a number");
    let product = qty.checked_mul(price).ok_or_else(too_large)?;
    // The price of a piece is off by half of its last decimal at most, and so is the row. Shops have the decimals of the
    // currency or those of Magento, whichever they are.
    let half = Decimal::new(5, minor_units(currency).min(MAGENTO_DECIMALS) + 1);
    let allowance = qty.abs().checked_mul(half).and_then(|allowed| allowed.checked_add(half)).ok_or_else(too_large)?;
    if let Some(total) = leaf::decimal(doc.row_total, "row_total")? {
        for candidate in [total, total.checked_add(discount).ok_or_else(too_large)?] {
            if candidate.saturating_sub(product).abs() <= allowance {
                return Ok(candidate);
            }
        }
    }
    Ok(round_money(product, minor_units(currency).max(MAGENTO_DECIMALS)))
}

/// A discount before tax, as a positive amount. In shops whose discounts apply to prices that include tax, Magento's
/// discount includes tax, too, and `discount_tax_compensation_amount` is that tax. Where a shop rounds tax by order, a row
/// may have a cent of it without any discount, more or less.
pub(super) fn net_discount(discount: Decimal, compensation: Decimal) -> Decimal {
    discount.abs().saturating_sub(compensation)
}
