//! The example bodies that come with the service, against the sandbox. They are read where they lie.

use std::path::PathBuf;
use std::sync::Arc;

use datawald_core::{Clock, ManualClock};
use sapb1_connector::sandbox::restful::{Sandbox, SandboxOptions};
use serde_json::{Value, json};

use super::*;
use crate::common::money;

/// The text of an example, or nothing (and a word about it) where the data are absent.
fn example(name: &str) -> Option<String> {
    let root = std::env::var_os("DATAWALD_DATA")
        .map(PathBuf::from)
        .unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/data"));
    let path = root.join("sapb1-restful").join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(_) => {
            eprintln!("{} is absent: set DATAWALD_DATA to the folder of reference data", path.display());
            None
        }
    }
}

fn json_of(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

async fn sandbox_at(unix: &str, change: impl FnOnce(&mut SandboxOptions)) -> Sandbox {
    let clock = ManualClock::at(unix.parse().unwrap());
    let mut options = SandboxOptions { clock: Arc::new(clock) as Arc<dyn Clock>, ..SandboxOptions::default() };
    change(&mut options);
    Sandbox::start(options).await.unwrap()
}

#[tokio::test]
async fn login() {
    let (Some(request), Some(response)) = (example("auth-request.json"), example("auth-response.json")) else { return };
    let sandbox = sandbox().await;
    let (status, answer) = Raw::new(&sandbox).call("POST", "auth", Some(&request)).await;
    assert_eq!(status, 200);
    assert_eq!(answer.as_object().unwrap().len(), json_of(&response).as_object().unwrap().len());
    assert!(answer["access_token"].is_string());
}

#[tokio::test]
async fn info_and_codes() {
    let (Some(info), Some(codes)) = (example("info-response.json"), example("code-expnsname-response.json")) else {
        return;
    };
    let sandbox = sandbox().await;
    let raw = Raw::logged_in(&sandbox).await;
    assert_eq!(raw.call("GET", "v1/info", None).await, (201, json_of(&info)));
    assert_eq!(raw.call("GET", "v1/code?type=ExpnsName", None).await, (201, json_of(&codes)));
    assert_eq!(raw.call("GET", "v1/code", None).await, (201, json!([])));
    assert_eq!(raw.call("GET", "v1/code?type=x", None).await, (201, json!([])));
}

#[tokio::test]
async fn order_insert() {
    let (Some(request), Some(response)) =
        (example("orders-insert-request.json"), example("orders-insert-response.json"))
    else {
        return;
    };
    let sandbox = sandbox().await;
    let raw = Raw::logged_in(&sandbox).await;
    assert_eq!(raw.call("POST", "v1/orders/insert", Some(&request)).await, (201, json_of(&response)));
    // 120 at 8.25 % and untaxed freight of 2
    assert_eq!(sandbox.document("00000002").unwrap().total, money("131.90"));
}

#[tokio::test]
async fn order_cancel() {
    let (Some(request), Some(response), Some(order)) = (
        example("orders-cancel-request.json"),
        example("orders-cancel-response.json"),
        example("orders-insert-request.json"),
    ) else {
        return;
    };
    let sandbox = sandbox_at("2016-10-11T06:00:00Z", |options| options.first_doc_entry = 540).await;
    let raw = Raw::logged_in(&sandbox).await;
    let (status, answer) = raw.call("POST", "v1/orders/cancel", Some(&request)).await;
    assert_eq!((status, &answer[0]["tx_status"], answer[0].get("bo_order_id")), (201, &json!("F"), None));
    assert!(answer[0]["tx_note"].as_str().unwrap().trim_end().ends_with("Order 000000011 is not found."));
    let mut order = json_of(&order);
    order[0]["fe_order_id"] = "000000011".into();
    raw.call("POST", "v1/orders/insert", Some(&order.to_string())).await;
    assert_eq!(raw.call("POST", "v1/orders/cancel", Some(&request)).await, (201, json_of(&response)));
}

#[tokio::test]
async fn order_fetch() {
    let (Some(request), Some(response), Some(order)) = (
        example("orders-fetch-request.json"),
        example("orders-fetch-response.json"),
        example("orders-insert-request.json"),
    ) else {
        return;
    };
    let sandbox = sandbox_at("2016-06-20T06:00:00Z", |options| options.first_doc_entry = 491).await;
    let raw = Raw::logged_in(&sandbox).await;
    let mut order = json_of(&order);
    for (key, value) in [
        ("billto_firstname", "Werner"),
        ("billto_lastname", "Richter"),
        ("billto_address", "3921 W Collins St"),
        ("billto_city", "Tampa"),
        ("billto_state", "FL"),
        ("billto_zipcode", "33607"),
        ("billto_country", "USA"),
        ("shipto_address", "3921 W Collins St"),
        ("shipto_city", "3921 W Collins St"),
        ("shipto_state", "FL"),
        ("shipto_zipcode", "33607"),
        ("shipto_country", "USA"),
    ] {
        order[0][key] = value.into();
    }
    raw.call("POST", "v1/orders/insert", Some(&order.to_string())).await;
    assert_eq!(raw.call("PUT", "v1/orders/fetch", Some(&request)).await, (201, json_of(&response)));
}

#[tokio::test]
async fn contacts() {
    let (Some(fetch), Some(fetched), Some(object), Some(list), Some(inserted), Some(order)) = (
        example("contacts-fetch-request.json"),
        example("contacts-fetch-response.json"),
        example("contacts-insert-request-object.json"),
        example("contacts-insert-request.json"),
        example("contacts-insert-response.json"),
        example("orders-insert-request.json"),
    ) else {
        return;
    };
    let sandbox = sandbox_at("2016-10-11T06:08:10.01Z", |_| {}).await;
    let raw = Raw::logged_in(&sandbox).await;
    raw.call("POST", "v1/orders/insert", Some(&order)).await;
    assert_eq!(raw.call("PUT", "v1/contacts/fetch", Some(&fetch)).await, (201, json_of(&fetched)));
    raw.call("POST", "v1/orders/insert", Some(&order)).await;
    assert_eq!(sandbox.counters().contacts, 1, "the person is known by now");

    let mut expected = json_of(&inserted);
    expected[0]["contact_code"] = "61".into();
    assert_eq!(raw.call("POST", "v1/contacts/insert", Some(&object)).await, (201, expected));
    assert_eq!(raw.call("POST", "v1/contacts/insert", Some(&list)).await.0, 501, "as the README has it, it fails");
}

#[tokio::test]
async fn shipments() {
    let (Some(request), Some(response)) =
        (example("shipments-fetch-request.json"), example("shipments-fetch-response.json"))
    else {
        return;
    };
    let row = |number: &str, date: &str, items: Value| {
        let row = json!({
            "DocEntry": number, "DocDate": date, "DocDueDate": "2015-07-20 00:00:00", "CardName": "Maxi-Teq",
            "items": items,
        });
        row.as_object().unwrap().clone()
    };
    let item = |price: &str| json!({ "BaseDocNum": "452", "Price": price, "ShipDate": "2015-06-19 00:00:00", "ItemCode": "A00001" });
    let shipments = vec![
        row("100", "2014-12-31 00:00:00", json!([])),
        row("364", "2015-06-20 00:00:00", json!([item("140.000000"), item("0.000000")])),
    ];
    let sandbox = sandbox_at("2016-10-11T06:00:00Z", |options| options.shipments = shipments).await;
    let raw = Raw::logged_in(&sandbox).await;
    assert_eq!(raw.call("PUT", "v1/shipments/fetch", Some(&request)).await, (201, json_of(&response)));
}

#[tokio::test]
async fn errors() {
    let Some(errors) = example("errors.json") else { return };
    let errors = json_of(&errors);
    let sandbox = sandbox().await;
    let anonymous = Raw::new(&sandbox);
    assert_eq!(anonymous.call("GET", "v1/info", None).await, (401, errors["401 no token"].clone()));
    let wrong = Some(r#"{"username":"user1","password":"no"}"#);
    assert_eq!(anonymous.call("POST", "auth", wrong).await, (401, errors["401 bad credentials"].clone()));
    let bearer = Raw::new(&sandbox).with_token("Bearer x");
    assert_eq!(bearer.call("GET", "v1/info", None).await, (401, errors["401 wrong scheme"].clone()));
    let expired = Raw::new(&sandbox).with_token("jwt x");
    assert_eq!(expired.call("GET", "v1/info", None).await, (401, errors["401 expired or bad token"].clone()));
    assert_eq!(anonymous.call("GET", "v1/nothing", None).await, (404, errors["404"].clone()));
    assert_eq!(anonymous.call("DELETE", "v1/info", None).await, (405, errors["405"].clone()));
}
