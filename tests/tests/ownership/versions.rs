//! What of a newer version follows, and under which reference.

use datawald_backoffice::Found;
use datawald_core::engine::Done;
use datawald_core::model::Intent;
use datawald_core::store::Claimed;
use datawald_core::{Checkpoint, Disposition};

use crate::world::*;

#[tokio::test]
async fn newer_content_follows_also_what_was_written_in_doubt() {
    let outcome = apply(Found::Open(document("540", "10.00")), changed(&order("10.00"), Intent::Apply)).await;
    assert_eq!((outcome.applied(), outcome.writes()), ("540", vec!["update 540"]));
    // The first version was sent without an answer; meanwhile there is a second.
    let newer = Claimed { rev: 2, ..in_doubt(&order("10.00"), Intent::Apply) };
    let outcome = apply(Found::Open(document("540", "10.00")), newer).await;
    assert_eq!((outcome.applied(), outcome.writes()), ("540", vec!["update 540"]));
}

#[tokio::test]
async fn what_is_there_as_it_is_now_is_left_alone() {
    let outcome = apply(Found::Open(document("540", "10.00")), in_doubt(&order("10.00"), Intent::Apply)).await;
    assert!(outcome.writes().is_empty());
    let again = Claimed { written: Some(2), ..changed(&order("10.00"), Intent::Apply) };
    let outcome = apply(Found::Open(document("540", "10.00")), again).await;
    assert_eq!((outcome.applied(), outcome.writes().len()), ("540", 0));
}

#[tokio::test]
async fn an_order_that_comes_to_something_else_by_now_is_not_called_done() {
    for document in [document("540", "10.00"), marked("540", "10.00", "mage2/7")] {
        let outcome = apply(Found::Open(document), changed(&order("25.00"), Intent::Apply)).await;
        let told = outcome.refusal();
        assert!(told.contains("540") && told.contains("10.00") && told.contains("25.00"), "{told}");
        assert!(outcome.writes().is_empty());
    }
}

#[tokio::test]
async fn the_stored_reference_is_used_whatever_the_rules_say_today() {
    let claim = |intent| Claimed { reference: Some(stored("OLD-7")), ..changed(&order("10.00"), intent) };
    let outcome = apply(Found::Open(document("666", "10.00")), claim(Intent::Apply)).await;
    assert_eq!(outcome.asked, ["look up OLD-7"]);
    assert!(outcome.refusal().contains("OLD-7"), "{}", outcome.refusal());
    let unreadable = Claimed { reference: Some("{".into()), ..claim(Intent::Apply) };
    let outcome = apply(Found::Missing, unreadable).await;
    assert!(outcome.asked.is_empty() && outcome.refusal().contains("stored reference"), "{}", outcome.refusal());
}

#[tokio::test]
async fn a_version_that_cannot_be_mapped_is_found_by_the_stored_reference() {
    let rejected = Claimed { doc: String::new(), ..changed(&order("10.00"), Intent::Reject("has no sku".into())) };
    let outcome = apply(Found::Open(document("540", "10.00")), rejected.clone()).await;
    assert_eq!(outcome.asked, ["look up S-000000007"]);
    assert!(
        matches!(&outcome.result, Ok(Done::Applied { target_id, note }) if target_id == "540" && note.contains("has no sku"))
    );
    // Nothing can be made of it to compare with what nobody has recorded.
    let in_doubt = Claimed { target_id: None, ..rejected };
    let outcome = apply(Found::Open(document("540", "10.00")), in_doubt).await;
    assert!(outcome.refusal().contains("cannot be made"), "{}", outcome.refusal());
}

#[tokio::test]
async fn what_cannot_be_compared_is_refused_for_what_is_wrong_with_it() {
    let mut unmappable = order("10.00");
    unmappable.coupon_code = Some("cannot be mapped".into());
    let outcome = apply(Found::Open(document("540", "10.00")), changed(&unmappable, Intent::Apply)).await;
    assert!(outcome.refusal().contains("cannot be mapped"));
    assert!(outcome.writes().is_empty());
}

#[tokio::test]
async fn a_recorded_document_that_is_gone_is_not_made_again() {
    for intent in intents() {
        let outcome = apply(Found::Missing, changed(&order("10.00"), intent)).await;
        assert_eq!(outcome.result.as_ref().unwrap_err().disposition(), Disposition::Rejected);
        assert!(outcome.refusal().contains("540") && outcome.writes().is_empty());
    }
}

#[tokio::test]
async fn every_write_has_its_checkpoints() {
    let around = [Checkpoint::BeforeLookUp, Checkpoint::AfterLookUp, Checkpoint::BeforeWrite, Checkpoint::AfterWrite];
    let there = || Found::Open(document("540", "10.00"));
    let inserted = apply(Found::Missing, claimed(&order("10.00"), Intent::Apply)).await;
    let updated = apply(there(), changed(&order("10.00"), Intent::Apply)).await;
    let cancelled = apply(there(), changed(&order("10.00"), Intent::Cancel)).await;
    for outcome in [inserted, updated, cancelled] {
        assert_eq!(outcome.reached, around, "{:?}", outcome.asked);
    }
}
