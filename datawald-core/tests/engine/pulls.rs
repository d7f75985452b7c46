//! Pulls: cuts, overlaps, pages, and what a second pass finds.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use datawald_core::engine::{Cursor, Engine, EngineSettings, FetchQuery, Flow, Source, SourcePage};
use datawald_core::model::{Cut, Fingerprint, FlowId, Intent, SyncStatus, SyncTaskId, Table, TxStatus};
use datawald_core::store::{NewSyncTask, Push, StageEntity, StagingStore};
use datawald_core::{Clock, Cx, Disposition, Error, ErrorKind, ManualClock, Result};
use jiff::{SignedDuration, Timestamp};

use crate::sides::{Answers, Bench, Rows, applied, at, flow, quick};

#[tokio::test]
async fn a_second_pass_takes_up_what_is_new_and_nothing_else() {
    let bench = Bench::new();
    let rows = Rows::many(35);
    let answers = Answers::new(|_, claimed, _| applied(&claimed.key.id));
    let engine = bench.engine(&rows, &answers, quick());
    let first = engine.run_once(&flow()).await.unwrap();
    assert_eq!((first.pulled.inserted, first.pulled.pages, first.counts.success), (35, 4, 35));

    rows.put("00003", 40, "content that is new");
    rows.put("00099", 41, "content");
    let second = engine.run_once(&flow()).await.unwrap();
    assert_eq!((second.pulled.inserted, second.pulled.restaged), (1, 1));
    assert_eq!(second.counts.success, 2);
    assert_eq!(second.counts.ignored, second.pulled.unchanged);
    assert_eq!((answers.calls("00003"), answers.calls("00004"), answers.calls("00099")), (2, 1, 1));
    let history = bench.store.history(&bench.entity("00003").await.key).await.unwrap();
    assert_eq!((history.len(), history[0].doc.as_str(), history[0].status), (1, "content", TxStatus::Success));
}

#[tokio::test]
async fn the_next_pull_starts_at_the_cut_less_the_overlap() {
    let bench = Bench::new();
    let rows = Rows::many(15);
    let mut settings = quick();
    settings.overlap_ms = 5_000;
    let engine = bench.engine(&rows, &Answers::new(|_, claimed, _| applied(&claimed.key.id)), settings);
    engine.run_once(&flow()).await.unwrap();
    assert_eq!(bench.store.cut(&flow()).await.unwrap().unwrap().cut_dt, at(14));
    engine.run_once(&flow()).await.unwrap();
    let queries = rows.queries.lock().unwrap();
    assert_eq!(queries.last().unwrap().from, Some(at(9)));
}

#[tokio::test]
async fn the_first_pull_begins_where_it_is_told_to() {
    let bench = Bench::new();
    let rows = Rows::many(15);
    let flow_since = |since: Option<Timestamp>| {
        let flow = Flow::new(flow()).source(rows.clone());
        let flow = since.into_iter().fold(flow, Flow::since);
        Engine::builder(bench.store.clone()).settings(quick()).flow(flow).build().unwrap()
    };
    let engine = flow_since(Some(at(10)));
    assert_eq!(engine.count_first_pull(&flow()).await.unwrap(), Some(5));
    assert_eq!(flow_since(None).count_first_pull(&flow()).await.unwrap(), Some(15));
    // Nothing is taken off it: what changed before was not asked for.
    assert_eq!(engine.pull(&flow()).await.unwrap().inserted, 5);
    assert_eq!(rows.queries.lock().unwrap()[0].from, Some(at(10)));
    assert_eq!(engine.count_first_pull(&flow()).await.unwrap(), None, "it was pulled before");
    // From then on the cut counts.
    let mut settings = quick();
    settings.overlap_ms = 2_000;
    let flow_of = Flow::new(flow()).source(rows.clone()).since(at(14));
    let later = Engine::builder(bench.store.clone()).settings(settings).flow(flow_of).build().unwrap();
    later.pull(&flow()).await.unwrap();
    assert_eq!(rows.queries.lock().unwrap().last().unwrap().from, Some(at(12)));
}

/// An operator has mistyped a year, or a clock was corrected since: what changed before it would be left out without a word.
#[tokio::test]
async fn a_cut_that_lies_ahead_is_moved_back_to_where_a_pull_had_come() {
    let bench = Bench::new();
    let rows = Rows::many(15);
    let engine = bench.engine(&rows, &Answers::new(|_, claimed, _| applied(&claimed.key.id)), quick());
    engine.pull(&flow()).await.unwrap();
    let ahead = Cut { cut_dt: "2062-01-01T00:00:00Z".parse().unwrap(), offset: 0 };
    bench.store.set_cut(&flow(), Some(ahead)).await.unwrap();
    rows.put("00020", 20, "content");
    let pulled = engine.pull(&flow()).await.unwrap();
    assert_eq!((pulled.inserted, pulled.cut.unwrap().cut_dt), (1, at(20)));
    assert_eq!(bench.store.cut(&flow()).await.unwrap().unwrap().cut_dt, at(20));
    let from = rows.queries.lock().unwrap().last().unwrap().from;
    assert_eq!(from, Some(at(14 - 300)), "where the first pull had come, less the overlap");
}

#[tokio::test]
async fn a_source_whose_clock_runs_ahead_takes_the_cut_no_further_than_ours() {
    let bench = Bench::new();
    let rows = Rows::default();
    let (before, hour) = (Timestamp::now(), SignedDuration::from_hours(1));
    let stamp = (before + hour).as_second() - at(0).as_second();
    rows.put("00001", stamp, "content");
    *rows.source_now.lock().unwrap() = Some(before + hour);
    let engine = bench.engine(&rows, &Answers::new(|_, claimed, _| applied(&claimed.key.id)), quick());
    engine.pull(&flow()).await.unwrap();
    let cut = bench.store.cut(&flow()).await.unwrap().unwrap().cut_dt;
    assert!(cut <= Timestamp::now(), "{cut}");
    // Once the clock is corrected, what it stamps is taken.
    *rows.source_now.lock().unwrap() = None;
    rows.put("00002", Timestamp::now().as_second() - at(0).as_second(), "content");
    assert_eq!(engine.pull(&flow()).await.unwrap().inserted, 1);
}

/// What the shop's clock and ours show, both of them ahead at first, while orders are placed and time passes.
struct Ahead {
    bench: Bench,
    rows: Rows,
    clock: Arc<ManualClock>,
    tells_time: bool,
}

impl Ahead {
    const BY: i64 = 3_600;

    /// The true time, in seconds; a pull has come to where both clocks were.
    async fn new(tells_time: bool) -> (Self, Engine) {
        let clock = Arc::new(ManualClock::at(at(10_000)));
        let ahead = Self { bench: Bench::new(), rows: Rows::default(), clock, tells_time };
        let engine = ahead.engine(&ahead.rows);
        ahead.clock.set(at(10_000 + Self::BY));
        ahead.rows.put("00001", 10_000 + Self::BY - 2, "content");
        ahead.tell();
        assert_eq!(engine.pull(&flow()).await.unwrap().inserted, 1);
        assert_eq!(ahead.cut().await, at(10_000 + Self::BY - 2));
        (ahead, engine)
    }

    fn engine(&self, source: &(impl Source + Clone + 'static)) -> Engine {
        let flow = Flow::new(flow()).source(source.clone());
        Engine::builder(self.bench.store.clone())
            .clock(self.clock.clone())
            .settings(EngineSettings { lease_ms: 120_000, ..quick() })
            .flow(flow)
            .build()
            .unwrap()
    }

    fn tell(&self) {
        *self.rows.source_now.lock().unwrap() = self.tells_time.then(|| self.clock.now());
    }

    /// Both clocks are set right, an order is placed, and so much time passes that the cut is not ahead any more.
    fn correct(&self) {
        self.clock.advance(SignedDuration::from_secs(100));
        self.clock.set(at(10_100));
        self.rows.put("00002", 10_500, "content");
    }

    fn pass(&self, seconds: i64) {
        self.clock.advance(SignedDuration::from_secs(seconds));
        self.tell();
    }

    async fn cut(&self) -> Timestamp {
        self.bench.store.cut(&flow()).await.unwrap().unwrap().cut_dt
    }

    fn last_from(&self) -> Timestamp {
        self.rows.queries.lock().unwrap().last().unwrap().from.unwrap()
    }

    /// How often it was noted what the clocks show.
    async fn noted(&self) -> u64 {
        self.bench.store.record("source-clock/orders/shop").await.unwrap().unwrap().rev
    }
}

/// The process that reached the cut knows how much time has passed since, though the store's clock has stood still.
#[tokio::test]
async fn a_cut_by_clocks_that_were_corrected_while_nobody_pulled_is_moved_back() {
    for tells_time in [true, false] {
        let (ahead, engine) = Ahead::new(tells_time).await;
        ahead.correct();
        ahead.pass(2 * Ahead::BY);
        let pulled = engine.pull(&flow()).await.unwrap();
        assert_eq!((pulled.inserted, pulled.unchanged), (1, 1), "from {}", ahead.last_from());
        let begun = at(10_000 - 2 - 300).duration_since(ahead.last_from());
        assert!(begun.abs() <= SignedDuration::from_secs(5), "no further than the clocks were ahead: {begun}");
        // It is known then: the next one begins where this one has come.
        ahead.rows.put("00003", 17_000, "content");
        ahead.pass(60);
        assert_eq!(engine.pull(&flow()).await.unwrap().inserted, 1);
        ahead.pass(60);
        engine.pull(&flow()).await.unwrap();
        assert_eq!(ahead.last_from(), at(17_000 - 300));
    }
}

/// Another process knows by the store's clock, as far as somebody was at work meanwhile.
#[tokio::test]
async fn a_correction_is_seen_by_a_process_that_was_started_since() {
    let (ahead, works) = Ahead::new(true).await;
    ahead.correct();
    for _ in 0..(2 * Ahead::BY / 8) {
        ahead.pass(8);
        works.now().await.unwrap();
    }
    let pulled = ahead.engine(&ahead.rows).pull(&flow()).await.unwrap();
    assert_eq!(pulled.inserted, 1, "from {}", ahead.last_from());
}

/// A pull that ends early has not forgotten what it was to read again.
#[tokio::test]
async fn a_correction_is_not_forgotten_by_a_pull_that_fails() {
    #[derive(Clone)]
    struct FailsOnce(Rows, Arc<AtomicBool>);
    #[async_trait]
    impl Source for FailsOnce {
        async fn fetch(&self, cx: &Cx, query: &FetchQuery) -> Result<SourcePage> {
            let again = query.from.is_some_and(|from| from < at(11_000));
            if again && !self.1.swap(true, Ordering::SeqCst) {
                let message = "cannot be told";
                return Err(Error::new(ErrorKind::Invalid, Disposition::Rejected, "fetch orders", message));
            }
            self.0.fetch(cx, query).await
        }
    }
    let (ahead, _) = Ahead::new(true).await;
    let failed = Arc::new(AtomicBool::new(true));
    let engine = ahead.engine(&FailsOnce(ahead.rows.clone(), failed.clone()));
    // It is the process that reaches the cut.
    ahead.rows.put("00001", 10_000 + Ahead::BY - 1, "changed");
    engine.pull(&flow()).await.unwrap();
    ahead.correct();
    ahead.pass(2 * Ahead::BY);
    failed.store(false, Ordering::SeqCst);
    assert_eq!(engine.pull(&flow()).await.unwrap_err().message(), "cannot be told");
    assert_eq!(engine.pull(&flow()).await.unwrap().inserted, 1);
}

/// However long nothing came, and whoever pulls: nothing is read again, and nothing noted where nothing was reached.
#[tokio::test]
async fn clocks_that_are_right_move_no_cut_back() {
    let (ahead, engine) = Ahead::new(true).await;
    let other = ahead.engine(&ahead.rows);
    let cut = ahead.cut().await;
    let noted = ahead.noted().await;
    for pause in [60, 60, 3_600, 200_000, 60] {
        for engine in [&engine, &other] {
            ahead.pass(pause);
            engine.pull(&flow()).await.unwrap();
            assert_eq!(ahead.last_from(), cut - SignedDuration::from_secs(300));
        }
    }
    assert_eq!((ahead.cut().await, ahead.noted().await), (cut, noted));
}

/// More may join it: to call it `Completed` would be wrong a moment later.
#[tokio::test]
async fn a_run_that_is_still_pulled_is_not_closed_by_another_one() {
    let bench = Bench::new();
    let engine = bench.engine(&Rows::many(3), &Answers::new(|_, claimed, _| applied(&claimed.key.id)), quick());
    let live =
        NewSyncTask { id: SyncTaskId::from_stored("live"), flow: flow(), cut_before: None, now: Timestamp::now() };
    bench.store.create_sync_task(live).await.unwrap();
    assert_eq!(engine.close_left_over(&flow()).await.unwrap(), 0);
    let status = || async { bench.store.sync_task(&SyncTaskId::from_stored("live")).await.unwrap().unwrap() };
    assert_eq!(status().await.status, SyncStatus::Processing);
    // Whoever has the right to pull knows that nobody else is at it.
    engine.run_once(&flow()).await.unwrap();
    let closed = status().await;
    assert_eq!(closed.status, SyncStatus::Completed);
    assert!(closed.note.contains("cut off"), "{}", closed.note);
}

#[test]
fn times_that_are_too_short_are_refused() {
    for (field, settings) in [
        ("settle_delay_ms", EngineSettings { settle_delay_ms: 0, ..quick() }),
        ("lease_ms", EngineSettings { lease_ms: 1, ..quick() }),
        ("pull_lease_ms", EngineSettings { pull_lease_ms: 999, ..quick() }),
        ("batch", EngineSettings { batch: 0, ..quick() }),
        ("overlap_ms", EngineSettings { overlap_ms: 999, ..quick() }),
        ("backoff_ms", EngineSettings { backoff_ms: 0, ..quick() }),
        ("max_backoff_ms", EngineSettings { backoff_ms: 21, max_backoff_ms: 20, ..quick() }),
    ] {
        assert_eq!(settings.check().unwrap_err().field_path(), Some(field));
    }
}

#[tokio::test]
async fn the_cut_never_passes_the_moment_when_the_pull_began() {
    let bench = Bench::new();
    let rows = Rows::many(15);
    // The source's clock stands at 7 when the pull begins; rows up to 14 come while it runs.
    *rows.source_now.lock().unwrap() = Some(at(8));
    let engine = bench.engine(&rows, &Answers::new(|_, claimed, _| applied(&claimed.key.id)), quick());
    engine.pull(&flow()).await.unwrap();
    let cut = bench.store.cut(&flow()).await.unwrap().unwrap().cut_dt;
    assert!(cut <= at(7), "{cut}");
    assert!(cut > at(5), "{cut}");
}

#[tokio::test]
async fn two_pulls_of_a_flow_exclude_each_other() {
    struct Slow(Arc<tokio::sync::Notify>, Arc<tokio::sync::Notify>);
    #[async_trait]
    impl Source for Slow {
        async fn fetch(&self, _: &Cx, _: &FetchQuery) -> Result<SourcePage> {
            self.0.notify_one();
            self.1.notified().await;
            Ok(SourcePage::default())
        }
    }
    let bench = Bench::new();
    let (begun, go) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let flow = flow();
    let build = || {
        let source = Slow(begun.clone(), go.clone());
        Engine::builder(bench.store.clone()).flow(Flow::new(flow.clone()).source(source)).build().unwrap()
    };
    let (first, second) = (build(), build());
    let pulling = {
        let flow = flow.clone();
        tokio::spawn(async move { first.pull(&flow).await })
    };
    begun.notified().await;
    let refused = second.pull(&flow).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Busy, "{refused}");
    go.notify_one();
    pulling.await.unwrap().unwrap();
    go.notify_one();
    second.pull(&flow).await.unwrap();
}

#[tokio::test]
async fn a_page_that_fails_is_tried_again_and_then_ends_the_pull_with_what_was_staged() {
    struct Flaky(Rows, std::sync::atomic::AtomicU32);
    #[async_trait]
    impl Source for Flaky {
        async fn fetch(&self, cx: &Cx, query: &FetchQuery) -> Result<SourcePage> {
            let call = self.1.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            let error = |disposition| Err(Error::new(ErrorKind::Busy, disposition, "fetch orders", "not now"));
            match call {
                0 | 2 => error(Disposition::Retryable { after: Some(Duration::from_millis(1)) }),
                4 => error(Disposition::Permanent),
                _ => self.0.fetch(cx, query).await,
            }
        }
    }
    let bench = Bench::new();
    let source = Flaky(Rows::many(35), Default::default());
    let engine =
        Engine::builder(bench.store.clone()).settings(quick()).flow(Flow::new(flow()).source(source)).build().unwrap();
    let error = engine.pull(&flow()).await.unwrap_err();
    assert_eq!(error.message(), "not now");
    let staged = bench.store.list(&Default::default()).await.unwrap();
    assert!((10..=20).contains(&staged.items.len()), "{} staged", staged.items.len());
    let tasks = bench.store.list_sync_tasks(&Default::default()).await.unwrap();
    assert!(tasks.items[0].note.contains("ended early"), "{}", tasks.items[0].note);

    // The next pull goes on, once the source may be asked again.
    let pulled = loop {
        match engine.pull(&flow()).await {
            Ok(pulled) => break pulled,
            Err(error) => assert_eq!(error.kind(), ErrorKind::Busy, "{error}"),
        }
    };
    assert_eq!(pulled.inserted as usize + staged.items.len(), 35);
}

#[tokio::test]
async fn a_source_whose_paging_stands_still_is_an_error() {
    struct Stuck;
    #[async_trait]
    impl Source for Stuck {
        async fn fetch(&self, _: &Cx, _: &FetchQuery) -> Result<SourcePage> {
            Ok(SourcePage { next: Some(Cursor("again".into())), ..SourcePage::default() })
        }
    }
    let bench = Bench::new();
    let engine = Engine::builder(bench.store.clone()).flow(Flow::new(flow()).source(Stuck)).build().unwrap();
    let error = engine.pull(&flow()).await.unwrap_err();
    assert!(error.to_string().contains("does not move on"), "{error}");
}

#[tokio::test]
async fn what_is_not_to_be_applied_is_not_dispatched() {
    let bench = Bench::new();
    let rows = Rows::default();
    rows.put("a", 1, "ignore");
    rows.put("b", 2, "content");
    let answers = Answers::new(|_, claimed, _| applied(&claimed.key.id));
    let report = bench.engine(&rows, &answers, quick()).run_once(&flow()).await.unwrap();
    assert_eq!((report.counts.ignored, report.counts.success), (1, 1));
    assert_eq!(answers.calls("a"), 0);
    assert_eq!(bench.entity("a").await.note, "ignored");
}

/// Nobody would ever apply it.
#[tokio::test]
async fn what_no_flow_applies_is_not_staged() {
    let bench = Bench::new();
    let push = || {
        let entity = StageEntity {
            id: "1".into(),
            name: "1".into(),
            intent: Intent::Apply,
            source_status: "pending".into(),
            source_updated_at: None,
            fingerprint: Fingerprint::of(b"1"),
            doc: "{}".into(),
            raw: "{}".into(),
        };
        vec![Push { entity, if_rev: None }]
    };
    let engine = Engine::builder(bench.store.clone()).flow(Flow::new(flow())).build().unwrap();
    engine.push(&flow(), push()).await.unwrap();
    let error = engine.push(&FlowId::new(Table::Shipments, "shop"), push()).await.unwrap_err();
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::Invalid, Disposition::Rejected));
    assert!(error.to_string().ends_with("there are flows of: orders of shop"), "{error}");
    assert_eq!(bench.store.list(&Default::default()).await.unwrap().items.len(), 1);
    // Over a store alone, without flows of its own, an engine takes all.
    let engine = Engine::builder(bench.store.clone()).build().unwrap();
    engine.push(&FlowId::new(Table::Shipments, "shop"), push()).await.unwrap();
}

#[tokio::test]
async fn a_flow_without_sides_says_so() {
    let bench = Bench::new();
    let engine = Engine::builder(bench.store.clone()).flow(Flow::new(flow())).build().unwrap();
    let error = engine.pull(&flow()).await.unwrap_err();
    assert_eq!(error.to_string(), "pull: the flow orders of shop has no source in this process");
    let error = engine.run_once(&flow()).await.unwrap_err();
    assert!(error.to_string().contains("has no target"), "{error}");
}
