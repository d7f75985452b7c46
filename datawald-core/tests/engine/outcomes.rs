//! What each disposition of an error leads to.

use std::time::Duration;

use datawald_core::engine::Applied;
use datawald_core::model::{EntityKey, SyncStatus, TxStatus};
use datawald_core::store::StagingStore;
use datawald_core::{Disposition, Effect, Error, ErrorKind};
use jiff::{SignedDuration, Timestamp};

use crate::sides::{Answers, Bench, Rows, applied, flow, quick};

fn fails(disposition: Disposition) -> Error {
    Error::new(ErrorKind::Refused, disposition, "insert", "said no")
}

#[tokio::test]
async fn one_bad_entity_stops_nobody_else() {
    let bench = Bench::new();
    let rows = Rows::many(25);
    let answers = Answers::new(|_, claimed, _| match claimed.key.id.as_str() {
        "00007" => Err(fails(Disposition::Rejected).field("items[0].sku").code("-10")),
        id => applied(id),
    });
    let report = bench.engine(&rows, &answers, quick()).run_once(&flow()).await.unwrap();
    assert_eq!((report.counts.success, report.counts.failed), (24, 1));
    assert_eq!(report.sync_task.status, SyncStatus::Fail);
    let failed = bench.entity("00007").await;
    let note = "items[0].sku: said no [-10]; tried again when the order changes at its source, when the settings change, or on \
                a re-sync";
    assert_eq!((failed.status, failed.note.as_str()), (TxStatus::Failed, note));
    assert_eq!(answers.calls("00007"), 1, "a refusal is not repeated");
    assert_eq!(bench.entity("00008").await.target_id.as_deref(), Some("B1-00008"));
}

#[tokio::test]
async fn a_retryable_failure_is_tried_again_and_then_given_up() {
    let bench = Bench::new();
    let rows = Rows::many(2);
    let answers = Answers::new(|_, claimed, call| match (claimed.key.id.as_str(), call) {
        ("00000", 1 | 2) | ("00001", _) => Err(fails(Disposition::Retryable { after: None })),
        (id, _) => applied(id),
    });
    let report = bench.engine(&rows, &answers, quick()).run_once(&flow()).await.unwrap();
    assert_eq!((report.counts.success, report.counts.failed), (1, 1));
    assert_eq!((answers.calls("00000"), answers.calls("00001")), (3, 3));
    let note = bench.entity("00001").await.note;
    assert!(note.starts_with("gave up after 3 attempts: said no; tried again when the order changes"), "{note}");
}

#[tokio::test]
async fn a_wait_that_was_asked_for_is_kept() {
    let bench = Bench::new();
    let rows = Rows::many(1);
    let after = std::time::Duration::from_millis(300);
    let answers = Answers::new(move |_, claimed, call| match call {
        1 => Err(fails(Disposition::Retryable { after: Some(after) })),
        _ => applied(&claimed.key.id),
    });
    let started = std::time::Instant::now();
    bench.engine(&rows, &answers, quick()).run_once(&flow()).await.unwrap();
    assert!(started.elapsed() >= after, "taken up after {:?}", started.elapsed());
}

#[tokio::test]
async fn a_wait_without_an_end_is_an_hour() {
    let bench = Bench::new();
    let rows = Rows::many(1);
    let years = std::time::Duration::from_secs(u64::MAX);
    let answers = Answers::new(move |_, _, _| Err(fails(Disposition::Retryable { after: Some(years) })));
    let mut settings = quick();
    settings.close_wait_ms = 100;
    let started = Timestamp::now();
    let report = bench.engine(&rows, &answers, settings).run_once(&flow()).await.unwrap();
    assert_eq!(report.sync_task.status, SyncStatus::Incompleted);
    let due = bench.entity("00000").await.due_at.unwrap();
    let waits = due.duration_since(started);
    assert!(waits >= SignedDuration::from_mins(59) && waits < SignedDuration::from_mins(61), "{waits}");
}

#[tokio::test]
async fn an_uncertain_write_is_looked_up_after_the_settle_delay() {
    let bench = Bench::new();
    let rows = Rows::many(1);
    let answers = Answers::new(|_, claimed, call| match call {
        1 => Err(Error::unknown_outcome(ErrorKind::Timeout, Effect::Write, "insert", "no answer in time")),
        _ => {
            assert_eq!(claimed.was, TxStatus::InDoubt);
            applied(&claimed.key.id)
        }
    });
    let started = std::time::Instant::now();
    let mut settings = quick();
    settings.settle_delay_ms = 700;
    let report = bench.engine(&rows, &answers, settings).run_once(&flow()).await.unwrap();
    assert_eq!(report.counts.success, 1);
    assert!(started.elapsed().as_millis() >= 700, "looked up after {:?}", started.elapsed());
}

#[tokio::test]
async fn what_is_in_doubt_is_never_called_failed() {
    let bench = Bench::new();
    let rows = Rows::many(1);
    let answers = Answers::new(|_, _, call| match call {
        1 => Err(fails(Disposition::Uncertain)),
        _ => Err(fails(Disposition::Retryable { after: None })),
    });
    let mut settings = quick();
    settings.close_wait_ms = 50;
    let engine = bench.engine(&rows, &answers, settings);
    let workers = engine.start_workers(&flow()).unwrap();
    let pulled = engine.pull(&flow()).await.unwrap();
    // More often than what is not in doubt is tried.
    let asked = async {
        while answers.calls("00000") <= 4 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), asked).await.expect("it is not asked for any more");
    let (task, counts) = engine.close(&pulled.sync_task).await.unwrap();
    workers.stop().await.unwrap();
    assert_eq!(task.status, SyncStatus::Incompleted);
    assert_eq!(counts.open(), 1);
    assert!(bench.entity("00000").await.note.starts_with("it is not known whether it was carried out"));
}

#[tokio::test]
async fn a_permanent_failure_stops_the_flow_and_entities_wait() {
    let bench = Bench::new();
    let rows = Rows::many(30);
    let answers = Answers::new(|_, _, _| Err(Error::config("log in to SAP B1", "user or password is wrong")));
    let error = bench.engine(&rows, &answers, quick()).run_once(&flow()).await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::Permanent);
    assert!(error.to_string().contains("user or password is wrong"), "{error}");
    let counts = bench.store.list_sync_tasks(&Default::default()).await.unwrap();
    assert!(counts.items[0].note.contains("user or password is wrong"), "{}", counts.items[0].note);
    assert_eq!(bench.entity("00000").await.status, TxStatus::New);

    // Once that is mended, all of them go through.
    let answers = Answers::new(|_, claimed, _| applied(&claimed.key.id));
    bench.engine(&rows, &answers, quick()).run_once(&flow()).await.unwrap();
    for number in 0..30 {
        assert_eq!(bench.entity(&format!("{number:05}")).await.status, TxStatus::Success);
    }
}

#[tokio::test]
async fn an_agent_that_panics_leaves_its_batch_in_doubt_and_the_worker_alive() {
    let bench = Bench::new();
    let rows = Rows::many(6);
    let answers = Answers::new(|_, claimed, call| match (claimed.key.id.as_str(), call) {
        ("00002", 1) => panic!("an agent's mistake"),
        (id, _) => applied(id),
    });
    let report = bench.engine(&rows, &answers, quick()).run_once(&flow()).await.unwrap();
    assert_eq!(report.counts.success, 6);
}

#[tokio::test]
async fn a_target_that_answers_for_too_few_leaves_the_rest_in_doubt() {
    struct Short(Answers);
    #[async_trait::async_trait]
    impl datawald_core::engine::Target for Short {
        async fn apply(&self, cx: &datawald_core::Cx, batch: &[datawald_core::store::Claimed]) -> Vec<Applied> {
            let mut results = self.0.apply(cx, batch).await;
            if batch.iter().any(|claimed| claimed.was == TxStatus::New) {
                results.truncate(1);
            }
            results
        }
    }
    use datawald_core::engine::{Engine, Flow};
    let bench = Bench::new();
    let answers = Answers::new(|_, claimed, _| applied(&claimed.key.id));
    let engine = Engine::builder(bench.store.clone())
        .settings(quick())
        .flow(Flow::new(flow()).source(Rows::many(3)).target(Short(answers.clone())))
        .build()
        .unwrap();
    let report = engine.run_once(&flow()).await.unwrap();
    assert_eq!(report.counts.success, 3);
    assert_eq!(answers.calls("00002"), 2);
}

#[tokio::test]
async fn a_failed_entity_is_done_again_when_an_operator_says_so() {
    let bench = Bench::new();
    let rows = Rows::many(3);
    let answers = Answers::new(|_, claimed, call| match call {
        1 => Err(fails(Disposition::Rejected)),
        _ => applied(&claimed.key.id),
    });
    let engine = bench.engine(&rows, &answers, quick());
    let report = engine.run_once(&flow()).await.unwrap();
    assert_eq!(report.counts.failed, 3);

    let workers = engine.start_workers(&flow()).unwrap();
    assert!(engine.resync(&EntityKey::new(&flow(), "00001")).await.unwrap());
    assert_eq!(engine.resync_task(&report.sync_task.id).await.unwrap(), 2);
    let (task, counts) = engine.close(&report.sync_task.id).await.unwrap();
    workers.stop().await.unwrap();
    // What was done again by itself is a failure of that run all the same.
    assert_eq!((task.status, counts.success, counts.failed), (SyncStatus::Fail, 2, 1));
    assert_eq!(bench.entity("00001").await.status, TxStatus::Success);
}
