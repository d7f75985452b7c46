//! Cancellations that are refused.

use datawald_backoffice::Found;
use datawald_core::engine::Done;
use datawald_core::model::Intent;

use crate::world::*;

/// The document 540 is there, its cancellation is refused, and that stands under the reference then.
async fn refused_over(found: Found) -> Outcome {
    let erp = Erp::new("S-");
    erp.find(&format!("S-{NUMBER}"), Found::Open(document("540", "10.00")));
    erp.refuse_over(found);
    apply_to(&erp, &[changed(&order("10.00"), Intent::Cancel)]).await.remove(0)
}

/// An earlier call without an answer was carried out between the look-up and this one.
#[tokio::test]
async fn what_an_earlier_call_has_cancelled_meanwhile_is_cancelled() {
    let outcome = refused_over(Found::Cancelled(document("540", "10.00"))).await;
    assert!(
        matches!(&outcome.result, Ok(Done::Cancelled { target_id: Some(target_id), .. }) if target_id == "540"),
        "{:?}",
        outcome.result
    );
    let reference = format!("S-{NUMBER}");
    let (look_up, cancel) = (format!("look up {reference}"), format!("cancel 540 under {reference}"));
    assert_eq!(outcome.asked, [look_up.clone(), cancel, look_up], "nothing is sent twice");
}

#[tokio::test]
async fn what_stands_still_is_refused() {
    for stands in [
        Found::Open(document("540", "10.00")),
        Found::Missing,
        Found::Cancelled(document("541", "10.00")),
        Found::Several { target_ids: vec!["540".into(), "541".into()] },
    ] {
        let outcome = refused_over(stands).await;
        assert!(outcome.refusal().contains("this is not possible"));
        assert_eq!(outcome.writes().len(), 1);
    }
}
