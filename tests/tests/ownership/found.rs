//! Whose document it is that was found.

use datawald_backoffice::{Found, FoundDocument};
use datawald_core::model::Intent;
use datawald_core::store::Claimed;

use crate::world::*;

/// What is not the order's own is never written to, whatever is to be done with the order.
async fn refused(document: FoundDocument, claimed: impl Fn(Intent) -> Claimed, parts: &[&str]) {
    for intent in intents() {
        for found in [Found::Open(document.clone()), Found::Cancelled(document.clone())] {
            let outcome = apply(found, claimed(intent.clone())).await;
            let told = outcome.refusal();
            for part in parts {
                assert!(told.contains(part), "{intent:?}: {told}");
            }
            assert_eq!(outcome.writes(), [""; 0], "{intent:?}");
        }
    }
}

#[tokio::test]
async fn a_document_that_comes_to_something_else_is_another_one() {
    let claim = |intent| claimed(&order("999.00"), intent);
    refused(document("540", "10.00"), claim, &["540", "10.00 USD", "999.00 USD", "C20000"]).await;
    let in_doubt = |intent| in_doubt(&order("999.00"), intent);
    refused(document("540", "10.00"), in_doubt, &["540", "10.00", "999.00"]).await;
}

#[tokio::test]
async fn so_is_one_of_another_customer_or_in_another_currency() {
    let claim = |intent| in_doubt(&order("10.00"), intent);
    let of = FoundDocument { customer: Some("C30000".into()), ..document("540", "10.00") };
    refused(of, claim, &["540", "C30000"]).await;
    let of = FoundDocument { currency: Some("INR".into()), ..document("540", "10.00") };
    refused(of, claim, &["540", "10.00 INR", "10.00 USD"]).await;
}

#[tokio::test]
async fn so_is_one_of_which_nothing_is_told() {
    let of = FoundDocument { target_id: "540".into(), ..FoundDocument::default() };
    refused(of, |intent| in_doubt(&order("10.00"), intent), &["540", "unknown"]).await;
}

#[tokio::test]
async fn what_bears_anothers_mark_is_never_ours_even_if_it_agrees_or_is_recorded() {
    let of = marked("540", "10.00", "mage2/8");
    refused(of.clone(), |intent| in_doubt(&order("10.00"), intent), &["540", "mage2/8", "mage2/7"]).await;
    refused(of, |intent| changed(&order("10.00"), intent), &["540", "mage2/8"]).await;
}

#[tokio::test]
async fn what_agrees_is_ours() {
    let outcome = apply(Found::Open(document("540", "10.00")), in_doubt(&order("10.00"), Intent::Apply)).await;
    assert_eq!((outcome.applied(), outcome.writes().len()), ("540", 0));
    assert_eq!(outcome.reference, Some(stored("S-000000007")));
    let outcome = apply(Found::Open(document("540", "10.00")), in_doubt(&order("10.00"), Intent::Cancel)).await;
    assert_eq!(outcome.writes(), ["cancel 540 under S-000000007"]);
    assert!(outcome.result.is_ok());
}

#[tokio::test]
async fn what_bears_our_mark_is_ours_whoever_the_customer_is_by_now() {
    let of = FoundDocument { customer: Some("C30000".into()), ..marked("540", "10.00", "mage2/7") };
    let outcome = apply(Found::Open(of.clone()), in_doubt(&order("10.00"), Intent::Apply)).await;
    assert_eq!((outcome.applied(), outcome.writes().len()), ("540", 0));
    // To cancel it, or to leave it, nothing needs to be made of the order.
    let mut unmappable = order("10.00");
    unmappable.coupon_code = Some("cannot be mapped".into());
    let outcome = apply(Found::Open(of.clone()), in_doubt(&unmappable, Intent::Cancel)).await;
    assert_eq!(outcome.writes(), ["cancel 540 under S-000000007"]);
    let outcome = apply(Found::Open(of), in_doubt(&unmappable, Intent::Ignore("is on hold".into()))).await;
    assert_eq!(outcome.applied(), "540");
}

#[tokio::test]
async fn the_mark_names_frontend_and_source_record() {
    let outcome = apply(Found::Missing, claimed(&order("10.00"), Intent::Apply)).await;
    assert_eq!(outcome.asked, ["look up S-000000007", "insert S-000000007 of mage2/7"]);
    assert_eq!(outcome.applied(), "900");
}

#[tokio::test]
async fn an_order_that_is_called_otherwise_than_it_was_staged_is_not_even_looked_up() {
    let claimed = Claimed { name: "000000008".into(), ..claimed(&order("10.00"), Intent::Apply) };
    let outcome = apply(Found::Missing, claimed).await;
    let told = outcome.refusal();
    assert!(told.contains("fe_order_id") && told.contains("000000007") && told.contains("000000008"), "{told}");
    assert!(outcome.asked.is_empty());
}

#[tokio::test]
async fn of_two_orders_under_one_reference_one_is_written() {
    let one = claimed(&order("10.00"), Intent::Apply);
    let mut other = one.clone();
    other.key.id = "8".into();
    let outcomes = apply_all(Found::Missing, &[one, other]).await;
    assert_eq!(outcomes[0].writes(), ["insert S-000000007 of mage2/7"]);
    assert_eq!(outcomes[0].applied(), "900");
    assert!(outcomes[1].refusal().contains("same reference as order 7"), "{}", outcomes[1].refusal());
}
