//! Lists, history, doing again, and many at once.

use std::collections::BTreeSet;

use super::Store;
use super::world::{LEASE, SETTLE_DELAY, World, counts, entity, flow, retry, sec, success, with_intent};
use crate::ErrorKind;
use crate::model::{EntityKey, FlowId, Intent, SyncStatus, SyncTaskId, Table, TxStatus};
use crate::store::{Claim, EntityFilter, HISTORY_LIMIT, Outcome, Settled, Settlement, StageBatch};

async fn all_pages(store: &Store, mut filter: EntityFilter) -> Vec<EntityKey> {
    let mut keys = Vec::new();
    loop {
        let page = store.list(&filter).await.unwrap();
        assert!(page.items.len() <= filter.limit);
        keys.extend(page.items.into_iter().map(|entity| entity.key));
        match page.next {
            Some(next) => filter.after = Some(next),
            None => return keys,
        }
    }
}

/// Entities of three flows, and their keys in the order of lists.
async fn three_flows(store: &Store) -> Vec<EntityKey> {
    let flows = [("orders", "mage2"), ("orders", "mage3"), ("customers-bo", "mage2")];
    let mut keys = Vec::new();
    for (table, frontend) in flows {
        let flow = FlowId::new(table.parse().unwrap(), frontend);
        let world = World::of(store.clone(), flow.clone(), &format!("{table} {frontend}")).await;
        let ids = ["10", "9", "é", "a", "B", ""];
        world.stage(ids.iter().map(|id| entity(id, "v1")).collect()).await;
        keys.extend(ids.iter().map(|id| EntityKey::new(&flow, *id)));
    }
    keys.sort_by_key(|key| (key.table.name(), key.frontend.clone(), key.id.clone()));
    keys
}

pub async fn entities_are_listed_by_key(store: Store) {
    let expected = three_flows(&store).await;
    let page = store.list(&EntityFilter::default()).await.unwrap();
    assert_eq!(page.items.iter().map(|entity| entity.key.clone()).collect::<Vec<_>>(), expected);
    assert_eq!(page.next, None);
    let first = store.get(&expected[0]).await.unwrap().unwrap();
    assert!(page.items[0] == first);
}

pub async fn pages_neither_miss_nor_repeat(store: Store) {
    let expected = three_flows(&store).await;
    for limit in [1, 2, 5, 6, 18, 1_000] {
        assert_eq!(all_pages(&store, EntityFilter { limit, ..EntityFilter::default() }).await, expected);
    }
    for (table, frontend) in [(Table::Orders, "mage3"), (Table::CustomersBo, "mage2"), (Table::Orders, "none")] {
        let flow = FlowId::new(table, frontend);
        let of_flow: Vec<_> = expected.iter().filter(|key| key.flow() == flow).cloned().collect();
        for limit in [1, 4, 6] {
            let filter = EntityFilter { flow: Some(flow.clone()), limit, ..EntityFilter::default() };
            assert_eq!(all_pages(&store, filter).await, of_flow);
        }
    }
}

pub async fn entities_are_filtered(store: Store) {
    let mut world = World::new(store.clone()).await;
    for (n, status) in TxStatus::ALL.into_iter().enumerate() {
        world.bring_to(&n.to_string(), status).await;
    }
    world.pass("second").await;
    world.stage(vec![entity("0", "v1"), entity("2", "v1"), entity("9", "v1")]).await;
    let ids = async |statuses: &[TxStatus], task: Option<&str>| {
        let filter = EntityFilter {
            statuses: statuses.to_vec(),
            sync_task: task.map(SyncTaskId::from_stored),
            limit: 2,
            ..EntityFilter::default()
        };
        all_pages(&store, filter).await.into_iter().map(|key| key.id).collect::<Vec<_>>().join(" ")
    };
    for (n, status) in TxStatus::ALL.into_iter().enumerate().skip(1) {
        assert_eq!(ids(&[status], None).await, n.to_string());
    }
    assert_eq!(ids(&[TxStatus::New], None).await, "0 9");
    assert_eq!(ids(&[TxStatus::Success, TxStatus::Failed, TxStatus::Success], None).await, "2 3");
    assert_eq!(ids(&TxStatus::ALL, None).await, "0 1 2 3 4 5 6 9");
    assert_eq!(ids(&[], Some("second")).await, "0 2 9");
    assert_eq!(ids(&[TxStatus::Success], Some("second")).await, "2");
    assert_eq!(ids(&[TxStatus::Failed], Some("second")).await, "");
    assert_eq!(ids(&[], Some("nobody's")).await, "");
}

pub async fn a_page_has_bounds(store: Store) {
    let world = World::new(store.clone()).await;
    world.stage((0..1_010).map(|n| entity(&format!("{n:04}"), "v1")).collect()).await;
    for (limit, size) in [(0, 100), (1, 1), (999, 999), (1_000, 1_000), (1_001, 1_000), (usize::MAX, 1_000)] {
        let page = store.list(&EntityFilter { limit, ..EntityFilter::default() }).await.unwrap();
        assert_eq!((page.items.len(), page.next.is_some()), (size, true));
    }
}

pub async fn a_wrong_cursor_is_refused(store: Store) {
    for cursor in ["", "nonsense", "{}", "[1]", "[\"orders\"]", "' OR 1=1 --"] {
        let filter = EntityFilter { after: Some(cursor.into()), ..EntityFilter::default() };
        assert_eq!(store.list(&filter).await.unwrap_err().kind(), ErrorKind::Invalid);
    }
}

pub async fn history_is_newest_first(store: Store) {
    let mut world = World::new(store.clone()).await;
    for n in 1..=5 {
        world.stage(vec![entity("1", &format!("v{n}")), entity("2", &format!("w{n}"))]).await;
        world.wait(1);
    }
    let history = store.history(&world.key("1")).await.unwrap();
    assert_eq!(history.iter().map(|version| version.rev).collect::<Vec<_>>(), [4, 3, 2, 1]);
    for version in history {
        let staged = entity("1", &format!("v{}", version.rev));
        assert_eq!((version.doc, version.raw, version.replaced_at), (staged.doc, staged.raw, sec(version.rev as i64)));
    }
}

pub async fn history_is_bounded(store: Store) {
    let world = World::new(store.clone()).await;
    let many = u64::from(HISTORY_LIMIT) + 7;
    for n in 1..=many {
        world.stage_one(entity("1", &format!("v{n}"))).await;
    }
    let revs: Vec<_> = store.history(&world.key("1")).await.unwrap().iter().map(|version| version.rev).collect();
    assert_eq!(revs, (many - u64::from(HISTORY_LIMIT)..many).rev().collect::<Vec<_>>());
    assert_eq!(world.get("1").await.rev, many);
}

pub async fn what_is_not_there_has_nothing(store: Store) {
    let key = EntityKey::new(&flow(), "nobody");
    assert!(store.get(&key).await.unwrap().is_none());
    assert!(store.history(&key).await.unwrap().is_empty());
    assert!(!store.resync(&key, sec(0).into()).await.unwrap());
    assert!(store.list(&EntityFilter::default()).await.unwrap().items.is_empty());
}

pub async fn what_is_final_is_done_again(store: Store) {
    let mut world = World::new(store.clone()).await;
    for status in [TxStatus::Success, TxStatus::Failed, TxStatus::Ignored, TxStatus::Cancelled] {
        let id = status.letter();
        world.bring_to(id, status).await;
        let before = world.get(id).await;
        world.wait(1);
        assert!(store.resync(&before.key, world.now.into()).await.unwrap());
        let found = world.get(id).await;
        assert_eq!((found.status, found.due_at, found.note.as_str()), (TxStatus::New, Some(world.now), ""));
        assert_eq!((found.attempts, found.rev, found.target_id), (0, 1, before.target_id));
        assert!(!store.resync(&before.key, world.now.into()).await.unwrap(), "it is due already");
        assert_eq!(world.claim_one(id).await.attempts, 1);
    }
}

pub async fn failures_of_a_class_are_counted_listed_and_done_again(store: Store) {
    let mut world = World::new(store.clone()).await;
    let of = |class: &'static str| Outcome::Failed { note: "x".into(), class: class.into() };
    for (id, class) in [("1", "refused"), ("2", "busy"), ("3", "refused"), ("4", "mended"), ("5", "refused")] {
        world.stage_one(entity(id, "v1")).await;
        let claimed = world.claim_one(id).await;
        world.settle(&claimed, of(class)).await;
        assert_eq!(world.get(id).await.failure.as_deref(), Some(class));
    }
    world.stage_one(with_intent("6", "v1", Intent::Reject("no number".into()))).await;
    // Whatever opens one, it is no failure any more.
    world.wait(1);
    assert!(store.resync(&world.get("4").await.key, world.now.into()).await.unwrap());
    world.stage_one(entity("5", "v2")).await;
    for id in ["4", "5"] {
        let found = world.get(id).await;
        assert_eq!((found.status, found.failure), (TxStatus::New, None), "{id}");
    }
    let claimed = world.claim_one("4").await;
    world.settle(&claimed, success("B1-4")).await;
    assert_eq!(world.get("4").await.failure, None);

    let flow = world.get("1").await.key.flow();
    let counts = store.failures(&flow).await.unwrap();
    let expected = [("busy", 1), ("mapping", 1), ("refused", 2)].map(|(class, count)| (class.to_owned(), count));
    assert_eq!(counts, expected.into());
    let other = FlowId::new(flow.table, "another");
    assert!(store.failures(&other).await.unwrap().is_empty());
    let filter = EntityFilter { failure: Some("refused".into()), ..EntityFilter::default() };
    let listed: Vec<_> = store.list(&filter).await.unwrap().items.into_iter().map(|entity| entity.key.id).collect();
    assert_eq!(listed, ["1", "3"]);

    world.wait(1);
    assert_eq!(store.resync_failed(&other, Some("refused"), world.now.into()).await.unwrap(), 0);
    assert_eq!(store.resync_failed(&flow, Some("refused"), world.now.into()).await.unwrap(), 2);
    assert_eq!(store.resync_failed(&flow, Some("refused"), world.now.into()).await.unwrap(), 0);
    assert_eq!(
        store.resync_failed(&flow, Some("mapping"), world.now.into()).await.unwrap(),
        0,
        "there is nothing to be done"
    );
    for id in ["1", "3"] {
        let found = world.get(id).await;
        assert_eq!((found.status, found.failure, found.due_at), (TxStatus::New, None, Some(world.now)));
        assert_eq!((found.attempts, found.note.as_str()), (0, ""));
    }
    assert_eq!(world.get("2").await.status, TxStatus::Failed);
}

pub async fn what_waits_is_done_now(store: Store) {
    let mut world = World::new(store.clone()).await;
    world.stage_one(entity("1", "v1")).await;
    let claimed = world.claim_one("1").await;
    world.settle(&claimed, retry(sec(9_999))).await;
    world.wait(1);
    assert!(store.resync(&claimed.key, world.now.into()).await.unwrap());
    let found = world.get("1").await;
    assert_eq!((found.status, found.due_at, found.attempts), (TxStatus::New, Some(world.now), 1));
    assert_eq!(world.claim_one("1").await.attempts, 2);
}

pub async fn what_is_leased_or_in_doubt_is_left_alone(store: Store) {
    let mut world = World::new(store.clone()).await;
    world.bring_to("p", TxStatus::InProcess).await;
    world.bring_to("?", TxStatus::InDoubt).await;
    for seconds in [1, 100_000] {
        world.wait(seconds);
        for id in ["p", "?"] {
            let before = world.get(id).await;
            assert!(!store.resync(&before.key, world.now.into()).await.unwrap());
            assert!(world.get(id).await == before);
        }
    }
}

pub async fn what_has_nothing_to_do_is_not_done_again(store: Store) {
    let world = World::new(store.clone()).await;
    for (id, intent) in [("i", Intent::Ignore("x".into())), ("r", Intent::Reject("y".into()))] {
        world.stage_one(with_intent(id, "v1", intent)).await;
        let before = world.get(id).await;
        assert!(!store.resync(&before.key, world.after(1).into()).await.unwrap());
        assert!(world.get(id).await == before);
    }
}

pub async fn the_failures_of_a_sync_task_are_done_again(store: Store) {
    let mut world = World::new(store.clone()).await;
    for (n, status) in TxStatus::ALL.into_iter().enumerate() {
        world.bring_to(&n.to_string(), status).await;
    }
    world.bring_to("f", TxStatus::Failed).await;
    world.stage_one(with_intent("r", "v1", Intent::Reject("y".into()))).await;
    world.pass("second").await;
    world.bring_to("theirs", TxStatus::Failed).await;
    let task = SyncTaskId::from_stored("first-pass");
    store.close_sync_task(&task, SyncStatus::Fail, "3 failed", sec(5)).await.unwrap();
    world.wait(10);
    assert_eq!(store.resync_task(&task, world.now.into()).await.unwrap(), 2);
    for id in ["f", "3"] {
        let found = world.get(id).await;
        assert_eq!((found.status, found.due_at, found.attempts), (TxStatus::New, Some(world.now), 0));
    }
    assert_eq!(world.status("theirs").await, TxStatus::Failed);
    let opened = store.sync_task(&task).await.unwrap().unwrap();
    assert_eq!((opened.status, opened.note.as_str(), opened.ended_at), (SyncStatus::Processing, "", None));
    assert_eq!(opened.pulled_at, Some(world.now), "closing waits from now on");
    let mut expected: Vec<_> = TxStatus::ALL.into_iter().filter(|s| *s != TxStatus::Failed).map(|s| (s, 1)).collect();
    expected.extend([(TxStatus::New, 2), (TxStatus::Failed, 1)]);
    assert_eq!(world.counts("first-pass").await, counts(&expected));
    // Nothing is left to be done again: the task stays as it is.
    store.close_sync_task(&task, SyncStatus::Fail, "1 failed", sec(20)).await.unwrap();
    assert_eq!(store.resync_task(&task, world.now.into()).await.unwrap(), 0);
    assert_eq!(store.sync_task(&task).await.unwrap().unwrap().status, SyncStatus::Fail);
}

pub async fn the_failures_of_a_flow_are_done_again(store: Store) {
    let mut world = World::new(store.clone()).await;
    for (n, status) in TxStatus::ALL.into_iter().enumerate() {
        world.bring_to(&n.to_string(), status).await;
    }
    world.pass("second").await;
    for n in 0..3 {
        world.bring_to(&format!("f{n}"), TxStatus::Failed).await;
    }
    world.stage_one(with_intent("r", "v1", Intent::Reject("y".into()))).await;
    let other = World::of(store.clone(), FlowId::new(Table::Orders, "other"), "theirs").await;
    other.bring_to("f0", TxStatus::Failed).await;
    let before = (world.counts("first-pass").await, world.counts("second").await);
    world.wait(10);
    assert_eq!(store.resync_failed(&flow(), None, world.now.into()).await.unwrap(), 4);
    for id in ["3", "f0", "f1", "f2"] {
        let found = world.get(id).await;
        assert_eq!((found.status, found.due_at, found.attempts), (TxStatus::New, Some(world.now), 0));
        assert_eq!((found.note.as_str(), found.rev), ("", 1));
    }
    assert_eq!((world.status("r").await, other.status("f0").await), (TxStatus::Failed, TxStatus::Failed));
    // The runs that they failed in ended with that.
    assert_eq!((world.counts("first-pass").await, world.counts("second").await), before);
    assert_eq!(store.resync_failed(&flow(), None, world.now.into()).await.unwrap(), 0);
}

/// As when it is done again by itself: another run that it was part of ended with what it was then.
pub async fn failures_done_again_stay_failures_of_other_tasks(store: Store) {
    let mut world = World::new(store.clone()).await;
    world.bring_to("1", TxStatus::New).await;
    world.pass("second").await;
    world.stage_one(entity("1", "v1")).await;
    let claimed = world.claim_one("1").await;
    world.settle(&claimed, Outcome::Failed { note: "x".into(), class: "refused".into() }).await;
    let failed = counts(&[(TxStatus::Failed, 1)]);
    assert_eq!((world.counts("first-pass").await, world.counts("second").await), (failed, failed));
    let task = SyncTaskId::from_stored("second");
    assert_eq!(store.resync_task(&task, world.now.into()).await.unwrap(), 1);
    assert_eq!(world.counts("second").await, counts(&[(TxStatus::New, 1)]));
    assert_eq!(world.counts("first-pass").await, failed);
}

pub async fn failures_that_were_mended_since_are_not_done_again(store: Store) {
    let mut world = World::new(store.clone()).await;
    world.bring_to("mended", TxStatus::Failed).await;
    world.bring_to("still", TxStatus::Failed).await;
    world.bring_to("later", TxStatus::Success).await;
    world.pass("second").await;
    world.stage(vec![entity("mended", "v2"), entity("still", "v2"), entity("later", "v2")]).await;
    for (id, outcome) in [
        ("mended", success("B1-1")),
        ("still", Outcome::Failed { note: "x".into(), class: "refused".into() }),
        ("later", Outcome::Failed { note: "x".into(), class: "refused".into() }),
    ] {
        let claimed = world.claim_one(id).await;
        world.settle(&claimed, outcome).await;
    }
    assert_eq!(world.counts("first-pass").await, counts(&[(TxStatus::Failed, 2), (TxStatus::Success, 1)]));
    // Of the first pass's two failures one is mended; what succeeded then is no failure of that pass.
    let task = SyncTaskId::from_stored("first-pass");
    assert_eq!(store.resync_task(&task, world.now.into()).await.unwrap(), 1);
    assert_eq!(world.status("still").await, TxStatus::New);
    assert_eq!(world.status("mended").await, TxStatus::Success);
    assert_eq!(world.status("later").await, TxStatus::Failed);
    let expected = counts(&[(TxStatus::Failed, 1), (TxStatus::New, 1), (TxStatus::Success, 1)]);
    assert_eq!(world.counts("first-pass").await, expected);
}

pub async fn many_at_once_lose_nothing(store: Store) {
    const FLOWS: usize = 4;
    const BATCHES: usize = 6;
    const SIZE: usize = 20;
    let mut tasks = Vec::new();
    for n in 0..FLOWS {
        let flow = FlowId::new(Table::Orders, format!("f{n}"));
        tasks.push(tokio::spawn(work(flow.clone(), BATCHES * SIZE, store.clone())));
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            let world = World::of(store.clone(), flow, &format!("t{n}")).await;
            for batch in 0..BATCHES {
                let entities = (0..SIZE).map(|m| entity(&format!("{batch}-{m}"), "v1")).collect();
                store.stage(StageBatch { cut: None, ..world.batch(entities) }).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    for n in 0..FLOWS {
        let found = store.sync_task_counts(&SyncTaskId::from_stored(format!("t{n}"))).await.unwrap();
        assert_eq!(found, counts(&[(TxStatus::Success, (BATCHES * SIZE) as u64)]));
    }
}

/// Claims and settles until `expected` entities of a flow are done.
async fn work(flow: FlowId, expected: usize, store: Store) {
    let mut done = BTreeSet::new();
    while done.len() < expected {
        let claim = Claim {
            flow: &flow,
            keys: None,
            limit: 13,
            owner: "worker",
            lease: LEASE,
            settle_delay: SETTLE_DELAY,
            now: sec(0).into(),
        };
        let claimed = store.claim(claim).await.unwrap();
        let settlements: Vec<_> = claimed
            .iter()
            .map(|claimed| Settlement {
                reference: None,
                key: claimed.key.clone(),
                token: claimed.token,
                rev: claimed.rev,
                outcome: success(&claimed.key.id),
            })
            .collect();
        let settled = store.settle(sec(0).into(), settlements).await.unwrap();
        assert!(settled.iter().all(|settled| *settled == Settled::Done));
        for claimed in claimed {
            assert!(done.insert(claimed.key.id), "an entity was given out twice");
        }
        tokio::task::yield_now().await;
    }
}
