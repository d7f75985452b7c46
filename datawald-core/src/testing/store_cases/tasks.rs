//! Sync tasks.

use TxStatus::{Failed, Ignored, InDoubt, InProcess, New, Success};

use super::Store;
use super::world::{World, counts, entity, failed, flow, sec, success, with_intent};
use crate::ErrorKind;
use crate::model::{Cut, FlowId, Intent, SyncStatus, SyncTask, SyncTaskId, Table, TxStatus};
use crate::store::{NewSyncTask, Settled, StageBatch, Staging, SyncTaskFilter};

fn id(text: &str) -> SyncTaskId {
    SyncTaskId::from_stored(text)
}

fn new(text: &str, flow: &FlowId, seconds: i64) -> NewSyncTask {
    NewSyncTask { id: id(text), flow: flow.clone(), cut_before: None, now: sec(seconds) }
}

pub async fn a_sync_task_is_recorded(store: Store) {
    let cut = Cut { cut_dt: sec(-60), offset: 4 };
    store.create_sync_task(NewSyncTask { cut_before: Some(cut), ..new("a 'task'", &flow(), 5) }).await.unwrap();
    let expected = SyncTask {
        id: id("a 'task'"),
        flow: flow(),
        status: SyncStatus::Processing,
        note: String::new(),
        cut_before: Some(cut),
        cut_after: None,
        pulled: false,
        pulled_at: None,
        started_at: sec(5),
        ended_at: None,
    };
    assert_eq!(store.sync_task(&expected.id).await.unwrap(), Some(expected));
}

pub async fn recording_twice_changes_nothing(store: Store) {
    store.create_sync_task(new("t", &flow(), 0)).await.unwrap();
    store.close_sync_task(&id("t"), SyncStatus::Completed, "done", sec(9)).await.unwrap();
    let before = store.sync_task(&id("t")).await.unwrap();
    store.create_sync_task(new("t", &flow(), 0)).await.unwrap();
    assert_eq!(store.sync_task(&id("t")).await.unwrap(), before);
}

pub async fn an_id_names_one_task_of_one_flow(store: Store) {
    store.create_sync_task(new("t", &flow(), 0)).await.unwrap();
    let other = FlowId::new(Table::Products, "mage2");
    let error = store.create_sync_task(new("t", &other, 0)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
    assert_eq!(store.sync_task(&id("t")).await.unwrap().unwrap().flow, flow());
}

pub async fn staging_opens_what_was_closed_or_noted(store: Store) {
    let world = World::new(store).await;
    for status in [SyncStatus::Incompleted, SyncStatus::Processing] {
        world.store.close_sync_task(&world.task, status, "cut off", sec(9)).await.unwrap();
        world.stage_one(entity("1", "a")).await;
        let task = world.store.sync_task(&world.task).await.unwrap().unwrap();
        assert_eq!((task.status, task.note.as_str(), task.ended_at), (SyncStatus::Processing, "", None));
    }
}

pub async fn a_pull_comes_to_its_end(store: Store) {
    store.create_sync_task(new("t", &flow(), 0)).await.unwrap();
    store.create_sync_task(new("u", &flow(), 0)).await.unwrap();
    for again in 0..2 {
        store.finish_pull(&id("t"), sec(7 + again)).await.unwrap();
        let found = store.sync_task(&id("t")).await.unwrap().unwrap();
        assert_eq!((found.pulled, found.pulled_at), (true, Some(sec(7))));
    }
    let other = store.sync_task(&id("u")).await.unwrap().unwrap();
    assert_eq!((other.pulled, other.pulled_at), (false, None));
    store.finish_pull(&id("nobody's"), sec(7)).await.unwrap();
}

pub async fn a_sync_task_is_closed_and_closed_again(store: Store) {
    store.create_sync_task(new("t", &flow(), 0)).await.unwrap();
    let statuses = [SyncStatus::Incompleted, SyncStatus::Fail, SyncStatus::Completed, SyncStatus::Processing];
    for (n, status) in statuses.into_iter().enumerate() {
        let (note, now) = (format!("it's {n}"), sec(n as i64));
        assert!(store.close_sync_task(&id("t"), status, &note, now).await.unwrap());
        let found = store.sync_task(&id("t")).await.unwrap().unwrap();
        // One that goes on has not ended.
        let ended_at = (status != SyncStatus::Processing).then_some(now);
        assert_eq!((found.status, found.note, found.ended_at), (status, note, ended_at));
        assert_eq!(found.started_at, sec(0));
    }
}

pub async fn a_sync_task_is_deleted_without_its_entities(store: Store) {
    let mut world = World::new(store.clone()).await;
    world.stage_one(entity("1", "v1")).await;
    world.pass("second").await;
    world.stage_one(entity("1", "v1")).await;
    assert!(store.delete_sync_task(&id("first-pass")).await.unwrap());
    assert!(!store.delete_sync_task(&id("first-pass")).await.unwrap());
    assert_eq!(store.sync_task(&id("first-pass")).await.unwrap(), None);
    assert_eq!(world.counts("first-pass").await.total(), 0);
    assert_eq!(world.status("1").await, New);
    assert_eq!(world.counts("second").await, counts(&[(New, 1)]));
    // The id is free again, and nothing hangs on to it.
    store.create_sync_task(new("first-pass", &flow(), 0)).await.unwrap();
    assert_eq!(world.counts("first-pass").await.total(), 0);
}

pub async fn what_is_not_there_is_told(store: Store) {
    assert_eq!(store.sync_task(&id("x")).await.unwrap(), None);
    assert_eq!(store.sync_task_counts(&id("x")).await.unwrap(), counts(&[]));
    assert!(!store.close_sync_task(&id("x"), SyncStatus::Fail, "", sec(0)).await.unwrap());
    assert!(!store.delete_sync_task(&id("x")).await.unwrap());
    assert_eq!(store.resync_task(&id("x"), sec(0).into()).await.unwrap(), 0);
    assert!(store.list_sync_tasks(&SyncTaskFilter::default()).await.unwrap().items.is_empty());
}

pub async fn entities_are_counted_by_status(store: Store) {
    let world = World::new(store).await;
    for (n, status) in TxStatus::ALL.into_iter().enumerate() {
        for m in 0..=n {
            world.bring_to(&format!("{n}-{m}"), status).await;
        }
    }
    world.stage_one(with_intent("i", "v1", Intent::Ignore("x".into()))).await;
    world.stage_one(with_intent("r", "v1", Intent::Reject("x".into()))).await;
    let mut expected: Vec<_> = TxStatus::ALL.into_iter().zip(1..).collect();
    expected.extend([(Ignored, 1), (Failed, 1)]);
    assert_eq!(world.counts("first-pass").await, counts(&expected));
}

pub async fn what_is_unchanged_counts_as_ignored(store: Store) {
    let mut world = World::new(store).await;
    world.bring_to("s", Success).await;
    world.bring_to("x", TxStatus::Cancelled).await;
    world.stage_one(with_intent("r", "v1", Intent::Reject("no".into()))).await;
    world.pass("second").await;
    world.stage(vec![entity("s", "v1"), entity("x", "v1"), entity("n", "v1")]).await;
    world.stage_one(with_intent("r", "v1", Intent::Reject("no".into()))).await;
    assert_eq!(world.counts("second").await, counts(&[(Ignored, 3), (New, 1)]));
    assert_eq!(world.counts("first-pass").await, counts(&[(Success, 1), (TxStatus::Cancelled, 1), (Failed, 1)]));
    // It stays so, whatever becomes of them in later passes.
    world.pass("third").await;
    world.stage(vec![entity("s", "v2"), entity("x", "v2")]).await;
    assert_eq!(world.counts("second").await, counts(&[(Ignored, 3), (New, 1)]));
}

pub async fn what_is_unchanged_but_open_counts_as_what_it_is(store: Store) {
    let mut world = World::new(store).await;
    for (name, status) in [("n", New), ("p", InProcess), ("?", InDoubt)] {
        world.bring_to(name, status).await;
    }
    world.pass("second").await;
    let again = vec![entity("n", "v1"), entity("p", "v1"), entity("?", "v1")];
    assert_eq!(world.stage(again).await, [Staging::Unchanged; 3]);
    assert_eq!(world.counts("second").await, counts(&[(New, 1), (InProcess, 1), (InDoubt, 1)]));
    let claimed = world.claim_one("n").await;
    world.settle(&claimed, success("B1-1")).await;
    for pass in ["first-pass", "second"] {
        assert_eq!(world.counts(pass).await, counts(&[(Success, 1), (InProcess, 1), (InDoubt, 1)]));
    }
}

pub async fn a_pass_is_recorded_with_what_it_brings(store: Store) {
    let mut world = World::new(store.clone()).await;
    world.bring_to("s", Success).await;
    world.bring_to("f", Failed).await;
    let cut = |second| Some(Cut { cut_dt: sec(second), offset: 1 });
    // It finds nothing new, twice: the cut moves, and nothing else is left of it.
    world.task = id("idle");
    for second in [1, 2] {
        let page = StageBatch { cut: cut(second), ..world.batch(vec![entity("s", "v1"), entity("f", "v1")]) };
        assert_eq!(store.stage(page).await.unwrap(), [Staging::Unchanged, Staging::StillFailed]);
        assert_eq!(store.cut(&flow()).await.unwrap(), cut(second));
        assert_eq!(store.sync_task(&world.task).await.unwrap(), None);
    }
    store.finish_pull(&world.task, sec(3)).await.unwrap();
    assert_eq!(store.sync_task(&world.task).await.unwrap(), None);
    // With the first that is new, all of its page join it.
    world.task = id("busy");
    world.stage_one(entity("s", "v1")).await;
    let page = vec![entity("f", "v1"), entity("n", "v1"), entity("s", "v1")];
    store.stage(StageBatch { cut: cut(5), ..world.batch(page) }).await.unwrap();
    let recorded = store.sync_task(&world.task).await.unwrap().unwrap();
    assert_eq!((recorded.status, recorded.started_at, recorded.cut_after), (SyncStatus::Processing, world.now, cut(5)));
    assert_eq!(world.counts("busy").await, counts(&[(Ignored, 2), (New, 1)]));
    // What is still open is waited for, whoever brought it.
    world.task = id("waiting");
    assert_eq!(world.stage_one(entity("n", "v1")).await, Staging::Unchanged);
    assert_eq!(world.counts("waiting").await, counts(&[(New, 1)]));
}

pub async fn what_a_pass_has_brought_is_not_ignored_in_it(store: Store) {
    let world = World::new(store).await;
    world.bring_to("1", Success).await;
    // The same pass reads it once more, over the edge of a page.
    assert_eq!(world.stage_one(entity("1", "v1")).await, Staging::Unchanged);
    assert_eq!(world.counts("first-pass").await, counts(&[(Success, 1)]));
}

pub async fn earlier_passes_keep_their_outcome(store: Store) {
    let mut world = World::new(store).await;
    world.bring_to("s", Success).await;
    world.bring_to("f", Failed).await;
    world.pass("second").await;
    assert_eq!(world.stage(vec![entity("s", "v2"), entity("f", "v2")]).await, [Staging::Restaged; 2]);
    let first = counts(&[(Success, 1), (Failed, 1)]);
    assert_eq!(world.counts("first-pass").await, first);
    assert_eq!(world.counts("second").await, counts(&[(New, 2)]));
    let claimed = world.claim_one("s").await;
    assert_eq!(world.settle(&claimed, failed("x")).await, Settled::Done);
    let claimed = world.claim_one("f").await;
    assert_eq!(world.settle(&claimed, success("B1-1")).await, Settled::Done);
    assert_eq!(world.counts("first-pass").await, first);
    assert_eq!(world.counts("second").await, counts(&[(Success, 1), (Failed, 1)]));
    // Restaged within its own pass, it counts there as what it is.
    world.stage_one(entity("s", "v3")).await;
    assert_eq!(world.counts("second").await, counts(&[(Success, 1), (New, 1)]));
    assert_eq!(world.counts("first-pass").await, first);
}

pub async fn open_entities_count_in_every_pass(store: Store) {
    let mut world = World::new(store).await;
    world.stage_one(entity("1", "v1")).await;
    world.pass("second").await;
    world.stage_one(entity("1", "v2")).await;
    for pass in ["first-pass", "second"] {
        assert_eq!(world.counts(pass).await, counts(&[(New, 1)]));
    }
    let claimed = world.claim_one("1").await;
    world.settle(&claimed, success("B1-1")).await;
    for pass in ["first-pass", "second"] {
        assert_eq!(world.counts(pass).await, counts(&[(Success, 1)]));
    }
}

async fn all_pages(store: &Store, mut filter: SyncTaskFilter) -> Vec<String> {
    let mut ids = Vec::new();
    loop {
        let page = store.list_sync_tasks(&filter).await.unwrap();
        assert!(page.items.len() <= filter.limit);
        ids.extend(page.items.into_iter().map(|task| task.id.as_str().to_owned()));
        match page.next {
            Some(next) => filter.after = Some(next),
            None => return ids,
        }
    }
}

pub async fn sync_tasks_are_listed_newest_first(store: Store) {
    for (n, second) in [3, 1, 2, 2, 2, 5, 4].into_iter().enumerate() {
        store.create_sync_task(new(&format!("{second}-{n}"), &flow(), second)).await.unwrap();
    }
    let expected = ["5-5", "4-6", "3-0", "2-4", "2-3", "2-2", "1-1"];
    for limit in [1, 2, 3, 7, 100] {
        assert_eq!(all_pages(&store, SyncTaskFilter { limit, ..SyncTaskFilter::default() }).await, expected);
    }
    let whole = store.list_sync_tasks(&SyncTaskFilter::default()).await.unwrap();
    assert_eq!((whole.items.len(), whole.next), (7, None));
}

pub async fn sync_tasks_are_filtered(store: Store) {
    let other = FlowId::new(Table::Products, "mage2");
    for n in 0..6 {
        let of = if n % 2 == 0 { flow() } else { other.clone() };
        store.create_sync_task(new(&n.to_string(), &of, n)).await.unwrap();
    }
    store.close_sync_task(&id("2"), SyncStatus::Fail, "", sec(9)).await.unwrap();
    store.close_sync_task(&id("3"), SyncStatus::Fail, "", sec(9)).await.unwrap();
    let filter = |flow: Option<&FlowId>, status| SyncTaskFilter {
        flow: flow.cloned(),
        status,
        limit: 2,
        ..SyncTaskFilter::default()
    };
    assert_eq!(all_pages(&store, filter(Some(&flow()), None)).await, ["4", "2", "0"]);
    assert_eq!(all_pages(&store, filter(None, Some(SyncStatus::Fail))).await, ["3", "2"]);
    assert_eq!(all_pages(&store, filter(Some(&other), Some(SyncStatus::Fail))).await, ["3"]);
    assert_eq!(all_pages(&store, filter(None, Some(SyncStatus::Completed))).await, [""; 0]);
}

pub async fn a_wrong_cursor_is_refused(store: Store) {
    for cursor in ["", "nonsense", "{}", "[1]", "' OR 1=1 --"] {
        let filter = SyncTaskFilter { after: Some(cursor.into()), ..SyncTaskFilter::default() };
        assert_eq!(store.list_sync_tasks(&filter).await.unwrap_err().kind(), ErrorKind::Invalid);
    }
}
