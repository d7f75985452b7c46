//! When things go wrong: nothing lost, nothing doubled, and the right thing to do told.

use std::collections::BTreeSet;
use std::time::Duration;

use datawald_backoffice::{Backoffice, Found};
use datawald_core::{Disposition, ErrorKind, Result};
use sapb1_connector::B1Api;
use sapb1_connector::sandbox::service_layer::{Busy, Faults, SandboxOptions};

use super::{ROOTS, plain, world};
use crate::common::*;

fn dispositions(results: &[Result<String>]) -> Vec<Option<Disposition>> {
    results.iter().map(|result| result.as_ref().err().map(|error| error.disposition())).collect()
}

fn numbers(numbers: &[usize]) -> BTreeSet<String> {
    numbers.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_session_that_ends_at_any_call_is_renewed_and_nothing_is_doubled() {
    for root in ROOTS {
        // As many calls as a whole run takes; the session ends at each of them in turn.
        for at in 1..=11 {
            let world = world(root, SandboxOptions::default(), settings(""), |it| it.sessions = 1).await;
            world.faults(Faults { end_session_at: BTreeSet::from([at]), ..Faults::default() });
            let docs = world.documents(3).await;
            let found = world.agency.look_up_orders(&cx(), &references(["1", "2", "3"])).await.unwrap();
            assert_eq!(found, [Found::Missing, Found::Missing, Found::Missing]);
            assert!(world.insert(&docs).await.iter().all(Result::is_ok), "{root:?}, call {at}");
            let reference = references(["1"]).remove(0);
            world.agency.cancel_orders(&cx(), &[(&reference, "536")]).await.unwrap().remove(0).unwrap();
            let counters = world.sandbox.counters();
            assert_eq!((counters.documents, counters.cancelled), (3, 1), "{root:?}, call {at}");
            assert!(counters.sessions_most <= 1);
        }
    }
}

#[tokio::test]
async fn sessions_that_never_hold_are_permanent() {
    for root in ROOTS {
        let world = plain(root).await;
        let docs = world.documents(1).await;
        world.faults(Faults { end_session_every: 1, ..Faults::default() });
        let error = world.agency.look_up_orders(&cx(), &references(["1"])).await.unwrap_err();
        assert_eq!((error.kind(), error.disposition()), (ErrorKind::Unauthorized, Disposition::Permanent));
        assert_eq!(world.agency.insert_orders(&cx(), &docs).await.unwrap_err().disposition(), Disposition::Permanent);
        assert_eq!(world.sandbox.counters().documents, 0);
    }
}

#[tokio::test]
async fn of_a_batch_of_fifty_seven_are_refused_and_the_rest_is_made() {
    for (root, ignore_no_content) in ROOTS.into_iter().flat_map(|root| [(root, false), (root, true)]) {
        let world = plain(root).await;
        let docs = world.documents(51).await;
        // Then it is known how long an order takes, and that fifty may go at a time.
        let (docs, first) = docs.split_at(50);
        world.faults(Faults { ignore_no_content, ..Faults::default() });
        world.insert(first).await.remove(0).unwrap();
        let bad = [1, 2, 10, 25, 26, 49, 50];
        world.faults(Faults { refuse_numbers: numbers(&bad), ignore_no_content, ..Faults::default() });
        let before = world.client.requests_sent();
        let results = world.insert(docs).await;
        for (i, result) in results.iter().enumerate() {
            match result {
                Ok(key) => {
                    assert_eq!(world.sandbox.document(&(i + 1).to_string()).unwrap().doc_entry.to_string(), *key)
                }
                Err(error) => {
                    assert!(bad.contains(&(i + 1)), "{error}");
                    assert_eq!((error.disposition(), error.code_text()), (Disposition::Rejected, Some("-2028")));
                    assert!(error.message().contains("SAP B1 refuses: "), "{error}");
                }
            }
        }
        assert_eq!(results.iter().filter(|result| result.is_err()).count(), 7);
        assert_eq!(world.sandbox.counters().documents, 1 + 43);
        // A batch up to each refusal, a look for drafts, which customers and items there
        // are not; and where a refusal may have been a draft that the batch took back, each alone and another look.
        let alone = if ignore_no_content { 7 + 1 } else { 0 };
        assert_eq!(world.client.requests_sent() - before, 7 + 1 + 2 + alone);
    }
}

#[tokio::test]
async fn a_lost_answer_is_uncertain_for_each_order_and_a_look_up_tells() {
    for root in ROOTS {
        let world = plain(root).await;
        let docs = world.documents(4).await;
        world.insert(&docs[3..]).await.remove(0).unwrap();
        world.faults(Faults { drop_batch_after_commit_every: 1, drop_batch_after_parts: 2, ..Faults::default() });
        let results = world.agency.api().insert(&cx(), &docs[..3]).await;
        world.faults(Faults::default());
        // A batch is lost before the orders too: who ordered could not be looked up, and nothing was sent then.
        let sent = match results {
            Ok(results) => {
                assert_eq!(dispositions(&results), [Some(Disposition::Uncertain); 3]);
                true
            }
            Err(error) => {
                assert!(matches!(error.disposition(), Disposition::Retryable { .. }), "{error}");
                false
            }
        };
        let found = world.client.look_up(&cx(), &references(["1", "2", "3"])).await.unwrap();
        let there: Vec<usize> = found.iter().map(Vec::len).collect();
        assert_eq!(there, if sent { [1, 1, 0] } else { [0, 0, 0] }, "{root:?}");
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_or_not_an_answer_is_uncertain() {
    for root in ROOTS {
        for faults in [
            Faults { cut_body_every: 1, ..Faults::default() },
            Faults { html_every: 1, ..Faults::default() },
            Faults { unavailable_every: 1, ..Faults::default() },
        ] {
            let world = world(root, SandboxOptions::default(), settings(""), |it| {
                it.contacts = sapb1_connector::service_layer::Contacts::Leave;
            })
            .await;
            let docs = world.documents(2).await;
            world.faults(faults.clone());
            assert_eq!(dispositions(&world.insert(&docs).await), [Some(Disposition::Uncertain); 2], "{faults:?}");
            world.faults(Faults::default());
            let there = world.client.look_up(&cx(), &references(["1", "2"])).await.unwrap();
            let count: usize = there.iter().map(Vec::len).sum();
            assert_eq!(count as u64, world.sandbox.counters().documents);
        }
    }
}

#[tokio::test]
async fn an_order_that_an_approval_takes_is_recorded_as_a_draft() {
    // Answered 204 without a number, or, where that is not heeded, refused in the batch and saved when sent alone.
    for (root, ignore_no_content) in ROOTS.into_iter().flat_map(|root| [(root, false), (root, true)]) {
        let world = plain(root).await;
        let docs = world.documents(3).await;
        let faults = Faults { ignore_no_content, ..Faults::default() };
        world.faults(Faults { approval_numbers: numbers(&[2]), refuse_numbers: numbers(&[3]), ..faults });
        let results = world.insert(&docs).await;
        assert_eq!(results[0].as_ref().unwrap(), "536");
        let key = results[1].as_ref().unwrap().clone();
        let draft = world.sandbox.drafts().remove(0).doc_entry;
        assert_eq!(key, format!("draft {draft}"));
        assert_eq!(results[2].as_ref().unwrap_err().disposition(), Disposition::Rejected);

        // It is not made a second time, and not cancelled behind the back of who approves.
        let reference = references(["2"]).remove(0);
        let found = world.agency.look_up_orders(&cx(), std::slice::from_ref(&reference)).await.unwrap();
        assert_eq!(found, [Found::Open(crate::common::found(&key))]);
        let error = world.agency.cancel_orders(&cx(), &[(&reference, &key)]).await.unwrap().remove(0).unwrap_err();
        assert_eq!(error.disposition(), Disposition::Rejected);
        assert!(error.message().contains("waits for approval"), "{error}");
        // Once it is approved it is a document like any other.
        let entry = world.sandbox.approve(draft).unwrap();
        let found = world.agency.look_up_orders(&cx(), &[reference]).await.unwrap();
        assert_eq!(found, [Found::Open(crate::common::found(&entry.to_string()))]);
        assert_eq!(world.sandbox.counters().documents, 2);
    }
}

#[tokio::test]
async fn a_draft_that_nobody_reckoned_with_is_refused_and_tells_what_to_do() {
    for (root, ignore_no_content) in ROOTS.into_iter().flat_map(|root| [(root, false), (root, true)]) {
        let world = world(root, SandboxOptions::default(), settings(""), |it| it.approvals = false).await;
        let docs = world.documents(2).await;
        world.faults(Faults { approval_numbers: numbers(&[2]), ignore_no_content, ..Faults::default() });
        let results = world.insert(&docs).await;
        assert!(results[0].is_ok());
        let error = results[1].as_ref().unwrap_err();
        assert_eq!(error.disposition(), Disposition::Rejected, "{error}");
        assert!(ignore_no_content || error.message().contains("`approvals`"), "{error}");
        assert_eq!(world.sandbox.counters().documents, 1);
    }
}

#[tokio::test]
async fn a_storm_of_503_slows_down_and_loses_nothing() {
    for root in ROOTS {
        let world = world(root, SandboxOptions::default(), settings(""), |it| it.sessions = 8).await;
        let docs = world.documents(40).await;
        world.faults(Faults { unavailable_every: 4, ..Faults::default() });
        let mut left: Vec<_> = docs.iter().collect();
        let mut rounds = 0;
        while !left.is_empty() {
            rounds += 1;
            assert!(rounds < 50, "{} left", left.len());
            let wanted = references(left.iter().map(|doc| doc.reference.as_str()));
            let Ok(found) = world.client.look_up(&cx(), &wanted).await else { continue };
            left = left.into_iter().zip(found).filter(|(_, found)| found.is_empty()).map(|(doc, _)| doc).collect();
            for chunk in left.chunks(5) {
                let chunk: Vec<_> = chunk.iter().map(|doc| (*doc).clone()).collect();
                let _ = world.agency.insert_orders(&cx(), &chunk).await;
            }
        }
        assert_eq!(world.sandbox.counters().documents, 40);
        assert!(world.sandbox.counters().unavailable > 0);
    }
}

#[tokio::test]
async fn a_server_that_refuses_at_its_door_is_asked_again_by_fewer() {
    for root in ROOTS {
        let mut rules = settings("");
        rules.requests.write_batch = 2;
        let world = world(root, SandboxOptions::default(), rules, |it| it.sessions = 8).await;
        let docs = world.documents(60).await;
        let capacity = Faults { capacity: 2, busy: Busy::Refuse, retry_after_s: 1, latency_ms: 5, ..Faults::default() };
        world.faults(capacity);
        // With `Retry-After` it is sure that nothing was done.
        let results = world.insert(&docs).await;
        let doubtful = results.iter().flat_map(Result::as_ref).count();
        assert!(
            results.iter().all(|it| !matches!(dispositions(std::slice::from_ref(it))[0], Some(Disposition::Uncertain)))
        );
        assert_eq!(world.sandbox.counters().documents as usize, doubtful);
        assert!(world.client.concurrency() < 8);
    }
}

#[tokio::test]
async fn a_node_that_fails_is_only_slow() {
    for root in ROOTS {
        let world = plain(root).await;
        let docs = world.documents(2).await;
        world.faults(Faults { failed_nodes: BTreeSet::from([1]), fail_over_ms: 50, ..Faults::default() });
        assert!(world.insert(&docs).await.iter().all(Result::is_ok));
        assert_eq!(world.sandbox.counters().documents, 2);
    }
}

#[tokio::test]
async fn a_large_batch_goes_in_several() {
    for root in ROOTS {
        // The server refuses what is larger, and the client halves it.
        let options = SandboxOptions { max_body: 20_000, ..SandboxOptions::default() };
        let large = world(root, options, settings(""), |_| {}).await;
        let docs = large.documents(50).await;
        assert!(large.insert(&docs).await.iter().all(Result::is_ok), "{root:?}");
        assert_eq!(large.sandbox.counters().documents, 50);
        // The client keeps to its own limit.
        let options = SandboxOptions { max_body: 20_000, ..SandboxOptions::default() };
        let small = world(root, options, settings(""), |it| it.max_request = 15_000).await;
        let docs = small.documents(50).await;
        assert!(small.insert(&docs).await.iter().all(Result::is_ok), "{root:?}");
        assert_eq!((small.sandbox.counters().documents, small.sandbox.counters().refused), (50, 0));
    }
}

#[tokio::test]
async fn an_order_that_is_too_large_for_the_server_fails_alone() {
    for root in ROOTS {
        let options = SandboxOptions { max_body: 20_000, ..SandboxOptions::default() };
        let world = world(root, options, settings(""), |_| {}).await;
        let mut docs = world.documents(5).await;
        let line = docs[2].lines[0].clone();
        docs[2].lines.resize(300, line);
        let results = world.insert(&docs).await;
        let error = results[2].as_ref().unwrap_err();
        assert_eq!((error.kind(), error.disposition()), (ErrorKind::TooLarge, Disposition::Rejected), "{error}");
        let words: Vec<&str> = error.message().split(' ').collect();
        let at = words.iter().position(|word| *word == "bytes").unwrap();
        assert!(words[at - 1].parse::<usize>().unwrap() > 20_000, "{error}");
        assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 4, "{root:?}: {results:?}");
        assert_eq!(world.sandbox.counters().documents, 4);
    }
}

#[tokio::test]
async fn an_order_that_is_too_large_when_it_is_sent_alone_fails_alone() {
    for root in ROOTS {
        let world = plain(root).await;
        let mut docs = world.documents(3).await;
        let line = docs[1].lines[0].clone();
        docs[1].lines.resize(300, line);
        // Of what is refused in the batch, each may be a draft that the batch took back, and is sent alone.
        let faults = Faults { ignore_no_content: true, largest_alone: 20_000, ..Faults::default() };
        world.faults(Faults { refuse_numbers: numbers(&[2, 3]), ..faults });
        let results = world.insert(&docs).await;
        assert!(results[0].is_ok(), "{root:?}: {results:?}");
        let error = results[1].as_ref().unwrap_err();
        assert_eq!((error.kind(), error.disposition()), (ErrorKind::TooLarge, Disposition::Rejected), "{error}");
        assert!(error.message().contains("this order is too large"), "{error}");
        let error = results[2].as_ref().unwrap_err();
        assert_eq!((error.kind(), error.code_text()), (ErrorKind::Refused, Some("-2028")), "{error}");
    }
}

#[tokio::test]
async fn a_look_up_that_is_too_large_even_alone_is_a_matter_of_settings() {
    for root in ROOTS {
        let options = SandboxOptions { max_body: 1_000, ..SandboxOptions::default() };
        let world = world(root, options, settings(""), |_| {}).await;
        let long = "9".repeat(1_000);
        let error = world.client.look_up(&cx(), &references([long.as_str()])).await.unwrap_err();
        assert_eq!((error.kind(), error.disposition()), (ErrorKind::TooLarge, Disposition::Permanent), "{error}");
    }
}

#[tokio::test]
async fn a_write_is_not_sent_when_the_lease_is_nearly_over() {
    let world = world(ROOTS[1], SandboxOptions::default(), settings(""), |it| {
        it.sessions = 10;
        it.contacts = sapb1_connector::service_layer::Contacts::Leave;
    })
    .await;
    let docs = world.documents(1).await;
    let short = cx().with_deadline(cx().monotonic() + Duration::from_millis(900));
    let results = world.agency.insert_orders(&short, &docs).await;
    let errors: Vec<_> = match results {
        Ok(results) => results.into_iter().map(Result::unwrap_err).collect(),
        Err(error) => vec![error],
    };
    assert!(errors.iter().all(|it| it.disposition() == Disposition::Retryable { after: None }), "{errors:?}");
    assert_eq!(world.sandbox.counters().documents, 0);
    assert_eq!(world.client.concurrency(), 10, "what is not sent says nothing about how the server copes");
}
