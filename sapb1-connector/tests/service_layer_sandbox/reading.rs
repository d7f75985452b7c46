use sapb1_connector::sandbox::service_layer::{NextLink, SandboxOptions};
use serde_json::{Value, json};

use crate::common::*;

fn entries(page: &Value) -> Vec<i64> {
    page["value"].as_array().unwrap().iter().map(|order| order["DocEntry"].as_i64().unwrap()).collect()
}

#[tokio::test]
async fn an_entity_by_its_key_in_either_version() {
    let (sandbox, caller) = start(options()).await;
    let entry = add(&caller, "1").await;
    let got = caller.get(&format!("Orders({entry})")).await;
    let order = got.json();
    assert_eq!(order["odata.etag"], got.header("etag").unwrap());
    assert!(order["odata.metadata"].as_str().unwrap().ends_with("/b1s/v1/$metadata#Orders/@Element"));
    assert_eq!((&order["DocDate"], &order["DocDueDate"]), (&json!("2026-01-31"), &json!("2026-02-07")));
    assert_eq!((&order["Comments"], &order["DocType"]), (&Value::Null, &json!("dDocument_Items")));
    assert_eq!(order["DocumentLines"][0]["LineNum"], 0);
    assert!(order.as_object().unwrap().contains_key("U_WebOrder"));
    assert!(order.as_object().unwrap().len() > 200, "all properties come");
    assert_ne!(order["DocEntry"], order["DocNum"]);

    sandbox.set_faults(faults(|faults| faults.long_dates = true));
    let long = caller.get(&format!("Orders({entry})/DocDate")).await.json();
    assert_eq!(long, json!({ "value": "2026-01-31T00:00:00Z" }));
    sandbox.set_faults(faults(|_| {}));

    let caller = caller.v2();
    let order = caller.get(&format!("Orders(DocEntry={entry})?$select=DocDate,NumAtCard")).await.json();
    assert_eq!(order["DocDate"], "2026-01-31T00:00:00Z");
    assert!(order["@odata.context"].as_str().unwrap().ends_with("/b1s/v2/$metadata#Orders/$entity"));
    assert_eq!(order.as_object().unwrap().len(), 4, "{order}");
    let missing = caller.get("Orders(1)").await;
    assert_eq!((missing.status, missing.json()["error"]["code"].as_str()), (404, Some("-2028")));
    assert_eq!(missing.header("odata-version"), Some("4.0"));
}

#[tokio::test]
async fn a_property_of_what_there_is_not_is_null() {
    let (_sandbox, caller) = start(options()).await;
    let entry = add(&caller, "1").await;
    assert_eq!(caller.get(&format!("Orders({entry})/NumAtCard")).await.json(), json!({ "value": "1" }));
    let got = caller.get("Orders(1)/DocEntry").await;
    assert_eq!((got.status, got.json()), (200, json!({ "odata.null": true })));
    assert_eq!(caller.v2().get("Orders(1)/DocEntry").await.json(), json!({ "@odata.null": true }));
}

#[tokio::test]
async fn filters_on_the_wire() {
    let (_sandbox, caller) = start(options()).await;
    let mut added = Vec::new();
    for number in ["O'Neil & Söhne + 1/2 (50%)", "b", "c"] {
        added.push(add(&caller, number).await);
    }
    for (filter, expected) in [
        ("NumAtCard eq 'O''Neil %26 S%C3%B6hne %2B 1/2 (50%25)'", vec![added[0]]),
        ("NumAtCard eq 'b' or NumAtCard eq 'c' or NumAtCard eq 'x'", vec![added[1], added[2]]),
        ("(NumAtCard eq 'b' or NumAtCard eq 'c') and Cancelled eq 'tNO'", vec![added[1], added[2]]),
        ("startswith(NumAtCard,'b')", vec![added[1]]),
        ("DocTotal gt 396.86 and DocDate eq '20260131' and DocumentStatus eq 'O'", added.clone()),
        ("NumAtCard eq 'B'", vec![]),
    ] {
        let page = caller.get(&format!("Orders?$select=DocEntry&$filter={filter}")).await;
        assert_eq!(entries(&page.json()), expected, "{filter}");
    }
    let refused = caller.get("Orders?$filter=DocStatus eq 'O'").await;
    assert_eq!(refused.json()["error"]["message"]["value"], "Property 'DocStatus' of 'Document' is invalid");
    for query in ["$select=Nothing", "$orderby=Nothing", "$top=x", "$expand=Customer", "$filter=", "$count=true"] {
        assert_eq!(caller.get(&format!("Orders?{query}")).await.status, 400, "{query}");
    }
    let count = caller.get("Orders/$count?$filter=NumAtCard ne 'b'").await;
    assert_eq!(count.text(), "2");
}

#[tokio::test]
async fn a_database_without_case() {
    let (_sandbox, caller) = start(SandboxOptions { ignore_case: true, ..options() }).await;
    let entry = add(&caller, "Abc").await;
    for filter in ["NumAtCard eq 'aBC'", "contains(NumAtCard,'B')"] {
        assert_eq!(entries(&caller.get(&format!("Orders?$filter={filter}")).await.json()), [entry], "{filter}");
    }
}

#[tokio::test]
async fn order_top_skip_and_counts() {
    let (_sandbox, caller) = start(options()).await;
    let mut added = Vec::new();
    for number in ["b", "a", "a"] {
        added.push(add(&caller, number).await);
    }
    let page =
        caller.get("Orders?$orderby=NumAtCard,DocEntry desc&$select=DocEntry&$inlinecount=allpages&$top=2").await;
    assert_eq!(entries(&page.json()), [added[2], added[1]]);
    assert_eq!(page.json()["odata.count"], "3");
    let page = caller.get("Orders?$orderby=DocEntry desc&$skip=1&$top=1").await;
    assert_eq!(entries(&page.json()), [added[1]]);
    let page = caller.v2().get("Orders?$count=true&$skip=9").await.json();
    assert_eq!((entries(&page).len(), &page["@odata.count"]), (0, &json!(3)));
}

#[tokio::test]
async fn pages_by_every_form_of_link() {
    let (sandbox, caller) = start(SandboxOptions { page_size: 3, ..options() }).await;
    let mut added = Vec::new();
    for number in 0..7 {
        added.push(add(&caller, &format!("w {number}")).await);
    }
    let first = "Orders?$select=DocEntry&$filter=startswith(NumAtCard, 'w ')&$orderby=DocEntry";
    for (form, start) in [
        (NextLink::Absolute, "/b1s/v1/Orders?"),
        (NextLink::Relative, "Orders?"),
        (NextLink::Encoded, "Orders?%24select=DocEntry&%24filter=startswith%28NumAtCard%2C+%27w+%27%29&"),
        (NextLink::EmptyFirst, "Orders?&"),
        (NextLink::Whole, &format!("{}/b1s/v1/Orders?", sandbox.url())),
    ] {
        sandbox.set_faults(faults(|faults| faults.next_link = form));
        let mut found = Vec::new();
        let mut path = Some(first.to_owned());
        while let Some(next) = path {
            let page = caller.get(&next).await.json();
            found.extend(entries(&page));
            path = page["odata.nextLink"].as_str().map(|link| {
                assert!(link.starts_with(start), "{form:?}: {link}");
                link.split("/b1s/v1/").last().unwrap().to_owned()
            });
        }
        assert_eq!(found, added, "{form:?}");
    }
}

#[tokio::test]
async fn the_page_size_is_asked_for() {
    let (sandbox, caller) = start(SandboxOptions { page_size: 2, ..options() }).await;
    for number in ["1", "2", "3", "4", "5"] {
        add(&caller, number).await;
    }
    let caller = &caller;
    let page = async |size: &str| caller.call_with("GET", "Orders?$top=4", None, &[("prefer", size)]).await;
    let got = page("odata.maxpagesize=3").await;
    assert_eq!(entries(&got.json()).len(), 3);
    assert_eq!(got.header("preference-applied"), Some("odata.maxpagesize=3"));
    let next = got.json()["odata.nextLink"].as_str().unwrap().to_owned();
    assert_eq!(entries(&caller.get(&next).await.json()).len(), 1, "{next}");
    let all = page("odata.maxpagesize=0").await;
    assert!(entries(&all.json()).len() == 4 && all.json().get("odata.nextLink").is_none());
    sandbox.set_faults(faults(|faults| faults.ignore_page_size = true));
    let got = page("odata.maxpagesize=3").await;
    assert!(entries(&got.json()).len() == 2 && got.header("preference-applied").is_none());
}

#[tokio::test]
async fn codes_and_what_there_is_not() {
    let (sandbox, caller) = start(options()).await;
    for (set, name, count) in [
        ("AdditionalExpenses", "ExpensCode", 2),
        ("ShippingTypes", "Code", 3),
        ("WizardPaymentMethods", "PaymentMethodCode", 2),
        ("SalesTaxCodes", "Rate", 6),
        ("VatGroups", "VatGroups_Lines", 6),
        ("Currencies", "Code", 3),
        ("UserFieldsMD", "Name", 1),
    ] {
        let page = caller.get(&format!("{set}?$select={name}")).await.json();
        assert_eq!(page["value"].as_array().unwrap().len(), count, "{set}");
        assert!(!page["value"][0][name].is_null(), "{page}");
    }
    assert_eq!(caller.get("SalesTaxCodes('CA')/Rate").await.json(), json!({ "value": 8.25 }));
    let info = caller.call("POST", "CompanyService_GetAdminInfo", None).await.json();
    assert_eq!(info["LocalCurrency"], "USD");
    let rate = caller.post("SBOBobService_GetCurrencyRate", json!({ "Currency": "EUR", "Date": "20260131" })).await;
    assert_eq!(rate.json(), json!({ "value": 1.08 }));
    for path in ["Nothing", "Orders(1)/DocEntry/x", "Orders('x')", "Orders(", "$metadata/x", "$metadata(1)"] {
        assert_eq!(caller.get(path).await.status, 400, "{path}");
    }
    let counters = sandbox.counters();
    assert!(counters.reads == 8 && counters.writes == 2, "{counters:?}");
}

#[tokio::test]
async fn the_metadata_tells_of_every_set_and_of_the_companys_fields() {
    let (sandbox, caller) = start(options()).await;
    for (caller, edmx, date) in [
        (caller, "Version=\"1.0\" xmlns:edmx=\"http://schemas.microsoft.com/ado/2007/06/edmx\"", "Edm.DateTime\""),
        (
            Caller::logged_in(&sandbox).await.v2(),
            "Version=\"4.0\" xmlns:edmx=\"http://docs.oasis-open.org/",
            "Edm.DateTimeOffset\"",
        ),
    ] {
        let got = caller.get("$metadata").await;
        assert_eq!((got.status, got.header("content-type")), (200, Some("application/xml;charset=utf-8")));
        let xml = got.text();
        assert!(xml.contains(edmx), "{}", &xml[..300]);
        let sets = caller.get("").await.json();
        let sets: Vec<&str> =
            sets["value"].as_array().unwrap().iter().map(|set| set["name"].as_str().unwrap()).collect();
        assert!(sets.len() > 10);
        for set in sets {
            assert!(xml.contains(&format!("Name=\"{set}\"")), "{set}");
        }
        let document =
            xml.split("<EntityType Name=\"Document\">").nth(1).unwrap().split("</EntityType>").next().unwrap();
        assert!(document.contains("<PropertyRef Name=\"DocEntry\"/>"), "{document}");
        let due = document.lines().find(|line| line.contains("Name=\"DocDueDate\"")).unwrap();
        assert!(due.contains(date), "{due}");
        assert!(document.contains("Name=\"U_WebOrder\" Type=\"Edm.String\" UserField=\"true\""), "{document}");
        for name in ["Cancel", "Close", "CompanyService_GetAdminInfo"] {
            assert!(xml.contains(&format!("Name=\"{name}\"")), "{name}");
        }
        assert_eq!(xml.matches('<').count(), xml.matches('>').count());
    }
    let stranger = Caller::new(&sandbox);
    assert_eq!(stranger.get("$metadata").await.refusal(), (401, 301));
}

#[tokio::test]
async fn a_ping_needs_no_session() {
    let (sandbox, mut caller) = start(options()).await;
    caller.cookies = None;
    caller.root = "";
    for (path, sender) in
        [("ping", "load balancer"), ("ping/", "load balancer"), ("ping/node", "node 1"), ("ping/node/2", "node 2")]
    {
        let got = caller.get(path).await;
        let pong = json!({ "message": "pong", "sender": sender, "timestamp": "1769853600.000" });
        assert_eq!((got.status, got.json()), (200, pong), "{path}");
    }
    for path in ["ping/node/3", "ping/node/x", "pong"] {
        assert_eq!(caller.get(path).await.status, 404, "{path}");
    }
    assert_eq!(sandbox.counters().sessions, 1, "nothing is opened");
}

#[tokio::test]
async fn user_fields_are_there_after_a_restart() {
    let (sandbox, mut caller) = start(options()).await;
    let field = json!({ "Name": "u1", "Type": "db_Alpha", "Size": 10, "Description": "udf 1", "TableName": "OINV" });
    let made = caller.post("UserFieldsMD", field).await;
    assert_eq!((made.status, &made.json()["FieldID"]), (201, &json!(0)));
    let mut with_field = order("1");
    with_field["U_u1"] = json!("x");
    assert_eq!(caller.post("Orders", with_field.clone()).await.refusal(), (400, -1000));
    sandbox.restart();
    assert_eq!(caller.get("Orders").await.refusal(), (401, 301));
    caller.log_in().await;
    assert_eq!(caller.post("Orders", with_field).await.json()["U_u1"], "x");
    assert_eq!(caller.get("Orders?$filter=U_u1 eq 'x'&$select=U_u1").await.json()["value"][0]["U_u1"], "x");
    assert_eq!(caller.get("UserFieldsMD(TableName='OINV',FieldID=0)").await.json()["Name"], "u1");
}
