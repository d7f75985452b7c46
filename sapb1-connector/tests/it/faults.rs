//! The clients when things go wrong: nothing lost, nothing doubled, and the right thing to do told.

use std::time::Duration;

use datawald_backoffice::{Backoffice, Found, NativeOrder};
use datawald_core::Disposition;
use sapb1_connector::B1Agency;
use sapb1_connector::sandbox::{B1Sandbox, Company, Faults, Way};

use crate::common::*;

sapb1_connector::over_both_ways! {
    a_log_in_that_ended_is_renewed_and_nothing_is_doubled
    log_ins_that_never_hold_are_permanent
    a_lost_answer_is_uncertain_and_found_by_look_up
    a_slow_commit_is_uncertain_while_it_is_under_way
    an_insert_that_breaks_off_is_uncertain_for_each_of_its_orders
    one_failed_order_stops_no_other
    a_cut_answer_and_an_html_page
    a_cancellation_without_answer_is_uncertain_and_seen_by_look_up
    duplicates_are_made_unless_they_are_blocked
    unknown_names_are_told
    saps_words_are_passed_on_and_personal_data_are_not
    a_customer_that_sap_b1_does_not_have
}

/// A sandbox with faults, an agency, and documents under `1`, `2`, …
async fn broken(way: Way, faults: Faults, count: usize) -> (B1Sandbox, B1Agency, Vec<NativeOrder>) {
    let sandbox = sandbox(way).await;
    let agency = sandbox.agency(settings("")).unwrap();
    let mut docs = Vec::new();
    for i in 1..=count {
        docs.push(document(&agency, &i.to_string()).await);
    }
    sandbox.set_faults(faults);
    (sandbox, agency, docs)
}

/// What is to be done about each document; where nothing was sent of any, that of the whole.
async fn dispositions(agency: &B1Agency, docs: &[NativeOrder]) -> Vec<Option<Disposition>> {
    match agency.insert_orders(&cx(), docs).await {
        Ok(results) => results.into_iter().map(|result| result.err().map(|error| error.disposition())).collect(),
        Err(error) => vec![Some(error.disposition()); docs.len()],
    }
}

const UNCERTAIN: Option<Disposition> = Some(Disposition::Uncertain);
const RETRY: Disposition = Disposition::Retryable { after: None };

async fn a_log_in_that_ended_is_renewed_and_nothing_is_doubled(way: Way) {
    let (sandbox, agency, docs) = broken(way, Faults { end_session_every: 2, ..Faults::default() }, 3).await;
    for doc in &docs {
        assert_eq!(dispositions(&agency, std::slice::from_ref(doc)).await, [None]);
    }
    let counters = sandbox.counters();
    assert_eq!(counters.documents, 3);
    assert!(counters.unauthorized >= 1);
}

/// Those that wait for their turn wait without a token, which could be over by then, as the one after it.
#[tokio::test]
async fn a_token_that_ends_while_others_wait_for_their_turn_fails_nobody() {
    let sandbox = sandbox(Way::Restful).await;
    let agency = sandbox.agency(settings("requests = { concurrency = 1 }")).unwrap();
    sandbox.set_faults(Faults { end_session_every: 2, ..Faults::default() });
    let (cx, sought) = (cx(), references(["1"]));
    let look_ups = (0..6).map(|_| agency.api().look_up(&cx, &sought));
    for found in futures::future::join_all(look_ups).await {
        assert!(found.unwrap()[0].is_empty());
    }
    assert!(sandbox.counters().unauthorized >= 5);
}

async fn log_ins_that_never_hold_are_permanent(way: Way) {
    let (sandbox, agency, docs) = broken(way, Faults { end_session_every: 1, ..Faults::default() }, 1).await;
    assert_eq!(dispositions(&agency, &docs).await, [Some(Disposition::Permanent)]);
    assert_eq!((sandbox.counters().documents, sandbox.counters().writes), (0, 0));
}

async fn a_lost_answer_is_uncertain_and_found_by_look_up(way: Way) {
    let (sandbox, agency, docs) = broken(way, Faults { drop_after_commit_every: 1, ..Faults::default() }, 3).await;
    assert_eq!(dispositions(&agency, &docs).await, [UNCERTAIN; 3]);
    assert_eq!(sandbox.counters().documents, 3);
    let found = agency.api().look_up(&cx(), &references(["1", "2", "3"])).await.unwrap();
    assert!(found.iter().all(|documents| documents.len() == 1));
}

async fn a_slow_commit_is_uncertain_while_it_is_under_way(way: Way) {
    let faults = Faults { slow_commit_every: 1, slow_commit_ms: 50, ..Faults::default() };
    let (sandbox, agency, docs) = broken(way, faults, 2).await;
    assert_eq!(dispositions(&agency, &docs).await, [UNCERTAIN; 2]);
    let arrived = async {
        while sandbox.counters().documents < 2 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(20), arrived).await.unwrap();
}

async fn an_insert_that_breaks_off_is_uncertain_for_each_of_its_orders(way: Way) {
    let faults = Faults { crash_every: 1, crash_after_orders: 2, ..Faults::default() };
    let (sandbox, agency, docs) = broken(way, faults, 3).await;
    for result in agency.insert_orders(&cx(), &docs).await.unwrap() {
        let error = result.unwrap_err();
        assert_eq!(error.disposition(), Disposition::Uncertain);
        // SAP B1 RESTful still answers, of the whole; of a batch of the Service Layer no answer comes.
        match way {
            Way::Restful => {
                assert_eq!((error.code_text(), error.message()), (Some("501"), "SAP B1 RESTful failed: MemoryError"));
            }
            Way::ServiceLayer => assert_eq!(error.code_text(), None, "{error}"),
        }
    }
    assert_eq!(sandbox.counters().documents, 2);
    let found = agency.api().look_up(&cx(), &references(["1", "2", "3"])).await.unwrap();
    assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), [1, 1, 0]);
}

async fn one_failed_order_stops_no_other(way: Way) {
    let refuse_numbers = ["2", "4"].map(String::from).into();
    let (sandbox, agency, docs) = broken(way, Faults { refuse_numbers, ..Faults::default() }, 5).await;
    let rejected = Some(Disposition::Rejected);
    assert_eq!(dispositions(&agency, &docs).await, [None, rejected, None, rejected, None]);
    assert_eq!(sandbox.counters().documents, 3);
}

async fn a_cut_answer_and_an_html_page(way: Way) {
    for faults in [
        Faults { cut_body_every: 1, ..Faults::default() },
        Faults { html_every: 1, ..Faults::default() },
        Faults { unavailable_every: 1, ..Faults::default() },
    ] {
        let (sandbox, agency, docs) = broken(way, faults.clone(), 1).await;
        // Over the Service Layer who ordered is looked up before, so that no order is sent.
        let (expected, most) = match way {
            Way::Restful => (UNCERTAIN, 1),
            Way::ServiceLayer => (Some(RETRY), 0),
        };
        assert_eq!(dispositions(&agency, &docs).await, [expected], "{faults:?}");
        assert!(sandbox.counters().documents <= most, "{faults:?}");
        let error = agency.api().look_up(&cx(), &references(["1"])).await.unwrap_err();
        assert_eq!(error.disposition(), RETRY, "{faults:?}");
    }
}

async fn a_cancellation_without_answer_is_uncertain_and_seen_by_look_up(way: Way) {
    let (sandbox, agency, docs) = broken(way, Faults::default(), 1).await;
    agency.insert_orders(&cx(), &docs).await.unwrap().remove(0).unwrap();
    sandbox.set_faults(Faults { cut_body_every: 1, ..Faults::default() });
    let reference = references(["1"]);
    let error = agency.cancel_orders(&cx(), &[(&reference[0], "536")]).await.unwrap().remove(0).unwrap_err();
    assert_eq!(error.disposition(), Disposition::Uncertain);
    sandbox.set_faults(Faults::default());
    let found = agency.look_up_orders(&cx(), &reference).await.unwrap();
    assert_eq!(found, [Found::Cancelled(crate::common::found("536"))]);
}

async fn duplicates_are_made_unless_they_are_blocked(way: Way) {
    let (sandbox, agency, docs) = broken(way, Faults::default(), 1).await;
    let first = agency.insert_orders(&cx(), &docs).await.unwrap().remove(0).unwrap();
    let second = agency.insert_orders(&cx(), &docs).await.unwrap().remove(0).unwrap();
    // SAP B1 RESTful answers the key of the first document under the number, the Service Layer that of the one it made.
    assert_eq!(first == second, way == Way::Restful, "{first} and {second}");
    assert_eq!(sandbox.documents_of("1").len(), 2);
    sandbox.set_faults(Faults { block_duplicates: true, ..Faults::default() });
    assert_eq!(dispositions(&agency, &docs).await, [Some(Disposition::Rejected)]);
    assert_eq!(sandbox.documents_of("1").len(), 2);
}

async fn unknown_names_are_told(way: Way) {
    let (_sandbox, agency, mut docs) = broken(way, Faults::default(), 1).await;
    docs[0].set("TransportationCode", "Zeppelin");
    let error = agency.insert_orders(&cx(), &docs).await.unwrap().remove(0).unwrap_err();
    assert_eq!(error.disposition(), Disposition::Rejected);
    assert!(error.message().contains("`Zeppelin`"), "{error}");
}

async fn saps_words_are_passed_on_and_personal_data_are_not(way: Way) {
    let (_sandbox, agency, mut docs) = broken(way, Faults::default(), 1).await;
    docs[0].lines[0].set("TaxCode", "NONE");
    let error = agency.insert_orders(&cx(), &docs).await.unwrap().remove(0).unwrap_err();
    assert_eq!(error.disposition(), Disposition::Rejected);
    assert_eq!(error.code_text(), Some("-5002"));
    // SAP's own words come over each way as it gives them.
    let words = match way {
        Way::Restful => "SAP B1 refuses the order: Invalid tax code [RDR1.TaxCode]",
        Way::ServiceLayer => "SAP B1 refuses: ",
    };
    assert!(error.message().starts_with(words), "{error}");
    let text = format!("{error} {error:?} {:?}", docs[0]);
    for personal in ["Veronica", "Costello", "roni_cost", "Honey", "229-3326"] {
        assert!(!text.contains(personal), "{text}");
    }
}

async fn a_customer_that_sap_b1_does_not_have(way: Way) {
    let customers = Some(["C20000".to_owned()].into());
    let sandbox = sandbox_of(way, Company { customers, ..Company::default() }).await;
    let agency = sandbox.agency(settings("")).unwrap();
    let mut doc = document(&agency, "1").await;
    agency.insert_orders(&cx(), std::slice::from_ref(&doc)).await.unwrap().remove(0).unwrap();
    doc.reference = "2".into();
    doc.set("NumAtCard", "2");
    doc.set("CardCode", "C99999");
    let error = agency.insert_orders(&cx(), &[doc]).await.unwrap().remove(0).unwrap_err();
    assert_eq!(error.disposition(), Disposition::Rejected);
    assert!(error.message().contains("`C99999`"), "{error}");
    // The Service Layer refuses it by a code that stands for much else, so its customers are asked for.
    assert_eq!(error.field_path(), Some("CardCode"));
}
