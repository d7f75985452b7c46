//! What the amounts of Magento's order become: freight and its discount, lines as Magento rounded them, and refusals that a
//! merchant can act on.

use datawald_core::model::Order;
use datawald_core::{Disposition, Error};
use datawald_frontend::{Frontend, RawDoc};
use mage2_connector::{Mage2Agency, Mage2Settings};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::common::*;

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// `simple-two-lines` with other values, at the top or of the first line.
fn with(order: &[(&str, Value)], first_line: &[(&str, Value)]) -> Value {
    let mut tree = tree("simple-two-lines");
    for (field, value) in order {
        tree[field] = value.clone();
    }
    for (field, value) in first_line {
        tree["items"][0][field] = value.clone();
    }
    tree
}

async fn valid(tree: &Value) -> Order {
    let order = map_tree(tree).await.unwrap();
    offline().validate_order(&cx(), &order).await.unwrap();
    order
}

async fn refused(tree: &Value) -> Error {
    let error = match map_tree(tree).await {
        Err(error) => error,
        Ok(order) => offline().validate_order(&cx(), &order).await.unwrap_err(),
    };
    assert_eq!(error.disposition(), Disposition::Rejected, "{error:?}");
    assert_no_personal_data(&error);
    error
}

#[tokio::test]
async fn freight_is_less_its_discount_and_the_goods_discount_is_the_rest() {
    // A tenth off everything: 9.80 off goods of 98.00, and 0.50 off freight of 5.00.
    let tree = with(
        &[
            ("discount_amount", json!(-10.3)),
            ("shipping_discount_amount", json!("0.5000")),
            ("grand_total", json!(100.79)),
        ],
        &[],
    );
    let order = valid(&tree).await;
    assert_eq!((order.sub_total, order.discount_amt, order.shipping_amt), (d("98"), d("9.8"), d("4.5")));
}

#[tokio::test]
async fn a_freight_discount_that_includes_tax_is_taken_without_it() {
    // Freight is 12.30, of which 2.30 is tax. A tenth off: 1.23, of which 0.23 would have been tax.
    let tree = with(
        &[
            ("shipping_amount", json!(10)),
            ("shipping_incl_tax", json!(12.3)),
            ("shipping_tax_amount", json!(2.07)),
            ("shipping_discount_amount", json!(1.23)),
            ("shipping_discount_tax_compensation_amount", json!(0.23)),
            ("discount_amount", json!(-1.23)),
            ("tax_amount", json!(10.16)),
            ("grand_total", json!(117.16)),
        ],
        &[],
    );
    let order = valid(&tree).await;
    assert_eq!((order.discount_amt, order.shipping_amt, order.shipping_tax_amt), (d("0"), d("9"), d("2.07")));
}

#[tokio::test]
async fn a_coupon_over_everything_leaves_nothing_to_pay() {
    let tree = with(
        &[
            ("discount_amount", json!(-103)),
            ("shipping_discount_amount", json!(5)),
            ("tax_amount", json!(0)),
            ("grand_total", json!(0)),
        ],
        &[],
    );
    let order = valid(&tree).await;
    assert_eq!((order.discount_amt, order.shipping_amt, order.grand_total), (d("98"), d("0"), d("0")));
}

#[tokio::test]
async fn more_off_freight_than_it_costs_is_refused() {
    let tree = with(&[("shipping_discount_amount", json!(6)), ("discount_amount", json!(-6))], &[]);
    let error = refused(&tree).await;
    assert_eq!(error.field_path(), Some("shipping_discount_amount"));
}

#[tokio::test]
async fn a_row_out_of_prices_that_include_tax_is_as_magento_rounded_it() {
    // Three at 9.99 with 23 % of tax in it: the row is 29.97 less tax of 5.60, and a piece 8.12.
    let tree = with(
        &[("subtotal", json!(72.37)), ("tax_amount", json!(9.56)), ("grand_total", json!(86.93))],
        &[
            ("price", json!(8.12)),
            ("qty_ordered", json!(3)),
            ("row_total", json!(24.37)),
            ("row_total_incl_tax", json!(29.97)),
            ("tax_amount", json!(5.6)),
            ("tax_percent", json!(23)),
        ],
    );
    let order = valid(&tree).await;
    assert_eq!(order.items[0].sub_total, d("24.37"));
    // A row total after its discount counts with it.
    let mut after = tree;
    after["items"][0]["discount_amount"] = json!(4.37);
    after["items"][0]["row_total"] = json!(20);
    assert_eq!(map_tree(&after).await.unwrap().items[0].sub_total, d("24.37"));
}

#[tokio::test]
async fn a_cent_of_tax_may_be_in_a_row_without_discount() {
    // A shop that rounds by order makes up for what the rows before have lost.
    let tree = with(
        &[("discount_tax_compensation_amount", json!(0.01)), ("tax_amount", json!(8.08))],
        &[("discount_tax_compensation_amount", json!(0.01)), ("tax_amount", json!(4.12))],
    );
    let order = valid(&tree).await;
    assert_eq!((order.items[0].discount_amt, order.discount_amt), (d("-0.01"), d("-0.01")));
}

#[tokio::test]
async fn three_decimals_stay() {
    let tree = with(
        &[("order_currency_code", json!("KWD")), ("subtotal", json!("54.0010")), ("grand_total", json!("67.0910"))],
        &[("price", json!("4.5010")), ("qty_ordered", json!(1)), ("row_total", json!("4.5010"))],
    );
    let mut tree = tree;
    tree["items"][1]["price"] = json!("49.5");
    tree["items"][1]["row_total"] = json!("49.5");
    let order = valid(&tree).await;
    assert_eq!((order.items[0].sub_total, order.grand_total), (d("4.501"), d("67.091")));
    // Nor where an extension leaves the total of a row out.
    let mut without = tree.clone();
    without["items"][0].as_object_mut().unwrap().remove("row_total");
    assert_eq!(valid(&without).await.items[0].sub_total, d("4.501"));
    // A hundredth of a dinar is ten of its smallest coins, and no rounding.
    tree["grand_total"] = json!("67.0810");
    assert_eq!(refused(&tree).await.field_path(), Some("grand_total"));
}

#[tokio::test]
async fn a_missing_status_names_the_state() {
    for status in [Value::Null, json!(""), json!(" ")] {
        let error = refused(&with(&[("status", status), ("state", json!("processing"))], &[])).await;
        assert_eq!(error.field_path(), Some("status"));
        let text = error.message();
        assert!(text.contains("is missing") && text.contains("the order's state is \"processing\""), "{text}");
        assert!(text.contains("give it a status in Magento"), "{text}");
    }
    let error = refused(&with(&[("status", Value::Null), ("state", Value::Null)], &[])).await;
    assert!(error.message().contains("has no state either"), "{error}");
}

#[tokio::test]
async fn a_total_that_differs_tells_what_was_paid_and_suggests_what_fits() {
    let paid = ("total_paid", json!("101.0900"));
    let below = refused(&with(&[("grand_total", json!(101.09)), paid.clone()], &[])).await;
    assert_eq!(below.field_path(), Some("grand_total"));
    let text = below.message();
    assert!(text.contains("difference -10.00") && text.contains("101.09 USD was paid"), "{text}");
    assert!(!text.contains("fee") && !text.contains("wrapping"), "{text}");
    assert!(text.contains("10.00 USD was taken off by something that is not among them"), "{text}");

    let above = refused(&with(&[("grand_total", json!(121.09))], &[])).await;
    let text = above.message();
    assert!(text.contains("difference 10.00") && text.contains("a fee"), "{text}");
    assert!(!text.contains("was paid"), "{text}");
}

#[tokio::test]
async fn what_was_paid_is_no_change_of_the_order() {
    let mut before = map_tree(&with(&[], &[])).await.unwrap();
    let mut after = map_tree(&with(&[("total_paid", json!(111.09))], &[])).await.unwrap();
    assert_eq!(after.paid_amt, Some(d("111.09")));
    let ((_, one), (text, other)) = (before.to_document().unwrap(), after.to_document().unwrap());
    assert_eq!(one, other);
    assert!(text.contains("\"paid_amt\":\"111.09\""), "{text}");
}

#[tokio::test]
async fn kinds_of_credit_are_told_apart() {
    let mut tree = with(&[("grand_total", json!(81.09))], &[]);
    tree["extension_attributes"]["gift_cards_amount"] = json!(10);
    tree["extension_attributes"]["customer_balance_amount"] = json!(12);
    tree["extension_attributes"]["reward_currency_amount"] = json!(8);
    let order = valid(&tree).await;
    assert_eq!((order.giftcard_amt, order.storecredit_amt, order.points_amt), (d("10"), d("12"), d("8")));
}

/// 0.40 of fixed product tax apiece on four mugs, taxed with 8.25 %.
fn with_fixed_tax(subtotal: &str) -> Value {
    let applied = json!([{
        "title": "Recycling", "amount": 0.4, "row_amount": 1.6, "amount_incl_tax": 0.43, "row_amount_incl_tax": 1.73,
        "base_amount": 0.4, "base_row_amount": 1.6
    }]);
    with(
        &[("subtotal", json!(subtotal)), ("tax_amount", json!(8.22)), ("grand_total", json!(112.82))],
        &[
            ("weee_tax_applied_amount", json!(0.4)),
            ("weee_tax_applied_row_amount", json!(1.6)),
            ("weee_tax_applied", json!(applied.to_string())),
        ],
    )
}

#[tokio::test]
async fn fixed_product_tax_is_named() {
    for subtotal in ["98", "99.60"] {
        let error = refused(&with_fixed_tax(subtotal)).await;
        assert_eq!(error.field_path(), Some("items[0].weee_tax_applied_row_amount"));
        assert!(error.message().contains("orders.fixed_tax_sku"), "{error}");
    }
}

#[tokio::test]
async fn fixed_product_tax_is_a_line_of_its_own() {
    let mut settings = Mage2Settings::bearer("http://127.0.0.1:9", "t");
    settings.orders.fixed_tax_sku = Some("FPT".into());
    let agency = Mage2Agency::new(settings).unwrap();
    for subtotal in ["98", "99.60"] {
        let raw = RawDoc::new(with_fixed_tax(subtotal).to_string());
        let order = agency.map_order(&cx(), &raw).await.unwrap();
        agency.validate_order(&cx(), &order).await.unwrap();
        assert_eq!((order.sub_total, order.total_qty), (d("99.60"), d("5")));
        let [.., fixed] = &*order.items else { panic!("no lines") };
        assert_eq!((fixed.sku.as_str(), fixed.qty, fixed.price, fixed.sub_total), ("FPT", d("4"), d("0.4"), d("1.6")));
        assert_eq!((fixed.tax_amt, fixed.tax_percent), (d("0.13"), Some(d("8.25"))));
    }
    // A configurable has them in its variant's row.
    let mut tree = tree("configurable-linked");
    tree["items"][1]["weee_tax_applied_row_amount"] = json!(3);
    let added = |field: &str| json!((d(&tree[field].to_string()) + d("3")).to_string());
    let total = added("grand_total");
    tree["grand_total"] = total;
    let order = agency.map_order(&cx(), &RawDoc::new(tree.to_string())).await.unwrap();
    agency.validate_order(&cx(), &order).await.unwrap();
    assert_eq!((order.items.len(), order.items[1].qty, order.items[1].sub_total), (2, order.items[0].qty, d("3")));
    tree["items"][0]["weee_tax_applied_row_amount"] = json!(3);
    assert_eq!(agency.map_order(&cx(), &RawDoc::new(tree.to_string())).await.unwrap().items.len(), 2);
}
