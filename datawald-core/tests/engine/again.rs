//! When what failed is tried again: when something changed, and not because the cut happens to be near.

use std::time::Duration;

use datawald_core::engine::Engine;
use datawald_core::model::{SyncStatus, TxStatus};
use datawald_core::store::{EntityFilter, StagingStore};
use datawald_core::{Error, Result};

use crate::sides::{Answers, Bench, Rows, applied, flow, quick};

/// Refuses the first and the last order.
fn refuses(claimed: &datawald_core::store::Claimed) -> Result<datawald_core::engine::Done> {
    match claimed.key.id.as_str() {
        "00000" | "00009" => Err(Error::refused("insert", "no such item")),
        id => applied(id),
    }
}

async fn failed(bench: &Bench) -> usize {
    let filter = EntityFilter { statuses: vec![TxStatus::Failed], ..EntityFilter::default() };
    bench.store.list(&filter).await.unwrap().items.len()
}

/// The last order is within the overlap of every pull, the first of none.
#[tokio::test]
async fn a_failure_is_not_sent_again_because_the_cut_is_near() {
    let bench = Bench::new();
    let rows = Rows::many(10);
    let answers = Answers::new(|_, claimed, _| refuses(claimed));
    let mut settings = quick();
    settings.overlap_ms = 3_000;
    let engine = bench.engine(&rows, &answers, settings);
    let first = engine.run_once(&flow()).await.unwrap();
    assert_eq!((first.sync_task.status, first.counts.failed), (SyncStatus::Fail, 2));
    for _ in 0..3 {
        let report = engine.run_once(&flow()).await.unwrap();
        assert_eq!((report.pulled.still_failed, report.pulled.unchanged), (1, 3));
        // It has brought no failure; the run that has says so still, and the orders stand at F.
        assert_eq!((report.sync_task.status, report.counts.ignored), (SyncStatus::Completed, 4));
        assert_eq!(bench.store.sync_task(&first.sync_task.id).await.unwrap().unwrap().status, SyncStatus::Fail);
        assert_eq!(failed(&bench).await, 2);
    }
    assert_eq!((answers.calls("00000"), answers.calls("00009")), (1, 1));
    // What changes at the source is tried again, and so is what an operator asks for.
    rows.put("00009", 9, "other content");
    engine.run_once(&flow()).await.unwrap();
    assert_eq!((answers.calls("00000"), answers.calls("00009")), (1, 2));
    assert!(engine.resync(&bench.entity("00000").await.key).await.unwrap());
    engine.run_once(&flow()).await.unwrap();
    assert_eq!((answers.calls("00000"), answers.calls("00009")), (2, 2));
}

/// Starts workers, lets them do what they find, and tells how often the two orders were sent so far.
async fn start(engine: &Engine, answers: &Answers, expected: (u32, u32)) -> (u32, u32) {
    let calls = || (answers.calls("00000"), answers.calls("00009"));
    let workers = engine.start_workers(&flow()).unwrap();
    for _ in 0..500 {
        if calls() >= expected && engine.store().next_due(&flow()).await.unwrap().is_none() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    // Long enough for what should not come.
    tokio::time::sleep(Duration::from_millis(100)).await;
    workers.stop().await.unwrap();
    calls()
}

#[tokio::test]
async fn other_settings_have_every_failure_tried_again_once() {
    let bench = Bench::new();
    let answers = Answers::new(|_, claimed, _| refuses(claimed));
    let settings = |digest: &str| *answers.settings.lock().unwrap() = Some(digest.to_owned());
    settings("first");
    let engine = bench.engine(&Rows::many(10), &answers, quick());
    engine.run_once(&flow()).await.unwrap();
    assert_eq!(failed(&bench).await, 2);
    assert_eq!(start(&engine, &answers, (1, 1)).await, (1, 1), "the settings are the same");
    settings("second");
    assert_eq!(start(&engine, &answers, (2, 2)).await, (2, 2));
    assert_eq!(start(&engine, &answers, (2, 2)).await, (2, 2), "once is enough");
    // Another process, with the settings that it finds recorded.
    let another = bench.engine(&Rows::default(), &answers, quick());
    assert_eq!(start(&another, &answers, (2, 2)).await, (2, 2));
    settings("first");
    assert_eq!(start(&another, &answers, (3, 3)).await, (3, 3));
    assert_eq!(failed(&bench).await, 2);
}

/// Once the cause of a class of failures is gone, all of that class are done again in one step, and no others.
#[tokio::test]
async fn failures_of_one_class_are_done_again_in_one_step() {
    let bench = Bench::new();
    let answers = Answers::new(|_, claimed, attempt| match claimed.key.id.as_str() {
        "00000" | "00001" if attempt == 1 => Err(Error::refused("insert", "no such item")),
        "00002" => Err(Error::invalid("reconcile", "the totals differ")),
        id => applied(id),
    });
    let engine = bench.engine(&Rows::many(4), &answers, quick());
    engine.run_once(&flow()).await.unwrap();
    let classes = bench.store.failures(&flow()).await.unwrap();
    assert_eq!(classes, [("invalid".to_owned(), 1), ("refused".to_owned(), 2)].into());
    assert_eq!(engine.resync_failed(&flow(), "refused").await.unwrap(), 2);
    assert_eq!(start(&engine, &answers, (2, 0)).await.0, 2);
    assert_eq!((answers.calls("00001"), answers.calls("00002")), (2, 1));
    assert_eq!(failed(&bench).await, 1);
    assert_eq!(engine.resync_failed(&flow(), "refused").await.unwrap(), 0);
    let error = engine.resync_failed(&flow(), "unlucky").await.unwrap_err();
    assert!(
        error.field_path() == Some("failure") && error.message().contains("one of config, unauthorized"),
        "{error}"
    );
}
