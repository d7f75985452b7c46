//! A side that cannot be used pauses its flow. In virtual time.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use datawald_core::engine::{Applied, Engine, EngineSettings, FetchQuery, Flow, Side, Source, SourcePage, Target};
use datawald_core::model::{Entity, EntityKey, SyncStatus, TxStatus};
use datawald_core::store::{Claimed, SqliteStore, StagingStore};
use datawald_core::{Clock, Concern, Cx, Disposition, Effect, Error, ErrorKind, Result};
use jiff::{SignedDuration, Timestamp};
use tokio::time::Instant;

use super::process::Process;
use super::sides::{Answers, Rows, applied, at, flow};
use super::store::FaultyStore;

/// A clock that goes as Tokio's does.
#[derive(Debug)]
struct Virtual(Instant);

impl Clock for Virtual {
    fn now(&self) -> Timestamp {
        at(0) + SignedDuration::try_from(self.0.elapsed()).unwrap()
    }
    fn monotonic(&self) -> Duration {
        self.0.elapsed()
    }
}

struct Bench {
    store: Arc<SqliteStore>,
    clock: Arc<Virtual>,
}

impl Bench {
    fn new() -> Self {
        Self { store: Arc::new(SqliteStore::in_memory().unwrap()), clock: Arc::new(Virtual(Instant::now())) }
    }

    fn engine(&self, source: impl Source + 'static, target: impl Target + 'static) -> Engine {
        let settings = EngineSettings { batch: 10, page_size: 50, ..EngineSettings::default() };
        self.engine_with(settings, source, target)
    }

    fn engine_with(
        &self,
        settings: EngineSettings,
        source: impl Source + 'static,
        target: impl Target + 'static,
    ) -> Engine {
        Engine::builder(self.store.clone())
            .clock(self.clock.clone())
            .settings(settings)
            .flow(Flow::new(flow()).source(source).target(target))
            .build()
            .unwrap()
    }

    async fn all(&self) -> Vec<Entity> {
        let filter = datawald_core::store::EntityFilter { limit: 1_000, ..Default::default() };
        self.store.list(&filter).await.unwrap().items
    }

    async fn count(&self, status: TxStatus) -> usize {
        self.all().await.iter().filter(|entity| entity.status == status).count()
    }

    async fn entity(&self, id: &str) -> Entity {
        self.store.get(&EntityKey::new(&flow(), id)).await.unwrap().unwrap()
    }

    /// Waits until all are S; how long that took.
    async fn until_done(&self, count: usize) -> Duration {
        let began = Instant::now();
        while self.count(TxStatus::Success).await < count {
            assert!(began.elapsed() < Duration::from_secs(3_600), "{:?}", self.all().await);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        began.elapsed()
    }
}

/// A target that answers, or says something of itself; each call takes a while.
#[derive(Clone)]
struct Erp {
    says: Arc<Mutex<Option<Error>>>,
    answers: Answers,
    /// Calls, and with how many entities, since the last look.
    calls: Arc<Mutex<Vec<usize>>>,
    at_once: Arc<AtomicUsize>,
    most_at_once: Arc<AtomicUsize>,
}

impl Erp {
    fn new(answers: Answers) -> Self {
        let (at_once, most_at_once) = Default::default();
        Self { says: Arc::default(), answers, calls: Arc::default(), at_once, most_at_once }
    }

    fn good() -> Self {
        Self::new(Answers::new(|_, claimed, _| applied(&claimed.key.id)))
    }

    fn say(&self, error: Option<Error>) {
        *self.says.lock().unwrap() = error;
    }

    /// The calls since this was asked last, and how many of them went on at a time.
    fn look(&self) -> (Vec<usize>, usize) {
        (std::mem::take(&mut *self.calls.lock().unwrap()), self.most_at_once.swap(0, Ordering::SeqCst))
    }
}

#[async_trait]
impl Target for Erp {
    async fn apply(&self, cx: &Cx, batch: &[Claimed]) -> Vec<Applied> {
        self.calls.lock().unwrap().push(batch.len());
        let at_once = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(at_once, Ordering::SeqCst);
        tokio::time::sleep(Duration::from_millis(200)).await;
        let says = self.says.lock().unwrap().clone();
        let results = match says {
            Some(error) => batch.iter().map(|_| Err(error.clone()).into()).collect(),
            None => self.answers.apply(cx, batch).await,
        };
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        results
    }
}

fn away() -> Error {
    let retry = Disposition::Retryable { after: None };
    Error::new(ErrorKind::Unreachable, retry, "insert orders", "cannot connect to b1.example.com")
}

fn refused() -> Error {
    let message = "the user or the password is wrong";
    Error::new(ErrorKind::Unauthorized, Disposition::Permanent, "log in", message)
}

/// Everything that ends an order is from when the side is back on; nothing of its attempts is used up.
#[tokio::test(start_paused = true)]
async fn an_outage_of_any_length_fails_nothing_and_uses_up_no_attempt() {
    for says in [away(), refused(), Error::config("call", "this call is unknown at the configured address")] {
        let bench = Bench::new();
        let erp = Erp::good();
        erp.say(Some(says.clone()));
        let engine = bench.engine(Rows::many(140), erp.clone());
        let workers = engine.start_workers(&flow()).unwrap();
        engine.pull(&flow()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(10)).await;
        erp.look();
        let [pause] = &engine.pauses().await.unwrap()[..] else { panic!("one pause") };
        assert_eq!((pause.side, &pause.flow, pause.class.as_str()), (Side::Target, &flow(), says.kind().as_str()));
        assert!(pause.reason.contains(says.message()), "{pause}");
        assert!(pause.since < at(5) && pause.next_probe > bench.clock.now(), "{pause:?}");

        tokio::time::sleep(Duration::from_secs(12 * 60 - 10)).await;
        let (calls, at_once) = erp.look();
        assert!(calls.iter().all(|entities| *entities == 1) && at_once == 1, "{calls:?}, {at_once} at a time");
        assert!((4..=9).contains(&calls.len()), "at growing intervals: {calls:?}");
        assert_eq!(bench.count(TxStatus::New).await, 140);
        assert!(bench.all().await.iter().all(|entity| entity.attempts == 0 && entity.note.is_empty()));

        erp.say(None);
        assert!(bench.until_done(140).await < Duration::from_secs(310));
        assert!(bench.all().await.iter().all(|entity| entity.attempts == 1));
        assert_eq!(engine.pauses().await.unwrap(), []);
        let (calls, _) = erp.look();
        assert!(calls.len() <= 60, "all at once, in batches: {calls:?}");
        workers.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn processes_of_one_store_probe_once_and_all_go_on() {
    let bench = Bench::new();
    let erp = Erp::good();
    erp.say(Some(away()));
    let engines = [0, 1, 2].map(|_| bench.engine(Rows::many(300), erp.clone()));
    engines[0].pull(&flow()).await.unwrap();
    let workers = engines.each_ref().map(|engine| engine.start_workers(&flow()).unwrap());
    tokio::time::sleep(Duration::from_secs(10)).await;
    erp.look();
    tokio::time::sleep(Duration::from_secs(20 * 60 - 10)).await;
    let (calls, at_once) = erp.look();
    assert!(calls.iter().all(|entities| *entities == 1) && at_once == 1, "{calls:?}, {at_once} at a time");
    assert!((5..=11).contains(&calls.len()), "of all processes together: {calls:?}");
    erp.say(None);
    bench.until_done(300).await;
    let (_, at_once) = erp.look();
    assert!(at_once > 4, "more than one process works again: {at_once}");
    for workers in workers {
        workers.stop().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_has_mended_a_side_need_not_wait() {
    let bench = Bench::new();
    let erp = Erp::good();
    erp.say(Some(refused()));
    let engine = bench.engine(Rows::many(20), erp.clone());
    let workers = engine.start_workers(&flow()).unwrap();
    engine.pull(&flow()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(1_000)).await;
    erp.say(None);
    engine.probe_now(&flow()).await.unwrap();
    assert!(bench.until_done(20).await < Duration::from_secs(10));
    workers.stop().await.unwrap();
}

/// A probe whose process dies is taken up by another, after a lease.
#[tokio::test(start_paused = true)]
async fn whoever_probes_may_die() {
    let bench = Bench::new();
    let erp = Erp::good();
    erp.say(Some(away()));
    let engine = bench.engine(Rows::many(20), erp.clone());
    engine.pull(&flow()).await.unwrap();
    let dies = engine.start_workers(&flow()).unwrap();
    while erp.look().0 != [1] {
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    drop(dies);
    erp.say(None);
    let workers = bench.engine(Rows::many(20), erp.clone()).start_workers(&flow()).unwrap();
    bench.until_done(20).await;
    workers.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn what_concerns_one_entity_counts_against_that_one_alone() {
    let bench = Bench::new();
    let answers = Answers::new(|_, claimed, _| match claimed.key.id.as_str() {
        "00007" => Err(Error::new(ErrorKind::Refused, Disposition::Retryable { after: None }, "insert", "is locked")),
        id => applied(id),
    });
    let erp = Erp::new(answers.clone());
    let engine = bench.engine(Rows::many(40), erp.clone());
    let workers = engine.start_workers(&flow()).unwrap();
    engine.pull(&flow()).await.unwrap();
    assert!(bench.until_done(39).await < Duration::from_secs(5));
    assert_eq!(engine.pauses().await.unwrap(), []);
    // In an outage none of its attempts is used up either.
    erp.say(Some(away()));
    tokio::time::sleep(Duration::from_secs(3_600)).await;
    assert_eq!(bench.entity("00007").await.status, TxStatus::New);
    erp.say(None);
    tokio::time::sleep(Duration::from_secs(600)).await;
    let failed = bench.entity("00007").await;
    assert_eq!(failed.status, TxStatus::Failed);
    assert!(failed.note.starts_with("gave up after 8 attempts: is locked"), "{}", failed.note);
    assert_eq!(answers.calls("00007"), 8);
    assert_eq!(engine.pauses().await.unwrap(), []);
    workers.stop().await.unwrap();
}

/// A side that answers 500, but only where one order is among those that are asked for.
struct Poisoned(Erp);

#[async_trait]
impl Target for Poisoned {
    async fn apply(&self, cx: &Cx, batch: &[Claimed]) -> Vec<Applied> {
        let results = self.0.apply(cx, batch).await;
        if batch.iter().all(|claimed| claimed.key.id != "00007") {
            return results;
        }
        let broken = Error::unknown_outcome(ErrorKind::Busy, Effect::Read, "look up orders", "failed with HTTP 500");
        batch.iter().map(|_| Err(broken.clone().about(Concern::Unclear)).into()).collect()
    }
}

#[tokio::test(start_paused = true)]
async fn one_entity_over_which_the_side_breaks_stops_nobody_else() {
    let bench = Bench::new();
    let rows = Rows::many(40);
    let engine = bench.engine(rows.clone(), Poisoned(Erp::good()));
    let workers = engine.start_workers(&flow()).unwrap();
    engine.pull(&flow()).await.unwrap();
    let took = bench.until_done(39).await;
    assert!(took < Duration::from_secs(60), "{took:?}");
    // There is always another one that shows that the side is well.
    for number in 40..100 {
        tokio::time::sleep(Duration::from_secs(60)).await;
        rows.put(&format!("{number:05}"), number, "content");
        engine.pull(&flow()).await.unwrap();
    }
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert_eq!(bench.count(TxStatus::Success).await, 99);
    // What its own attempts come to says whom they count against.
    let poisoned = bench.entity("00007").await;
    assert!(poisoned.note.contains("failed with HTTP 500"), "{}", poisoned.note);
    workers.stop().await.unwrap();
}

/// Nobody can tell whose fault it is while there is no other: it does not end, and the pause says whom to look at.
#[tokio::test(start_paused = true)]
async fn the_only_entity_over_which_the_side_breaks_is_named_and_does_not_fail() {
    let bench = Bench::new();
    let rows = Rows::default();
    rows.put("00007", 7, "content");
    let engine = bench.engine(rows.clone(), Poisoned(Erp::good()));
    let workers = engine.start_workers(&flow()).unwrap();
    engine.pull(&flow()).await.unwrap();
    for _ in 0..5 {
        tokio::time::sleep(Duration::from_secs(1_200)).await;
        let poisoned = bench.entity("00007").await;
        assert_eq!((poisoned.status, poisoned.attempts), (TxStatus::New, 0), "{}", poisoned.note);
        let [pause] = &engine.pauses().await.unwrap()[..] else { panic!("one pause") };
        assert_eq!(
            pause.reason, "failed with HTTP 500 (asked for 00007 alone, so it may be that one's fault)",
            "{}",
            pause.probes
        );
    }
    // Others show that the side is well, and it ends by its attempts.
    for number in 100..140 {
        rows.put(&format!("{number:05}"), number, "content");
        engine.pull(&flow()).await.unwrap();
        tokio::time::sleep(Duration::from_secs(60)).await;
    }
    assert_eq!(bench.count(TxStatus::Success).await, 40);
    let poisoned = bench.entity("00007").await;
    assert!(
        poisoned.attempts > 0 && poisoned.note.contains("failed with HTTP 500"),
        "{} {}",
        poisoned.attempts,
        poisoned.note
    );
    workers.stop().await.unwrap();
}

/// Configuration that one order alone needs: the others are told from it by the answer that they got.
#[tokio::test(start_paused = true)]
async fn a_mistake_that_only_one_entity_meets_does_not_stop_the_flow() {
    let bench = Bench::new();
    let answers = Answers::new(|_, claimed, _| match claimed.key.id.as_str() {
        "00007" => Err(Error::config("translate order", "SAP B1 RESTful cannot carry this field").field("U_Channel")),
        id => applied(id),
    });
    let engine = bench.engine(Rows::many(40), Erp::new(answers));
    let report = engine.run_once(&flow()).await.unwrap();
    assert_eq!((report.counts.success, report.counts.failed), (39, 1));
    assert!(bench.entity("00007").await.note.contains("U_Channel: SAP B1 RESTful cannot carry this field"));
}

#[tokio::test(start_paused = true)]
async fn a_batch_that_came_through_in_part_ends_no_entity_wrongly() {
    let bench = Bench::new();
    let away = Arc::new(AtomicBool::new(true));
    let answers = {
        let away = away.clone();
        Answers::new(move |_, claimed, _| {
            let busy = away.load(Ordering::SeqCst) && claimed.key.id.as_str() > "00004";
            let after = Some(Duration::from_secs(90));
            let busy =
                busy.then(|| Error::new(ErrorKind::Busy, Disposition::Retryable { after }, "insert", "HTTP 503"));
            busy.map_or_else(|| applied(&claimed.key.id), Err)
        })
    };
    let erp = Erp::new(answers);
    let engine = bench.engine(Rows::many(10), erp.clone());
    let workers = engine.start_workers(&flow()).unwrap();
    engine.pull(&flow()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(80)).await;
    assert_eq!((bench.count(TxStatus::Success).await, bench.count(TxStatus::New).await), (5, 5));
    assert_eq!(erp.look().0, [10], "the wait that was asked for is kept");
    away.store(false, Ordering::SeqCst);
    assert!(bench.until_done(10).await < Duration::from_secs(20));
    assert!(bench.all().await.iter().all(|entity| entity.attempts == 1));
    workers.stop().await.unwrap();
}

/// What is in doubt stays so, and what is known of it is not forgotten: of the two look-ups that it takes, one was made.
#[tokio::test(start_paused = true)]
async fn what_is_in_doubt_waits_as_it_did() {
    let bench = Bench::new();
    let seen: Arc<Mutex<Vec<(TxStatus, bool)>>> = Arc::default();
    let answers = {
        let seen = seen.clone();
        Answers::new(move |_, claimed, call| {
            seen.lock().unwrap().push((claimed.was, claimed.missed));
            match call {
                1 => Err(Error::unknown_outcome(ErrorKind::Timeout, Effect::Write, "insert", "no answer in time")),
                2 => Ok(datawald_core::engine::Done::NotThereYet),
                _ => applied(&claimed.key.id),
            }
        })
    };
    let erp = Erp::new(answers.clone());
    let engine = bench.engine(Rows::many(1), erp.clone());
    let workers = engine.start_workers(&flow()).unwrap();
    engine.pull(&flow()).await.unwrap();
    while answers.calls("00000") < 2 {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    erp.say(Some(away()));
    tokio::time::sleep(Duration::from_secs(1_200)).await;
    assert_eq!(bench.entity("00000").await.status, TxStatus::InDoubt);
    let (calls, _) = erp.look();
    assert!(calls.len() < 20, "{calls:?}");
    erp.say(None);
    bench.until_done(1).await;
    let known = [(TxStatus::New, false), (TxStatus::InDoubt, false), (TxStatus::InDoubt, true)];
    assert_eq!(*seen.lock().unwrap(), known);
    workers.stop().await.unwrap();
}

/// A target that is away at first, and then takes its time over what it is asked for.
struct Slow {
    takes: Duration,
    calls: AtomicUsize,
}

#[async_trait]
impl Target for Slow {
    async fn apply(&self, _: &Cx, batch: &[Claimed]) -> Vec<Applied> {
        if self.calls.fetch_add(1, Ordering::SeqCst) == 0 {
            return batch.iter().map(|_| Err(away()).into()).collect();
        }
        tokio::time::sleep(self.takes).await;
        batch.iter().map(|claimed| applied(&claimed.key.id).into()).collect()
    }
}

/// The store's clock is asked for by the probe, by what keeps its right and its lease, and by others. Wherever the probe stands
/// when its right is to be kept: none of them waits for one that waits for it.
#[tokio::test(start_paused = true)]
async fn a_probe_that_outlasts_a_third_of_its_lease_does_not_stand_still() {
    let third = EngineSettings::default().lease_ms / 3;
    for late in 0..30 {
        let process = Process::alone("worker");
        let inner = SqliteStore::in_memory().unwrap();
        let store = FaultyStore { clock_takes: Duration::from_secs(2), ..FaultyStore::new(inner.clone(), &process) };
        let takes = Duration::from_millis(third - 25_000 + late * 1_000);
        let target = Slow { takes, calls: AtomicUsize::new(0) };
        let engine = Engine::builder(Arc::new(store))
            .clock(process.clock.clone())
            .flow(Flow::new(flow()).source(Rows::many(3)).target(target))
            .build()
            .unwrap();
        engine.pull(&flow()).await.unwrap();
        let workers = engine.start_workers(&flow()).unwrap();
        // Whoever else works in this process.
        let other = engine.clone();
        let other = tokio::spawn(async move {
            loop {
                let _ = other.now().await;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
        let filter =
            datawald_core::store::EntityFilter { statuses: vec![TxStatus::Success], limit: 10, ..Default::default() };
        let began = Instant::now();
        while inner.list(&filter).await.unwrap().items.len() < 3 {
            assert!(began.elapsed() < Duration::from_secs(900), "a probe of {takes:?} stands still");
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        other.abort();
        workers.stop().await.unwrap();
    }
}

/// An idle flow that is paused does not spin, and a pause that nothing waits for is over.
#[tokio::test(start_paused = true)]
async fn a_pause_that_nothing_waits_for_ends() {
    let bench = Bench::new();
    let erp = Erp::good();
    erp.say(Some(away()));
    let engine = bench.engine(Rows::many(1), erp.clone());
    let workers = engine.start_workers(&flow()).unwrap();
    engine.pull(&flow()).await.unwrap();
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert_eq!(engine.pauses().await.unwrap().len(), 1);
    // An operator reports what became of it.
    let claim = datawald_core::store::Claim {
        flow: &flow(),
        keys: None,
        limit: 10,
        owner: "an operator",
        lease: Duration::from_secs(1),
        settle_delay: Duration::from_secs(1),
        now: engine.now().await.unwrap(),
    };
    let claimed = bench.store.claim(claim).await.unwrap();
    let settlement = datawald_core::store::Settlement {
        key: claimed[0].key.clone(),
        token: claimed[0].token,
        rev: claimed[0].rev,
        reference: None,
        outcome: datawald_core::store::Outcome::Success { target_id: "5".into(), note: String::new() },
    };
    bench.store.settle(engine.now().await.unwrap(), vec![settlement]).await.unwrap();
    tokio::time::sleep(Duration::from_secs(120)).await;
    assert_eq!(engine.pauses().await.unwrap(), []);
    workers.stop().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_closed_meanwhile_says_why_it_is_not_complete() {
    let bench = Bench::new();
    let erp = Erp::good();
    erp.say(Some(away()));
    let engine = bench.engine(Rows::many(3), erp.clone());
    let report = engine.run_once(&flow()).await.unwrap();
    assert_eq!((report.sync_task.status, report.counts.open()), (SyncStatus::Incompleted, 3));
    let note = &report.sync_task.note;
    assert!(note.starts_with("the backoffice has been away since 2023-11-14T"), "{note}");
    assert!(note.ends_with(": cannot connect to b1.example.com"), "{note}");
    erp.say(Some(refused()));
    let error = engine.run_once(&flow()).await.unwrap_err();
    assert_eq!(error.to_string(), refused().to_string(), "a single run ends at once with what somebody has to mend");
}

/// A shop that answers, or says something of itself.
#[derive(Clone)]
struct Shop {
    rows: Rows,
    says: Arc<Mutex<Option<Error>>>,
    asked: Arc<AtomicU32>,
}

impl Shop {
    fn new(rows: Rows) -> Self {
        Self { rows, says: Arc::default(), asked: Arc::default() }
    }
}

#[async_trait]
impl Source for Shop {
    async fn fetch(&self, cx: &Cx, query: &FetchQuery) -> Result<SourcePage> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let says = self.says.lock().unwrap().clone();
        match says {
            Some(error) => Err(error),
            None => self.rows.fetch(cx, query).await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_cannot_be_used_is_asked_again_at_growing_intervals() {
    for (says, attempts) in [(away(), 5), (refused(), 1)] {
        let bench = Bench::new();
        let shop = Shop::new(Rows::many(20));
        *shop.says.lock().unwrap() = Some(says.clone());
        // Two processes pull in turn.
        let engines = [0, 1].map(|_| bench.engine(shop.clone(), Erp::good()));
        assert_eq!(engines[0].pull(&flow()).await.unwrap_err().to_string(), says.to_string());
        assert_eq!(shop.asked.swap(0, Ordering::SeqCst), attempts);
        let [pause] = &engines[1].pauses().await.unwrap()[..] else { panic!("one pause") };
        assert_eq!((pause.side, pause.reason.as_str()), (Side::Source, says.message()));

        let (mut probes, mut not_asked) = (0, 0);
        for minute in 0..20 * 60 {
            let error = engines[minute % 2].pull(&flow()).await.unwrap_err();
            let asked = shop.asked.swap(0, Ordering::SeqCst);
            if asked == 0 {
                not_asked += 1;
                assert_eq!(error.kind(), ErrorKind::Busy);
                let text = error.to_string();
                assert!(text.contains("the frontend") && text.contains(says.message()), "{text}");
                assert!(text.contains("it is tried again at 2023-"), "{text}");
            }
            assert!(asked <= 1);
            probes += asked;
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        assert!((8..=12).contains(&probes) && not_asked > 1_000, "{probes} probes");
        let tasks = bench.store.list_sync_tasks(&Default::default()).await.unwrap().items;
        assert_eq!(tasks.len(), 1 + probes as usize, "a pull that asks nothing is no run");

        *shop.says.lock().unwrap() = None;
        tokio::time::sleep(Duration::from_secs(300)).await;
        assert_eq!(engines[0].pull(&flow()).await.unwrap().inserted, 20);
        assert_eq!(engines[0].pauses().await.unwrap(), []);
        assert_eq!(engines[1].pull(&flow()).await.unwrap().unchanged, 20);
    }
}

#[tokio::test(start_paused = true)]
async fn a_single_run_waits_for_a_source_that_is_away() {
    let bench = Bench::new();
    let shop = Shop::new(Rows::many(20));
    *shop.says.lock().unwrap() = Some(away());
    let engine = bench.engine(shop.clone(), Erp::good());
    let back = async {
        tokio::time::sleep(Duration::from_secs(200)).await;
        *shop.says.lock().unwrap() = None;
    };
    let flow = flow();
    let (report, ()) = tokio::join!(engine.run_once(&flow), back);
    assert_eq!(report.unwrap().counts.success, 20);
    *shop.says.lock().unwrap() = Some(away());
    let began = Instant::now();
    let error = engine.run_once(&flow).await.unwrap_err();
    assert!(error.to_string().contains("cannot connect"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(620), "no longer than closing may take: {:?}", began.elapsed());
    *shop.says.lock().unwrap() = Some(refused());
    tokio::time::sleep(Duration::from_secs(600)).await;
    let error = engine.run_once(&flow).await.unwrap_err();
    assert_eq!(error.to_string(), refused().to_string());
}
