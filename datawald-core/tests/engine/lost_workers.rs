//! Workers that do not come back, and workers that are told to go.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use datawald_core::Cx;
use datawald_core::engine::{Applied, Done, Engine, EngineSettings, Flow, Target};
use datawald_core::model::{Intent, TxStatus};
use datawald_core::queue::{InProcessQueue, TaskQueue};
use datawald_core::store::{Claim, Claimed, StagingStore};
use tokio::sync::Semaphore;

use crate::sides::{Answers, Bench, Rows, applied, flow, quick};

/// A target that notes the sizes of its batches, and applies one for each permit.
#[derive(Clone)]
struct Gated {
    gate: Arc<Semaphore>,
    batches: Arc<Mutex<Vec<Vec<String>>>>,
}

impl Gated {
    fn new(permits: usize) -> Self {
        Self { gate: Arc::new(Semaphore::new(permits)), batches: Arc::default() }
    }

    fn batches(&self) -> Vec<Vec<String>> {
        self.batches.lock().unwrap().clone()
    }
}

#[async_trait]
impl Target for Gated {
    async fn apply(&self, _: &Cx, batch: &[Claimed]) -> Vec<Applied> {
        self.batches.lock().unwrap().push(batch.iter().map(|claimed| claimed.key.id.clone()).collect());
        self.gate.acquire().await.unwrap().forget();
        batch.iter().map(|claimed| applied(&claimed.key.id).into()).collect()
    }
}

/// Leases `keys` as a worker that then dies.
async fn die_with(bench: &Bench, engine: &Engine, keys: &[String]) {
    let flow = flow();
    loop {
        let claim = Claim {
            flow: &flow,
            keys: Some(keys),
            limit: 100,
            owner: "dead",
            lease: Duration::from_millis(1),
            settle_delay: Duration::from_millis(1),
            now: engine.now().await.unwrap(),
        };
        if bench.store.claim(claim).await.unwrap().len() == keys.len() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

#[tokio::test]
async fn an_entity_that_kills_its_workers_ends_with_its_reason_and_takes_nobody_along() {
    let bench = Bench::new();
    let queue = Arc::new(InProcessQueue::default());
    let gated = Gated::new(1_000);
    let engine = Engine::builder(bench.store.clone())
        .settings(EngineSettings { max_lost_leases: 5, ..quick() })
        .queue(queue.clone())
        .flow(Flow::new(flow()).source(Rows::many(4)).target(gated.clone()))
        .build()
        .unwrap();
    engine.pull(&flow()).await.unwrap();
    let keys: Vec<String> = (0..4).map(|number| format!("{number:05}")).collect();
    // Twice all four go down together, then the culprit alone.
    for _ in 0..2 {
        die_with(&bench, &engine, &keys).await;
    }
    // The last of them was to look it up before it is given up.
    for _ in 0..4 {
        die_with(&bench, &engine, &keys[..1]).await;
    }
    let report = engine.run_once(&flow()).await.unwrap();
    assert_eq!((report.sync_task.pulled, report.counts.open()), (true, 0));

    let culprit = bench.entity("00000").await;
    assert_eq!(culprit.status, TxStatus::Failed);
    assert!(culprit.note.starts_with("given up: 6 times in a row a worker died"), "{}", culprit.note);
    let dead = queue.dead_letters(&flow(), 10).await.unwrap();
    assert_eq!(dead.len(), 1);
    assert_eq!(dead[0].message.as_ref().unwrap().keys, ["00000"]);
    assert_eq!(dead[0].reason, culprit.note);
    for key in &keys[1..] {
        assert_eq!(bench.entity(key).await.status, TxStatus::Success);
    }
    // The suspects one by one, the culprit not at all.
    let mut batches = gated.batches();
    batches.sort();
    assert_eq!(batches, keys[1..].iter().map(|key| vec![key.clone()]).collect::<Vec<_>>());
}

#[tokio::test]
async fn an_entity_that_killed_its_workers_is_looked_up_before_it_is_given_up() {
    let bench = Bench::new();
    let answers = Answers::new(|_, claimed, _| {
        assert!(matches!(claimed.intent, Intent::Reject(_)), "it is not to be written");
        applied(&claimed.key.id)
    });
    let engine = bench.engine(&Rows::many(1), &answers, EngineSettings { max_lost_leases: 2, ..quick() });
    engine.pull(&flow()).await.unwrap();
    for _ in 0..2 {
        die_with(&bench, &engine, &["00000".to_owned()]).await;
    }
    engine.run_once(&flow()).await.unwrap();
    assert_eq!((bench.entity("00000").await.status, answers.calls("00000")), (TxStatus::Success, 1));
}

/// One look-up that finds nothing does not show that nothing was written: somebody has to look.
#[tokio::test]
async fn an_entity_that_killed_its_workers_and_is_not_found_ends_with_its_reason() {
    let bench = Bench::new();
    let queue = Arc::new(InProcessQueue::default());
    let answers = Answers::new(|_, claimed, _| {
        assert!(matches!(claimed.intent, Intent::Reject(_)), "it is not to be written");
        Ok(Done::NotThereYet)
    });
    let engine = Engine::builder(bench.store.clone())
        .settings(EngineSettings { max_lost_leases: 10, ..quick() })
        .queue(queue.clone())
        .flow(Flow::new(flow()).source(Rows::many(1)).target(answers.clone()))
        .build()
        .unwrap();
    engine.pull(&flow()).await.unwrap();
    for _ in 0..10 {
        die_with(&bench, &engine, &["00000".to_owned()]).await;
    }
    let report = engine.run_once(&flow()).await.unwrap();
    assert_eq!((report.counts.open(), answers.calls("00000")), (0, 1));
    let failed = bench.entity("00000").await;
    assert_eq!((failed.status, failed.target_id), (TxStatus::Failed, None));
    assert!(failed.note.starts_with("given up: 10 times in a row a worker died"), "{}", failed.note);
    assert!(failed.note.contains("look for it on the other side"), "{}", failed.note);
    // What may have been written is still known to whoever has it done again.
    assert_eq!(failed.written, Some(1));
    let dead = queue.dead_letters(&flow(), 10).await.unwrap();
    assert_eq!((dead.len(), dead[0].reason.as_str()), (1, failed.note.as_str()));
    assert_eq!(dead[0].message.as_ref().unwrap().keys, ["00000"]);
}

/// Its first version is there; that the second one followed, nobody has seen.
#[tokio::test]
async fn an_update_that_killed_its_workers_is_not_called_done() {
    let bench = Bench::new();
    let rows = Rows::many(1);
    let answers = Answers::new(|_, claimed, _| applied(&claimed.key.id));
    let engine = bench.engine(&rows, &answers, EngineSettings { max_lost_leases: 2, ..quick() });
    engine.run_once(&flow()).await.unwrap();
    rows.put("00000", 5, "changed");
    engine.pull(&flow()).await.unwrap();
    for _ in 0..2 {
        die_with(&bench, &engine, &["00000".to_owned()]).await;
    }
    engine.run_once(&flow()).await.unwrap();
    let found = bench.entity("00000").await;
    assert_eq!((found.status, found.target_id.as_deref()), (TxStatus::Failed, Some("B1-00000")), "{}", found.note);
    assert!(found.note.starts_with("given up"), "{}", found.note);
    // It follows once somebody has it done again.
    assert_eq!(found.written, Some(1));
}

#[tokio::test]
async fn stopping_finishes_what_is_applied_and_hands_back_what_waits_for_its_turn() {
    let bench = Bench::new();
    let queue = Arc::new(InProcessQueue::default());
    let gated = Gated::new(0);
    let settings = EngineSettings { page_size: 12, concurrency: 1, lease_ms: 60_000, ..quick() };
    let engine = Engine::builder(bench.store.clone())
        .settings(settings)
        .queue(queue.clone())
        .flow(Flow::new(flow()).source(Rows::many(12)).target(gated.clone()))
        .build()
        .unwrap();
    engine.pull(&flow()).await.unwrap();
    let workers = engine.start_workers(&flow()).unwrap();
    // One batch is being applied, and those leased ahead wait for their turn.
    loop {
        let mut leased = 0;
        for number in 0..12 {
            leased += usize::from(bench.entity(&format!("{number:05}")).await.status == TxStatus::InProcess);
        }
        if leased == 12 && gated.batches().len() == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let stopping = tokio::spawn(workers.stop());
    // Those that wait are handed back while the one is still being applied.
    loop {
        if bench.store.due(&flow(), engine.now().await.unwrap().store, 100).await.unwrap().len() == 8 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    gated.gate.add_permits(1);
    stopping.await.unwrap().unwrap();

    let mut by_status = [0; 2];
    for number in 0..12 {
        let entity = bench.entity(&format!("{number:05}")).await;
        match entity.status {
            TxStatus::Success => by_status[0] += 1,
            TxStatus::New => {
                assert_eq!(entity.attempts, 0, "handing back is no attempt");
                by_status[1] += 1;
            }
            other => panic!("{other}"),
        }
    }
    assert_eq!(by_status, [4, 8]);
    let mut tasks = 0;
    while queue.receive(&flow(), Duration::from_millis(50)).await.unwrap().is_some() {
        tasks += 1;
    }
    assert_eq!(tasks, 2, "their tasks are there for other workers at once");
}

#[tokio::test]
async fn a_process_without_workers_waits_for_those_of_others() {
    let bench = Bench::new();
    let queue = Arc::new(InProcessQueue::default());
    let builder = || Engine::builder(bench.store.clone()).settings(quick()).queue(queue.clone());
    let frontend = builder().flow(Flow::new(flow()).source(Rows::many(30))).build().unwrap();
    let worker = builder().flow(Flow::new(flow()).target(Gated::new(1_000))).build().unwrap();
    let workers = worker.start_workers(&flow()).unwrap();
    let report = frontend.sync(&flow()).await.unwrap();
    assert_eq!((report.pulled.inserted, report.counts.success), (30, 30));
    workers.stop().await.unwrap();
}
