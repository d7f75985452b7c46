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

use datawald_core::model::{OrderItem, round_cents};
use rust_decimal::Decimal;

use super::doc::{ItemDoc, Object};
use super::leaf::{self, Leaf, Wrong};

/// A row with what decides its place.
struct Row<'a> {
    doc: &'a ItemDoc<'a>,
    kind: Cow<'a, str>,
    sku: Cow<'a, str>,
    /// Whether it carries amounts of its own.
    priced: bool,
    parent: Option<usize>,
}

/// Maps the sellable lines. The field of an error is below the order (`items[0].sku`).
pub(super) fn map(items: &[Object<ItemDoc<'_>>]) -> Result<Vec<OrderItem>, Wrong> {
    let rows = rows(items)?;
    let mut lines = Vec::with_capacity(rows.len());
    for (at, row) in rows.iter().enumerate() {
        let is_line = match row.parent {
            Some(parent) => children_are_lines(&rows, parent),
            None => !children_are_lines(&rows, at),
        };
        if is_line {
            let line = line(row, variant_sku(&rows, at)).map_err(|wrong| wrong.within(&format!("items[{at}]")))?;
            lines.push(line);
        }
    }
    Ok(lines)
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

fn line(row: &Row<'_>, sku: &str) -> Result<OrderItem, Wrong> {
    let doc = row.doc;
    if sku.trim().is_empty() {
        return Err(Wrong::new("sku", leaf::MISSING));
    }
    let qty = leaf::needed_amount(doc.qty_ordered, "qty_ordered")?;
    let price = leaf::needed_amount(doc.price, "price")?;
    let sub_total = qty.checked_mul(price).ok_or_else(|| Wrong::new("price", "is too large a number"))?;
    let compensation = leaf::amount(doc.discount_tax_compensation_amount, "discount_tax_compensation_amount")?;
    let original_price = leaf::amount(doc.original_price, "original_price")?;
    Ok(OrderItem {
        sku: sku.to_owned(),
        name: leaf::string(doc.name, "name")?,
        uom: String::new(),
        qty,
        price,
        // A part of a bundle has none.
        original_price: if original_price.is_zero() { price } else { original_price },
        discount_amt: net_discount(leaf::amount(doc.discount_amount, "discount_amount")?, compensation),
        tax_amt: leaf::amount(doc.tax_amount, "tax_amount")?,
        sub_total: round_cents(sub_total),
        tax_percent: leaf::decimal(doc.tax_percent, "tax_percent")?,
    })
}

/// A discount before tax, as a positive amount. In shops whose discounts apply to prices that include tax, Magento's
/// discount includes tax, too, and `discount_tax_compensation_amount` is that tax.
pub(super) fn net_discount(discount: Decimal, compensation: Decimal) -> Decimal {
    discount.abs().saturating_sub(compensation.abs())
}
