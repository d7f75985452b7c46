//! The right to pull.

use super::Store;
use super::world::{World, at, entity, flow, sec};
use crate::ErrorKind;
use crate::model::{Cut, FlowId, SyncTaskId, Table};
use crate::store::{NewSyncTask, StageBatch};

pub async fn a_pull_has_one_owner(store: Store) {
    let lease = store.acquire_pull(&flow(), "a", sec(0), sec(60)).await.unwrap().unwrap();
    assert_eq!((lease.flow, lease.owner.as_str()), (flow(), "a"));
    assert_eq!(store.acquire_pull(&flow(), "b", sec(1), sec(61)).await.unwrap(), None);
    assert_eq!(store.acquire_pull(&flow(), "b", at(59_999), sec(120)).await.unwrap(), None);
}

pub async fn a_lease_that_ran_out_passes_on(store: Store) {
    let old = store.acquire_pull(&flow(), "a", sec(0), sec(60)).await.unwrap().unwrap();
    let new = store.acquire_pull(&flow(), "b", sec(60), sec(120)).await.unwrap().unwrap();
    assert!(new.token > old.token);
    assert_eq!(store.acquire_pull(&flow(), "a", sec(61), sec(120)).await.unwrap(), None);
}

pub async fn the_same_owner_gets_a_new_token_that_fences_the_old_one(store: Store) {
    let world = World::new(store.clone()).await;
    let again = store.acquire_pull(&flow(), "puller", sec(1), sec(60)).await.unwrap().unwrap();
    assert!(again.token > world.lease.token);
    let error = store.stage(world.batch(vec![entity("1", "v1")])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    store.stage(StageBatch { lease: again, ..world.batch(vec![entity("1", "v1")]) }).await.unwrap();
}

pub async fn a_right_given_back_is_free_and_gone(store: Store) {
    let world = World::new(store.clone()).await;
    store.release_pull(&world.lease).await.unwrap();
    let error = store.stage(world.batch(vec![entity("1", "v1")])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    let next = store.acquire_pull(&flow(), "b", sec(1), sec(60)).await.unwrap().unwrap();
    assert!(next.token > world.lease.token);
}

pub async fn giving_back_an_old_right_takes_nothing_away(store: Store) {
    let old = store.acquire_pull(&flow(), "a", sec(0), sec(60)).await.unwrap().unwrap();
    store.acquire_pull(&flow(), "b", sec(60), sec(120)).await.unwrap().unwrap();
    store.release_pull(&old).await.unwrap();
    store.release_pull(&old).await.unwrap();
    assert_eq!(store.acquire_pull(&flow(), "c", sec(61), sec(120)).await.unwrap(), None);
}

pub async fn staging_renews_the_lease(store: Store) {
    let lease = store.acquire_pull(&flow(), "a", sec(0), sec(60)).await.unwrap().unwrap();
    let id = SyncTaskId::from_stored("pass");
    let task = NewSyncTask { id, flow: flow(), cut_before: None, now: sec(0) };
    let batch = |until| StageBatch {
        lease: lease.clone(),
        lease_until: until,
        sync_task: task.clone(),
        entities: Vec::new(),
        cut: None,
        now: sec(50).into(),
    };
    store.stage(batch(sec(110))).await.unwrap();
    assert_eq!(store.acquire_pull(&flow(), "b", sec(109), sec(200)).await.unwrap(), None);
    // It ran out, but nobody has taken it: it is still the puller's.
    store.stage(batch(sec(300))).await.unwrap();
    assert_eq!(store.acquire_pull(&flow(), "b", sec(299), sec(400)).await.unwrap(), None);
}

pub async fn a_renewed_right_lasts_longer(store: Store) {
    let lease = store.acquire_pull(&flow(), "a", sec(0), sec(15)).await.unwrap().unwrap();
    assert!(store.renew_pull(&lease, sec(20)).await.unwrap());
    assert_eq!(store.acquire_pull(&flow(), "b", at(19_999), sec(40)).await.unwrap(), None);
    // It ran out, but nobody has taken it: it is still the puller's.
    assert!(store.renew_pull(&lease, sec(40)).await.unwrap());
    assert_eq!(store.acquire_pull(&flow(), "b", sec(39), sec(60)).await.unwrap(), None);
    let next = store.acquire_pull(&flow(), "b", sec(40), sec(60)).await.unwrap().unwrap();
    assert!(!store.renew_pull(&lease, sec(500)).await.unwrap(), "it has passed on");
    assert!(store.renew_pull(&next, sec(70)).await.unwrap());
    assert_eq!(store.acquire_pull(&flow(), "c", at(69_999), sec(90)).await.unwrap(), None);
    store.release_pull(&next).await.unwrap();
    assert!(!store.renew_pull(&next, sec(500)).await.unwrap(), "it was given back");
    assert!(store.acquire_pull(&flow(), "c", sec(1), sec(90)).await.unwrap().is_some());
}

pub async fn staging_with_an_old_token_changes_nothing(store: Store) {
    let world = World::new(store.clone()).await;
    let cut = Cut { cut_dt: sec(1), offset: 1 };
    let lease = store.acquire_pull(&flow(), "thief", sec(86_400), sec(90_000)).await.unwrap().unwrap();
    let late = StageBatch { cut: Some(cut), ..world.batch(vec![entity("1", "v1"), entity("2", "v1")]) };
    let error = store.stage(late).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Fenced);
    assert_eq!(store.get(&world.key("1")).await.unwrap(), None);
    assert_eq!(store.cut(&flow()).await.unwrap(), None);
    assert_eq!(world.counts("first-pass").await.total(), 0);
    // The refused batch has not prolonged the other's lease either.
    assert_eq!(store.acquire_pull(&flow(), "third", sec(89_999), sec(99_000)).await.unwrap(), None);
    assert!(store.acquire_pull(&flow(), "third", sec(90_000), sec(99_000)).await.unwrap().unwrap().token > lease.token);
}

pub async fn staging_needs_a_sync_task_of_the_flow(store: Store) {
    let world = World::new(store.clone()).await;
    let cut = Some(Cut { cut_dt: sec(1), offset: 1 });
    let other = World::of(store.clone(), FlowId::new(Table::Products, "mage2"), "theirs").await;
    let theirs = StageBatch { sync_task: other.new_task(), cut, ..world.batch(vec![entity("1", "v1")]) };
    assert_eq!(store.stage(theirs).await.unwrap_err().kind(), ErrorKind::Invalid);
    assert_eq!(store.get(&world.key("1")).await.unwrap(), None);
    assert_eq!(store.cut(&flow()).await.unwrap(), None);
}

pub async fn setting_the_cut_fences_a_running_pull(store: Store) {
    let world = World::new(store.clone()).await;
    let back = Cut { cut_dt: sec(-9_000), offset: 0 };
    store.set_cut(&flow(), Some(back)).await.unwrap();
    let batch = StageBatch { cut: Some(Cut { cut_dt: sec(9), offset: 1 }), ..world.batch(vec![entity("1", "v1")]) };
    assert_eq!(store.stage(batch).await.unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(store.cut(&flow()).await.unwrap(), Some(back));
    let next = store.acquire_pull(&flow(), "b", sec(1), sec(60)).await.unwrap().unwrap();
    assert!(next.token > world.lease.token);
}

pub async fn whoever_may_pull_moves_the_cut_and_nobody_else(store: Store) {
    let world = World::new(store.clone()).await;
    let (ahead, back) = (Cut { cut_dt: sec(9_000), offset: 4 }, Cut { cut_dt: sec(-9_000), offset: 0 });
    store.set_cut(&flow(), Some(ahead)).await.unwrap();
    // An operator has set it since the right was taken, and what he wanted stands.
    assert_eq!(store.move_cut(&world.lease, Some(back)).await.unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(store.cut(&flow()).await.unwrap(), Some(ahead));
    let lease = store.acquire_pull(&flow(), "b", sec(1), sec(60)).await.unwrap().unwrap();
    store.move_cut(&lease, Some(back)).await.unwrap();
    assert_eq!(store.cut(&flow()).await.unwrap(), Some(back));
    store.move_cut(&lease, None).await.unwrap();
    assert_eq!(store.cut(&flow()).await.unwrap(), None);
    // It is still its right, and from there the cut moves on.
    assert_eq!(store.acquire_pull(&flow(), "c", sec(59), sec(90)).await.unwrap(), None);
    let cut = Some(Cut { cut_dt: sec(-100), offset: 1 });
    store.stage(StageBatch { lease: lease.clone(), cut, ..world.batch(vec![entity("1", "v1")]) }).await.unwrap();
    assert_eq!(store.cut(&flow()).await.unwrap(), cut);
    let next = store.acquire_pull(&flow(), "c", sec(86_400), sec(90_000)).await.unwrap().unwrap();
    assert_eq!(store.move_cut(&lease, Some(back)).await.unwrap_err().kind(), ErrorKind::Fenced);
    store.release_pull(&next).await.unwrap();
    assert_eq!(store.move_cut(&next, Some(back)).await.unwrap_err().kind(), ErrorKind::Fenced);
    assert_eq!(store.cut(&flow()).await.unwrap(), cut);
}

pub async fn pulls_of_other_flows_are_independent(store: Store) {
    for flow in [flow(), FlowId::new(Table::Orders, "mage3"), FlowId::new(Table::Products, "mage2")] {
        assert!(store.acquire_pull(&flow, &flow.to_string(), sec(0), sec(60)).await.unwrap().is_some());
    }
}

pub async fn of_many_that_want_to_pull_one_may(store: Store) {
    for round in 0..5 {
        let asked: Vec<_> = (0..16)
            .map(|n| {
                let store = store.clone();
                let (now, until) = (sec(round * 100), sec(round * 100 + 100));
                tokio::spawn(async move { store.acquire_pull(&flow(), &format!("{round}-{n}"), now, until).await })
            })
            .collect();
        let mut got = 0;
        for task in asked {
            got += usize::from(task.await.unwrap().unwrap().is_some());
        }
        assert_eq!(got, 1);
    }
}
