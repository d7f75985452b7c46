//! What is erased, and what stays.

use super::Store;
use super::world::{World, counts, entity, failed, flow, in_doubt, success, with_intent};
use crate::ErrorKind;
use crate::model::{Entity, Intent, SyncTaskId, TxStatus};
use crate::store::{Outcome, Push, Staging};

/// Stages an entity in two versions and takes it to its end.
async fn ended(world: &World, id: &str, outcome: Outcome) {
    for content in ["v1", "v2"] {
        world.stage_one(entity(id, content)).await;
    }
    let claimed = world.claim_one(id).await;
    world.settle_under(&claimed, &format!("ref {id}"), outcome).await;
}

async fn erase(world: &World, id: &str) -> Entity {
    assert!(world.store.erase(&world.key(id), world.now).await.unwrap());
    world.get(id).await
}

pub async fn what_became_of_it_stays(store: Store) {
    let mut world = World::new(store.clone()).await;
    ended(&world, "1", success("B1-1")).await;
    world.stage_one(with_intent("2", "v1", Intent::Reject("mallory@example.com is no address".into()))).await;
    let before = world.get("1").await;
    world.wait(100);
    let after = erase(&world, "1").await;
    assert_eq!((after.doc.as_str(), after.raw.as_str(), after.erased_at), ("", "", Some(world.now)));
    assert!(after.note.contains("erased at 2026-01-01T00:01:40Z"), "{}", after.note);
    let (doc, raw) = (before.doc.clone(), before.raw.clone());
    let as_before =
        Entity { doc, raw, note: before.note.clone(), updated_at: before.updated_at, erased_at: None, ..after.clone() };
    assert_eq!(as_before, before);
    let history = store.history(&world.key("1")).await.unwrap();
    assert_eq!(history.len(), 1);
    assert_eq!((history[0].rev, history[0].doc.as_str(), history[0].raw.as_str()), (1, "", ""));
    assert_eq!(history[0].note, after.note);
    assert_eq!(store.named(&flow(), "number 1").await.unwrap(), Some(world.key("1")));
    assert_eq!(
        world.counts("first-pass").await,
        counts(&[(TxStatus::Success, 1), (TxStatus::Failed, 1)]),
        "it stays part of the run"
    );
    // The reason of what was rejected tells of it, too.
    let rejected = erase(&world, "2").await;
    assert_eq!((rejected.intent, rejected.status), (Intent::Reject(after.note), TxStatus::Failed));
    // Erasing again changes nothing.
    world.wait(100);
    assert_eq!(erase(&world, "1").await.erased_at, after.erased_at);
    assert!(!store.erase(&world.key("nobody"), world.now).await.unwrap());
}

pub async fn what_is_open_or_in_doubt_is_not_erased(store: Store) {
    let mut world = World::new(store.clone()).await;
    for status in TxStatus::ALL {
        world.bring_to(&format!("is {status}"), status).await;
    }
    // It failed before it was known what became of a write.
    world.bring_to("failed in doubt", TxStatus::InDoubt).await;
    world.wait(30);
    let claimed = world.claim_one("failed in doubt").await;
    world.settle(&claimed, failed("given up")).await;
    for (id, words) in [
        ("is N", "wait for its outcome"),
        ("is P", "wait for its outcome"),
        ("is ?", "sync it again"),
        ("failed in doubt", "sync it again"),
    ] {
        let before = world.get(id).await;
        let error = store.erase(&world.key(id), world.now).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains(words) && error.to_string().contains(id), "{error}");
        assert_eq!(world.get(id).await, before);
    }
    for status in ["S", "F", "I", "X"] {
        erase(&world, &format!("is {status}")).await;
    }
}

pub async fn what_is_erased_is_not_done_again(store: Store) {
    let mut world = World::new(store.clone()).await;
    ended(&world, "S", success("B1-1")).await;
    ended(&world, "F", failed("Mallory Archer is unknown")).await;
    for id in ["S", "F"] {
        erase(&world, id).await;
        let error = store.resync(&world.key(id), world.now.into()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert!(error.to_string().contains("was erased at 2026-01-01T00:00:00Z"), "{error}");
    }
    assert_eq!(store.resync_task(&SyncTaskId::from_stored("first-pass"), world.now.into()).await.unwrap(), 0);
    assert_eq!(store.resync_failed(&flow(), None, world.now.into()).await.unwrap(), 0);
    assert_eq!(store.failures(&flow()).await.unwrap().len(), 0);
    world.pass("second").await;
    for id in ["S", "F"] {
        let before = world.get(id).await;
        assert_eq!(world.stage_one(entity(id, "v2")).await, Staging::Unchanged, "{id}");
        // Rules that have changed here are nothing that has changed there.
        assert_eq!(world.stage_one(with_intent(id, "v2", Intent::Cancel)).await, Staging::Unchanged, "{id}");
        let push = Push { entity: entity(id, "v2"), if_rev: None };
        assert_eq!(store.push(&flow(), vec![push], world.now.into()).await.unwrap(), [Some(Staging::Unchanged)]);
        assert_eq!(world.get(id).await, before, "{id}");
    }
    assert_eq!(world.claim(10).await.len(), 0);
    assert_eq!(world.counts("second").await, counts(&[(TxStatus::Ignored, 2)]));
}

pub async fn what_changes_at_the_source_is_new_data(store: Store) {
    let mut world = World::new(store.clone()).await;
    ended(&world, "1", success("B1-1")).await;
    let erased = erase(&world, "1").await;
    world.wait(100);
    assert_eq!(world.stage_one(entity("1", "v3")).await, Staging::Restaged);
    let found = world.get("1").await;
    assert_eq!((found.status, found.rev, found.erased_at), (TxStatus::New, 3, None));
    assert_eq!((found.doc, found.raw), (entity("1", "v3").doc, entity("1", "v3").raw));
    assert_eq!((found.target_id, found.reference), (Some("B1-1".into()), Some("ref 1".into())));
    let history = store.history(&world.key("1")).await.unwrap();
    assert!(history.iter().all(|version| version.doc.is_empty() && version.note == erased.note), "{history:?}");
    let claimed = world.claim_one("1").await;
    assert_eq!((claimed.target_id.as_deref(), claimed.written), (Some("B1-1"), Some(2)));
    world.settle(&claimed, in_doubt(world.after(30))).await;
    assert!(store.erase(&world.key("1"), world.now).await.is_err());
}
