//! Orders of the second Magento, with what orders of real shops have.

use serde_json::{Value, json};

/// The time of order `id`: three of four share a second with the one before.
pub fn time(id: u64) -> String {
    let second = id / 4;
    format!("2026-03-{:02} {:02}:{:02}:{:02}", 1 + second / 86_400, second / 3600 % 24, second / 60 % 60, second % 60)
}

/// Order `id`: a coupon, a configurable product with its variant, an address with everything.
pub fn order(id: u64) -> Value {
    let place = |kind: &str, number: u64| {
        json!({
            "address_type": kind, "city": "Wolfsburg", "company": null, "country_id": "DE", "email": format!("p{id}@example.com"),
            "entity_id": number, "firstname": "Pia", "lastname": "Muster", "parent_id": id, "postcode": "38440",
            "region": "Niedersachsen", "region_code": "NDS", "region_id": 79, "street": ["Am Kai 3", "2. OG"],
            "telephone": "05361 0000", "vat_id": null,
        })
    };
    let row = |item: u64, kind: &str, parent: Option<u64>| {
        let mut row = json!({
            "amount_refunded": 0, "applied_rule_ids": "7", "base_price": 40, "base_row_total": if parent.is_some() { 0 } else { 80 },
            "created_at": time(id), "discount_amount": if parent.is_some() { 0 } else { 8 }, "discount_percent": 10,
            "discount_tax_compensation_amount": 0, "free_shipping": 0, "is_qty_decimal": 0, "is_virtual": 0, "item_id": item,
            "name": "Reisetasche", "no_discount": 0, "order_id": id, "original_price": 40,
            "price": if parent.is_some() { 0 } else { 40 }, "product_id": 58, "product_type": kind, "qty_canceled": 0,
            "qty_invoiced": 0, "qty_ordered": 2, "qty_refunded": 0, "qty_shipped": 0, "quote_item_id": item,
            "row_total": if parent.is_some() { 0 } else { 80 }, "row_weight": 2.4, "sku": "24-TB01-M", "store_id": 1,
            "tax_amount": if parent.is_some() { "0.0000" } else { "13.6800" }, "tax_percent": 19, "updated_at": time(id),
            "weee_tax_applied": "[]", "weight": 1.2,
        });
        match parent {
            Some(parent) => row["parent_item_id"] = parent.into(),
            None => {
                let options = json!([{"option_id": "93", "option_value": 58}]);
                row["product_option"] = json!({"extension_attributes": {"configurable_item_options": options}});
            }
        }
        row
    };
    let items = json!([row(id * 10, "configurable", None), row(id * 10 + 1, "simple", Some(id * 10))]);
    json!({
        "applied_rule_ids": "7,12", "base_currency_code": "EUR", "base_grand_total": "90.6800", "billing_address_id": id * 2,
        "coupon_code": "ZEHN", "created_at": time(id), "customer_dob": "1980-01-01 00:00:00", "customer_email":
        format!("p{id}@example.com"), "customer_firstname": "Pia", "customer_gender": 0, "customer_group_id": 1, "customer_id": id,
        "customer_is_guest": 0, "customer_lastname": "Muster", "customer_note_notify": 1, "discount_amount": -8,
        "discount_description": "ZEHN", "discount_tax_compensation_amount": 0, "email_sent": 1, "entity_id": id, "grand_total": 90.68,
        "increment_id": format!("2{id:08}"), "is_virtual": 0, "order_currency_code": "EUR", "protect_code": "c0ffee",
        "quote_id": id, "remote_ip": "192.0.2.9", "shipping_amount": 5, "shipping_description": "DHL - Paket",
        "shipping_discount_amount": 0, "shipping_discount_tax_compensation_amount": 0, "shipping_incl_tax": 5,
        "shipping_tax_amount": 0, "state": "new", "status": if id.is_multiple_of(5) { "processing" } else { "pending" }, "store_id": 1,
        "store_name": "Website\nShop\nDeutsch", "subtotal": 80, "subtotal_incl_tax": 93.68, "tax_amount": "13.6800",
        "total_due": 90.68, "total_item_count": 1, "total_qty_ordered": 2, "updated_at": time(id), "weight": 2.4, "items": items,
        "billing_address": place("billing", id * 2), "payment": {"additional_information": ["PayPal"], "method": "paypal_express"},
        "status_histories": [], "extension_attributes": {"shipping_assignments": [{
            "shipping": {"address": place("shipping", id * 2 + 1), "method": "dhl_parcel", "total": {"shipping_amount": 5}},
            "items": items,
        }]},
    })
}
