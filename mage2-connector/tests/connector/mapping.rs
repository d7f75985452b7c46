//! Orders of every shape, ours and real ones.

use std::sync::Arc;

use datawald_core::engine::Source;
use datawald_core::model::{Intent, Order};
use datawald_frontend::{Frontend, OrdersSource, RawDoc};
use mage2_connector::Mage2Agency;
use mage2_connector::sandbox::{OrderSet, Sandbox, SandboxOptions, fixtures};
use rust_decimal::Decimal;
use serde_json::{Value, json};

use crate::common::*;

fn d(text: &str) -> Decimal {
    text.parse().unwrap()
}

/// A top-level amount of the document, read in another way than the agency does.
fn amount(tree: &Value, field: &str) -> Decimal {
    match &tree[field] {
        Value::Null => Decimal::ZERO,
        Value::String(text) => d(text),
        other => d(&other.to_string()),
    }
}

fn skus(order: &Order) -> Vec<(&str, String)> {
    order.items.iter().map(|item| (item.sku.as_str(), item.qty.normalize().to_string())).collect()
}

async fn map_and_validate(name: &str, text: &str) -> Order {
    let agency = offline();
    let order = map(text).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    agency.validate_order(&cx(), &order).await.unwrap_or_else(|error| panic!("{name}: {error:?}"));
    let tree: Value = serde_json::from_str(text).unwrap();
    assert_eq!(order.sub_total, amount(&tree, "subtotal"), "{name}");
    assert_eq!(order.grand_total, amount(&tree, "grand_total"), "{name}");
    assert_eq!(order.tax_amt, amount(&tree, "tax_amount"), "{name}");
    let lines: Decimal = order.items.iter().map(|item| item.sub_total).sum();
    assert_eq!(lines, order.sub_total, "{name}: lines make the subtotal");
    assert!(!order.discount_amt.is_sign_negative() || order.discount_amt.is_zero(), "{name}");
    assert_eq!(order.currency, tree["order_currency_code"].as_str().unwrap(), "{name}");
    order
}

#[tokio::test]
async fn real_orders_map_and_are_valid() {
    let Some(data) = data() else { return };
    let files = json_files(data.join("magento2/orders"));
    assert!(files.len() >= 18, "{} files", files.len());
    for (name, text) in &files {
        let order = map_and_validate(name, text).await;
        let source = offline().identify_order(&cx(), &RawDoc::new(text.as_str())).await.unwrap();
        assert_eq!(source.name, order.fe_order_id, "{name}");
        assert_eq!(source.updated_at, order.fe_order_update_date, "{name}");
        assert!(!order.addresses.billto.email.is_empty() && !order.addresses.shipto.country.is_empty(), "{name}");
    }
    let find = |name: &str| files.iter().find(|file| file.0.starts_with(name)).unwrap().1.clone();

    let order = map(&find("ns8-order-10")).await.unwrap();
    assert_eq!(skus(&order), [("WJ12-L-Purple", "1".to_owned())], "the child without parent_item_id is no line");
    assert_eq!(order.total_qty, d("1"));

    let order = map(&find("oca-order-11")).await.unwrap();
    assert_eq!(order.items[0].sub_total, d("69"), "row_total is after the discount there");
    assert_eq!(order.discount_amt, d("58.6"));

    let order = map(&find("oca-order-10")).await.unwrap();
    assert_eq!(order.fe_order_id, "000000013-1");
    assert_eq!(skus(&order), [("MH09-XS-Blue", "1".to_owned()), ("RACER", "1".to_owned())]);

    let order = map(&find("mds-order")).await.unwrap();
    assert_eq!((order.shipment_carrier.as_str(), order.shipment_method.as_str()), ("fedex", "fedex_FEDEX_GROUND"));
    assert_ne!(order.addresses.billto.address, order.addresses.shipto.address);
    assert_eq!(order.addresses.billto.address.lines().count(), 2);

    let order = map(&find("divante")).await.unwrap();
    assert_eq!((order.fe_customer_id.as_deref(), order.addresses.billto.telephone.as_str()), (None, ""));
}

#[tokio::test]
async fn fixtures_map_and_are_valid() {
    let names: Vec<&str> = fixtures().map(|fixture| fixture.0).collect();
    assert!(names.len() >= 24, "{names:?}");
    for (name, text) in fixtures() {
        map_and_validate(name, text).await;
    }
}

/// Nothing is made of these, and nothing must stumble over them.
#[test]
fn fixtures_and_synthetic_orders_have_what_most_real_orders_have() {
    let synthetic = sandbox_orders(40);
    let trees = fixtures().map(|(_, text)| text.to_owned()).chain(synthetic);
    let (mut options, mut rules, mut off_freight) = (0, 0, 0);
    for tree in trees.map(|text| serde_json::from_str::<Value>(&text).unwrap()) {
        let rows = tree["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        // One stands for what extensions leave out.
        if tree.get("weight").is_some() {
            assert!(rows.iter().all(|row| row["weight"].is_number()), "{tree}");
            assert!(tree.get("shipping_discount_amount").is_some(), "{tree}");
        }
        options += rows.iter().filter(|row| row["product_option"]["extension_attributes"].is_object()).count();
        rules += usize::from(
            tree["applied_rule_ids"].is_string() && rows.iter().any(|row| row["applied_rule_ids"].is_string()),
        );
        off_freight += usize::from(!amount(&tree, "shipping_discount_amount").is_zero());
    }
    assert!(options >= 5 && rules >= 5 && off_freight >= 1, "{options} {rules} {off_freight}");
}

fn sandbox_orders(count: u64) -> Vec<String> {
    let options = SandboxOptions { orders: OrderSet::Synthetic(count), ..SandboxOptions::default() };
    let (sandbox, _) = Sandbox::in_process(options).unwrap();
    (1..=count).map(|id| sandbox.order(id).unwrap()).collect()
}

#[tokio::test]
async fn synthetic_orders_map_and_are_valid() {
    let sandbox = sandbox(OrderSet::Synthetic(400)).await;
    for id in 1..=400 {
        let text = sandbox.order(id).unwrap();
        assert!((2500..6500).contains(&text.len()), "{} bytes", text.len());
        map_and_validate(&format!("synthetic {id}"), &text).await;
    }
}

#[tokio::test]
async fn lines_are_what_is_sold() {
    let cases: &[(&str, &[(&str, &str)])] = &[
        ("simple-two-lines", &[("DW-MUG-01", "4"), ("DW-LAMP-02", "1")]),
        ("configurable-linked", &[("DW-HOODIE-M-Moss", "2")]),
        ("configurable-unlinked", &[("DW-HOODIE-M-Moss", "2")]),
        ("configurable-child-repeats-price", &[("DW-HOODIE-M-Moss", "2"), ("DW-DRESS-07", "1")]),
        ("bundle-priced-by-parts", &[("DW-LAMP-02", "1"), ("DW/TRAY 03", "1")]),
        ("bundle-of-fixed-price", &[("DW-SET-TEA", "2")]),
        ("virtual-service", &[("DW-WARRANTY-2Y", "1")]),
        ("street-as-text", &[("DW-ROPE-10", "2.5")]),
    ];
    for (name, lines) in cases {
        let order = map(&fixture(name)).await.unwrap();
        let wanted: Vec<_> = lines.iter().map(|(sku, qty)| (*sku, (*qty).to_owned())).collect();
        assert_eq!(skus(&order), wanted, "{name}");
        assert_eq!(order.total_qty, order.items.iter().map(|item| item.qty).sum::<Decimal>(), "{name}");
    }
}

#[tokio::test]
async fn a_free_line_behind_a_configurable_of_another_sku_stays() {
    let mut tree = tree("configurable-unlinked");
    tree["items"][1]["sku"] = json!("DW-FREE-SAMPLE");
    assert_eq!(map_tree(&tree).await.unwrap().items.len(), 2);
}

#[tokio::test]
async fn the_variants_sku_counts() {
    let mut tree = tree("configurable-linked");
    tree["items"][0]["sku"] = json!("DW-HOODIE");
    let order = map_tree(&tree).await.unwrap();
    assert_eq!(order.items[0].sku, "DW-HOODIE-M-Moss");
    assert_eq!(order.items[0].price, d("69"));
}

#[tokio::test]
async fn parents_are_found_by_parent_item_too() {
    let mut tree = tree("bundle-priced-by-parts");
    for at in [1, 2] {
        tree["items"][at].as_object_mut().unwrap().remove("parent_item_id");
    }
    assert_eq!(map_tree(&tree).await.unwrap().items.len(), 2);
}

#[tokio::test]
async fn header_fields() {
    let order = map(&fixture("simple-two-lines")).await.unwrap();
    assert_eq!(order.frontend, "mage2");
    assert_eq!(order.store_code, "Default Store View");
    assert_eq!(order.fe_store_id, "1");
    assert_eq!(order.fe_order_id, "000000101");
    assert_eq!(order.fe_order_status, "pending");
    assert_eq!(order.fe_order_date.unwrap().to_string(), "2026-01-05T08:07:13Z");
    assert_eq!(order.fe_customer_id.as_deref(), Some("51"));
    assert_eq!((order.fe_customer_group.as_str(), order.payment_method.as_str()), ("1", "checkmo"));
    assert_eq!((order.sub_total, order.shipping_amt, order.tax_amt), (d("98"), d("5"), d("8.09")));
    assert_eq!(order.items[0].tax_percent, Some(d("8.25")));
    let shipto = &order.addresses.shipto;
    assert_eq!((shipto.region.as_str(), shipto.country.as_str(), shipto.postcode.as_str()), ("MI", "US", "49628-0101"));
}

#[tokio::test]
async fn oddities() {
    let order = map(&fixture("virtual-service")).await.unwrap();
    assert_eq!(order.addresses.shipto, order.addresses.billto);
    assert_eq!(order.shipment_method, "");

    let order = map(&fixture("downloadable-guest")).await.unwrap();
    assert_eq!((order.fe_customer_id, order.fe_customer_group.as_str()), (None, "0"));

    let order = map(&fixture("euro-with-dollar-base")).await.unwrap();
    assert_eq!((order.currency.as_str(), order.sub_total, order.store_code.as_str()), ("EUR", d("121"), "German"));

    let order = map(&fixture("numbers-as-text")).await.unwrap();
    assert_eq!((order.sub_total, order.items[0].qty), (d("73.5"), d("3")));
    assert_eq!(order.giftcard_amt, Decimal::ZERO);

    let order = map(&fixture("absent-keys")).await.unwrap();
    assert_eq!((order.discount_amt, order.tax_amt, order.items[0].original_price), (d("0"), d("0"), d("12.5")));

    let order = map(&fixture("non-latin-names")).await.unwrap();
    assert_eq!((order.addresses.billto.lastname.as_str(), order.addresses.billto.region.as_str()), ("試験", "東京都"));

    let order = map(&fixture("two-street-lines")).await.unwrap();
    assert_eq!(order.addresses.shipto.address, "12 Placeholder Lane\nBack Entrance, 2nd Floor");
    assert_eq!(order.addresses.shipto.companyname, "Sample & Sons");

    let order = map(&fixture("street-as-text")).await.unwrap();
    assert_eq!(order.addresses.shipto.address, "7 Example Avenue");

    let order = map(&fixture("null-telephone-and-region")).await.unwrap();
    assert_eq!((order.addresses.billto.region.as_str(), order.addresses.billto.telephone.as_str()), ("", ""));
    assert_eq!((order.fe_customer_id, order.coupon_code), (None, None));

    let order = map(&fixture("taxed-freight")).await.unwrap();
    assert_eq!((order.shipping_amt, order.shipping_tax_amt, order.tax_amt), (d("20"), d("1.65"), d("9.57")));

    let order = map(&fixture("gift-card")).await.unwrap();
    assert_eq!(order.giftcard_amt, d("25"));

    let order = map(&fixture("store-credit")).await.unwrap();
    assert_eq!(order.storecredit_amt, d("10"));

    let order = map(&fixture("discount-coupon")).await.unwrap();
    assert_eq!((order.coupon_code.as_deref(), order.discount_amt), (Some("SPRING10"), d("13.2")));
    assert_eq!(order.items[0].discount_amt, d("9.6"));

    // 14.80 is off, of which 1.00 off freight.
    let order = map(&fixture("discount-on-freight-too")).await.unwrap();
    assert_eq!((order.discount_amt, order.items[0].discount_amt), (d("13.8"), d("13.8")));
    assert_eq!((order.shipping_amt, order.shipping_discount_amt), (d("9"), d("1")));

    let mut tree = tree("gift-card");
    tree["extension_attributes"].as_object_mut().unwrap().remove("gift_cards_amount");
    tree["gift_cards_amount"] = json!("25.0000");
    assert_eq!(map_tree(&tree).await.unwrap().giftcard_amt, d("25"));
}

#[tokio::test]
async fn discounts_are_before_tax_where_prices_include_it() {
    // 123.00 with 23 % of tax in it, 10 % off: the customer pays 110.70, of which 20.70 is tax.
    let order = map(&fixture("tax-included-discount")).await.unwrap();
    assert_eq!((order.sub_total, order.discount_amt, order.tax_amt), (d("100"), d("10.0"), d("20.7")));
    assert_eq!(order.items[0].discount_amt, d("10.0"));
}

#[tokio::test]
async fn php_writes_empty_objects_as_lists() {
    let mut tree = tree("virtual-service");
    tree["extension_attributes"] = json!([]);
    let order = map_tree(&tree).await.unwrap();
    assert_eq!(order.addresses.shipto, order.addresses.billto);
}

#[tokio::test]
async fn statuses_decide() {
    let agency = offline();
    let mut order = map(&fixture("simple-two-lines")).await.unwrap();
    for (status, wanted) in [
        ("pending", Some(Intent::Apply)),
        ("processing", Some(Intent::Apply)),
        ("complete", Some(Intent::Apply)),
        ("canceled", Some(Intent::Cancel)),
        ("holded", None),
        ("payment_review", None),
        ("closed", None),
    ] {
        order.fe_order_status = status.to_owned();
        let intent = agency.decide_order(&cx(), &order).await.unwrap();
        match wanted {
            Some(wanted) => assert_eq!(intent, wanted, "{status}"),
            None => {
                let Intent::Ignore(reason) = intent else { panic!("{status}: {intent:?}") };
                assert!(reason.contains(status) && reason.contains("pending, processing, complete"), "{reason}");
            }
        }
    }
}

#[tokio::test]
async fn identity_is_found_in_what_cannot_be_mapped() {
    let agency = offline();
    let identify = |text: &str| {
        let raw = RawDoc::new(text);
        let agency = agency.clone();
        async move { agency.identify_order(&cx(), &raw).await }
    };
    let text = r#"{"entity_id":7,"increment_id":"9-1","items":5,"status":["x"],"updated_at":"2026-01-05 08:00:00"}"#;
    let source = identify(text).await.unwrap();
    assert_eq!((source.id.as_str(), source.name.as_str(), source.status.as_str()), ("7", "9-1", ""));
    assert_eq!(source.updated_at.unwrap().to_string(), "2026-01-05T08:00:00Z");
    for (text, name) in [
        (r#"{"increment_id":17,"entity_id":12}"#, "17"),
        (r#"{"increment_id":null,"entity_id":"12"}"#, ""),
        (r#"{"increment_id":{},"entity_id":12}"#, ""),
    ] {
        let source = identify(text).await.unwrap();
        assert_eq!((source.id.as_str(), source.name.as_str()), ("12", name));
    }
    for text in ["5", "[1]", "{}", "null", r#"{"entity_id":-1}"#, r#"{"increment_id":"17"}"#, "{"] {
        assert!(identify(text).await.is_err(), "{text}");
    }
}

#[tokio::test]
async fn a_price_without_row_total_is_only_repeated() {
    // A variant that repeats its parent's price and does not name it.
    let mut tree = tree("configurable-child-repeats-price");
    for link in ["parent_item_id", "parent_item"] {
        tree["items"][1].as_object_mut().unwrap().remove(link).unwrap();
    }
    let order = map_and_validate("repeated price", &tree.to_string()).await;
    assert_eq!(skus(&order), [("DW-HOODIE-M-Moss", "2".to_owned()), ("DW-DRESS-07", "1".to_owned())]);

    // Parts of a bundle of a fixed price.
    let mut tree = crate::common::tree("bundle-of-fixed-price");
    tree["items"][1]["price"] = json!(12.5);
    let order = map_and_validate("repeated price", &tree.to_string()).await;
    assert_eq!(skus(&order), [("DW-SET-TEA", "2".to_owned())]);
}

#[tokio::test]
async fn parts_of_a_bundle_count_though_they_are_free() {
    // A discount of 100 %, and row totals after it.
    let mut tree = tree("bundle-priced-by-parts");
    for at in [1, 2] {
        let item = &mut tree["items"][at];
        item["discount_amount"] = item["price"].clone();
        for zero in ["row_total", "row_total_incl_tax", "tax_amount"] {
            item[zero] = json!(0);
        }
    }
    tree["discount_amount"] = json!(-84);
    tree["tax_amount"] = json!(0);
    tree["grand_total"] = tree["shipping_amount"].clone();
    let order = map_and_validate("free bundle", &tree.to_string()).await;
    assert_eq!(order.items.len(), 2);
}

#[tokio::test]
async fn the_flow_stages_every_order_with_what_is_to_be_done() {
    let sandbox = sandbox(OrderSet::Fixtures).await;
    let mut broken = tree("guest");
    broken["entity_id"] = json!(900);
    broken["increment_id"] = json!("000000900");
    broken["items"][0]["qty_ordered"] = json!("two");
    sandbox.put_order(broken.to_string()).unwrap();
    let source = OrdersSource::new(Arc::new(Mage2Agency::with_client(client(&sandbox))));
    let (mut entities, mut query) = (Vec::new(), all(7));
    loop {
        let page = source.fetch(&cx(), &query).await.unwrap();
        entities.extend(page.entities);
        query.after = page.next;
        if query.after.is_none() {
            break;
        }
    }
    let ids = |wanted: fn(&Intent) -> bool| -> Vec<&str> {
        let chosen = entities.iter().filter(|entity| wanted(&entity.intent));
        let mut ids: Vec<&str> = chosen.map(|entity| entity.name.as_str()).collect();
        ids.sort_unstable();
        ids
    };
    assert_eq!(entities.len(), fixtures().count() + 1);
    assert_eq!(ids(|intent| matches!(intent, Intent::Cancel)), ["000000116", "000000122"]);
    assert_eq!(ids(|intent| matches!(intent, Intent::Ignore(_))), ["000000120", "000000121", "000000123"]);
    assert_eq!(ids(|intent| matches!(intent, Intent::Reject(_))), ["000000900"]);
    let rejected = entities.iter().find(|entity| entity.name == "000000900").unwrap();
    let reason = "items[0].qty_ordered: should be a number, or a number as text";
    assert_eq!(rejected.intent, Intent::Reject(reason.to_owned()));
    assert_eq!(rejected.source_updated_at, Some("2026-01-05T09:03:57Z".parse().unwrap()));
}
