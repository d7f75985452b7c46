//! What the sandbox takes and refuses, as the service does.

use serde_json::{Value, json};

use super::*;
use crate::common::money;

fn wire_order(id: &str) -> Value {
    let mut order = json!({
        "fe_order_id": id, "doc_due_date": "2026-02-07", "card_code": "C20000", "expenses_freightname": "Freight",
        "expenses_linetotal": "2", "expenses_taxcode": "EX", "transport_name": "Fedex ON", "payment_method": "Check",
        "discount_percent": "10",
        "items": [{ "itemcode": "A", "quantity": "10", "price": "12", "taxcode": "CA", "linetotal": "120" }],
    });
    for key in [
        "billto_firstname",
        "billto_lastname",
        "billto_email",
        "billto_companyname",
        "billto_city",
        "billto_country",
        "billto_county",
        "billto_state",
        "billto_address",
        "billto_zipcode",
        "billto_telephone",
        "shipto_firstname",
        "shipto_lastname",
        "shipto_companyname",
        "shipto_city",
        "shipto_country",
        "shipto_county",
        "shipto_state",
        "shipto_address",
        "shipto_zipcode",
        "shipto_telephone",
    ] {
        order[key] = key.into();
    }
    order
}

async fn insert_one(raw: &Raw, order: &Value) -> Value {
    let (status, mut answer) = raw.call("POST", "v1/orders/insert", Some(&json!([order]).to_string())).await;
    assert_eq!(status, 201);
    answer[0].take()
}

#[tokio::test]
async fn required_keys_and_optional_ones() {
    let sandbox = sandbox().await;
    let raw = Raw::logged_in(&sandbox).await;
    let optional = [
        "transport_name",
        "payment_method",
        "discount_percent",
        "expenses_freightname",
        "billto_companyname",
        "billto_county",
        "shipto_firstname",
        "shipto_lastname",
        "shipto_companyname",
        "shipto_telephone",
    ];
    let whole = wire_order("1");
    let mut made = 0;
    for key in whole.as_object().unwrap().keys() {
        let mut order = whole.clone();
        // A new person each time, since a known one needs no address.
        order["billto_email"] = format!("{key}@example.com").into();
        order.as_object_mut().unwrap().remove(key);
        let answer = insert_one(&raw, &order).await;
        if optional.contains(&key.as_str()) {
            assert_eq!(answer["tx_status"], "S", "{key}: {answer}");
            made += 1;
        } else {
            assert_eq!((&answer["tx_status"], &answer["bo_order_id"]), (&json!("F"), &json!("####")), "{key}");
            let note = answer["tx_note"].as_str().unwrap();
            assert!(note.trim_end().ends_with(&format!("KeyError: '{key}'")), "{note}");
        }
    }
    for key in whole["items"][0].as_object().unwrap().keys() {
        let mut order = whole.clone();
        order["items"][0].as_object_mut().unwrap().remove(key);
        let answer = insert_one(&raw, &order).await;
        assert!(answer["tx_note"].as_str().unwrap().contains(&format!("KeyError: '{key}'")));
    }
    assert_eq!(sandbox.counters().documents, made);
}

#[tokio::test]
async fn texts_are_cut_in_the_answer() {
    let sandbox = sandbox().await;
    let raw = Raw::logged_in(&sandbox).await;
    let mut order = wire_order("1");
    order["billto_telephone"] = "123456789012345678901".into();
    order["billto_address"] = "ä".repeat(101).into();
    order["shipto_address"] = "x".repeat(100).into();
    order["unknown"] = json!({ "kept": [1, 2.50, null] });
    let answer = insert_one(&raw, &order).await;
    assert_eq!(answer["billto_telephone"], "1234567890123456789");
    assert_eq!(answer["billto_address"], "ä".repeat(99));
    assert_eq!(answer["shipto_address"], "x".repeat(100));
    assert_eq!(answer["unknown"], order["unknown"]);
}

#[tokio::test]
async fn the_county_slip_and_the_main_currency() {
    let sandbox = sandbox().await;
    let raw = Raw::logged_in(&sandbox).await;
    let mut order = wire_order("1");
    order["doc_currency"] = "EUR".into();
    insert_one(&raw, &order).await;
    let body = json!({
        "columns": ["billtocounty", "ShipToCounty", "DocCur", "DocTotal", "CANCELED", "U_WebOrder"],
        "params": { "NumAtCard": { "value": "1" } },
    });
    let (_, rows) = raw.call("PUT", "v1/orders/fetch", Some(&body.to_string())).await;
    let expected = json!([{
        "billtocounty": "billto_country", "ShipToCounty": "shipto_county", "DocCur": "USD",
        // 120 less 10 %, 8.25 % on the rest, and freight of 2
        "DocTotal": "118.910000", "CANCELED": "N", "U_WebOrder": "",
    }]);
    assert_eq!(rows, expected);
}

#[tokio::test]
async fn what_sap_b1_would_refuse() {
    let sandbox = sandbox().await;
    let raw = Raw::logged_in(&sandbox).await;
    let cases: [(&str, Value, &str); 12] = [
        ("expenses_freightname", json!("Zeppelin"), "TypeError: 'NoneType'"),
        ("transport_name", json!("Zeppelin"), "TypeError: 'NoneType'"),
        ("payment_method", json!("Shells"), "Enter valid payment method"),
        ("doc_due_date", json!("tomorrow"), "com_error"),
        ("discount_percent", json!("much"), "com_error"),
        ("discount_percent", json!("101"), "Invalid discount"),
        ("fe_order_id_udf", json!("U_NotThere"), "Invalid field name"),
        ("fe_order_id", json!("Ä1"), "UnicodeEncodeError"),
        ("fe_order_id", json!("1".repeat(101)), "Value too long"),
        ("billto_telephone", json!(5), "TypeError"),
        ("items", json!([]), "without rows"),
        ("items", json!("A"), "TypeError"),
    ];
    for (key, value, words) in cases {
        let mut order = wire_order("1");
        order[key] = value;
        let answer = insert_one(&raw, &order).await;
        assert!(answer["tx_note"].as_str().unwrap().contains(words), "{key}: {answer}");
    }
    for (key, value, words) in [
        ("itemcode", "S".repeat(51), "RDR1.ItemCode"),
        ("quantity", "0".into(), "RDR1.Quantity"),
        ("quantity", "many".into(), "ValueError"),
        ("price", "1,5".into(), "InvalidOperation"),
        ("taxcode", "NONE".into(), "Invalid tax code"),
        ("linetotal", "99999999999999".into(), "com_error"),
    ] {
        let mut order = wire_order("1");
        order["items"][0][key] = value.into();
        let answer = insert_one(&raw, &order).await;
        assert!(answer["tx_note"].as_str().unwrap().contains(words), "{key}: {answer}");
    }
    assert_eq!(sandbox.counters().documents, 0);
}

#[tokio::test]
async fn calls_that_fail_as_a_whole() {
    let sandbox = sandbox().await;
    let raw = Raw::logged_in(&sandbox).await;
    for (method, path, body, words) in [
        ("PUT", "v1/orders/xyz", "{}", "No such function(xyz)!!!"),
        ("POST", "v1/orders/fetch", "[]", "No such function(fetch)!!!"),
        ("POST", "v1/orders/insert", "{}", "TypeError"),
        ("POST", "v1/orders/insert", "[1]", "TypeError"),
        ("POST", "v1/orders/insert", "[{", "BadRequest"),
        ("PUT", "v1/orders/fetch", r#"{"columns":["DocEntry"]}"#, "KeyError: 'params'"),
        ("PUT", "v1/orders/fetch", r#"{"columns":["Nope"],"params":{}}"#, "Invalid column name 'Nope'"),
        ("PUT", "v1/orders/fetch", r#"{"params":{"DocEntry":{"op":"=="," value":"1"}}}"#, "ProgrammingError"),
        ("PUT", "v1/orders/fetch", r#"{"params":{"DocEntry":{"op":"="}}}"#, "KeyError: 'value'"),
        ("PUT", "v1/orders/fetch", r#"{"params":{"NumAtCard":{"op":"in","value":[]}}}"#, "ProgrammingError"),
        ("PUT", "v1/orders/fetch", r#"{"params":{"NumAtCard":{"op":"=","value":["1","2"]}}}"#, "ProgrammingError"),
        ("PUT", "v1/orders/fetch?num=x", r#"{"params":{}}"#, "ValueError"),
    ] {
        let (status, answer) = raw.call(method, path, Some(body)).await;
        assert_eq!(status, 501, "{path} {body}");
        assert!(answer.as_str().unwrap().contains(words), "{path} {body}: {answer}");
    }
}

#[tokio::test]
async fn conditions_and_how_many_rows() {
    let sandbox = sandbox().await;
    let raw = Raw::logged_in(&sandbox).await;
    let orders: Vec<Value> = (0..130).map(|i| wire_order(&format!("{i:09}"))).collect();
    raw.call("POST", "v1/orders/insert", Some(&Value::from(orders).to_string())).await;
    let count = async |path: &str, params: Value| {
        let body = json!({ "columns": ["NumAtCard"], "params": params }).to_string();
        raw.call("PUT", path, Some(&body)).await.1.as_array().unwrap().len()
    };
    let path = "v1/orders/fetch";
    assert_eq!(count(path, json!({})).await, 100);
    assert_eq!(count("v1/orders/fetch?num=500", json!({})).await, 100);
    assert_eq!(count("v1/orders/fetch?num=7", json!({})).await, 7);
    let above = json!({ "DocEntry": { "op": ">=", "value": "660" } });
    assert_eq!(count(path, above).await, 6);
    assert_eq!(count(path, json!({ "NumAtCard": { "op": "like", "value": "00000001%" } })).await, 10);
    assert_eq!(count(path, json!({ "NumAtCard": { "value": "11" } })).await, 0, "a number is text, zeros and all");
    let both =
        json!({ "NumAtCard": { "op": "in", "value": ["000000001", "000000002"] }, "DocEntry": { "value": "538" } });
    assert_eq!(count(path, both).await, 1);
}

#[tokio::test]
async fn thousands_of_documents_stay_small_and_quick() {
    let sandbox = sandbox().await;
    let raw = Raw::logged_in(&sandbox).await;
    for batch in 0..20 {
        let orders: Vec<Value> = (0..50).map(|i| wire_order(&format!("{:09}", batch * 50 + i))).collect();
        let (status, _) = raw.call("POST", "v1/orders/insert", Some(&Value::from(orders).to_string())).await;
        assert_eq!(status, 201);
    }
    let documents = sandbox.documents();
    assert_eq!((documents.len(), documents[999].doc_entry), (1000, 1535));
    assert_eq!(documents[0].total, money("118.91"));
    assert_eq!(documents[0].digest.len(), 16);
    assert_ne!(documents[0].digest, documents[1].digest);
}
