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

/// What is asked for when an open document cannot follow: somebody corrects it, and has the order done again.
#[tokio::test]
async fn a_document_that_somebody_corrected_is_the_orders_own() {
    let docs = ["17.00", "10.00"].map(|total| order(total).to_document().unwrap().0);
    let newer = || Claimed { rev: 3, written_docs: docs.to_vec(), ..in_doubt(&order("25.00"), Intent::Apply) };
    let outcome = apply(Found::Open(document("540", "25.00")), newer()).await;
    assert_eq!((outcome.applied(), outcome.writes()), ("540", vec!["update 540"]));
    // Any version may be the one that was written; what follows is the newest.
    for written in ["10.00", "17.00"] {
        let outcome = apply(Found::Open(document("540", written)), newer()).await;
        assert!(outcome.refusal().contains("cannot follow"), "{}", outcome.refusal());
        let cancel = Claimed { intent: Intent::Cancel, ..newer() };
        let outcome = apply(Found::Open(document("540", written)), cancel).await;
        assert_eq!(outcome.writes(), ["cancel 540 under S-000000007"]);
    }
    let outcome = apply(Found::Open(document("540", "11.00")), newer()).await;
    assert!(outcome.refusal().contains("25.00 or 17.00 or 10.00"), "{}", outcome.refusal());
}

/// The setting that tells two stores apart names an order otherwise than when it was written.
#[tokio::test]
async fn a_new_number_is_no_matter_to_what_has_its_reference() {
    let mut renamed = order("10.00");
    renamed.fe_order_id = format!("EU-{NUMBER}");
    let claim = |intent| Claimed { name: NUMBER.into(), ..changed(&renamed, intent) };
    let outcome = apply(Found::Open(document("540", "10.00")), claim(Intent::Cancel)).await;
    assert_eq!(outcome.writes(), ["cancel 540 under S-000000007"]);
    let outcome = apply(Found::Open(document("540", "10.00")), claim(Intent::Apply)).await;
    assert_eq!(outcome.writes(), ["update 540"]);
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
