//! Deliveries and invoices of orders.

use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::decimal::number;
use super::documents::objects;
use super::error::Refusal;
use super::lines::{given, text};
use super::state::Work;
use super::tables::Part;

/// Copies what lines that are based on an order's leave out, and takes their quantities from the order: what is
/// delivered in full is closed.
pub(super) fn take_base_lines(work: &mut Work<'_>, values: &mut Map<String, Value>) -> Result<(), Refusal> {
    let mut lines = objects(values, "DocumentLines");
    for line in &mut lines {
        let int = |name: &str| line.get(name).and_then(Value::as_i64);
        if int("BaseType") != Some(17) {
            continue;
        }
        let (entry, at) = (int("BaseEntry").unwrap_or_default(), int("BaseLine"));
        let key = vec![Part::Int(entry)];
        let mut order = work.store.tables.get("Orders", &key).ok_or_else(Refusal::no_match)?.values();
        let mut rows = objects(&mut order, "DocumentLines");
        let base = rows.iter_mut().find(|row| row.get("LineNum").and_then(Value::as_i64) == at);
        let base = base.filter(|row| text(row, "LineStatus") == "bost_Open").ok_or_else(Refusal::no_match)?;
        let open = given(base, "RemainingOpenQuantity").unwrap_or_default();
        for name in ["ItemCode", "UnitPrice", "TaxCode", "DiscountPercent", "WarehouseCode"] {
            if let Some(value) = base.get(name) {
                line.entry(name).or_insert_with(|| value.clone());
            }
        }
        let left = open - given(line, "Quantity").unwrap_or(open);
        line.entry("Quantity").or_insert_with(|| number(open));
        base.insert("RemainingOpenQuantity".into(), number(left.max(Decimal::ZERO)));
        if left <= Decimal::ZERO {
            base.insert("LineStatus".into(), json!("bost_Close"));
        }
        if rows.iter().all(|row| text(row, "LineStatus") == "bost_Close") {
            order.insert("DocumentStatus".into(), json!("bost_Close"));
        }
        order.insert("DocumentLines".into(), rows.into_iter().map(Value::Object).collect());
        work.store.tables.put("Orders", key, &order);
    }
    values.insert("DocumentLines".into(), lines.into_iter().map(Value::Object).collect());
    Ok(())
}
