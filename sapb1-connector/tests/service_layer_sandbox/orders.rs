use std::collections::BTreeSet;
use std::time::Duration;

use rust_decimal::Decimal;
use sapb1_connector::sandbox::service_layer::{Sandbox, SandboxOptions, TaxRounding};
use serde_json::{Value, json};

use crate::common::*;

#[tokio::test]
async fn an_order_with_its_totals() {
    let (sandbox, caller) = start(options()).await;
    let got = caller.post("Orders", order("000000013")).await;
    let made = got.json();
    assert_eq!((got.status, &made["DocEntry"]), (201, &json!(536)));
    assert_eq!(got.header("location"), Some(format!("{}/b1s/v1/Orders(536)", sandbox.url()).as_str()));
    assert_eq!((&made["DocTotal"], &made["VatSum"]), (&json!(396.87), &json!(29.87)));
    assert_eq!((&made["DocCurrency"], &made["DocTotalFc"]), (&json!("USD"), &json!(0)));
    let lines = &made["DocumentLines"];
    assert_eq!((&lines[0]["LineTotal"], &lines[1]["UnitPrice"]), (&json!(138), &json!(224)));
    assert_eq!(made["Address2"], "1 Main St\r\rLos Angeles   \rUS");
    let record = sandbox.document("000000013").unwrap();
    assert_eq!((record.doc_entry, record.total, record.cancelled), (536, "396.87".parse().unwrap(), false));
}

#[tokio::test]
async fn no_content_for_those_who_want_none() {
    let (_sandbox, caller) = start(options()).await;
    let prefer = [("prefer", "return-no-content")];
    let got = caller.call_with("POST", "Orders", Some(order("1")), &prefer).await;
    assert_eq!((got.status, got.text()), (204, ""));
    assert_eq!(got.header("location"), Some("/b1s/v1/Orders(536)"));
    assert_eq!(got.header("preference-applied"), Some("return-no-content"));
}

#[tokio::test]
async fn discount_rounding_and_foreign_currency() {
    let (sandbox, caller) = start(options()).await;
    let mut body = order("1");
    body["DiscountPercent"] = json!(20);
    body["DocumentLines"] = json!([
        { "ItemCode": "A", "LineTotal": 69, "TaxCode": "CA" },
        { "ItemCode": "B", "LineTotal": 224, "TaxCode": "CA" },
    ]);
    body["DocumentAdditionalExpenses"] = json!([]);
    let made = caller.post("Orders", body.clone()).await.json();
    assert_eq!((&made["DocTotal"], &made["TotalDiscount"]), (&json!(253.74), &json!(58.6)));

    body["Rounding"] = json!("tYES");
    body["RoundingDiffAmount"] = json!(-0.04);
    assert_eq!(caller.post("Orders", body).await.json()["DocTotal"], json!(253.7));

    let mut body = order("2");
    body["DocCurrency"] = json!("EUR");
    body["DocumentLines"] = json!([{ "ItemCode": "A", "Quantity": 3, "UnitPrice": 9.99, "TaxCode": "EX" }]);
    body["DocumentAdditionalExpenses"] = json!([{ "ExpenseCode": 1, "LineTotal": 5.4 }]);
    let made = caller.post("Orders", body.clone()).await.json();
    assert_eq!((&made["DocTotalFc"], &made["DocRate"]), (&json!(34.97), &json!(1.08)));
    assert_eq!(made["DocTotal"], json!(37.77));
    assert_eq!(made["DocumentLines"][0]["RowTotalFC"], json!(29.97));
    // A rate that is sent wins over the table's, and does where the table has none.
    body["DocRate"] = json!(1.2);
    for rate in [Some(Decimal::ONE), None] {
        sandbox.set_rate("EUR", rate);
        let made = caller.post("Orders", body.clone()).await.json();
        assert_eq!((&made["DocTotalFc"], &made["DocRate"]), (&json!(34.47), &json!(1.2)), "{rate:?}");
    }
    body["DocRate"] = json!(null);
    assert_eq!(caller.post("Orders", body.clone()).await.refusal(), (400, -4006));
    body["DocCurrency"] = json!("XXX");
    assert_eq!(caller.post("Orders", body).await.refusal(), (400, -5002));
}

#[tokio::test]
async fn tax_is_rounded_by_code_or_by_line() {
    // 5.3 % of 0.50 is 0.0265.
    for (rounding, total) in [(TaxRounding::PerCode, json!(1.05)), (TaxRounding::PerLine, json!(1.06))] {
        let (_sandbox, caller) = start(SandboxOptions { rounding, ..options() }).await;
        let mut body = order("1");
        let line = json!({ "ItemCode": "A", "LineTotal": 0.5, "TaxCode": "VA" });
        body["DocumentLines"] = json!([line, line]);
        body["DocumentAdditionalExpenses"] = json!([]);
        assert_eq!(caller.post("Orders", body).await.json()["DocTotal"], total, "{rounding:?}");
    }
}

#[tokio::test]
async fn what_sap_b1_does_not_take() {
    let some = |codes: &[&str]| Some(codes.iter().map(|code| (*code).to_owned()).collect::<BTreeSet<_>>());
    let options = SandboxOptions { items: some(&["A", "B"]), customers: some(&["C20000"]), ..options() };
    let (sandbox, caller) = start(options).await;
    let cases: [(&str, Value, (u16, i64)); 17] = [
        ("/CardCode", Value::Null, (400, -5002)),
        ("/CardCode", json!("c99"), (404, -2028)),
        ("/DocDueDate", Value::Null, (400, -5002)),
        ("/DocDueDate", json!("soon"), (400, -1000)),
        ("/TransportationCode", json!(99), (404, -2028)),
        ("/TransportationCode", json!("UPS"), (400, -1000)),
        ("/PaymentMethod", json!("Gold"), (400, -5002)),
        ("/NumAtCard", json!("x".repeat(101)), (400, -1004)),
        ("/NumAtCard", json!(13), (400, -1000)),
        ("/DocumentLines", json!([]), (400, -5002)),
        ("/DocumentLines/0/ItemCode", json!("Z"), (404, -2028)),
        ("/DocumentLines/0/Quantity", json!(0), (400, -5002)),
        ("/DocumentLines/0/TaxCode", json!("ZZ"), (400, -5002)),
        ("/DocumentLines/0/UnitPrice", json!("12,5"), (400, -1000)),
        ("/DocumentAdditionalExpenses/0/ExpenseCode", json!(9), (404, -2028)),
        ("/DocumentAdditionalExpenses/0/TaxCode", json!("ZZ"), (400, -5002)),
        ("/AddressExtension/ShipToCountry", json!("United States"), (400, -1004)),
    ];
    for (place, value, expected) in cases {
        let mut body = order("1");
        *body.pointer_mut(place).unwrap() = value.clone();
        assert_eq!(caller.post("Orders", body).await.refusal(), expected, "{place} {value}");
    }
    for (name, value) in [("DocStatus", json!("O")), ("U_Unknown", json!("x")), ("ContactPersonCode", json!(5))] {
        let mut body = order("1");
        body[name] = value;
        let expected = if name == "ContactPersonCode" { (404, -2028) } else { (400, -1000) };
        assert_eq!(caller.post("Orders", body).await.refusal(), expected, "{name}");
    }
    assert_eq!(caller.send("POST", "Orders", Some("{".into()), &[]).await.unwrap().refusal(), (400, -1000));
    // What is read-only is ignored without a word.
    let mut body = order("1");
    body["DocEntry"] = json!(7);
    body["Cancelled"] = json!("tYES");
    body["VatSum"] = json!(1);
    let made = caller.post("Orders", body).await.json();
    assert_eq!((&made["DocEntry"], &made["Cancelled"], &made["VatSum"]), (&json!(536), &json!("tNO"), &json!(29.87)));
    let counters = sandbox.counters();
    assert_eq!((counters.documents, counters.inserts, counters.refused), (1, 22, 21));
}

#[tokio::test]
async fn a_change_and_its_etag() {
    let clock = clock();
    let (sandbox, caller) =
        start(SandboxOptions { clock: clock.clone(), session_timeout: Duration::from_secs(1 << 20), ..options() })
            .await;
    let entry = add(&caller, "1").await;
    let path = format!("Orders({entry})");
    let etag = caller.get(&path).await.header("etag").unwrap().to_owned();
    let change = json!({
        "NumAtCard": "2", "DocTotal": 1, "AddressExtension": { "ShipToCity": "Ventura" },
        "DocumentLines": [{ "LineNum": 0, "Quantity": 1 }, { "ItemCode": "C", "UnitPrice": 10 }],
    });
    let matching = [("if-match", etag.as_str())];
    clock.advance(jiff::SignedDuration::from_hours(24));
    let got = caller.call_with("PATCH", &path, Some(change), &matching).await;
    assert_eq!((got.status, got.text()), (204, ""));
    let changed = caller.get(&path).await;
    let body = changed.json();
    assert_ne!(changed.header("etag"), Some(etag.as_str()));
    assert_eq!((&body["CreationDate"], &body["UpdateDate"]), (&json!("2026-01-31"), &json!("2026-02-01")));
    assert_eq!(body["AddressExtension"]["ShipToCity"], "Ventura");
    assert_eq!(body["AddressExtension"]["ShipToStreet"], "1 Main St");
    let totals: Vec<&Value> = body["DocumentLines"].as_array().unwrap().iter().map(|line| &line["LineTotal"]).collect();
    assert_eq!(totals, [&json!(46), &json!(224), &json!(10)]);
    assert_eq!(body["DocumentLines"][2]["LineNum"], 2);
    // (46 + 224) × 1.0825 = 292.275
    assert_eq!(body["DocTotal"], json!(307.28));

    let stale = caller.call_with("PATCH", &path, Some(json!({ "Comments": "x" })), &matching).await;
    assert_eq!(stale.refusal(), (412, -2039));
    assert_eq!(caller.call_with("POST", &format!("{path}/Cancel"), None, &matching).await.refusal(), (412, -2039));
    assert_eq!(caller.call("PATCH", &path, Some(json!({ "Comments": "x" }))).await.status, 204);
    let override_method = [("x-http-method-override", "PATCH")];
    let got = caller.call_with("POST", &path, Some(json!({ "Comments": "y" })), &override_method).await;
    assert_eq!(got.status, 204);
    assert_eq!(caller.call("PATCH", &path, Some(json!({ "CardCode": "other" }))).await.refusal(), (400, -1029));
    assert_eq!(caller.call("PATCH", "Orders(1)", Some(json!({}))).await.refusal(), (404, -2028));
    let replace = [("b1s-replacecollectionsonpatch", "true")];
    let one = json!({ "DocumentLines": [{ "ItemCode": "D", "UnitPrice": 1 }] });
    assert_eq!(caller.call_with("PATCH", &path, Some(one), &replace).await.status, 204);
    let record = sandbox.document("2").unwrap();
    assert_eq!((record.total, record.body["Comments"].as_str()), (Decimal::from(6), Some("y")));
}

#[tokio::test]
async fn cancel_close_and_no_delete() {
    let (sandbox, caller) = start(options()).await;
    let (first, second) = (add(&caller, "1").await, add(&caller, "2").await);
    let post = async |entry: i64, action: &str| caller.call("POST", &format!("Orders({entry})/{action}"), None).await;
    assert_eq!(post(first, "Cancel").await.status, 204);
    assert_eq!(post(first, "Cancel").await.refusal(), (400, -5006));
    assert_eq!(post(first, "Reopen").await.refusal(), (400, -5006));
    assert_eq!(post(second, "Close").await.status, 204);
    let (cancelled, closed) = (sandbox.document("1").unwrap(), sandbox.document("2").unwrap());
    assert!(cancelled.cancelled && cancelled.closed && !closed.cancelled && closed.closed);
    let quantity = json!({ "DocumentLines": [{ "LineNum": 0, "Quantity": 2 }] });
    let changed = caller.call("PATCH", &format!("Orders({second})"), Some(quantity)).await;
    assert_eq!(changed.refusal(), (400, -1029));
    let remark = caller.call("PATCH", &format!("Orders({second})"), Some(json!({ "Comments": "x" }))).await;
    assert_eq!(remark.status, 204);
    assert_eq!(post(second, "Reopen").await.status, 204);
    assert_eq!(post(1, "Cancel").await.refusal(), (404, -2028));
    assert_eq!(post(second, "Explode").await.refusal(), (400, -5006));
    assert_eq!(caller.call("DELETE", &format!("Orders({second})"), None).await.refusal(), (400, -5006));
    let counters = sandbox.counters();
    assert_eq!((counters.documents, counters.cancelled, counters.cancels), (2, 1, 7));
}

#[tokio::test]
async fn duplicates_go_through_or_not() {
    let (sandbox, caller) = start(options()).await;
    let first = add(&caller, "1").await;
    add(&caller, "1").await;
    assert_eq!(sandbox.documents_of("1").len(), 2);
    sandbox.set_faults(faults(|faults| faults.block_duplicates = true));
    assert_eq!(caller.post("Orders", order("1")).await.refusal(), (400, -10));
    caller.call("POST", &format!("Orders({first})/Cancel"), None).await;
    caller.call("POST", &format!("Orders({})/Cancel", first + 1), None).await;
    add(&caller, "1").await;
    let mut other = order("1");
    other["CardCode"] = json!("C30000");
    assert_eq!(caller.post("Orders", other).await.status, 201);
}

#[tokio::test]
async fn an_approval_takes_the_order() {
    let (sandbox, caller) = start(options()).await;
    sandbox.set_faults(faults(|faults| faults.approval_numbers = ["2".to_owned(), "3".to_owned()].into()));
    add(&caller, "1").await;
    assert_eq!(caller.post("Orders", order("2")).await.refusal(), (404, -2028));
    let prefer = [("prefer", "return-no-content")];
    let got = caller.call_with("POST", "Orders", Some(order("3")), &prefer).await;
    assert_eq!((got.status, got.header("location")), (204, None));
    assert_eq!(sandbox.documents().len(), 1);
    let found = caller.get("Drafts?$filter=NumAtCard eq '2' and DocObjectCode eq 'oOrders'").await.json();
    let draft = &found["value"][0];
    assert_eq!((&draft["AuthorizationStatus"], &draft["DocTotal"]), (&json!("dasPending"), &json!(396.87)));
    let save = json!({ "Document": { "DocEntry": draft["DocEntry"].to_string() } });
    assert_eq!(caller.post("DraftsService_SaveDraftToDocument", save.clone()).await.status, 204);
    assert_eq!(caller.post("DraftsService_SaveDraftToDocument", save).await.status, 400);
    assert_eq!(sandbox.approve(2), Some(538));
    assert_eq!(sandbox.approve(9), None);
    assert!(sandbox.drafts().iter().all(|draft| draft.closed));
    assert_eq!(sandbox.document("3").unwrap().doc_entry, 538);
}

#[tokio::test]
async fn the_company_has_rules_of_its_own() {
    let (sandbox, caller) = start(options()).await;
    sandbox.set_faults(faults(|faults| faults.refuse_numbers = ["2".to_owned()].into()));
    add(&caller, "1").await;
    assert_eq!(caller.post("Orders", order("2")).await.refusal(), (400, -2028));
    sandbox.set_faults(faults(|faults| {
        faults.refuse_order_every = 2;
        faults.refusal_code = -1116;
    }));
    add(&caller, "3").await;
    assert_eq!(caller.post("Orders", order("4")).await.refusal(), (400, -1116));
    assert_eq!(sandbox.counters().documents, 2);
}

#[tokio::test]
async fn a_delivery_closes_the_order() {
    let (sandbox, caller) = start(options()).await;
    let entry = add(&caller, "1").await;
    let delivery = |line: i64| {
        let based = json!({ "ItemCode": "A", "BaseType": 17, "BaseEntry": entry, "BaseLine": line });
        json!({ "CardCode": "C20000", "DocumentLines": [based] })
    };
    assert_eq!(caller.post("DeliveryNotes", delivery(0)).await.status, 201);
    assert!(!sandbox.document("1").unwrap().closed);
    assert_eq!(caller.call("POST", &format!("Orders({entry})/Cancel"), None).await.refusal(), (400, -5006));
    assert_eq!(caller.post("DeliveryNotes", delivery(0)).await.refusal(), (404, -2028));
    // A change leaves what is delivered as it is.
    assert_eq!(caller.call("PATCH", &format!("Orders({entry})"), Some(json!({ "Comments": "x" }))).await.status, 204);
    let open = caller.get(&format!("Orders({entry})")).await.json();
    assert_eq!(open["DocumentLines"][0]["RemainingOpenQuantity"], 0);
    assert_eq!(open["DocumentLines"][1]["RemainingOpenQuantity"], 1);
    assert_eq!(caller.post("Invoices", delivery(1)).await.status, 201);
    let order = sandbox.document("1").unwrap();
    assert!(order.closed && !order.cancelled);
}

#[tokio::test]
async fn no_input_breaks_it() {
    let sandbox = Sandbox::start(SandboxOptions { max_body: 4096, ..options() }).await.unwrap();
    let caller = Caller::logged_in(&sandbox).await;
    let huge = json!({
        "CardCode": "c", "DocDueDate": "2026-01-01",
        "DocumentLines": [{ "ItemCode": "A", "Quantity": 999_999_999_999_u64, "UnitPrice": 999_999_999_999_u64 }],
    });
    assert_eq!(caller.post("Orders", huge).await.refusal(), (400, -5002));
    let deep = format!("{}1{}", "[".repeat(1500), "]".repeat(1500));
    for body in [&deep, "null", "[]", "\"x\"", "{\"DocumentLines\":[{\"SerialNumbers\":[[]]}]}", "\u{feff}{}"] {
        let got = caller.send("POST", "Orders", Some(body.to_owned()), &[]).await.unwrap();
        assert_eq!(got.refusal(), (400, -1000), "{body}");
    }
    let large = caller.send("POST", "Orders", Some(" ".repeat(5000)), &[]).await.unwrap();
    assert_eq!(large.status, 413);
    assert_eq!(caller.get("Orders").await.status, 200);
}
