//! What is lost with a queue or a process is found again.

use std::sync::atomic::{AtomicI32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use datawald_core::engine::{Engine, EngineSettings, Flow};
use datawald_core::model::{FlowId, SyncStatus, TxStatus};
use datawald_core::queue::{DeadLetter, Delivery, InProcessQueue, Published, TaskMessage, TaskQueue};
use datawald_core::store::{Claim, StagingStore};
use datawald_core::{Checkpoint, Clock, ManualClock, Observer, Result};

use jiff::{SignedDuration, Timestamp};

use crate::sides::{Answers, Bench, Rows, applied, at, flow, quick};

/// A queue that loses every message that is published, and fails now and then.
#[derive(Default)]
struct LosesAll(std::sync::atomic::AtomicU32);

#[async_trait]
impl TaskQueue for LosesAll {
    async fn publish(&self, _: TaskMessage) -> Result<Published> {
        Ok(Published::Queued)
    }
    async fn receive(&self, _: &FlowId, wait: Duration) -> Result<Option<Delivery>> {
        if self.0.fetch_add(1, std::sync::atomic::Ordering::SeqCst).is_multiple_of(3) {
            return Err(datawald_core::Error::store("receive task", "the broker is gone"));
        }
        tokio::time::sleep(wait.min(Duration::from_millis(5))).await;
        Ok(None)
    }
    async fn ack(&self, _: Delivery) -> Result<()> {
        Ok(())
    }
    async fn retry_later(&self, _: Delivery, _: Duration) -> Result<()> {
        Ok(())
    }
    async fn dead(&self, _: &TaskMessage, _: &str) -> Result<()> {
        Ok(())
    }
    async fn dead_letters(&self, _: &FlowId, _: usize) -> Result<Vec<DeadLetter>> {
        Ok(Vec::new())
    }
}

#[tokio::test]
async fn a_queue_that_never_works_only_delays() {
    let bench = Bench::new();
    let rows = Rows::many(40);
    let answers = Answers::new(|_, claimed, _| applied(&claimed.key.id));
    let report = bench.engine_with(&rows, &answers, Arc::new(LosesAll::default())).run_once(&flow()).await.unwrap();
    assert_eq!(report.counts.success, 40);
}

#[tokio::test]
async fn a_full_queue_only_delays() {
    let bench = Bench::new();
    let rows = Rows::many(200);
    let answers = Answers::new(|_, claimed, _| applied(&claimed.key.id));
    let report = bench.engine_with(&rows, &answers, Arc::new(InProcessQueue::new(1))).run_once(&flow()).await.unwrap();
    assert_eq!(report.counts.success, 200);
    assert!((0..200).all(|number| answers.calls(&format!("{number:05}")) == 1), "each is applied once");
}

#[tokio::test]
async fn messages_published_by_a_process_that_died_are_found_by_the_sweep() {
    let bench = Bench::new();
    let rows = Rows::many(12);
    let answers = Answers::new(|_, claimed, _| applied(&claimed.key.id));
    // This engine's queue goes with it.
    bench.engine(&rows, &answers, quick()).pull(&flow()).await.unwrap();
    let report = bench.engine(&rows, &answers, quick()).run_once(&flow()).await.unwrap();
    assert_eq!(report.pulled.inserted, 0);
    for number in 0..12 {
        assert_eq!(bench.entity(&format!("{number:05}")).await.status, TxStatus::Success);
    }
    let tasks = bench.store.list_sync_tasks(&Default::default()).await.unwrap().items;
    assert!(tasks.iter().all(|task| task.status == SyncStatus::Completed), "the dead process's task is closed too");
}

#[tokio::test]
async fn what_a_dead_worker_held_is_taken_up_after_lease_and_settle_delay() {
    let bench = Bench::new();
    let rows = Rows::many(1);
    let answers = Answers::new(|_, claimed, _| {
        assert_eq!(claimed.was, TxStatus::InProcess);
        applied(&claimed.key.id)
    });
    let engine = bench.engine(&rows, &answers, quick());
    engine.pull(&flow()).await.unwrap();
    let started = std::time::Instant::now();
    let held = bench
        .store
        .claim(Claim {
            flow: &flow(),
            keys: None,
            limit: 10,
            owner: "a worker that dies",
            lease: Duration::from_millis(200),
            settle_delay: Duration::from_millis(100),
            now: engine.now().await.unwrap(),
        })
        .await
        .unwrap();
    assert_eq!(held.len(), 1);
    engine.run_once(&flow()).await.unwrap();
    assert!(started.elapsed() >= Duration::from_millis(300), "taken up after {:?}", started.elapsed());
    assert_eq!(answers.calls("00000"), 1);
}

#[tokio::test]
async fn a_slow_batch_keeps_its_lease_by_renewing_it() {
    struct Slow;
    #[async_trait]
    impl datawald_core::engine::Target for Slow {
        async fn apply(
            &self,
            cx: &datawald_core::Cx,
            batch: &[datawald_core::store::Claimed],
        ) -> Vec<datawald_core::engine::Applied> {
            // More than two leases.
            tokio::time::sleep(Duration::from_millis(3_500)).await;
            assert!(cx.time_left().unwrap() > Duration::from_millis(50), "the deadline moved with the lease");
            assert_eq!(batch[0].attempts, 1, "nobody else took it meanwhile");
            vec![applied(&batch[0].key.id).into()]
        }
    }
    let bench = Bench::new();
    let mut settings = quick();
    // A renewal is due every 500 ms, and may come a second late.
    settings.lease_ms = 1_500;
    settings.settle_delay_ms = 500;
    let engine = datawald_core::engine::Engine::builder(bench.store.clone())
        .settings(settings)
        .flow(datawald_core::engine::Flow::new(flow()).source(Rows::many(1)).target(Slow))
        .build()
        .unwrap();
    let report = engine.run_once(&flow()).await.unwrap();
    assert_eq!(report.counts.success, 1);
    assert_eq!(bench.entity("00000").await.attempts, 1);
}

/// A clock of a process that is stopped for 400 s when it looks for the second time after it was told to claim.
#[derive(Debug)]
struct Stopped {
    own: ManualClock,
    looks: AtomicI32,
}

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        self.own.now()
    }

    fn monotonic(&self) -> Duration {
        if self.looks.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.own.advance(SignedDuration::from_secs(400));
        }
        self.own.monotonic()
    }

    fn steady(&self) -> Timestamp {
        self.own.steady()
    }
}

struct BeforeClaim(Arc<Stopped>);

impl Observer for BeforeClaim {
    fn reached(&self, point: Checkpoint, _: &FlowId) {
        if point == Checkpoint::BeforeClaim {
            self.0.looks.store(2, Ordering::SeqCst);
        }
    }
}

/// Its lease would have run out for all others before the other side is asked to write.
#[tokio::test]
async fn a_process_that_is_stopped_while_it_claims_has_no_time_left() {
    let bench = Bench::new();
    let clock = Arc::new(Stopped { own: ManualClock::at(at(0)), looks: AtomicI32::new(0) });
    let left = Arc::new(Mutex::new(Vec::new()));
    let seen = left.clone();
    let answers = Answers::new(move |cx, claimed, _| {
        seen.lock().unwrap().push(cx.time_left().unwrap());
        applied(&claimed.key.id)
    });
    let engine = Engine::builder(bench.store.clone())
        .settings(EngineSettings { lease_ms: 120_000, ..quick() })
        .clock(clock.clone())
        .observer(Arc::new(BeforeClaim(clock)))
        .flow(Flow::new(flow()).source(Rows::many(1)).target(answers))
        .build()
        .unwrap();
    engine.run_once(&flow()).await.unwrap();
    assert_eq!(*left.lock().unwrap(), [Duration::ZERO]);
}
