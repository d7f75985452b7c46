//! The client of SAP B1 RESTful when things go wrong as they can there only.

use datawald_backoffice::{Backoffice, NativeOrder};
use datawald_core::{Disposition, ErrorKind};
use jiff::SignedDuration;
use sapb1_connector::sandbox::restful::Faults;

use super::*;
use crate::common::{clock, cx, cx_at, document, references, settings};

/// A sandbox with faults, an agency, and documents under `1`, `2`, …
async fn broken(faults: Faults, count: usize) -> (Sandbox, B1Agency, Vec<NativeOrder>) {
    let sandbox = sandbox().await;
    let agency = agency(&sandbox, settings(""));
    let mut docs = Vec::new();
    for i in 1..=count {
        docs.push(document(&agency, &i.to_string()).await);
    }
    sandbox.set_faults(faults);
    (sandbox, agency, docs)
}

async fn dispositions(agency: &B1Agency, docs: &[NativeOrder]) -> Vec<Option<Disposition>> {
    let results = agency.insert_orders(&cx(), docs).await.unwrap();
    results.into_iter().map(|result| result.err().map(|error| error.disposition())).collect()
}

const UNCERTAIN: Option<Disposition> = Some(Disposition::Uncertain);

#[tokio::test]
async fn orders_that_fail_stop_no_other() {
    let (sandbox, agency, docs) = broken(Faults { fail_order_every: 2, ..Faults::default() }, 4).await;
    let rejected = Some(Disposition::Rejected);
    assert_eq!(dispositions(&agency, &docs).await, [None, rejected, None, rejected]);
    let counters = sandbox.counters();
    assert_eq!((counters.documents, counters.refused), (2, 2));
}

#[tokio::test]
async fn an_order_that_is_made_and_reported_as_failed_is_uncertain() {
    let (sandbox, agency, docs) = broken(Faults { fail_after_commit_every: 1, ..Faults::default() }, 1).await;
    assert_eq!(dispositions(&agency, &docs).await, [UNCERTAIN]);
    assert_eq!(sandbox.counters().documents, 1);
}

#[tokio::test]
async fn answers_in_another_order_are_told_apart() {
    let (sandbox, agency, docs) = broken(Faults { reorder: true, ..Faults::default() }, 3).await;
    let keys = agency.insert_orders(&cx(), &docs).await.unwrap();
    for (doc, key) in docs.iter().zip(keys) {
        assert_eq!(sandbox.document(&doc.reference).unwrap().doc_entry.to_string(), key.unwrap());
    }
}

#[tokio::test]
async fn an_order_that_is_missing_from_the_answer_is_uncertain() {
    let (_sandbox, agency, docs) = broken(Faults { short: true, ..Faults::default() }, 3).await;
    assert_eq!(dispositions(&agency, &docs).await, [None, None, UNCERTAIN]);
}

#[tokio::test]
async fn refused_lists_are_looked_up_one_by_one_for_a_while() {
    let sandbox = sandbox().await;
    let clock = clock();
    let cx = cx_at(&clock);
    let agency = agency(&sandbox, settings(""));
    let doc = document(&agency, "2").await;
    agency.insert_orders(&cx, &[doc]).await.unwrap().remove(0).unwrap();
    sandbox.set_faults(Faults { refuse_lists: true, ..Faults::default() });
    let wanted = references(["1", "2", "3"]);
    let lookups = async || {
        let before = sandbox.counters().lookups;
        let found = agency.api().look_up(&cx, &wanted).await.unwrap();
        assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [0, 1, 0]);
        sandbox.counters().lookups - before
    };
    assert_eq!(lookups().await, 4, "one list, then three numbers");
    assert_eq!(lookups().await, 3, "no list any more");
    sandbox.set_faults(Faults::default());
    clock.advance(SignedDuration::from_secs(601));
    assert_eq!(lookups().await, 1, "a list again");
}

#[tokio::test]
async fn a_field_that_is_not_there_is_a_matter_of_the_settings_and_no_refusal_of_lists() {
    let sandbox = sandbox().await;
    let agency = agency(&sandbox, settings("[reference]\nudf = \"U_NotThere\""));
    let mut wanted = references(["1", "2"]);
    wanted.iter_mut().for_each(|reference| reference.field = Some("U_NotThere".into()));
    let error = agency.look_up_orders(&cx(), &wanted).await.unwrap_err();
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::Config, Disposition::Permanent));
    assert_eq!(error.field_path(), Some("reference.udf"));
    assert!(error.message().contains("no user-defined field `U_NotThere`: add it"), "{error}");
    assert!(error.report().contains("Invalid column name 'U_NotThere'"), "{}", error.report());
    assert_eq!(sandbox.counters().lookups, 3, "the list, and whether it is the field");
}

#[tokio::test]
async fn faults_are_set_and_read_over_the_control_route() {
    let sandbox = sandbox().await;
    let raw = Raw::new(&sandbox);
    let (status, _) = raw.call("PUT", "control/faults", Some(r#"{"latency_ms":1,"short":true}"#)).await;
    assert_eq!(status, 200);
    let (_, faults) = raw.call("GET", "control/faults", None).await;
    assert_eq!((faults["latency_ms"].as_u64(), faults["short"].as_bool()), (Some(1), Some(true)));
    assert_eq!(raw.call("PUT", "control/faults", Some(r#"{"latencyms":1}"#)).await.0, 400);
    let (_, counters) = raw.call("GET", "control/counters", None).await;
    assert_eq!(counters["requests"].as_u64(), Some(0));
    let (status, documents) = raw.call("GET", "control/documents", None).await;
    assert_eq!((status, documents), (200, serde_json::json!([])));
}
