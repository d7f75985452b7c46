//! What is handed over outside a pull.

use super::Store;
use super::world::{World, counts, entity, failed, flow, sec, success, with_intent};
use crate::ErrorKind;
use crate::model::{Cut, EntityKey, FlowId, Intent, SyncStatus, SyncTaskId, Table, TxStatus};
use crate::store::{Member, NewSyncTask, Push, PushedSync, Settled, StageEntity, Staging};

fn whatever(entities: Vec<StageEntity>) -> Vec<Push> {
    entities.into_iter().map(|entity| Push { entity, if_rev: None }).collect()
}

async fn push(store: &Store, entities: Vec<StageEntity>) -> Vec<Staging> {
    let staged = store.push(&flow(), whatever(entities), sec(0).into()).await.unwrap();
    staged.into_iter().map(Option::unwrap).collect()
}

fn pushed(id: &str, members: &[(&str, bool)], cut: Option<Cut>) -> PushedSync {
    PushedSync {
        task: NewSyncTask { id: SyncTaskId::from_stored(id), flow: flow(), cut_before: None, now: sec(0) },
        members: members.iter().map(|(id, unchanged)| Member { id: (*id).to_owned(), unchanged: *unchanged }).collect(),
        cut,
    }
}

pub async fn a_push_needs_no_right_to_pull(store: Store) {
    let ignored = with_intent("2", "v1", Intent::Ignore("is held".into()));
    assert_eq!(push(&store, vec![entity("1", "v1"), ignored]).await, [Staging::Inserted, Staging::Inserted]);
    let found = store.get(&EntityKey::new(&flow(), "1")).await.unwrap().unwrap();
    assert_eq!((found.status, found.due_at, found.rev), (TxStatus::New, Some(sec(0)), 1));
    assert_eq!(store.due(&flow(), sec(0), 10).await.unwrap(), ["1"]);
    assert_eq!(store.cut(&flow()).await.unwrap(), None);
    assert!(push(&store, Vec::new()).await.is_empty());
}

pub async fn a_push_and_a_pull_do_not_hinder_each_other(store: Store) {
    let world = World::new(store.clone()).await;
    assert_eq!(push(&store, vec![entity("1", "v1")]).await, [Staging::Inserted]);
    assert_eq!(world.stage_one(entity("1", "v2")).await, Staging::Restaged);
    assert_eq!(push(&store, vec![entity("1", "v3"), entity("2", "v1")]).await, [Staging::Restaged, Staging::Inserted]);
    assert_eq!(world.stage_one(entity("2", "v1")).await, Staging::Unchanged);
    assert_eq!(world.get("1").await.rev, 3);
    // The pass has both, each as what it is.
    assert_eq!(world.counts("first-pass").await, counts(&[(TxStatus::New, 2)]));
    // A right to pull that came after a push holds, too.
    let mut world = world;
    world.lease = store.acquire_pull(&flow(), "puller", world.now, sec(86_400)).await.unwrap().unwrap();
    push(&store, vec![entity("3", "v1")]).await;
    assert_eq!(world.stage_one(entity("3", "v2")).await, Staging::Restaged);
}

pub async fn a_push_treats_an_entity_as_a_pull_does(store: Store) {
    let mut world = World::new(store.clone()).await;
    world.bring_to("1", TxStatus::Success).await;
    world.bring_to("2", TxStatus::Failed).await;
    world.stage_one(entity("3", "v1")).await;
    let leased = world.claim_one("3").await;
    world.wait(5);
    let again = whatever(vec![entity("1", "v1"), entity("2", "v1"), entity("3", "v2")]);
    let again = store.push(&flow(), again, world.now.into()).await.unwrap();
    assert_eq!(again, [Some(Staging::Unchanged), Some(Staging::Retried), Some(Staging::Restaged)]);
    assert_eq!(world.status("1").await, TxStatus::Success);
    assert_eq!(world.status("2").await, TxStatus::New);
    assert_eq!(world.status("3").await, TxStatus::InProcess);
    assert_eq!(world.settle(&leased, success("B1-3")).await, Settled::Superseded);
    // The pass that brought them keeps what came of them there.
    assert_eq!(
        world.counts("first-pass").await,
        counts(&[(TxStatus::Success, 1), (TxStatus::Failed, 1), (TxStatus::New, 1)])
    );
    let history = store.history(&world.key("3")).await.unwrap();
    assert_eq!(history.iter().map(|version| version.rev).collect::<Vec<_>>(), [1]);
    // New content of what is at its end opens it.
    assert_eq!(push(&store, vec![entity("1", "v2")]).await, [Staging::Restaged]);
    let opened = world.get("1").await;
    assert_eq!((opened.status, opened.target_id.as_deref()), (TxStatus::New, Some("B1-1")));
}

pub async fn a_push_may_ask_for_a_version(store: Store) {
    let give = |id: &str, content: &str, if_rev| Push { entity: entity(id, content), if_rev: Some(if_rev) };
    let steps = [
        (give("1", "v1", 1), None),
        (give("1", "v1", 0), Some(Staging::Inserted)),
        (give("1", "v2", 0), None),
        (give("1", "v2", 2), None),
        (give("1", "v1", 1), Some(Staging::Unchanged)),
        (give("1", "v2", 1), Some(Staging::Restaged)),
        (give("1", "v3", 1), None),
    ];
    for (n, (give, expected)) in steps.into_iter().enumerate() {
        assert_eq!(store.push(&flow(), vec![give], sec(0).into()).await.unwrap(), [expected], "{n}");
    }
    // One that asks for another version hinders no other of its batch.
    let batch = vec![give("2", "v1", 0), give("1", "v3", 1), give("1", "v3", 2)];
    let expected = [Some(Staging::Inserted), None, Some(Staging::Restaged)];
    assert_eq!(store.push(&flow(), batch, sec(0).into()).await.unwrap(), expected);
    // Of many that ask for the same version, one is taken.
    let racing = (0..8).map(|n| {
        let (store, push) = (store.clone(), give("1", &format!("racing {n}"), 3));
        tokio::spawn(async move { store.push(&flow(), vec![push], sec(0).into()).await.unwrap() })
    });
    let mut taken = 0;
    for racing in racing.collect::<Vec<_>>() {
        taken += racing.await.unwrap().into_iter().flatten().count();
    }
    assert_eq!(taken, 1);
}

pub async fn what_was_pushed_is_recorded(store: Store) {
    let world = World::new(store.clone()).await;
    world.bring_to("old", TxStatus::Success).await;
    push(&store, vec![entity("1", "v1"), entity("2", "v1"), entity("3", "v1")]).await;
    // A worker was quick.
    let claimed = world.claim_one("2").await;
    assert_eq!(world.settle(&claimed, success("B1-2")).await, Settled::Done);
    let cut = Cut { cut_dt: sec(-60), offset: 2 };
    let members = [("1", false), ("2", false), ("3", true), ("old", true)];
    store.record_pushed(pushed("push-1", &members, Some(cut))).await.unwrap();

    let id = SyncTaskId::from_stored("push-1");
    let task = store.sync_task(&id).await.unwrap().unwrap();
    assert_eq!((task.status, task.pulled, task.cut_after), (SyncStatus::Processing, true, Some(cut)));
    assert_eq!(store.cut(&flow()).await.unwrap(), Some(cut));
    assert_eq!(
        world.counts("push-1").await,
        counts(&[(TxStatus::New, 2), (TxStatus::Success, 1), (TxStatus::Ignored, 1)])
    );
    // What becomes of them counts.
    let claimed = world.claim_one("1").await;
    assert_eq!(world.settle(&claimed, failed("no such item")).await, Settled::Done);
    let claimed = world.claim_one("3").await;
    assert_eq!(world.settle(&claimed, success("B1-3")).await, Settled::Done);
    let ended = counts(&[(TxStatus::Failed, 1), (TxStatus::Success, 2), (TxStatus::Ignored, 1)]);
    assert_eq!(world.counts("push-1").await, ended);
    assert_eq!(store.resync_task(&id, world.now.into()).await.unwrap(), 1);
}

pub async fn one_that_is_named_twice_counts_once_and_as_changed(store: Store) {
    let world = World::new(store.clone()).await;
    push(&store, vec![entity("1", "v1"), entity("2", "v1")]).await;
    for id in ["1", "2"] {
        let claimed = world.claim_one(id).await;
        assert_eq!(world.settle(&claimed, success("B1")).await, Settled::Done);
    }
    // Whoever hands one over twice is told `inserted`, then `unchanged`.
    let members = [("1", false), ("1", true), ("2", true), ("2", false)];
    store.record_pushed(pushed("push", &members, None)).await.unwrap();
    assert_eq!(world.counts("push").await, counts(&[(TxStatus::Success, 2)]));
}

pub async fn recording_moves_the_cut_forwards_only(store: Store) {
    let world = World::new(store.clone()).await;
    let cut = |seconds, offset| Cut { cut_dt: sec(seconds), offset };
    let steps = [(cut(10, 3), cut(10, 3)), (cut(10, 2), cut(10, 3)), (cut(9, 9), cut(10, 3)), (cut(11, 0), cut(11, 0))];
    for (n, (given, stands)) in steps.into_iter().enumerate() {
        let id = format!("push-{n}");
        store.record_pushed(pushed(&id, &[], Some(given))).await.unwrap();
        assert_eq!(store.cut(&flow()).await.unwrap(), Some(stands));
        let task = store.sync_task(&SyncTaskId::from_stored(id)).await.unwrap().unwrap();
        assert_eq!(task.cut_after, Some(stands));
    }
    // A pull that is running neither loses its right by it nor moves the cut back.
    let mut batch = world.batch(vec![entity("1", "v1")]);
    batch.cut = Some(cut(5, 1));
    store.stage(batch).await.unwrap();
    assert_eq!(store.cut(&flow()).await.unwrap(), Some(cut(11, 0)));
    store.record_pushed(pushed("without", &[], None)).await.unwrap();
    assert_eq!(store.cut(&flow()).await.unwrap(), Some(cut(11, 0)));
}

pub async fn recording_what_is_not_staged_changes_nothing(store: Store) {
    push(&store, vec![entity("1", "v1")]).await;
    let cut = Cut { cut_dt: sec(10), offset: 1 };
    let error = store.record_pushed(pushed("push", &[("1", false), ("9", false)], Some(cut))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(error.to_string().contains('9'), "{error}");
    assert_eq!(store.sync_task(&SyncTaskId::from_stored("push")).await.unwrap(), None);
    assert_eq!(store.cut(&flow()).await.unwrap(), None);
}

pub async fn recording_twice_changes_nothing(store: Store) {
    let world = World::new(store.clone()).await;
    push(&store, vec![entity("1", "v1"), entity("2", "v1")]).await;
    let record = pushed("push", &[("1", false), ("2", false)], Some(Cut { cut_dt: sec(10), offset: 1 }));
    store.record_pushed(record.clone()).await.unwrap();
    let claimed = world.claim_one("1").await;
    world.settle(&claimed, success("B1-1")).await;
    let (before, task) = (world.counts("push").await, store.sync_task(&record.task.id).await.unwrap());
    store.record_pushed(record.clone()).await.unwrap();
    assert_eq!((world.counts("push").await, store.sync_task(&record.task.id).await.unwrap()), (before, task));
    assert_eq!(before, counts(&[(TxStatus::Success, 1), (TxStatus::New, 1)]));
}

pub async fn recording_under_the_id_of_another_flow_is_refused(store: Store) {
    let other = FlowId::new(Table::Invoices, "mage2");
    let task = NewSyncTask { id: SyncTaskId::from_stored("push"), flow: other, cut_before: None, now: sec(0) };
    store.create_sync_task(task).await.unwrap();
    push(&store, vec![entity("1", "v1")]).await;
    let cut = Cut { cut_dt: sec(10), offset: 1 };
    let error = store.record_pushed(pushed("push", &[("1", false)], Some(cut))).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(store.cut(&flow()).await.unwrap(), None);
}

pub async fn many_pushes_at_once_lose_nothing(store: Store) {
    let pushes = (0..8).map(|n| {
        let store = store.clone();
        tokio::spawn(async move {
            for turn in 0..5 {
                let own = entity(&format!("{n}-{turn}"), "v1");
                let shared = entity("shared", &format!("{n}-{turn}"));
                let staged = push(&store, vec![own, shared]).await;
                assert_eq!(staged[0], Staging::Inserted);
                assert_ne!(staged[1], Staging::Unchanged);
            }
        })
    });
    for push in pushes.collect::<Vec<_>>() {
        push.await.unwrap();
    }
    let shared = store.get(&EntityKey::new(&flow(), "shared")).await.unwrap().unwrap();
    assert_eq!(shared.rev, 40);
    assert_eq!(store.due(&flow(), sec(0), 100).await.unwrap().len(), 41);
}

pub async fn what_is_recorded_while_it_is_claimed_reaches_who_claims(store: Store) {
    const ORDERS: usize = 100;
    let ids: Vec<String> = (0..ORDERS).map(|n| format!("{n:03}")).collect();
    push(&store, ids.iter().map(|id| entity(id, "v1")).collect()).await;
    let recording = (0..4).map(|caller| {
        let (store, ids) = (store.clone(), ids.clone());
        tokio::spawn(async move {
            for turn in 0..10 {
                let members: Vec<_> = ids.iter().map(|id| (id.as_str(), false)).collect();
                store.record_pushed(pushed(&format!("push-{caller}-{turn}"), &members, None)).await.unwrap();
            }
        })
    });
    let recording: Vec<_> = recording.collect();
    let world = World::new(store.clone()).await;
    let mut reached = Vec::new();
    loop {
        let claimed = world.claim(5).await;
        if claimed.is_empty() && store.due(&flow(), world.now, 1).await.unwrap().is_empty() {
            break;
        }
        reached.extend(claimed.into_iter().map(|claimed| claimed.key.id));
    }
    for recording in recording {
        recording.await.unwrap();
    }
    reached.sort();
    assert_eq!(reached, ids);
}
