//! The client when things go wrong: nothing lost, nothing doubled, and the right thing to do told.

use std::time::Duration;

use datawald_backoffice::{Backoffice, Found, NativeOrder};
use datawald_core::{Disposition, ErrorKind};
use jiff::SignedDuration;
use sapb1_connector::B1Agency;
use sapb1_connector::sandbox::restful::{Faults, Sandbox, SandboxOptions};

use crate::common::*;

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
const RETRY: Disposition = Disposition::Retryable { after: None };

#[tokio::test]
async fn an_expired_token_is_renewed_once_and_nothing_is_doubled() {
    let (sandbox, agency, docs) = broken(Faults { expire_token_every: 2, ..Faults::default() }, 3).await;
    for doc in &docs {
        assert_eq!(dispositions(&agency, std::slice::from_ref(doc)).await, [None]);
    }
    let counters = sandbox.counters();
    assert_eq!(counters.documents, 3);
    assert!(counters.unauthorized >= 1);
}

#[tokio::test]
async fn tokens_that_never_hold_are_permanent() {
    let (sandbox, agency, docs) = broken(Faults { expire_token_every: 1, ..Faults::default() }, 1).await;
    assert_eq!(dispositions(&agency, &docs).await, [Some(Disposition::Permanent)]);
    assert_eq!((sandbox.counters().documents, sandbox.counters().inserts), (0, 0));
}

#[tokio::test]
async fn a_lost_answer_is_uncertain_and_found_by_look_up() {
    let (sandbox, agency, docs) = broken(Faults { drop_after_commit_every: 1, ..Faults::default() }, 3).await;
    assert_eq!(dispositions(&agency, &docs).await, [UNCERTAIN; 3]);
    assert_eq!(sandbox.counters().documents, 3);
    let found = agency.api().look_up(&cx(), &references(["1", "2", "3"])).await.unwrap();
    assert!(found.iter().all(|documents| documents.len() == 1));
}

#[tokio::test]
async fn a_slow_commit_is_uncertain_while_it_is_under_way() {
    let faults = Faults { slow_commit_every: 1, slow_commit_ms: 50, ..Faults::default() };
    let (sandbox, agency, docs) = broken(faults, 2).await;
    assert_eq!(dispositions(&agency, &docs).await, [UNCERTAIN; 2]);
    let arrived = async {
        while sandbox.counters().documents < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), arrived).await.unwrap();
}

#[tokio::test]
async fn a_failed_call_is_uncertain_for_each_of_its_orders() {
    let faults = Faults { crash_every: 1, crash_after_orders: 2, ..Faults::default() };
    let (sandbox, agency, docs) = broken(faults, 3).await;
    let results = agency.insert_orders(&cx(), &docs).await.unwrap();
    for result in results {
        let error = result.unwrap_err();
        assert_eq!((error.disposition(), error.code_text()), (Disposition::Uncertain, Some("501")));
        assert_eq!(error.message(), "SAP B1 RESTful failed: MemoryError");
    }
    assert_eq!(sandbox.counters().documents, 2);
}

#[tokio::test]
async fn one_failed_order_stops_no_other() {
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
async fn a_cut_answer_and_an_html_page() {
    for faults in [
        Faults { cut_body_every: 1, ..Faults::default() },
        Faults { html_every: 1, ..Faults::default() },
        Faults { unavailable_every: 1, ..Faults::default() },
    ] {
        let (_sandbox, agency, docs) = broken(faults.clone(), 1).await;
        assert_eq!(dispositions(&agency, &docs).await, [UNCERTAIN], "{faults:?}");
        let error = agency.api().look_up(&cx(), &references(["1"])).await.unwrap_err();
        assert_eq!(error.disposition(), RETRY, "{faults:?}");
    }
}

#[tokio::test]
async fn a_cancellation_without_answer_is_uncertain_and_seen_by_look_up() {
    let (sandbox, agency, docs) = broken(Faults::default(), 1).await;
    agency.insert_orders(&cx(), &docs).await.unwrap().remove(0).unwrap();
    sandbox.set_faults(Faults { cut_body_every: 1, ..Faults::default() });
    let reference = references(["1"]);
    let error = agency.cancel_orders(&cx(), &[(&reference[0], "536")]).await.unwrap().remove(0).unwrap_err();
    assert_eq!(error.disposition(), Disposition::Uncertain);
    sandbox.set_faults(Faults::default());
    let found = agency.look_up_orders(&cx(), &reference).await.unwrap();
    assert_eq!(found, [Found::Cancelled { target_id: "536".into() }]);
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
async fn a_service_in_which_nothing_works_is_no_refusal_of_lists() {
    let sandbox = sandbox().await;
    let agency = agency(&sandbox, settings("[reference]\nudf = \"U_NotThere\""));
    let mut wanted = references(["1", "2"]);
    wanted.iter_mut().for_each(|reference| reference.field = Some("U_NotThere".into()));
    let error = agency.look_up_orders(&cx(), &wanted).await.unwrap_err();
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::Refused, RETRY));
    assert!(error.message().contains("Invalid column name 'U_NotThere'"), "{error}");
    assert_eq!(sandbox.counters().lookups, 2);
}

#[tokio::test]
async fn duplicates_are_made_unless_they_are_blocked() {
    let (sandbox, agency, docs) = broken(Faults::default(), 1).await;
    let first = agency.insert_orders(&cx(), &docs).await.unwrap().remove(0).unwrap();
    let second = agency.insert_orders(&cx(), &docs).await.unwrap().remove(0).unwrap();
    assert_eq!(first, second, "the number of the first one found is answered");
    assert_eq!(sandbox.documents_of("1").len(), 2);
    sandbox.set_faults(Faults { block_duplicates: true, ..Faults::default() });
    assert_eq!(dispositions(&agency, &docs).await, [Some(Disposition::Rejected)]);
    assert_eq!(sandbox.documents_of("1").len(), 2);
}

#[tokio::test]
async fn unknown_names_are_told_by_the_service_too() {
    let (_sandbox, agency, mut docs) = broken(Faults::default(), 1).await;
    docs[0].set("TransportationCode", "Zeppelin");
    let error = agency.insert_orders(&cx(), &docs).await.unwrap().remove(0).unwrap_err();
    assert_eq!(error.disposition(), Disposition::Rejected);
    assert!(error.message().contains("`Zeppelin`"), "{error}");
}

#[tokio::test]
async fn saps_words_are_passed_on_and_personal_data_are_not() {
    let (_sandbox, agency, mut docs) = broken(Faults::default(), 1).await;
    docs[0].lines[0].set("TaxCode", "NONE");
    let error = agency.insert_orders(&cx(), &docs).await.unwrap().remove(0).unwrap_err();
    assert_eq!(error.code_text(), Some("-5002"));
    assert_eq!(error.message(), "SAP B1 refuses the order: Invalid tax code [RDR1.TaxCode]");
    let text = format!("{error} {error:?} {:?}", docs[0]);
    for personal in ["Veronica", "Costello", "roni_cost", "Honey", "229-3326"] {
        assert!(!text.contains(personal), "{text}");
    }
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

#[tokio::test]
async fn a_customer_that_sap_b1_does_not_have() {
    let customers = Some(["C20000".to_owned()].into());
    let sandbox = Sandbox::start(SandboxOptions { customers, ..SandboxOptions::default() }).await.unwrap();
    let agency = agency(&sandbox, settings(""));
    let mut doc = document(&agency, "1").await;
    agency.insert_orders(&cx(), std::slice::from_ref(&doc)).await.unwrap().remove(0).unwrap();
    doc.set("CardCode", "C99999");
    let error = agency.insert_orders(&cx(), &[doc]).await.unwrap().remove(0).unwrap_err();
    assert_eq!((error.disposition(), error.field_path()), (Disposition::Rejected, Some("CardCode")));
    assert!(error.message().contains("`C99999`"), "{error}");
}
