//! What is no longer kept.

use super::Store;
use super::world::{World, counts, entity, flow, in_doubt, sec, success, with_intent};
use crate::model::{EntityKey, FlowId, Intent, SyncStatus, SyncTaskId, Table, TxStatus};
use crate::store::{Expired, Staging, SyncTaskFilter};

const NOTHING: Expired = Expired { runs: None, versions: None, raw: None };

/// Prunes until nothing is left, and tells how much that was.
async fn prune(store: &Store, expired: Expired, limit: usize) -> u64 {
    let mut all = 0;
    for _ in 0..100 {
        match store.prune(&flow(), &expired, limit).await.unwrap() {
            0 => return all,
            step => all += step,
        }
    }
    panic!("there is always something left");
}

async fn runs(store: &Store) -> Vec<String> {
    let listed = store.list_sync_tasks(&SyncTaskFilter::default()).await.unwrap();
    listed.items.into_iter().map(|task| task.id.as_str().to_owned()).collect()
}

async fn revs(world: &World, id: &str) -> Vec<u64> {
    world.store.history(&world.key(id)).await.unwrap().into_iter().map(|version| version.rev).collect()
}

pub async fn closed_runs_are_removed_with_their_members(store: Store) {
    let mut world = World::new(store.clone()).await;
    for n in 0..3 {
        world.wait(100);
        world.pass(&format!("pass {n}")).await;
        world.stage((0..5).map(|m| entity(&format!("{n}-{m}"), "v1")).collect()).await;
        let closed = SyncTaskId::from_stored(format!("pass {n}"));
        store.close_sync_task(&closed, SyncStatus::Completed, "", world.now).await.unwrap();
    }
    let other = World::of(store.clone(), FlowId::new(Table::Orders, "other"), "theirs").await;
    store.close_sync_task(&other.task, SyncStatus::Completed, "", sec(0)).await.unwrap();
    assert_eq!(prune(&store, NOTHING, 3).await, 0);
    // Closed at 100, 200 and 300; the first is still open.
    for limit in [1, 3, 100] {
        prune(&store, Expired { runs: Some(sec(200)), ..NOTHING }, limit).await;
        assert_eq!(runs(&store).await, ["pass 2", "pass 1", "theirs", "first-pass"], "{limit}");
        assert_eq!(world.counts("pass 0").await.total(), 0);
        assert_eq!(world.counts("pass 1").await, counts(&[(TxStatus::New, 5)]));
    }
    // The newest of a flow stays, however old it is.
    prune(&store, Expired { runs: Some(sec(9_999)), ..NOTHING }, 2).await;
    assert_eq!(runs(&store).await, ["pass 2", "theirs", "first-pass"]);
    assert_eq!(world.counts("pass 2").await, counts(&[(TxStatus::New, 5)]));
    // The entities stay, and can join another run.
    assert_eq!(world.status("0-0").await, TxStatus::New);
    assert_eq!(world.stage_one(entity("0-0", "v1")).await, Staging::Unchanged);
    assert_eq!(world.counts("pass 2").await, counts(&[(TxStatus::New, 6)]));
}

pub async fn what_a_run_found_unchanged_is_removed_with_it(store: Store) {
    let mut world = World::new(store.clone()).await;
    world.bring_to("1", TxStatus::Success).await;
    world.pass("second").await;
    world.stage_one(entity("1", "v1")).await;
    store.close_sync_task(&world.task, SyncStatus::Completed, "", world.now).await.unwrap();
    world.wait(100);
    world.pass("third").await;
    assert_eq!(world.counts("second").await, counts(&[(TxStatus::Ignored, 1)]));
    prune(&store, Expired { runs: Some(sec(50)), ..NOTHING }, 10).await;
    assert_eq!(runs(&store).await, ["third", "first-pass"]);
    // Nothing of it comes back with its name.
    world.pass("second").await;
    assert_eq!(world.counts("second").await.total(), 0);
    assert_eq!(world.counts("first-pass").await, counts(&[(TxStatus::Success, 1)]));
}

pub async fn earlier_versions_of_what_has_ended_are_removed(store: Store) {
    let mut world = World::new(store.clone()).await;
    // More than one that keeps its versions comes first.
    let ids = ["failed", "doubtful", "open", "ended"];
    for n in 0..=3 {
        for id in ids {
            world.stage_one(entity(id, &format!("v{n}"))).await;
        }
        world.wait(100);
    }
    for (id, outcome) in [
        ("ended", success("B1-1")),
        ("doubtful", in_doubt(sec(9_000))),
        ("failed", crate::store::Outcome::Failed { note: "no".into(), class: "refused".into() }),
    ] {
        let claimed = world.claim_one(id).await;
        world.settle(&claimed, outcome).await;
    }
    // Replaced at 100, 200 and 300.
    assert_eq!(prune(&store, Expired { versions: Some(sec(250)), ..NOTHING }, 1).await, 2);
    assert_eq!(revs(&world, "ended").await, [3]);
    assert_eq!(prune(&store, Expired { versions: Some(sec(9_999)), ..NOTHING }, 10).await, 1);
    assert_eq!(revs(&world, "ended").await, [0; 0]);
    for id in ["open", "doubtful", "failed"] {
        assert_eq!(revs(&world, id).await, [3, 2, 1], "{id}");
    }
    assert_eq!(world.get("ended").await.doc, entity("ended", "v3").doc);
}

/// The other side may have it, and not the one that came after.
pub async fn a_version_that_may_be_on_the_other_side_stays(store: Store) {
    let mut world = World::new(store.clone()).await;
    for content in ["v1", "v2"] {
        world.stage_one(entity("1", content)).await;
    }
    let claimed = world.claim_one("1").await;
    assert_eq!(claimed.rev, 2);
    world.settle(&claimed, success("B1-1")).await;
    world.stage_one(with_intent("1", "v3", Intent::Ignore("is on hold".into()))).await;
    assert_eq!((world.status("1").await, revs(&world, "1").await), (TxStatus::Ignored, vec![2, 1]));
    world.wait(1_000);
    assert_eq!(prune(&store, Expired { versions: Some(world.now), ..NOTHING }, 10).await, 1);
    assert_eq!(revs(&world, "1").await, [2]);
}

pub async fn raw_documents_of_what_has_ended_are_removed(store: Store) {
    let mut world = World::new(store.clone()).await;
    for status in TxStatus::ALL {
        world.bring_to(&format!("old {status}"), status).await;
    }
    world.wait(100);
    world.bring_to("young", TxStatus::Success).await;
    let other = World::of(store.clone(), FlowId::new(Table::Orders, "other"), "theirs").await;
    other.bring_to("old", TxStatus::Success).await;
    let ended = [TxStatus::Success, TxStatus::Ignored, TxStatus::Cancelled];
    let expired = Expired { raw: Some(sec(50)), ..NOTHING };
    assert_eq!(prune(&store, expired, 2).await, 3);
    for status in TxStatus::ALL {
        let found = world.get(&format!("old {status}")).await;
        assert_eq!((found.raw.is_empty(), found.status), (ended.contains(&status), status));
        assert_eq!(found.doc, entity("x", "v1").doc);
    }
    assert!(!world.get("young").await.raw.is_empty());
    let theirs = store.get(&EntityKey::new(&other.flow, "old")).await.unwrap().unwrap();
    assert!(!theirs.raw.is_empty(), "it is of another flow");
}

pub async fn what_has_lost_its_raw_is_the_same_entity(store: Store) {
    let mut world = World::new(store.clone()).await;
    world.bring_to("1", TxStatus::Success).await;
    world.wait(100);
    let expired = Expired { raw: Some(world.now), ..NOTHING };
    assert_eq!(prune(&store, expired, 10).await, 1);
    let before = world.get("1").await;
    world.pass("second").await;
    assert_eq!(world.stage_one(entity("1", "v1")).await, Staging::Unchanged);
    assert_eq!(world.get("1").await, before);
    // Else it would be removed again each hour.
    assert_eq!(prune(&store, expired, 10).await, 0);
    assert_eq!(world.stage_one(entity("1", "v2")).await, Staging::Restaged);
    let found = world.get("1").await;
    assert_eq!((found.rev, found.raw), (2, entity("1", "v2").raw));
    let history = store.history(&world.key("1")).await.unwrap();
    assert_eq!((history[0].doc.as_str(), history[0].raw.as_str()), (before.doc.as_str(), ""));
}
