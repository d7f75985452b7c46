//! The client when all goes well: tokens, batches, look-ups, codes, and what it refuses to send.

use std::sync::Arc;

use datawald_backoffice::{Backoffice, Reference};
use datawald_core::clock::later;
use datawald_core::{Clock, Disposition, ErrorKind};
use jiff::SignedDuration;
use sapb1_connector::B1Api;
use sapb1_connector::sandbox::restful::{Sandbox, SandboxOptions};

use crate::common::*;

type Change = fn(&mut datawald_backoffice::NativeOrder);

#[tokio::test]
async fn a_token_is_fetched_once_for_all_and_renewed_before_it_expires() {
    let clock = clock();
    let options = SandboxOptions { clock: clock.clone() as Arc<dyn Clock>, ..SandboxOptions::default() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let client = client(&sandbox, &settings(""));
    let cx = cx_at(&clock);
    let wanted = references(["1"]);
    let calls = (0..20).map(|_| client.look_up(&cx, &wanted));
    for result in futures::future::join_all(calls).await {
        result.unwrap();
    }
    assert_eq!((sandbox.counters().auth, sandbox.counters().lookups), (1, 20));
    clock.advance(SignedDuration::from_secs(269));
    client.look_up(&cx, &wanted).await.unwrap();
    assert_eq!(sandbox.counters().auth, 1);
    clock.advance(SignedDuration::from_secs(2));
    client.look_up(&cx, &wanted).await.unwrap();
    assert_eq!(sandbox.counters().auth, 2);
    clock.advance(SignedDuration::from_secs(10_000));
    client.look_up(&cx, &wanted).await.unwrap();
    let counters = sandbox.counters();
    assert_eq!((counters.auth, counters.unauthorized), (3, 0));
}

#[tokio::test]
async fn many_orders_in_few_calls() {
    let sandbox = sandbox().await;
    let agency = agency(&sandbox, settings(""));
    let ids: Vec<String> = (0..120).map(|i| format!("{i:09}")).collect();
    let mut docs = Vec::new();
    for id in &ids {
        docs.push(document(&agency, id).await);
    }
    let keys = agency.insert_orders(&cx(), &docs).await.unwrap();
    let counters = sandbox.counters();
    assert_eq!((counters.inserts, counters.documents, counters.contacts), (3, 120, 1));
    let found = agency.api().look_up(&cx(), &references(ids.iter().map(String::as_str))).await.unwrap();
    assert_eq!(sandbox.counters().lookups - counters.lookups, 4, "100 rows may have been cut: one call is split");
    for ((id, key), found) in ids.iter().zip(&keys).zip(&found) {
        assert_eq!(found.len(), 1, "{id}");
        assert_eq!(&found[0].doc_entry, key.as_ref().unwrap());
    }
}

#[tokio::test]
async fn answers_that_were_cut_are_asked_for_again() {
    let sandbox = sandbox().await;
    let agency = agency(&sandbox, settings(""));
    let ids: Vec<String> = (0..60).map(|i| format!("{i:09}")).collect();
    for _ in 0..2 {
        let mut docs = Vec::new();
        for id in &ids {
            docs.push(document(&agency, id).await);
        }
        agency.insert_orders(&cx(), &docs).await.unwrap();
    }
    let found = agency.api().look_up(&cx(), &references(ids.iter().map(String::as_str))).await.unwrap();
    assert!(found.iter().all(|documents| documents.len() == 2));
    assert_eq!(sandbox.counters().lookups, 3);
}

#[tokio::test]
async fn look_up_by_user_field_and_by_number_do_not_mix() {
    let sandbox = sandbox().await;
    let by_field = agency(&sandbox, settings("[reference]\nudf = \"U_WebOrder\""));
    let doc = document(&by_field, "1").await;
    by_field.insert_orders(&cx(), &[doc]).await.unwrap().remove(0).unwrap();
    let field = |field: Option<&str>| Reference { field: field.map(str::to_owned), value: "1".into() };
    let found = by_field.api().look_up(&cx(), &[field(None), field(Some("U_WebOrder"))]).await.unwrap();
    assert_eq!((found[0].len(), found[1].len()), (0, 1));
    let removed = field(Some("U_WebOrder"));
    assert_eq!(by_field.api().cancel(&cx(), &[(&removed, "536")]).await.unwrap()[0].as_ref().unwrap(), "536");
}

#[tokio::test]
async fn nothing_from_outside_gets_into_sql() {
    let sandbox = sandbox().await;
    let client = client(&sandbox, &settings(""));
    for field in ["NumAtCard", "U_", "U_a b", "U_x = 1 or 1", "U_Ä"] {
        let reference = Reference { field: Some(field.into()), value: "1".into() };
        let error = client.look_up(&cx(), std::slice::from_ref(&reference)).await.unwrap_err();
        assert_eq!(error.disposition(), Disposition::Permanent);
        assert_eq!(
            client.cancel(&cx(), &[(&reference, "536")]).await.unwrap_err().disposition(),
            Disposition::Permanent
        );
    }
    assert_eq!(sandbox.counters().requests, 0);
}

#[tokio::test]
async fn codes_are_kept_while_they_are_fresh() {
    let clock = clock();
    let options = SandboxOptions { clock: clock.clone() as Arc<dyn Clock>, ..SandboxOptions::default() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let client = client(&sandbox, &settings(""));
    let cx = cx_at(&clock);
    let (codes, again) = tokio::join!(client.codes(&cx), client.codes(&cx));
    let codes = codes.unwrap();
    assert_eq!(codes, again.unwrap());
    assert_eq!(codes.taxes["CA"], money("8.25"));
    assert_eq!(codes.expenses, ["Freight", "Insurance"]);
    assert_eq!(sandbox.counters().codes, 4);
    clock.advance(SignedDuration::from_secs(901));
    client.codes(&cx).await.unwrap();
    assert_eq!(sandbox.counters().codes, 8);
}

#[tokio::test]
async fn info_tells_the_company() {
    let sandbox = sandbox().await;
    let info = client(&sandbox, &settings("")).info(&cx()).await.unwrap();
    assert_eq!((info.company_db.as_str(), info.company_name.as_str()), ("SBODEMOUS", "OEC Computers"));
}

#[tokio::test]
async fn fields_that_cannot_be_carried_are_refused_by_name() {
    let sandbox = sandbox().await;
    let agency = agency(&sandbox, settings(""));
    let good = document(&agency, "good").await;
    let mut bad = Vec::new();
    let cases: [(&str, Change); 7] = [
        ("U_Channel", |doc| doc.set("U_Channel", "web")),
        ("Comments", |doc| doc.set("Comments", "hello")),
        ("TransportationCode", |doc| doc.set("TransportationCode", 3)),
        ("DocumentLines[0].WarehouseCode", |doc| doc.lines[0].set("WarehouseCode", "01")),
        ("AddressExtension.ShipToBlock", |doc| {
            doc.header["AddressExtension"]["ShipToBlock"] = "B".into();
        }),
        ("ContactPerson.Fax", |doc| doc.header["ContactPerson"]["Fax"] = "1".into()),
        ("DocumentAdditionalExpenses", |doc| {
            let list = doc.header["DocumentAdditionalExpenses"].as_array_mut().unwrap();
            list.push(list[0].clone());
        }),
    ];
    for (i, (_, change)) in cases.iter().enumerate() {
        let mut doc = good.clone();
        doc.reference = format!("bad{i}");
        doc.set("NumAtCard", doc.reference.clone());
        change(&mut doc);
        bad.push(doc);
    }
    bad.push(good);
    let mut results = agency.insert_orders(&cx(), &bad).await.unwrap();
    results.pop().unwrap().unwrap();
    for (result, (field, _)) in results.into_iter().zip(cases) {
        let error = result.unwrap_err();
        assert_eq!((error.disposition(), error.field_path()), (Disposition::Permanent, Some(field)));
    }
    assert_eq!(sandbox.counters().documents, 1);
}

#[tokio::test]
async fn missing_fields_and_another_currency_are_refused_by_name() {
    let sandbox = sandbox().await;
    let agency = agency(&sandbox, settings(""));
    let good = document(&agency, "1").await;
    for field in ["CardCode", "DocDueDate", "NumAtCard", "AddressExtension", "ContactPerson"] {
        let mut doc = good.clone();
        doc.header.remove(field);
        let error = agency.insert_orders(&cx(), &[doc]).await.unwrap().remove(0).unwrap_err();
        assert_eq!((error.disposition(), error.field_path()), (Disposition::Rejected, Some(field)));
    }
    let mut doc = good.clone();
    doc.lines[1].fields.remove("TaxCode");
    let error = agency.insert_orders(&cx(), &[doc]).await.unwrap().remove(0).unwrap_err();
    assert_eq!(error.field_path(), Some("DocumentLines[1].TaxCode"));
    let mut doc = good.clone();
    doc.set("DocCurrency", "EUR");
    let error = agency.insert_orders(&cx(), &[doc]).await.unwrap().remove(0).unwrap_err();
    assert_eq!((error.disposition(), error.field_path()), (Disposition::Rejected, Some("DocCurrency")));
    assert_eq!(sandbox.counters().writes, 0);
}

#[tokio::test]
async fn numbers_are_carried_as_they_are() {
    let sandbox = sandbox().await;
    let agency = agency(&sandbox, settings(""));
    let mut doc = document(&agency, "1").await;
    doc.lines[0].set("LineTotal", serde_json::from_str::<serde_json::Value>("138.00").unwrap());
    doc.set("DiscountPercent", 0);
    agency.insert_orders(&cx(), &[doc]).await.unwrap().remove(0).unwrap();
    assert_eq!(sandbox.document("1").unwrap().total, money("396.87"));
}

#[tokio::test]
async fn a_number_that_stands_twice_in_a_batch_is_sent_once() {
    let sandbox = sandbox().await;
    let agency = agency(&sandbox, settings(""));
    let doc = document(&agency, "1").await;
    let mut results = agency.insert_orders(&cx(), &[doc.clone(), doc]).await.unwrap();
    assert_eq!(results.remove(1).unwrap_err().disposition(), Disposition::Rejected);
    results.remove(0).unwrap();
    assert_eq!(sandbox.documents_of("1").len(), 1);
}

#[tokio::test]
async fn a_write_that_would_outlive_its_lease_is_not_sent() {
    let sandbox = sandbox().await;
    let clock = clock();
    let agency = agency(&sandbox, settings(""));
    let doc = document(&agency, "1").await;
    let lease = |seconds| cx_at(&clock).with_deadline(later(clock.now(), std::time::Duration::from_secs(seconds)));
    let error = agency.insert_orders(&lease(1), std::slice::from_ref(&doc)).await.unwrap().remove(0).unwrap_err();
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::Timeout, Disposition::Retryable { after: None }));
    let reference = references(["1"]);
    let error = agency.api().cancel(&lease(0), &[(&reference[0], "536")]).await.unwrap().remove(0).unwrap_err();
    assert_eq!(error.disposition(), Disposition::Retryable { after: None });
    assert_eq!(sandbox.counters().writes, 0);
    agency.insert_orders(&lease(30), &[doc]).await.unwrap().remove(0).unwrap();
}

#[tokio::test]
async fn wrong_password_and_wrong_address() {
    let sandbox = sandbox().await;
    let client = client_as(&sandbox, &settings(""), "not-the-password");
    let error = client.info(&cx()).await.unwrap_err();
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::Unauthorized, Disposition::Permanent));
    let text = format!("{error} {error:?} {client:?} {}", error.report());
    assert!(!text.contains("not-the-password"), "{text}");

    let settings = settings("");
    let client_at = |url: &str| {
        let password = secrecy::SecretString::from("abcxyz");
        let settings = sapb1_connector::RestfulSettings::new(url, "user1", password, &settings).unwrap();
        sapb1_connector::RestfulClient::new(settings).unwrap()
    };
    let error = client_at(&format!("{}/elsewhere", sandbox.url())).info(&cx()).await.unwrap_err();
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::Config, Disposition::Permanent));
    let nobody = sapb1_connector::RestfulSettings::new(&sandbox.url(), "", "x".into(), &settings).unwrap_err();
    assert_eq!(nobody.field_path(), Some("user"));
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let error = client_at(&format!("http://{free}")).info(&cx()).await.unwrap_err();
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::Unreachable, Disposition::Retryable { after: None }));
}
