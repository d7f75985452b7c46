//! Several stores in one Magento: their orders may have the same numbers, and not every connection takes all of them.

use std::sync::Arc;

use datawald_core::engine::Source;
use datawald_core::model::Intent;
use datawald_frontend::{Frontend, OrdersSource, RawDoc};
use mage2_connector::sandbox::{Faults, OrderSet, Sandbox};
use mage2_connector::{Mage2Agency, Mage2Client, Mage2Settings, OrderSettings};
use serde_json::{Value, json};

use crate::common::*;

/// Orders of the stores 1 and 2 in turn, each number twice, and one of a store that was deleted.
async fn two_stores() -> Sandbox {
    let order = |entity_id: u64| {
        let mut order = tree("simple-two-lines");
        order["entity_id"] = json!(entity_id);
        order["increment_id"] = json!(format!("{:09}", entity_id.div_ceil(2)));
        order["store_id"] = if entity_id == 13 { Value::Null } else { json!(2 - entity_id % 2) };
        order["updated_at"] = json!(format!("2026-01-31 10:00:{entity_id:02}"));
        (format!("order {entity_id}"), order.to_string())
    };
    sandbox(OrderSet::Files((1..=13).map(order).collect())).await
}

fn of(sandbox: &Sandbox, orders: OrderSettings) -> Mage2Settings {
    Mage2Settings { orders, ..settings(sandbox) }
}

fn stores(stores: &[&str]) -> OrderSettings {
    OrderSettings {
        stores: stores.iter().map(|store| (*store).to_owned()).collect(),
        store_codes: [("1".to_owned(), "us".to_owned()), ("2".to_owned(), "eu".to_owned())].into(),
        ..OrderSettings::default()
    }
}

/// The ids of all orders that a client is given, page by page.
async fn ids(settings: Mage2Settings, page_size: usize) -> Vec<u64> {
    let client = Mage2Client::new(settings).unwrap();
    let mut ids = Vec::new();
    let mut query = all(page_size);
    loop {
        let page = client.orders_page(&query).await.unwrap();
        ids.extend(page.docs.iter().map(|doc| {
            let order: Value = serde_json::from_str(doc.text()).unwrap();
            order["entity_id"].as_u64().unwrap()
        }));
        query.after = page.next;
        if query.after.is_none() {
            return ids;
        }
    }
}

#[tokio::test]
async fn orders_are_those_of_the_stores_that_are_named() {
    let sandbox = two_stores().await;
    for page_size in [2, 3, 100] {
        assert_eq!(ids(of(&sandbox, stores(&[])), page_size).await, (1..=13).collect::<Vec<_>>());
        for store in ["2", "eu"] {
            assert_eq!(ids(of(&sandbox, stores(&[store])), page_size).await, [2, 4, 6, 8, 10, 12], "{store}");
        }
        assert_eq!(ids(of(&sandbox, stores(&["2", "us"])), page_size).await, (1..=12).collect::<Vec<_>>());
        assert!(ids(of(&sandbox, stores(&["7"])), page_size).await.is_empty());
    }
    // Magento leaves the others out itself: they are not even sent.
    let before = sandbox.counters().orders_served;
    ids(of(&sandbox, stores(&["2"])), 100).await;
    assert_eq!(sandbox.counters().orders_served - before, 6);
}

#[tokio::test]
async fn orders_are_counted_without_being_read() {
    let sandbox = two_stores().await;
    let count = async |orders: OrderSettings, from: Option<&str>| {
        let agency = Mage2Agency::new(of(&sandbox, orders)).unwrap();
        let from = from.map(|from| from.parse().unwrap());
        OrdersSource::new(Arc::new(agency)).count(&cx(), from).await.unwrap()
    };
    assert_eq!(count(stores(&[]), None).await, Some(13));
    assert_eq!(count(stores(&["2"]), None).await, Some(6));
    // From the second on, inclusively, as a pull that begins there.
    assert_eq!(count(stores(&[]), Some("2026-01-31T10:00:05Z")).await, Some(9));
    assert_eq!(count(stores(&["eu"]), Some("2026-01-31T10:00:05.7Z")).await, Some(4));
    assert_eq!(count(stores(&[]), Some("2026-02-01T00:00:00Z")).await, Some(0));
    // The last has none to send.
    assert_eq!(sandbox.counters().orders_served, 4);
}

#[tokio::test]
async fn a_server_that_ignores_the_filter_hands_over_no_others() {
    let sandbox = two_stores().await;
    sandbox.set_faults(Faults { ignore_filter: true, ..Faults::default() });
    // Nor is the order of a deleted store lost without a word: it is there, and can be seen.
    assert_eq!(ids(of(&sandbox, stores(&["2"])), 100).await, [2, 4, 6, 8, 10, 12, 13]);
}

#[tokio::test]
async fn two_records_with_one_number_are_two_entities() {
    let sandbox = two_stores().await;
    let source = async |orders: OrderSettings| {
        let agency = Mage2Agency::new(of(&sandbox, orders)).unwrap();
        let page = OrdersSource::new(Arc::new(agency)).fetch(&cx(), &all(4)).await.unwrap();
        let named = |entity: &datawald_core::store::StageEntity| {
            assert_eq!(entity.intent, Intent::Apply, "{}", entity.id);
            let doc: Value = serde_json::from_str(&entity.doc).unwrap();
            assert_eq!(doc["fe_order_id"], entity.name.as_str());
            (entity.id.clone(), entity.name.clone())
        };
        page.entities.iter().map(named).collect::<Vec<_>>()
    };
    let pair = |id: &str, name: &str| (id.to_owned(), name.to_owned());
    let alike = [("1", "000000001"), ("2", "000000001"), ("3", "000000002"), ("4", "000000002")];
    assert_eq!(source(OrderSettings::default()).await, alike.map(|(id, name)| pair(id, name)));
    let prefixed = OrderSettings { number_prefix: [("2".into(), "EU-".into())].into(), ..OrderSettings::default() };
    let apart = [("1", "000000001"), ("2", "EU-000000001"), ("3", "000000002"), ("4", "EU-000000002")];
    assert_eq!(source(prefixed).await, apart.map(|(id, name)| pair(id, name)));
}

/// What cannot be mapped is called by the same number, and so are the errors.
#[tokio::test]
async fn an_order_that_cannot_be_mapped_bears_the_prefix_too() {
    let prefixed = OrderSettings { number_prefix: [("2".into(), "EU-".into())].into(), ..OrderSettings::default() };
    let settings = Mage2Settings { orders: prefixed, ..Mage2Settings::bearer("http://127.0.0.1:9", "t") };
    let agency = Mage2Agency::new(settings).unwrap();
    let mut order = tree("simple-two-lines");
    order["store_id"] = json!("2");
    order["increment_id"] = json!("000000001");
    order["items"] = json!(null);
    let raw = RawDoc::new(order.to_string());
    let source = agency.identify_order(&cx(), &raw).await.unwrap();
    assert_eq!(source.name, "EU-000000001");
    assert_eq!(Value::from(source.id.parse::<u64>().unwrap()), order["entity_id"]);
    let error = agency.map_order(&cx(), &raw).await.unwrap_err();
    assert!(error.to_string().contains("EU-000000001"), "{error}");
}

#[tokio::test]
async fn a_record_without_id_is_not_told_from_others() {
    for missing in [json!(null), json!(""), json!("x"), json!(-1), json!([])] {
        let mut order = tree("simple-two-lines");
        order["entity_id"] = missing;
        let error = offline().identify_order(&cx(), &RawDoc::new(order.to_string())).await.unwrap_err();
        assert_eq!(error.field_path(), Some("entity_id"), "{error}");
    }
}

#[test]
fn settings_of_stores_that_do_not_hold() {
    let settings = |orders: &str| {
        let text = format!(
            "base_url = 'https://a.example'\n[credentials]\nkind = 'bearer'\ntoken = 't'\n[orders]\nstore_codes = {{ '2' = 'eu' }}\n{orders}"
        );
        Mage2Settings::from_toml(&text)
    };
    settings("stores = ['1', 'eu']\nnumber_prefix = { '2' = 'EU-', '3' = 'X/' }").unwrap();
    for (orders, key, part) in [
        ("stores = ['1', 'us']", "orders.stores[1]", "store_codes"),
        ("stores = ['']", "orders.stores[0]", "store_codes"),
        ("stores = ['01']", "orders.stores[0]", "store_codes"),
        ("number_prefix = { eu = 'EU-' }", "orders.number_prefix.eu", "id"),
        ("number_prefix = { '2' = 'EU' }", "orders.number_prefix.2", "neither letter nor digit"),
        ("number_prefix = { '2' = '2' }", "orders.number_prefix.2", "neither letter nor digit"),
        ("number_prefix = { '2' = '' }", "orders.number_prefix.2", "visible"),
        ("number_prefix = { '2' = 'E -' }", "orders.number_prefix.2", "visible"),
        ("number_prefix = { '2' = 'EU-', '3' = 'EU-' }", "orders.number_prefix.2", "store 3"),
        ("number_prefix = { '2' = 'EU-X-', '3' = 'EU-' }", "orders.number_prefix.3", "store 2"),
    ] {
        let error = settings(orders).unwrap_err();
        assert_eq!(error.field_path(), Some(key), "{error}");
        assert!(error.to_string().contains(part), "{error}");
    }
    let error = settings("store_codes = { eu = '2' }").unwrap_err();
    assert_eq!(error.kind(), datawald_core::ErrorKind::Config);
}

#[test]
fn times_and_sizes_have_bounds() {
    for (line, key) in [
        ("page_size = 10001", "page_size"),
        ("timeout_secs = 0", "timeout_secs"),
        ("timeout_secs = 3601", "timeout_secs"),
        ("connect_timeout_secs = 0", "connect_timeout_secs"),
        ("admin_token_lifetime_secs = 0", "admin_token_lifetime_secs"),
        ("max_body = 5", "max_body"),
    ] {
        let text = format!("base_url = 'https://a.example'\n{line}\n[credentials]\nkind = 'bearer'\ntoken = 't'");
        assert_eq!(Mage2Settings::from_toml(&text).unwrap_err().field_path(), Some(key));
    }
}
