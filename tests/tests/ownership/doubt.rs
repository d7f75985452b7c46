//! What was sent may still be carried out: "not there" is believed the second time.

use datawald_backoffice::Found;
use datawald_core::engine::Done;
use datawald_core::model::{Intent, TxStatus};
use datawald_core::store::Claimed;

use crate::world::*;

#[tokio::test]
async fn the_first_not_there_is_not_believed_whatever_is_to_be_done() {
    for intent in intents() {
        for was in [TxStatus::InDoubt, TxStatus::InProcess] {
            let claimed = Claimed { was, ..in_doubt(&order("10.00"), intent.clone()) };
            let outcome = apply(Found::Missing, claimed).await;
            assert!(matches!(outcome.result, Ok(Done::NotThereYet)), "{intent:?} {was:?}: {:?}", outcome.result);
            // It may be there under that reference, so no other is used from now on.
            assert_eq!(outcome.reference, Some(stored("S-000000007")));
            assert!(outcome.writes().is_empty());
        }
    }
}

#[tokio::test]
async fn the_second_one_is() {
    let missed = |intent| Claimed { missed: true, ..in_doubt(&order("10.00"), intent) };
    let outcome = apply(Found::Missing, missed(Intent::Apply)).await;
    assert_eq!(outcome.writes(), ["insert S-000000007 of mage2/7"]);
    let outcome = apply(Found::Missing, missed(Intent::Cancel)).await;
    assert!(matches!(outcome.result, Ok(Done::Ignored { .. })), "{:?}", outcome.result);
    let outcome = apply(Found::Missing, missed(Intent::Ignore("is on hold".into()))).await;
    assert!(matches!(&outcome.result, Ok(Done::Ignored { note }) if note == "is on hold"), "{:?}", outcome.result);
    let outcome = apply(Found::Missing, missed(Intent::Reject("is given up".into()))).await;
    assert!(outcome.refusal().contains("is given up"));
    assert!(outcome.writes().is_empty());
}

#[tokio::test]
async fn of_what_was_never_sent_the_first_one_is() {
    let outcome = apply(Found::Missing, claimed(&order("10.00"), Intent::Apply)).await;
    assert_eq!(outcome.writes(), ["insert S-000000007 of mage2/7"]);
}

/// What is given up is looked for, and nothing else is done with it.
#[tokio::test]
async fn what_is_given_up_is_only_looked_for() {
    let given_up =
        || Claimed { was: TxStatus::InProcess, ..in_doubt(&order("10.00"), Intent::Reject("gave up".into())) };
    let outcome = apply(Found::Open(document("540", "10.00")), given_up()).await;
    assert_eq!((outcome.applied(), outcome.writes().len()), ("540", 0));
    let outcome = apply(Found::Open(document("540", "11.00")), given_up()).await;
    assert!(outcome.refusal().contains("not shown to be its own"), "{}", outcome.refusal());
    assert!(outcome.writes().is_empty());
}
