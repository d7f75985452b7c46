//! Settling.

use super::Store;
use super::world::{World, cancelled, entity, failed, ignored, in_doubt, retry, sec, success, with_intent};
use crate::model::{Intent, TxStatus};
use crate::store::{Claimed, Outcome, Settled, Settlement};

fn settlement(claimed: &Claimed, outcome: Outcome) -> Settlement {
    Settlement { key: claimed.key.clone(), token: claimed.token, rev: claimed.rev, reference: None, outcome }
}

pub async fn every_outcome_has_its_status(store: Store) {
    let mut world = World::new(store).await;
    let later = world.after(40);
    let cases = [
        (success("B1-1"), TxStatus::Success, "applied", Some("B1-1"), None),
        (cancelled(Some("B1-1")), TxStatus::Cancelled, "cancelled there", Some("B1-1"), None),
        (cancelled(None), TxStatus::Cancelled, "cancelled there", None, None),
        (ignored("is there"), TxStatus::Ignored, "is there", None, None),
        (failed("no such item"), TxStatus::Failed, "no such item", None, None),
        (retry(later), TxStatus::New, "busy", None, Some(later)),
        (in_doubt(later), TxStatus::InDoubt, "no answer", None, Some(later)),
    ];
    for (n, (outcome, status, note, target_id, due_at)) in cases.into_iter().enumerate() {
        let id = &format!("{n}");
        world.stage_one(entity(id, "v1")).await;
        let claimed = world.claim_one(id).await;
        world.wait(1);
        assert_eq!(world.settle(&claimed, outcome).await, Settled::Done);
        let found = world.get(id).await;
        assert_eq!((found.status, found.note.as_str()), (status, note));
        assert_eq!((found.target_id.as_deref(), found.due_at), (target_id, due_at));
        assert_eq!((found.lease_until, found.rev, found.attempts), (None, 1, 1));
        assert_eq!(found.updated_at, world.now);
    }
}

pub async fn a_retry_comes_back_when_it_is_due(store: Store) {
    let mut world = World::new(store).await;
    world.stage_one(entity("1", "v1")).await;
    for attempt in 1..4 {
        let claimed = world.claim_one("1").await;
        assert_eq!(claimed.attempts, attempt);
        world.settle(&claimed, retry(world.after(10))).await;
        assert!(world.claim(1).await.is_empty());
        world.wait(10);
    }
}

pub async fn a_release_gives_the_attempt_back(store: Store) {
    let mut world = World::new(store).await;
    world.stage_one(entity("1", "v1")).await;
    let claimed = world.claim_one("1").await;
    world.settle(&claimed, retry(world.now)).await;
    let claimed = world.claim_one("1").await;
    assert_eq!(claimed.attempts, 2);
    world.wait(3);
    assert_eq!(world.settle(&claimed, Outcome::Release).await, Settled::Done);
    let found = world.get("1").await;
    assert_eq!((found.status, found.attempts, found.due_at), (TxStatus::New, 1, Some(world.now)));
    assert_eq!((found.note.as_str(), found.lease_until), ("busy", None));
    assert_eq!(world.claim_one("1").await.attempts, 2);
}

pub async fn a_release_leaves_a_doubt_in_doubt(store: Store) {
    let mut world = World::new(store).await;
    world.bring_to("1", TxStatus::InDoubt).await;
    world.wait(30);
    let claimed = world.claim_one("1").await;
    world.settle(&claimed, Outcome::Release).await;
    let found = world.get("1").await;
    assert_eq!((found.status, found.due_at), (TxStatus::InDoubt, Some(world.now)));
    // A lease that ran out is a doubt too.
    let lost = world.claim_one("1").await;
    world.settle(&lost, retry(world.now)).await;
    world.claim_one("1").await;
    world.wait(80);
    let claimed = world.claim_one("1").await;
    assert_eq!(claimed.was, TxStatus::InProcess);
    world.settle(&claimed, Outcome::Release).await;
    assert_eq!(world.status("1").await, TxStatus::InDoubt);
    // Once it is resolved, a release is a plain one again.
    let claimed = world.claim_one("1").await;
    world.settle(&claimed, ignored("is not there")).await;
    world.stage_one(entity("1", "v2")).await;
    let claimed = world.claim_one("1").await;
    world.settle(&claimed, Outcome::Release).await;
    assert_eq!(world.status("1").await, TxStatus::New);
}

pub async fn an_outcome_without_target_id_keeps_the_one_there_is(store: Store) {
    let world = World::new(store).await;
    world.bring_to("1", TxStatus::Success).await;
    let outcomes =
        [cancelled(None), ignored("x"), failed("x"), retry(world.now), in_doubt(world.now), Outcome::Release];
    for (n, outcome) in outcomes.into_iter().enumerate() {
        world.stage_one(entity("1", &format!("v{}", n + 2))).await;
        let claimed = world.claim_one("1").await;
        world.settle(&claimed, outcome).await;
        assert_eq!(world.get("1").await.target_id.as_deref(), Some("B1-1"));
    }
    let claimed = world.claim_one("1").await;
    world.settle(&claimed, success("B1-2")).await;
    assert_eq!(world.get("1").await.target_id.as_deref(), Some("B1-2"));
}

pub async fn only_the_current_token_settles(store: Store) {
    let mut world = World::new(store).await;
    world.stage_one(entity("1", "v1")).await;
    let lost = world.claim_one("1").await;
    world.wait(80);
    let held = world.claim_one("1").await;
    let before = world.get("1").await;
    for outcome in [success("late"), failed("late"), retry(sec(0)), in_doubt(sec(0)), Outcome::Release] {
        assert_eq!(world.settle(&lost, outcome).await, Settled::Fenced);
        assert!(world.get("1").await == before);
    }
    assert_eq!(world.settle(&held, success("B1-1")).await, Settled::Done);
    assert_eq!(world.settle(&lost, failed("late")).await, Settled::Fenced);
    assert_eq!(world.get("1").await.target_id.as_deref(), Some("B1-1"));
}

pub async fn a_late_worker_may_settle_while_nobody_else_has_claimed(store: Store) {
    let mut world = World::new(store).await;
    world.stage_one(entity("1", "v1")).await;
    let claimed = world.claim_one("1").await;
    world.wait(100_000);
    assert_eq!(world.settle(&claimed, success("B1-1")).await, Settled::Done);
    assert_eq!(world.status("1").await, TxStatus::Success);
}

pub async fn what_is_not_leased_is_not_settled(store: Store) {
    let world = World::new(store).await;
    world.stage(vec![entity("1", "v1"), entity("2", "v1")]).await;
    let claimed = world.claim_one("1").await;
    let unclaimed = Claimed { key: world.key("2"), token: 0, ..claimed.clone() };
    assert_eq!(world.settle(&unclaimed, success("x")).await, Settled::Fenced);
    let unknown = Claimed { key: world.key("nobody"), ..claimed };
    assert_eq!(world.settle(&unknown, success("x")).await, Settled::Fenced);
    assert_eq!(world.status("2").await, TxStatus::New);
}

pub async fn settling_twice_is_fenced(store: Store) {
    let world = World::new(store).await;
    world.stage_one(entity("1", "v1")).await;
    let claimed = world.claim_one("1").await;
    let twice = vec![settlement(&claimed, success("B1-1")), settlement(&claimed, failed("x"))];
    let settled = world.store.settle(world.now.into(), twice).await.unwrap();
    assert_eq!(settled, [Settled::Done, Settled::Fenced]);
    assert_eq!(world.settle(&claimed, success("B1-2")).await, Settled::Fenced);
    let found = world.get("1").await;
    assert_eq!((found.status, found.target_id.as_deref()), (TxStatus::Success, Some("B1-1")));
}

pub async fn answers_come_in_order(store: Store) {
    let mut world = World::new(store.clone()).await;
    world.stage((0..4).map(|n| entity(&n.to_string(), "v1")).collect()).await;
    let mut claimed = world.claim(4).await;
    world.wait(1);
    world.stage_one(entity("2", "v2")).await;
    claimed[1].token += 1;
    let settlements = claimed.iter().rev().map(|claimed| settlement(claimed, success("B1"))).collect();
    let settled = store.settle(world.now.into(), settlements).await.unwrap();
    assert_eq!(settled, [Settled::Done, Settled::Superseded, Settled::Fenced, Settled::Done]);
    assert_eq!(store.settle(world.now.into(), Vec::new()).await.unwrap(), []);
}

pub async fn newer_content_opens_what_is_settled(store: Store) {
    let mut world = World::new(store).await;
    let cases = [
        (success("B1-1"), "applied", Some("B1-1")),
        (cancelled(Some("B1-2")), "cancelled there", Some("B1-2")),
        (cancelled(None), "cancelled there", None),
        (ignored("is there"), "is there", None),
        (failed("no such item"), "no such item", None),
        (retry(sec(9_999)), "busy", None),
        (Outcome::Release, "", None),
    ];
    for (n, (outcome, note, target_id)) in cases.into_iter().enumerate() {
        let id = &format!("{n}");
        world.stage_one(entity(id, "v1")).await;
        let claimed = world.claim_one(id).await;
        world.stage_one(entity(id, "v2")).await;
        world.wait(2);
        assert_eq!(world.settle(&claimed, outcome).await, Settled::Superseded, "{n}");
        let found = world.get(id).await;
        assert_eq!((found.status, found.due_at, found.lease_until), (TxStatus::New, Some(world.now), None));
        assert_eq!((found.note.as_str(), found.target_id.as_deref()), (note, target_id));
        assert_eq!((found.rev, found.attempts), (2, 0));
        let again = world.claim_one(id).await;
        assert_eq!((again.doc.clone(), again.rev, again.was), (entity(id, "v2").doc, 2, TxStatus::New));
        assert_eq!((again.target_id.as_deref(), again.attempts), (target_id, 1));
    }
}

pub async fn newer_content_does_not_resolve_a_doubt(store: Store) {
    let mut world = World::new(store).await;
    for (id, intent) in [("1", Intent::Apply), ("2", Intent::Ignore("x".into())), ("3", Intent::Reject("y".into()))] {
        world.stage_one(entity(id, "v1")).await;
        let claimed = world.claim_one(id).await;
        world.stage_one(with_intent(id, "v2", intent.clone())).await;
        let until = world.after(30);
        assert_eq!(world.settle(&claimed, in_doubt(until)).await, Settled::Superseded);
        let found = world.get(id).await;
        assert_eq!((found.status, found.due_at, found.note.as_str()), (TxStatus::InDoubt, Some(until), "no answer"));
        world.wait(30);
        let claimed = world.claim_one(id).await;
        assert_eq!((claimed.rev, claimed.intent.clone(), claimed.was), (2, intent, TxStatus::InDoubt));
    }
}

pub async fn newer_content_with_nothing_to_do_ends_it(store: Store) {
    let world = World::new(store).await;
    let intents = [
        (Intent::Ignore("is closed".into()), TxStatus::Ignored, "is closed"),
        (Intent::Reject("has no sku".into()), TxStatus::Failed, "has no sku"),
    ];
    for (n, (intent, status, reason)) in intents.into_iter().enumerate() {
        for (m, outcome) in [success("B1-1"), failed("x"), retry(sec(5)), Outcome::Release].into_iter().enumerate() {
            let id = &format!("{n}-{m}");
            world.stage_one(entity(id, "v1")).await;
            let claimed = world.claim_one(id).await;
            world.stage_one(with_intent(id, "v2", intent.clone())).await;
            assert_eq!(world.settle(&claimed, outcome).await, Settled::Superseded);
            let found = world.get(id).await;
            assert_eq!((found.status, found.note.as_str(), found.due_at), (status, reason, None));
            assert_eq!(found.target_id.as_deref(), (m == 0).then_some("B1-1"));
        }
    }
}

pub async fn a_retry_with_nothing_left_to_do_ends_it(store: Store) {
    let mut world = World::new(store).await;
    world.bring_to("1", TxStatus::InDoubt).await;
    world.stage_one(with_intent("1", "v2", Intent::Ignore("is closed".into()))).await;
    world.wait(30);
    let claimed = world.claim_one("1").await;
    // It was looked up: nothing happened on the other side, and nothing is to happen.
    assert_eq!(world.settle(&claimed, retry(world.now)).await, Settled::Done);
    let found = world.get("1").await;
    assert_eq!((found.status, found.note.as_str(), found.due_at), (TxStatus::Ignored, "is closed", None));
}

pub async fn a_released_attempt_of_old_content_is_not_counted_twice(store: Store) {
    let mut world = World::new(store).await;
    world.stage_one(entity("1", "v1")).await;
    world.claim_one("1").await;
    world.wait(1);
    world.stage_one(entity("1", "v2")).await;
    world.wait(80);
    let claimed = world.claim_one("1").await;
    assert_eq!((claimed.attempts, claimed.rev), (1, 2));
    world.stage_one(entity("1", "v3")).await;
    assert_eq!(world.settle(&claimed, Outcome::Release).await, Settled::Superseded);
    let found = world.get("1").await;
    assert_eq!((found.attempts, found.status), (0, TxStatus::InDoubt));
}

pub async fn many_outcomes_are_kept_exactly(store: Store) {
    let world = World::new(store.clone()).await;
    let texts = ["$note", "$$ROOT", "", "{\"a\": [1]}", "it's \u{20ac} 5.00\n", "B1-6", "$literal"];
    world.stage((0..texts.len()).map(|n| entity(&format!("${n}"), "v1")).collect()).await;
    // One of them was taken up by a worker that did not come back, and has another token.
    let lost = world.claim_one("$3").await;
    let mut world = world;
    world.wait(100);
    let claimed = world.claim(100).await;
    assert_eq!(claimed.len(), texts.len());
    let by_id = |id: &str| claimed.iter().find(|claimed| claimed.key.id == id).unwrap();
    let mut settlements: Vec<Settlement> = texts
        .iter()
        .enumerate()
        .map(|(n, text)| {
            let claimed = by_id(&format!("${n}"));
            let outcome = Outcome::Success { target_id: format!("${text}"), note: (*text).to_owned() };
            Settlement { key: claimed.key.clone(), token: claimed.token, rev: claimed.rev, reference: None, outcome }
        })
        .collect();
    settlements.push(Settlement {
        key: lost.key.clone(),
        token: lost.token,
        rev: lost.rev,
        reference: None,
        outcome: success("late"),
    });
    let mut expected = vec![Settled::Done; texts.len()];
    expected.push(Settled::Fenced);
    assert_eq!(store.settle(world.now.into(), settlements.clone()).await.unwrap(), expected);
    for (n, text) in texts.iter().enumerate() {
        let found = world.get(&format!("${n}")).await;
        assert_eq!((found.status, found.note.as_str()), (TxStatus::Success, *text));
        assert_eq!(found.target_id, Some(format!("${text}")));
        assert_eq!((found.due_at, found.lease_until, found.attempts), (None, None, by_id(&found.key.id).attempts));
        assert_eq!(found.updated_at, world.now);
    }
    // Again: nobody holds them any more.
    assert_eq!(store.settle(world.now.into(), settlements).await.unwrap(), vec![Settled::Fenced; texts.len() + 1]);
}

pub async fn what_may_be_written_is_told_by_version(store: Store) {
    let mut world = World::new(store).await;
    world.stage_one(entity("1", "v1")).await;
    let first = world.claim_one("1").await;
    assert_eq!((first.written, first.missed), (None, false));
    assert_eq!(world.get("1").await.written, Some(1), "from here on it may be");
    // Surely nothing was written: as if it had not been taken up.
    world.settle(&first, retry(world.now)).await;
    let second = world.claim_one("1").await;
    assert_eq!((second.written, second.was), (None, TxStatus::New));
    world.settle(&second, in_doubt(world.after(30))).await;
    world.stage_one(entity("1", "v2")).await;
    world.wait(30);
    let third = world.claim_one("1").await;
    assert_eq!((third.rev, third.written, third.was), (2, Some(1), TxStatus::InDoubt));
    world.settle(&third, success("B1-1")).await;
    assert_eq!(world.get("1").await.written, Some(2));
    world.stage_one(entity("1", "v3")).await;
    let fourth = world.claim_one("1").await;
    assert_eq!((fourth.rev, fourth.written, fourth.was), (3, Some(2), TxStatus::New));
    // The document stands as it was.
    world.settle(&fourth, failed("cannot follow")).await;
    assert_eq!(world.get("1").await.written, Some(2));
}

pub async fn a_lost_lease_leaves_what_may_be_written(store: Store) {
    let mut world = World::new(store).await;
    world.stage_one(entity("1", "v1")).await;
    world.claim_one("1").await;
    world.stage_one(entity("1", "v2")).await;
    world.wait(80);
    let claimed = world.claim_one("1").await;
    assert_eq!((claimed.rev, claimed.written, claimed.was), (2, Some(1), TxStatus::InProcess));
    // Handed back, nothing more is known.
    world.settle(&claimed, Outcome::Release).await;
    assert_eq!(world.claim_one("1").await.written, Some(1));
}

pub async fn not_there_once_is_remembered_until_the_next_claim(store: Store) {
    let mut world = World::new(store).await;
    world.bring_to("1", TxStatus::InDoubt).await;
    world.wait(30);
    let claimed = world.claim_one("1").await;
    assert!(!claimed.missed && !claimed.may_be_missing());
    let missed = |until| Outcome::InDoubt { until, missed: true, note: "is not there".into() };
    assert_eq!(world.settle(&claimed, missed(world.after(20))).await, Settled::Done);
    assert_eq!(world.get("1").await.due_at, Some(world.after(20)));
    world.wait(20);
    let claimed = world.claim_one("1").await;
    assert!(claimed.missed && claimed.may_be_missing());
    // Whoever held it may have written something since.
    world.wait(80);
    assert!(!world.claim_one("1").await.missed);
}

/// It came to an end before it was known what became of a write: whoever opens it again has to look twice, too.
pub async fn a_doubt_outlives_an_end(store: Store) {
    let mut world = World::new(store.clone()).await;
    world.bring_to("1", TxStatus::InDoubt).await;
    world.wait(30);
    let claimed = world.claim_one("1").await;
    world.settle(&claimed, failed("its reference cannot be made")).await;
    assert!(store.resync(&world.key("1"), world.now.into()).await.unwrap());
    let claimed = world.claim_one("1").await;
    assert_eq!((claimed.was, claimed.written), (TxStatus::InDoubt, Some(1)));
    assert!(!claimed.may_be_missing());
    // Looked up and not there: nothing is left of it.
    world.settle(&claimed, ignored("is not there")).await;
    world.stage_one(entity("1", "v2")).await;
    let claimed = world.claim_one("1").await;
    assert_eq!((claimed.was, claimed.written), (TxStatus::New, None));
}

pub async fn the_first_reference_stays(store: Store) {
    let world = World::new(store.clone()).await;
    world.stage_one(entity("1", "v1")).await;
    for (content, reference, stands) in
        [("v2", Some("A-1"), Some("A-1")), ("v3", None, Some("A-1")), ("v4", Some("B-1"), Some("A-1"))]
    {
        let claimed = world.claim_one("1").await;
        let settlement = Settlement {
            key: claimed.key.clone(),
            token: claimed.token,
            rev: claimed.rev,
            reference: reference.map(str::to_owned),
            outcome: success("B1-1"),
        };
        assert_eq!(store.settle(world.now.into(), vec![settlement]).await.unwrap(), [Settled::Done]);
        assert_eq!(world.get("1").await.reference.as_deref(), stands);
        world.stage_one(entity("1", content)).await;
    }
    assert_eq!(world.claim_one("1").await.reference.as_deref(), Some("A-1"));
}
