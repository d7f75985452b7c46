//! The rules of a document's lines.

use datawald_backoffice::{LineTax, NativeLine};
use datawald_core::model::{Money, Order, OrderItem};
use datawald_core::{Error, Result};
use rust_decimal::Decimal;

use super::places::Places;
use crate::settings::DiscountMode;
use crate::{B1Settings, fields};

const OPERATION: &str = "map line";

/// A number without needless zeros.
pub(super) fn number(value: Decimal) -> String {
    value.normalize().to_string()
}

/// Where `item` stands in `order`, as `items[0]`.
pub(super) fn path(order: &Order, item: &OrderItem) -> String {
    match order.items.iter().position(|other| std::ptr::eq(other, item) || other == item) {
        Some(i) => format!("items[{i}]"),
        None => "items[]".to_owned(),
    }
}

/// The line before tax and document discount.
pub(super) fn line_total(settings: &B1Settings, item: &OrderItem) -> Money {
    match settings.discount {
        DiscountMode::Document => item.sub_total,
        DiscountMode::Lines => item.sub_total - item.discount_amt,
    }
}

/// Writes a line.
pub(super) fn map_line(settings: &B1Settings, order: &Order, item: &OrderItem, tax: &LineTax) -> Result<NativeLine> {
    let wrong = |field: &str, message: String| {
        Err(Error::invalid(OPERATION, message)
            .entity(format!("order {}", order.fe_order_id))
            .field(format!("{}.{field}", path(order, item))))
    };
    let length = item.sku.chars().count();
    if item.sku.trim().is_empty() {
        return wrong("sku", "is missing; SAP B1 needs an item code".into());
    }
    if length > fields::ITEM_CODE_LIMIT {
        let limit = fields::ITEM_CODE_LIMIT;
        return wrong("sku", format!("has {length} characters; SAP B1's item codes have at most {limit}"));
    }
    if let Some(c) = item.sku.chars().find(|c| c.is_control()) {
        return wrong("sku", format!("holds a control character (U+{:04X})", u32::from(c)));
    }
    if item.qty <= Decimal::ZERO {
        return wrong("qty", format!("is {}; SAP B1 orders quantities above zero", number(item.qty)));
    }
    let mut line = NativeLine::default();
    line.set(fields::ITEM_CODE, item.sku.as_str());
    line.set(fields::QUANTITY, number(item.qty));
    line.set(fields::UNIT_PRICE, number(item.price));
    line.set(fields::TAX_CODE, tax.code.as_str());
    let places = Places::of(settings, &order.currency);
    line.set(fields::LINE_TOTAL, places.text(line_total(settings, item)));
    Ok(line)
}
