//! The order as Magento's REST API gives it, with four decimals as its database has them.

use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::cart::{Case, Kind};
use crate::magento::{RowTotals, rates};
use crate::shop::{FixedTax, round};

/// As a number, as PHP prints it.
fn n(amount: Decimal) -> Value {
    let number = round(amount, 4).normalize();
    let number = if number.is_zero() { Decimal::ZERO } else { number };
    Value::Number(number.to_string().parse().unwrap())
}

pub(crate) fn order(case: &Case) -> String {
    let totals = &case.totals;
    let mut items = Vec::new();
    let mut parent = Value::Null;
    for (at, row) in case.rows.iter().enumerate() {
        let id = case.number * 100 + 10 * at as u64;
        let (kind, variant) = match row.kind {
            Kind::Simple | Kind::Part => ("simple", false),
            Kind::Configurable => ("configurable", true),
            Kind::FixedBundle => ("bundle", true),
            Kind::DynamicBundle(_) => ("bundle", false),
        };
        let of = &totals.rows[at];
        let mut item = item(case, id, kind, row.qty, of);
        let percent: Decimal = rates(row.rates).iter().sum();
        item["tax_percent"] = n(percent);
        match row.kind {
            Kind::DynamicBundle(_) => parent = json!(id),
            Kind::Part => item["parent_item_id"] = parent.clone(),
            _ => {}
        }
        // Of what has a variant, that has the fixed product tax.
        if !variant {
            fixed_tax(case, &mut item, of);
            items.push(item);
            continue;
        }
        items.push(item);
        let mut child = self::item(case, id + 1, "simple", row.qty, &RowTotals::default());
        child["parent_item_id"] = json!(id);
        if row.kind == Kind::Configurable {
            child["sku"] = items[items.len() - 1]["sku"].clone();
        }
        fixed_tax(case, &mut child, of);
        items.push(child);
    }
    let extension = json!({
        "shipping_assignments": [{ "shipping": { "address": address(), "method": "flatrate_flatrate" }, "items": [] }],
        "gift_cards_amount": n(case.other.gift_card),
        "customer_balance_amount": n(case.other.store_credit),
        "reward_currency_amount": n(case.other.points),
    });
    let mut order = json!({
        "entity_id": case.number, "increment_id": case.id(), "status": "processing", "state": "processing",
        "created_at": "2026-01-05 08:07:13", "updated_at": "2026-01-05 08:07:13",
        "store_id": 1, "store_name": "Main Website\nMain Website Store\nDefault Store View",
        "customer_email": "customer@example.com", "customer_group_id": 1, "customer_is_guest": 1,
        "base_currency_code": "CHF", "order_currency_code": case.shop.currency,
        "subtotal": n(totals.subtotal), "discount_amount": n(-totals.discount),
        "discount_tax_compensation_amount": n(totals.compensation),
        "shipping_amount": n(totals.shipping), "shipping_incl_tax": n(totals.shipping_incl_tax),
        "shipping_tax_amount": n(totals.shipping_tax), "shipping_discount_amount": n(totals.shipping_discount),
        "shipping_discount_tax_compensation_amount": n(totals.shipping_compensation),
        "tax_amount": n(totals.tax), "grand_total": n(totals.grand_total), "total_due": n(totals.grand_total),
        "base_grand_total": n(totals.grand_total * Decimal::TWO), "base_subtotal": n(totals.subtotal * Decimal::TWO),
        "items": items, "billing_address": address(), "payment": { "method": "checkmo" },
        "extension_attributes": extension,
    });
    if case.refunded {
        // Half of it went back.
        let back = n(totals.grand_total / Decimal::TWO);
        for (field, value) in [("total_paid", n(totals.grand_total)), ("total_refunded", back.clone())] {
            order[field] = value;
        }
        order["shipping_refunded"] = n(totals.shipping / Decimal::TWO);
        order["tax_refunded"] = n(totals.tax / Decimal::TWO);
        order["items"][0]["qty_refunded"] = json!(1);
        order["items"][0]["amount_refunded"] = back;
    }
    order.to_string()
}

fn item(case: &Case, id: u64, kind: &str, qty: Decimal, of: &RowTotals) -> Value {
    json!({
        "item_id": id, "order_id": case.number, "product_type": kind, "sku": format!("SKU-{}-{id}", case.number),
        "name": "Something", "qty_ordered": n(qty), "is_qty_decimal": u8::from(!qty.fract().is_zero()),
        "price": n(of.price), "price_incl_tax": n(of.price_incl_tax), "original_price": n(of.price_incl_tax),
        "row_total": n(of.row_total), "row_total_incl_tax": n(of.row_total_incl_tax),
        "discount_amount": n(of.discount), "discount_tax_compensation_amount": n(of.compensation),
        "tax_amount": n(of.tax), "tax_percent": 0, "qty_refunded": 0, "amount_refunded": 0,
    })
}

fn fixed_tax(case: &Case, item: &mut Value, of: &RowTotals) {
    if case.shop.fixed_tax == FixedTax::None || of.fixed.is_zero() {
        return;
    }
    let applied = json!([{
        "title": "FPT", "row_amount": n(of.fixed), "row_amount_incl_tax": n(of.fixed_incl_tax),
        "base_row_amount": n(of.fixed * Decimal::TWO), "base_row_amount_incl_tax": n(of.fixed_incl_tax * Decimal::TWO),
    }]);
    item["weee_tax_applied_row_amount"] = n(of.fixed);
    item["weee_tax_applied"] = json!(applied.to_string());
}

fn address() -> Value {
    json!({
        "firstname": "Nora", "lastname": "Testwell", "email": "nora@example.com", "street": ["11 Placeholder Lane"],
        "city": "Calder", "region": "Michigan", "region_code": "MI", "postcode": "49628", "country_id": "US",
        "telephone": "(555) 0101",
    })
}
