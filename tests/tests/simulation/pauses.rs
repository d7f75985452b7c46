//! A side that cannot be used pauses its flow. In virtual time.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use datawald_core::engine::{Applied, Engine, EngineSettings, Flow, Side, Target};
use datawald_core::model::{SyncStatus, TxStatus};
use datawald_core::store::{Claimed, SqliteStore, StagingStore};
use datawald_core::{Clock, Cx, Effect, Error, ErrorKind};
use tokio::time::Instant;

use super::bench::*;
use super::process::Process;
use super::sides::{Answers, Rows, applied, at, flow};
use super::store::FaultyStore;

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
    assert!(
        error.to_string().ends_with(&refused().note()),
        "a single run ends at once with what somebody has to mend: {error}"
    );
}
