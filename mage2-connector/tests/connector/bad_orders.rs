//! Orders that cannot be mapped or are not valid: each error names the order and the field, and nothing of the customer.

use crate::common::*;
use datawald_core::{Disposition, Error, ErrorKind};
use datawald_frontend::Frontend;
use serde_json::{Value, json};

/// Sets a value by a JSON pointer.
fn with(pointer: &str, value: Value) -> Value {
    let mut tree = tree("simple-two-lines");
    *tree.pointer_mut(pointer).unwrap_or_else(|| panic!("{pointer}")) = value;
    tree
}

fn without(pointer: &str) -> Value {
    let mut tree = tree("simple-two-lines");
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    tree.pointer_mut(parent).unwrap().as_object_mut().unwrap().remove(name).unwrap();
    tree
}

async fn fails(tree: &Value) -> Error {
    let agency = offline();
    match map_tree(tree).await {
        Err(error) => error,
        Ok(order) => agency.validate_order(&cx(), &order).await.unwrap_err(),
    }
}

fn check(error: &Error, kind: ErrorKind, field: &str, part: &str) {
    assert_eq!(error.kind(), kind, "{error:?}");
    assert_eq!(error.disposition(), Disposition::Rejected, "{error:?}");
    assert_eq!(error.field_path(), Some(field), "{error:?}");
    assert!(error.to_string().contains(part), "{error:?}");
    assert!(error.to_string().contains("order "), "{error:?}");
    assert_no_personal_data(error);
}

#[tokio::test]
async fn missing_fields() {
    for (pointer, field) in [
        ("/increment_id", "increment_id"),
        ("/status", "status"),
        ("/items", "items"),
        ("/billing_address", "billing_address"),
        ("/order_currency_code", "order_currency_code"),
        ("/grand_total", "grand_total"),
        ("/subtotal", "subtotal"),
        ("/items/0/sku", "items[0].sku"),
        ("/items/1/qty_ordered", "items[1].qty_ordered"),
        ("/items/0/price", "items[0].price"),
    ] {
        check(&fails(&without(pointer)).await, ErrorKind::Mapping, field, "is missing");
        check(&fails(&with(pointer, Value::Null)).await, ErrorKind::Mapping, field, "is missing");
    }
}

#[tokio::test]
async fn wrong_types() {
    let shipping = "extension_attributes.shipping_assignments[0].shipping";
    for (pointer, value, field, part) in [
        ("/items/0/qty_ordered", json!("two"), "items[0].qty_ordered", "should be a number"),
        ("/items/0/price", json!({"a": 1}), "items[0].price", "should be a number"),
        ("/items/0/sku", json!(["x"]), "items[0].sku", "should be text"),
        ("/items", json!("none"), "items", "should be a sequence"),
        ("/items/1", json!("Nora Testwell"), "items[1]", "should be an object"),
        ("/items/1", json!(["Nora", "Testwell"]), "items[1]", "should be an object"),
        ("/grand_total", json!("a lot"), "grand_total", "should be a number"),
        ("/grand_total", json!(true), "grand_total", "should be a number"),
        ("/billing_address", json!("Nora Testwell, 11 Placeholder Lane"), "billing_address", "should be an object"),
        ("/billing_address/firstname", json!(["Nora"]), "billing_address.firstname", "should be text"),
        ("/billing_address/street", json!([["11 Placeholder Lane"]]), "billing_address.street[0]", "should be text"),
        ("/billing_address/street", json!({"0": "11 Placeholder Lane"}), "billing_address.street[0]", "should be text"),
        ("/created_at", json!("5 January"), "created_at", "YYYY-MM-DD HH:MM:SS"),
        ("/extension_attributes/shipping_assignments", json!("x"), "extension_attributes.shipping_assignments", ""),
        (
            "/extension_attributes/shipping_assignments/0/shipping/address/city",
            json!([5]),
            &format!("{shipping}.address.city"),
            "should be text",
        ),
    ] {
        let error = fails(&with(pointer, value)).await;
        check(&error, ErrorKind::Mapping, field, part);
    }
}

#[tokio::test]
async fn no_order_at_all() {
    for text in ["", "{", "[]", "[1,2]", "5", "null", "\"Nora Testwell\"", "<html>", "{\"increment_id\":\"1\",}"] {
        let error = map(text).await.unwrap_err();
        assert_eq!((error.kind(), error.disposition()), (ErrorKind::Mapping, Disposition::Rejected), "{text}");
        assert_no_personal_data(&error);
    }
}

#[tokio::test]
async fn invalid_values() {
    for (pointer, value, field, part) in [
        ("/items", json!([]), "items", "no lines"),
        ("/order_currency_code", json!("usd"), "order_currency_code", "ISO 4217"),
        ("/order_currency_code", json!("DOLLAR"), "order_currency_code", "ISO 4217"),
        ("/billing_address/firstname", json!("No\u{7}ra"), "billing_address.firstname", "U+0007"),
        ("/billing_address/firstname", json!("Nora\nTestwell"), "billing_address.firstname", "U+000A"),
        ("/billing_address/street", json!(["11 Placeholder\u{0} Lane"]), "billing_address.street", "U+0000"),
        ("/items/0/name", json!("Mug\u{1b}[31m"), "items[0].name", "U+001B"),
        ("/items/0/sku", json!("S".repeat(300)), "items[0].sku", "300 characters"),
        ("/items/0/qty_ordered", json!(0), "items[0].qty_ordered", "greater than 0"),
        ("/items/0/qty_ordered", json!("-1"), "items[0].qty_ordered", "greater than 0"),
        ("/grand_total", json!(111.11), "grand_total", "difference 0.02"),
        ("/subtotal", json!(90), "subtotal", "difference -8"),
    ] {
        check(&fails(&with(pointer, value)).await, ErrorKind::Invalid, field, part);
    }
}

#[tokio::test]
async fn limits_are_kept_to_the_edge() {
    let agency = offline();
    for (pointer, value) in [
        ("/items/0/sku", json!("S".repeat(64))),
        ("/grand_total", json!(111.10)),
        ("/billing_address/street", json!(["11\tPlaceholder Lane", "c/o\r\nProbst"])),
    ] {
        let order = map_tree(&with(pointer, value)).await.unwrap();
        agency.validate_order(&cx(), &order).await.unwrap_or_else(|error| panic!("{pointer}: {error:?}"));
    }
}
