use std::collections::BTreeSet;

use sapb1_connector::sandbox::service_layer::SandboxOptions;
use serde_json::json;

use crate::common::*;

#[tokio::test]
async fn a_customer_with_contact_persons() {
    let (sandbox, caller) = start(SandboxOptions { customers: Some(BTreeSet::new()), ..options() }).await;
    let partner = json!({
        "CardCode": "c1", "CardName": "Ann Lee", "CardType": "C", "EmailAddress": "ann@example.com",
        "ContactEmployees": [{ "Name": "Ann", "E_Mail": "ann@example.com" }],
        "BPAddresses": [{ "AddressName": "home", "AddressType": "bo_ShipTo", "City": "No:40/7" }],
    });
    let got = caller.post("BusinessPartners", partner.clone()).await;
    let made = got.json();
    assert_eq!((got.status, &made["CardType"], &made["GroupCode"]), (201, &json!("cCustomer"), &json!(100)));
    assert!(got.header("location").unwrap().ends_with("/b1s/v1/BusinessPartners('c1')"));
    let refused = caller.post("BusinessPartners", partner).await;
    assert_eq!(refused.refusal(), (400, -10));
    assert!(refused.json()["error"]["message"]["value"].as_str().unwrap().starts_with("1320000140 - "));
    assert_eq!(caller.post("BusinessPartners", json!({ "CardName": "x" })).await.refusal(), (400, -5002));

    let more = json!({ "ContactEmployees": [{ "Name": "Bob" }, { "InternalCode": 1, "Phone1": "555" }] });
    assert_eq!(caller.call("PATCH", "BusinessPartners('c1')", Some(more)).await.status, 204);
    let found = caller.get("BusinessPartners?$filter=EmailAddress eq 'ann@example.com'").await.json();
    let contacts = &found["value"][0]["ContactEmployees"];
    assert_eq!((&contacts[0]["InternalCode"], &contacts[0]["Phone1"]), (&json!(1), &json!("555")));
    assert_eq!((&contacts[1]["InternalCode"], &contacts[1]["CardCode"]), (&json!(2), &json!("c1")));

    let mut body = order("1");
    body["CardCode"] = json!("c1");
    body["ContactPersonCode"] = json!(2);
    let made = caller.post("Orders", body).await.json();
    assert_eq!((&made["CardName"], &made["ContactPersonCode"]), (&json!("Ann Lee"), &json!(2)));
    assert_eq!(sandbox.counters().partners, 1);
    assert_eq!(caller.call("DELETE", "BusinessPartners('c1')", None).await.status, 204);
    assert_eq!(caller.get("BusinessPartners('c1')").await.refusal(), (404, -2028));
}

#[tokio::test]
async fn where_any_customer_is_there_each_that_is_asked_for_is() {
    let (_sandbox, caller) = start(options()).await;
    assert_eq!(caller.get("BusinessPartners('c9')").await.json()["CardCode"], "c9");
    let contact = json!({ "ContactEmployees": [{ "Name": "Ann" }] });
    assert_eq!(caller.call("PATCH", "BusinessPartners('c8')", Some(contact)).await.status, 204);
    assert_eq!(caller.get("BusinessPartners('c8')").await.json()["ContactEmployees"][0]["Name"], "Ann");
}

#[tokio::test]
async fn items_and_codes_are_added() {
    let (_sandbox, caller) = start(options()).await;
    let prefer = [("prefer", "return-no-content")];
    let got = caller.call_with("POST", "Items", Some(json!({ "ItemCode": "i011" })), &prefer).await;
    assert_eq!((got.status, got.header("location")), (204, Some("/b1s/v1/Items('i011')")));
    assert_eq!(caller.post("Items", json!({ "ItemCode": "i011" })).await.refusal(), (400, -10));
    assert_eq!(caller.post("Items", json!({ "ItemName": "x" })).await.refusal(), (400, -5002));
    assert_eq!(caller.post("ShippingTypes", json!({ "Name": "DHL" })).await.json()["Code"], 4);
    assert_eq!(caller.post("Currencies", json!({ "Code": "EUR" })).await.refusal(), (400, -10));
    assert_eq!(caller.post("Drafts", order("1")).await.refusal(), (400, -5006));
}
