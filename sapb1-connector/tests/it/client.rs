//! The clients when all goes well: look-ups, codes, batches, and what they refuse to send.

use std::sync::Arc;
use std::time::Duration;

use datawald_backoffice::{Backoffice, Reference};
use datawald_core::{Clock, Disposition, ErrorKind, Result};
use jiff::SignedDuration;
use sapb1_connector::sandbox::{B1Sandbox, COMPANY_DB, Company, LOGIN, Way};
use sapb1_connector::{B1Api, B1Settings, RestfulClient, RestfulSettings, ServiceLayerClient, ServiceLayerSettings};

use crate::common::*;

sapb1_connector::over_both_ways! {
    many_orders_in_few_calls_each_found_under_its_key
    look_up_by_user_field_and_by_number_do_not_mix
    nothing_from_outside_gets_into_a_query
    codes_are_kept_while_they_are_fresh
    info_tells_the_company
    missing_fields_are_refused_by_name
    another_currency_than_the_company_has_is_refused_by_name
    numbers_are_carried_as_they_are
    a_number_that_stands_twice_in_a_batch_is_sent_once
    a_write_that_would_outlive_its_lease_is_not_sent
    a_wrong_password_is_permanent_and_not_told
    a_wrong_address_is_told
}

async fn many_orders_in_few_calls_each_found_under_its_key(way: Way) {
    let sandbox = sandbox(way).await;
    let agency = sandbox.agency(settings("")).unwrap();
    let ids: Vec<String> = (0..120).map(|i| format!("{i:09}")).collect();
    let mut docs = Vec::new();
    for id in &ids {
        docs.push(document(&agency, id).await);
    }
    // Then it is known how long an order takes, and that as many may go at a time as are configured.
    let mut keys = agency.insert_orders(&cx(), &docs[..1]).await.unwrap();
    let before = agency.api().requests_sent();
    keys.extend(agency.insert_orders(&cx(), &docs[1..]).await.unwrap());
    // Three batches of fifty at most; over the Service Layer, and who is there and who is new.
    let sent = agency.api().requests_sent() - before;
    assert!(sent <= if way == Way::Restful { 3 } else { 5 }, "{sent}");
    assert_eq!(sandbox.counters().documents, 120);
    let found = agency.api().look_up(&cx(), &references(ids.iter().map(String::as_str))).await.unwrap();
    for ((id, key), found) in ids.iter().zip(&keys).zip(&found) {
        assert_eq!(found.len(), 1, "{id}");
        assert_eq!(&found[0].doc_entry, key.as_ref().unwrap());
    }
}

async fn look_up_by_user_field_and_by_number_do_not_mix(way: Way) {
    let sandbox = sandbox(way).await;
    let by_field = sandbox.agency(settings("[reference]\nudf = \"U_WebOrder\"")).unwrap();
    let doc = document(&by_field, "1").await;
    by_field.insert_orders(&cx(), &[doc]).await.unwrap().remove(0).unwrap();
    let field = |field: Option<&str>| Reference { field: field.map(str::to_owned), value: "1".into() };
    let found = by_field.api().look_up(&cx(), &[field(None), field(Some("U_WebOrder"))]).await.unwrap();
    assert_eq!((found[0].len(), found[1].len()), (0, 1));
    let removed = field(Some("U_WebOrder"));
    assert_eq!(by_field.api().cancel(&cx(), &[(&removed, "536")]).await.unwrap()[0].as_ref().unwrap(), "536");
}

async fn nothing_from_outside_gets_into_a_query(way: Way) {
    let sandbox = sandbox(way).await;
    let api = sandbox.api(&settings("")).unwrap();
    for field in ["NumAtCard", "U_", "U_a b", "U_x = 1 or 1", "U_x eq '1' or U_x", "U_Ä"] {
        let reference = Reference { field: Some(field.into()), value: "1".into() };
        let error = api.look_up(&cx(), std::slice::from_ref(&reference)).await.unwrap_err();
        assert_eq!(error.disposition(), Disposition::Permanent);
        // SAP B1 RESTful cancels by the number, so the field goes into its query.
        if way == Way::Restful {
            let error = api.cancel(&cx(), &[(&reference, "536")]).await.unwrap_err();
            assert_eq!(error.disposition(), Disposition::Permanent);
        }
    }
    // The Service Layer cancels by the key, which goes into the path.
    if way == Way::ServiceLayer {
        let reference = &references(["1"])[0];
        for key in ["536)/Close?(", "536/../Drafts", "'536'", ""] {
            api.cancel(&cx(), &[(reference, key)]).await.unwrap().remove(0).unwrap_err();
        }
    }
    assert_eq!(sandbox.counters().requests, 0);
}

async fn codes_are_kept_while_they_are_fresh(way: Way) {
    let clock = clock();
    let sandbox = sandbox_of(way, Company { clock: clock.clone() as Arc<dyn Clock>, ..Company::default() }).await;
    let asked = || match &sandbox {
        B1Sandbox::Restful(sandbox) => sandbox.counters().codes,
        B1Sandbox::ServiceLayer(sandbox) => sandbox.counters().reads,
    };
    let api = sandbox.api(&settings("")).unwrap();
    let cx = cx_at(&clock);
    let (codes, again) = tokio::join!(api.codes(&cx), api.codes(&cx));
    let codes = codes.unwrap();
    assert_eq!(codes, again.unwrap());
    assert_eq!(codes.taxes["CA"], money("8.25"));
    assert_eq!(codes.expenses, ["Freight", "Insurance"]);
    // Expenses, ways of transport, ways of payment and tax codes; the Service Layer tells the currencies too.
    let (once, currencies) = match way {
        Way::Restful => (4, None),
        Way::ServiceLayer => (5, Some(["EUR", "GBP", "USD"].map(String::from).to_vec())),
    };
    assert_eq!((asked(), &codes.currencies), (once, &currencies));
    api.codes(&cx).await.unwrap();
    assert_eq!(asked(), once);
    clock.advance(SignedDuration::from_secs(901));
    api.codes(&cx).await.unwrap();
    assert_eq!(asked(), 2 * once);
}

async fn info_tells_the_company(way: Way) {
    let sandbox = sandbox(way).await;
    let info = sandbox.api(&settings("")).unwrap().info(&cx()).await.unwrap();
    assert_eq!((info.company_db.as_str(), info.company_name.as_str()), (COMPANY_DB, "OEC Computers"));
}

async fn missing_fields_are_refused_by_name(way: Way) {
    let sandbox = sandbox(way).await;
    let agency = sandbox.agency(settings("")).unwrap();
    let good = document(&agency, "1").await;
    // What SAP B1 RESTful takes has a place for each address and for who ordered, and a tax code in each line; the Service
    // Layer takes those of the customer and of the item.
    let fields: &[&str] = match way {
        Way::Restful => &["CardCode", "DocDueDate", "NumAtCard", "AddressExtension", "ContactPerson"],
        Way::ServiceLayer => &["CardCode", "DocDueDate", "NumAtCard"],
    };
    for field in fields {
        let mut doc = good.clone();
        doc.header.remove(*field);
        let error = agency.insert_orders(&cx(), &[doc]).await.unwrap().remove(0).unwrap_err();
        assert_eq!((error.disposition(), error.field_path()), (Disposition::Rejected, Some(*field)));
    }
    if way == Way::Restful {
        let mut doc = good.clone();
        doc.lines[1].fields.remove("TaxCode");
        let error = agency.insert_orders(&cx(), &[doc]).await.unwrap().remove(0).unwrap_err();
        assert_eq!(error.field_path(), Some("DocumentLines[1].TaxCode"));
    }
    assert_eq!(sandbox.counters().writes, 0);
}

async fn another_currency_than_the_company_has_is_refused_by_name(way: Way) {
    let sandbox = sandbox(way).await;
    let agency = sandbox.agency(settings("")).unwrap();
    let mut doc = document(&agency, "1").await;
    // SAP B1 RESTful has none but the main one.
    doc.set("DocCurrency", if way == Way::Restful { "EUR" } else { "CHF" });
    let error = agency.insert_orders(&cx(), &[doc]).await.unwrap().remove(0).unwrap_err();
    assert_eq!((error.disposition(), error.field_path()), (Disposition::Rejected, Some("DocCurrency")));
    assert_eq!(sandbox.counters().writes, 0);
}

async fn numbers_are_carried_as_they_are(way: Way) {
    let sandbox = sandbox(way).await;
    let agency = sandbox.agency(settings("")).unwrap();
    let mut doc = document(&agency, "1").await;
    doc.lines[0].set("LineTotal", serde_json::from_str::<serde_json::Value>("138.00").unwrap());
    doc.set("DiscountPercent", 0);
    agency.insert_orders(&cx(), &[doc]).await.unwrap().remove(0).unwrap();
    assert_eq!(sandbox.document("1").unwrap().total, money("396.87"));
}

async fn a_number_that_stands_twice_in_a_batch_is_sent_once(way: Way) {
    let sandbox = sandbox(way).await;
    let agency = sandbox.agency(settings("")).unwrap();
    let doc = document(&agency, "1").await;
    let mut results = agency.insert_orders(&cx(), &[doc.clone(), doc]).await.unwrap();
    assert_eq!(results.remove(1).unwrap_err().disposition(), Disposition::Rejected);
    results.remove(0).unwrap();
    assert_eq!(sandbox.documents_of("1").len(), 1);
}

async fn a_write_that_would_outlive_its_lease_is_not_sent(way: Way) {
    let sandbox = sandbox(way).await;
    let clock = clock();
    let agency = sandbox.agency(settings("")).unwrap();
    let doc = document(&agency, "1").await;
    let lease = |seconds| cx_at(&clock).with_deadline(clock.monotonic() + Duration::from_secs(seconds));
    // Over the Service Layer, who ordered is not even looked up then, and nothing is said of single orders.
    let error = match agency.insert_orders(&lease(1), std::slice::from_ref(&doc)).await {
        Ok(mut results) => results.remove(0).unwrap_err(),
        Err(error) => error,
    };
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::Timeout, Disposition::Retryable { after: None }));
    let reference = references(["1"]);
    let error = agency.api().cancel(&lease(0), &[(&reference[0], "536")]).await.unwrap().remove(0).unwrap_err();
    assert_eq!(error.disposition(), Disposition::Retryable { after: None });
    assert_eq!(sandbox.counters().writes, 0);
    agency.insert_orders(&lease(30), &[doc]).await.unwrap().remove(0).unwrap();
}

async fn a_wrong_password_is_permanent_and_not_told(way: Way) {
    let sandbox = sandbox(way).await;
    let api = sandbox.api_with_password(&settings(""), "not-the-password").unwrap();
    let error = api.info(&cx()).await.unwrap_err();
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::Unauthorized, Disposition::Permanent));
    let text = format!("{error} {error:?} {}", error.report());
    assert!(!text.contains("not-the-password"), "{text}");
    let clients = match way {
        Way::Restful => format!("{:?}", RestfulClient::new(restful(&sandbox.url(), LOGIN.0).unwrap()).unwrap()),
        Way::ServiceLayer => {
            format!("{:?}", ServiceLayerClient::new(service_layer(&sandbox.url(), LOGIN.0).unwrap()).unwrap())
        }
    };
    assert!(!clients.contains(LOGIN.1), "{clients}");
}

fn restful(url: &str, user: &str) -> Result<RestfulSettings> {
    RestfulSettings::new(url, user, LOGIN.1.into(), &B1Settings::default())
}

fn service_layer(url: &str, user: &str) -> Result<ServiceLayerSettings> {
    ServiceLayerSettings::new(url, COMPANY_DB, user, LOGIN.1.into(), &B1Settings::default())
}

async fn a_wrong_address_is_told(way: Way) {
    let sandbox = sandbox(way).await;
    let client = |url: &str| -> Arc<dyn B1Api> {
        match way {
            Way::Restful => Arc::new(RestfulClient::new(restful(url, LOGIN.0).unwrap()).unwrap()),
            Way::ServiceLayer => Arc::new(ServiceLayerClient::new(service_layer(url, LOGIN.0).unwrap()).unwrap()),
        }
    };
    let error = client(&format!("{}/elsewhere", sandbox.url())).info(&cx()).await.unwrap_err();
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::Config, Disposition::Permanent), "{error}");
    let nobody = match way {
        Way::Restful => restful(&sandbox.url(), "").unwrap_err(),
        Way::ServiceLayer => service_layer(&sandbox.url(), "").unwrap_err(),
    };
    assert_eq!(nobody.field_path(), Some("user"));
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = client(&format!("http://{free}")).info(&cx()).await.unwrap_err();
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::Unreachable, Disposition::Retryable { after: None }));
}
