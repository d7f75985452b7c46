//! The job of a flow: its sync task has the id of the run, whoever takes it up.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;
use datawald_core::engine::{
    Applied, Cursor, Done, Engine, EngineSettings, FetchQuery, Flow, Source, SourcePage, Target,
};
use datawald_core::model::{Fingerprint, FlowId, Intent, SyncStatus, Table};
use datawald_core::schedule::{Job, Run, RunOutcome, Scheduler, SyncFlow};
use datawald_core::store::{Claimed, Outcome, Settlement, SqliteStore, StageEntity, StagingStore, SyncTaskFilter};
use datawald_core::{Clock, Cx, Disposition, Error, ErrorKind, ManualClock, Result};

use crate::world::{World, at, meanwhile, minutely, seconds, settings};

/// Orders 1 to 3.
struct Shop;

#[async_trait]
impl Source for Shop {
    async fn fetch(&self, _: &Cx, _: &FetchQuery) -> Result<SourcePage> {
        let order = |id: &str| StageEntity {
            id: id.to_owned(),
            name: id.to_owned(),
            intent: Intent::Apply,
            source_status: "pending".into(),
            source_updated_at: None,
            fingerprint: Fingerprint::of(id.as_bytes()),
            raw: String::new(),
            doc: format!("{{\"fe_order_id\":\"{id}\"}}"),
        };
        Ok(SourcePage { entities: ["1", "2", "3"].map(order).into(), ..SourcePage::default() })
    }
}

/// The same orders on two pages, of which the second cannot be had the first time.
#[derive(Default)]
struct Shaky(AtomicU32);

#[async_trait]
impl Source for Shaky {
    async fn fetch(&self, cx: &Cx, query: &FetchQuery) -> Result<SourcePage> {
        let mut page = Shop.fetch(cx, query).await?;
        if query.after.is_none() {
            page.entities.truncate(2);
            page.next = Some(Cursor("2".into()));
            return Ok(page);
        }
        match self.0.fetch_add(1, Ordering::SeqCst) {
            0 => Err(Error::config("fetch orders", "the token is no longer valid")),
            _ => Ok(SourcePage { entities: page.entities.split_off(2), ..page }),
        }
    }
}

/// Takes all but order 2.
struct Erp;

#[async_trait]
impl Target for Erp {
    async fn apply(&self, _: &Cx, batch: &[Claimed]) -> Vec<Applied> {
        let apply = |claimed: &Claimed| match claimed.key.id.as_str() {
            "2" => Err(Error::refused("insert order", "no such item")),
            id => Ok(Done::Applied { target_id: id.to_owned(), note: String::new() }),
        };
        batch.iter().map(|claimed| apply(claimed).into()).collect()
    }
}

fn flow() -> FlowId {
    FlowId::new(Table::Orders, "shop")
}

fn engine(store: &Arc<dyn StagingStore>) -> Engine {
    engine_of(store, Shop)
}

fn engine_of(store: &Arc<dyn StagingStore>, source: impl Source + 'static) -> Engine {
    Engine::builder(store.clone())
        .settings(EngineSettings { close_wait_ms: 5_000, sweep_ms: 20, ..EngineSettings::default() })
        .flow(Flow::new(flow()).source(source).target(Erp))
        .build()
        .unwrap()
}

async fn tasks(store: &Arc<dyn StagingStore>) -> Vec<datawald_core::model::SyncTask> {
    store.list_sync_tasks(&SyncTaskFilter::default()).await.unwrap().items
}

/// Waits until a sync task is closed.
async fn closed(store: &Arc<dyn StagingStore>) -> datawald_core::model::SyncTask {
    for _ in 0..500 {
        if let Some(task) = tasks(store).await.into_iter().find(|task| task.status != SyncStatus::Processing) {
            return task;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("nothing is closed: {:?}", tasks(store).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scheduled_sync_has_the_runs_id_and_is_closed_beside_it() {
    let world = World::new();
    let engine = engine(&world.store);
    let workers = engine.start_workers(&flow()).unwrap();
    let scheduler = Scheduler::builder(world.store.clone())
        .clock(world.clock.clone())
        .settings(settings())
        .job(minutely(), SyncFlow::new(engine.clone(), flow()))
        .build()
        .unwrap();
    let watch = async {
        world.until("minutely", |state| state.scheduled).await;
        world.clock.advance(seconds(60));
        let state = world.ended("minutely", 1).await;
        scheduler.stop();
        state
    };
    let ((), state) = tokio::join!(scheduler.run(), watch);
    let ended = &state.last_runs[0];
    assert_eq!((ended.outcome, ended.note.as_str()), (RunOutcome::Done, "orders of shop: 3 new"));
    let closing = tokio::spawn({
        let engine = engine.clone();
        async move { engine.keep_closing(&flow()).await }
    });
    let task = closed(&world.store).await;
    engine.stop();
    closing.await.unwrap();
    workers.stop().await.unwrap();
    assert_eq!((&task.id, task.status, task.pulled), (&ended.id, SyncStatus::Fail, true));
    let counts = world.store.sync_task_counts(&task.id).await.unwrap();
    assert_eq!((counts.success, counts.failed, counts.total()), (2, 1, 3));
}

/// Takes nothing, and says that it is away.
struct Away;

#[async_trait]
impl Target for Away {
    async fn apply(&self, _: &Cx, batch: &[Claimed]) -> Vec<Applied> {
        let away = || Error::new(ErrorKind::Unreachable, Disposition::Retryable { after: None }, "insert", "is away");
        batch.iter().map(|_| Applied::from(Err(away()))).collect()
    }
}

/// What an outage of the ERP lets wait holds up nothing but itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_tick_pulls_while_the_erp_is_away() {
    let world = World::new();
    let shop = Counted::default();
    let engine = Engine::builder(world.store.clone())
        .settings(EngineSettings { sweep_ms: 20, ..EngineSettings::default() })
        .flow(Flow::new(flow()).source(shop.clone()).target(Away))
        .build()
        .unwrap();
    let workers = engine.start_workers(&flow()).unwrap();
    let scheduler = Scheduler::builder(world.store.clone())
        .clock(world.clock.clone())
        .settings(settings())
        .job(minutely(), SyncFlow::new(engine, flow()))
        .build()
        .unwrap();
    let watch = async {
        world.until("minutely", |state| state.scheduled).await;
        for ticks in 1..=3 {
            world.clock.advance(seconds(60));
            let state = world.ended("minutely", ticks).await;
            assert_eq!(state.last_runs[0].outcome, RunOutcome::Done, "{}", state.last_runs[0].note);
        }
        scheduler.stop();
    };
    tokio::join!(scheduler.run(), watch);
    assert_eq!(shop.0.load(Ordering::SeqCst), 3, "a pull per tick");
    assert!(world.store.next_due(&flow()).await.unwrap().is_some(), "the orders wait");
    workers.stop().await.unwrap();
}

/// [`Shop`], and how often it was asked.
#[derive(Clone, Default)]
struct Counted(Arc<AtomicU32>);

#[async_trait]
impl Source for Counted {
    async fn fetch(&self, cx: &Cx, query: &FetchQuery) -> Result<SourcePage> {
        self.0.fetch_add(1, Ordering::SeqCst);
        Shop.fetch(cx, query).await
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_a_process_that_died_has_pulled_is_closed_by_another() {
    let world = World::new();
    let run = Run::of("minutely", at("2026-01-31T10:01:00Z"));
    // Nobody applies, and the process dies after its pull.
    let note = SyncFlow::new(engine(&world.store), flow()).run(&run).await.unwrap();
    assert_eq!(note, "orders of shop: 3 new");
    let open = tasks(&world.store).await;
    assert_eq!((open.len(), open[0].status, open[0].pulled), (1, SyncStatus::Processing, true));

    let second = engine(&world.store);
    let workers = second.start_workers(&flow()).unwrap();
    let of = flow();
    let closing = second.keep_closing(&of);
    let task = tokio::select! {
        () = closing => panic!("it ends when it is told to"),
        task = closed(&world.store) => task,
    };
    assert_eq!((&task.id, task.status), (&run.id, SyncStatus::Fail));
    // Another attempt of the run finds it pulled, and changes nothing.
    let note = SyncFlow::new(second, flow()).run(&run).await.unwrap();
    assert_eq!(note, "orders of shop: was pulled by an earlier attempt");
    assert_eq!(tasks(&world.store).await, [task]);
    workers.stop().await.unwrap();
}

/// Two sync tasks that were closed at once.
async fn two_closed(world: &World, engine: &Engine) {
    for _ in 0..2 {
        engine.pull(&flow()).await.unwrap();
        world.clock.advance(seconds(60));
    }
    for task in tasks(&world.store).await {
        world.store.close_sync_task(&task.id, SyncStatus::Completed, "", world.clock.now()).await.unwrap();
    }
}

fn keeping(world: &World, days: u32) -> Engine {
    let settings = EngineSettings {
        keep_runs_days: days,
        keep_versions_days: days,
        keep_raw_days: days,
        sweep_ms: 2,
        ..EngineSettings::default()
    };
    Engine::builder(world.store.clone())
        .clock(world.clock.clone())
        .settings(settings)
        .flow(Flow::new(flow()).source(Shop))
        .build()
        .unwrap()
}

const DAY: i64 = 86_400;

#[tokio::test]
async fn one_process_an_hour_removes_what_is_no_longer_kept() {
    let world = World::new();
    let (one, other) = (keeping(&world, 7), keeping(&world, 7));
    two_closed(&world, &one).await;
    world.clock.advance(seconds(7 * DAY - 10));
    assert_eq!(one.prune(&flow()).await.unwrap(), 0);
    world.clock.advance(seconds(20));
    assert_eq!(other.prune(&flow()).await.unwrap(), 0, "one has looked within the hour");
    world.clock.advance(seconds(3_600));
    assert_eq!(keeping(&world, 0).prune(&flow()).await.unwrap(), 0, "0 keeps them for ever");
    // The older one and the three orders that it brought; the newest stays.
    assert_eq!(other.prune(&flow()).await.unwrap(), 4);
    assert_eq!(tasks(&world.store).await.len(), 1);
}

#[tokio::test]
async fn what_is_no_longer_kept_is_removed_beside_closing() {
    let world = World::new();
    let engine = keeping(&world, 7);
    two_closed(&world, &engine).await;
    let closing = tokio::spawn({
        let engine = engine.clone();
        async move { engine.keep_closing(&flow()).await }
    });
    meanwhile().await;
    // Somebody sets the wall clock ahead: nothing has become older by that.
    world.clock.set(world.clock.now() + seconds(30 * DAY));
    world.clock.advance(seconds(6 * DAY));
    meanwhile().await;
    assert_eq!(tasks(&world.store).await.len(), 2);
    world.clock.advance(seconds(DAY + 60));
    for _ in 0..2_000 {
        if tasks(&world.store).await.len() == 1 {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    assert_eq!(tasks(&world.store).await.len(), 1);
    engine.stop();
    closing.await.unwrap();
}

#[tokio::test]
async fn what_does_not_end_in_time_is_closed_as_incompleted() {
    let world = World::new();
    let engine = |clock: &Arc<ManualClock>| {
        Engine::builder(world.store.clone())
            .clock(clock.clone())
            .settings(EngineSettings { close_wait_ms: 600_000, ..EngineSettings::default() })
            .flow(Flow::new(flow()).source(Shop))
            .build()
            .unwrap()
    };
    engine(&world.clock).pull(&flow()).await.unwrap();
    world.clock.advance(seconds(599));
    assert_eq!(engine(&world.clock).close_left_over(&flow()).await.unwrap(), 0);
    // A process that starts later counts from the end of the pull, too.
    let later = Arc::new(ManualClock::at(at("2026-01-31T10:10:00Z")));
    assert_eq!(engine(&later).close_left_over(&flow()).await.unwrap(), 1);
    assert_eq!(tasks(&world.store).await[0].status, SyncStatus::Incompleted);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_that_was_cut_off_is_made_again_into_the_same_sync_task() {
    let world = World::new();
    let engine = engine_of(&world.store, Shaky::default());
    let job = SyncFlow::new(engine.clone(), flow());
    let run = Run::of("minutely", at("2026-01-31T10:01:00Z"));
    assert_eq!(job.run(&run).await.unwrap_err().kind(), ErrorKind::Config);
    // Somebody has mended it.
    engine.probe_now(&flow()).await.unwrap();
    let cut_off = tasks(&world.store).await;
    assert_eq!((cut_off.len(), cut_off[0].status, cut_off[0].pulled), (1, SyncStatus::Incompleted, false));
    assert_eq!(job.run(&run).await.unwrap(), "orders of shop: 1 new");
    let ended = tasks(&world.store).await;
    assert_eq!((ended.len(), ended[0].status, ended[0].pulled), (1, SyncStatus::Processing, true));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pull_by_another_process_is_waited_for() {
    let world = World::new();
    let now = jiff::Timestamp::now();
    let lease = world.store.acquire_pull(&flow(), "another", now, now + seconds(60)).await.unwrap().unwrap();
    let engine = engine(&world.store);
    let workers = engine.start_workers(&flow()).unwrap();
    let job = SyncFlow::new(engine, flow());
    let run = Run::of("minutely", at("2026-01-31T10:01:00Z"));
    let release = async {
        tokio::time::sleep(std::time::Duration::from_millis(300)).await;
        assert!(tasks(&world.store).await.is_empty());
        world.store.release_pull(&lease).await.unwrap();
    };
    let (note, ()) = tokio::join!(job.run(&run), release);
    assert_eq!(note.unwrap(), "orders of shop: 3 new");
    workers.stop().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_scheduled_sync_is_handed_back_when_its_host_stops() {
    let world = World::new();
    // While another process pulls, it waits for its turn.
    let now = jiff::Timestamp::now();
    world.store.acquire_pull(&flow(), "another", now, now + seconds(60)).await.unwrap().unwrap();
    let scheduler = Scheduler::builder(world.store.clone())
        .clock(world.clock.clone())
        .settings(settings())
        .job(minutely(), SyncFlow::new(engine(&world.store), flow()))
        .build()
        .unwrap();
    let watch = async {
        world.until("minutely", |state| state.scheduled).await;
        world.clock.advance(seconds(60));
        world.until("minutely", |state| state.running.is_some()).await;
        scheduler.stop();
    };
    tokio::join!(scheduler.run(), watch);
    let run = world.state("minutely").await.running.unwrap();
    assert!(run.waits_until.is_some(), "{run:?}");
    assert!(run.note.contains("was told to stop"), "{}", run.note);
}

/// A shop in which nothing happens: every pull finds its last orders again. TICKS makes it more than 200.
#[tokio::test]
async fn idle_ticks_leave_nothing_behind() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let world = World::over(Arc::new(SqliteStore::open(&path).unwrap()));
    let engine = Engine::builder(world.store.clone())
        .clock(world.clock.clone())
        .settings(EngineSettings::default())
        .flow(Flow::new(flow()).source(Shop))
        .build()
        .unwrap();
    // What stands in the file, whether it is in the log still or not.
    let file = rusqlite::Connection::open(&path).unwrap();
    let pages = || file.query_row("PRAGMA page_count", [], |row| row.get::<_, i64>(0)).unwrap();
    let tick = async || {
        world.clock.advance(seconds(60));
        let run = Run::of("minutely", world.clock.now());
        SyncFlow::new(engine.clone(), flow()).run(&run).await.unwrap()
    };
    assert_eq!(tick().await, "orders of shop: 3 new");
    let claim = datawald_core::store::Claim {
        flow: &flow(),
        keys: None,
        limit: 10,
        owner: "worker",
        lease: std::time::Duration::from_secs(60),
        settle_delay: std::time::Duration::ZERO,
        now: engine.now().await.unwrap(),
    };
    for claimed in world.store.claim(claim).await.unwrap() {
        let outcome = Outcome::Success { target_id: claimed.key.id.clone(), note: String::new() };
        let settlement =
            Settlement { key: claimed.key, token: claimed.token, rev: claimed.rev, reference: None, outcome };
        world.store.settle(engine.now().await.unwrap(), vec![settlement]).await.unwrap();
    }
    engine.close_left_over(&flow()).await.unwrap();
    for _ in 0..3 {
        assert_eq!(tick().await, "orders of shop: nothing was new");
    }
    let before = pages();
    let ticks = std::env::var("TICKS").map_or(200, |ticks| ticks.parse().unwrap());
    for _ in 0..ticks {
        tick().await;
        engine.close_left_over(&flow()).await.unwrap();
    }
    assert_eq!(pages(), before, "the file has grown");
    assert_eq!(tasks(&world.store).await.len(), 1, "the run that brought something");
}

/// Workers and closing look for what there is to do, and while there is nothing, nothing is written.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_idle_flow_writes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let world = World::over(Arc::new(SqliteStore::open(&path).unwrap()));
    let engine = Engine::builder(world.store.clone())
        .clock(world.clock.clone())
        .settings(EngineSettings { sweep_ms: 20, ..EngineSettings::default() })
        .flow(Flow::new(flow()).source(Shop).target(Erp))
        .build()
        .unwrap();
    let workers = engine.start_workers(&flow()).unwrap();
    let closing = tokio::spawn({
        let engine = engine.clone();
        async move { engine.keep_closing(&flow()).await }
    });
    engine.pull(&flow()).await.unwrap();
    closed(&world.store).await;
    // It changes with each transaction of another connection that writes.
    let file = rusqlite::Connection::open(&path).unwrap();
    let version = || file.query_row("PRAGMA data_version", [], |row| row.get::<_, i64>(0)).unwrap();
    meanwhile().await;
    let before = version();
    for _ in 0..20 {
        world.clock.advance(seconds(30));
        tokio::time::sleep(std::time::Duration::from_millis(30)).await;
    }
    assert_eq!(version(), before, "an idle flow has written");
    engine.stop();
    closing.await.unwrap();
    workers.stop().await.unwrap();
}

#[tokio::test]
async fn a_sync_task_of_another_flow_is_not_taken() {
    let world = World::new();
    let run = Run::of("minutely", at("2026-01-31T10:01:00Z"));
    let other = FlowId::new(Table::Orders, "other");
    let now = at("2026-01-31T10:01:00Z");
    let task = datawald_core::store::NewSyncTask { id: run.id.clone(), flow: other, cut_before: None, now };
    world.store.create_sync_task(task).await.unwrap();
    let error = SyncFlow::new(engine(&world.store), flow()).run(&run).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);
}
