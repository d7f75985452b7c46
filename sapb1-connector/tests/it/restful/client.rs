//! The client of SAP B1 RESTful when all goes well: tokens, how many calls it takes, and what it refuses to send.

use std::sync::Arc;

use datawald_backoffice::Backoffice;
use datawald_core::{Clock, Disposition, ErrorKind};
use jiff::SignedDuration;
use sapb1_connector::B1Api;

use super::*;
use crate::common::{clock, cx, cx_at, document, references, settings};

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
async fn a_wrong_password_is_not_tried_again_and_again() {
    let clock = clock();
    let options = SandboxOptions { clock: clock.clone() as Arc<dyn Clock>, ..SandboxOptions::default() };
    let sandbox = Sandbox::start(options).await.unwrap();
    let mut connection = RestfulSettings::new(&sandbox.url(), "user1", "wrong".into(), &settings("")).unwrap();
    let client = RestfulClient::new(connection.clone()).unwrap();
    let (cx, wanted) = (cx_at(&clock), references(["1"]));
    // Workers, and a health check that asks for the company, every second for half an hour.
    for _ in 0..30 * 60 {
        let (looked_up, asked) = tokio::join!(client.look_up(&cx, &wanted), client.info(&cx));
        for error in [looked_up.unwrap_err(), asked.unwrap_err()] {
            assert_eq!((error.kind(), error.disposition()), (ErrorKind::Unauthorized, Disposition::Permanent));
            assert!(error.message().contains("check both in the configuration; it is tried again from 2026-01-31T10:"));
        }
        clock.advance(SignedDuration::from_secs(1));
    }
    assert_eq!(sandbox.counters().auth, 4, "more could lock the user");

    // A reload with the right one is another client, which tries at once.
    connection.password = "abcxyz".into();
    RestfulClient::new(connection).unwrap().look_up(&cx, &wanted).await.unwrap();
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
    // Then it is known how long an order takes, and that as many may go at a time as are configured.
    let mut keys = agency.insert_orders(&cx(), &docs[..1]).await.unwrap();
    keys.extend(agency.insert_orders(&cx(), &docs[1..]).await.unwrap());
    let counters = sandbox.counters();
    assert_eq!((counters.inserts, counters.documents, counters.contacts), (1 + 3, 120, 1));
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
async fn fields_that_cannot_be_carried_are_refused_by_name_and_other_orders_go() {
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
        assert_eq!((error.disposition(), error.field_path()), (Disposition::Rejected, Some(field)));
    }
    assert_eq!(sandbox.counters().documents, 1);
}
