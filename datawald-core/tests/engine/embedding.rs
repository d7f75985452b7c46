//! An engine inside of a service: runs beside each other, mistakes that are named, workers that are looked after.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use datawald_core::engine::{Engine, Flow, Running};
use datawald_core::model::TxStatus;
use datawald_core::store::{SqliteStore, StagingStore};
use datawald_core::{Disposition, Error, ErrorKind, Result};
use tokio::time::timeout;

use crate::sides::{Answers, Bench, Rows, applied, flow, quick};

/// A target that refuses the log-in until somebody mends that.
fn locked() -> (Answers, Arc<AtomicBool>) {
    let mended = Arc::new(AtomicBool::new(false));
    let told = mended.clone();
    let answers = Answers::new(move |_, claimed, _| match told.load(Ordering::SeqCst) {
        true => applied(&claimed.key.id),
        false => Err(Error::new(
            ErrorKind::Unauthorized,
            Disposition::Permanent,
            "log in",
            "the user or the password is wrong",
        )),
    });
    (answers, mended)
}

fn names_the_password<T: std::fmt::Debug>(ended: Result<T>) {
    let error = ended.unwrap_err();
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::Unauthorized, Disposition::Permanent));
    assert!(error.to_string().contains("the user or the password is wrong"), "{error}");
}

async fn until(running: &Running, well: bool) {
    while running.health().await.unwrap().iter().all(|health| health.is_well()) != well {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn runs_of_one_engine_wait_for_each_other() {
    let bench = Bench::new();
    let answers = Answers::new(|_, claimed, _| applied(&claimed.key.id));
    let engine = bench.engine(&Rows::many(35), &answers, quick());
    let flow = flow();
    let (one, two, three) = tokio::join!(engine.run_once(&flow), engine.run_once(&flow), engine.run_once(&flow));
    let pulled = [one, two, three].map(|report| report.unwrap().pulled);
    assert_eq!(pulled.iter().map(|pulled| pulled.inserted).sum::<u64>(), 35, "{pulled:?}");
    for number in 0..35 {
        assert_eq!(answers.calls(&format!("{number:05}")), 1);
    }
}

#[tokio::test]
async fn a_wrong_password_is_named_however_the_engine_is_embedded() {
    let soon = Duration::from_secs(2);
    let flow = flow();
    let engine = |bench: &Bench| bench.engine(&Rows::many(3), &locked().0, quick());

    let bench = Bench::new();
    names_the_password(timeout(soon, engine(&bench).run_once(&flow)).await.unwrap());

    let bench = Bench::new();
    let workers = engine(&bench);
    let workers = workers.start_workers(&flow).unwrap();
    // In another process.
    let pulls =
        Engine::builder(bench.store.clone()).settings(quick()).flow(Flow::new(flow.clone()).source(Rows::many(3)));
    names_the_password(timeout(soon, pulls.build().unwrap().sync(&flow)).await.unwrap());
    workers.stop().await.unwrap();

    let bench = Bench::new();
    let (answers, mended) = locked();
    let embedded = bench.engine(&Rows::many(3), &answers, quick());
    let running = embedded.start().unwrap();
    names_the_password(timeout(soon, embedded.sync(&flow)).await.unwrap());
    let health = running.health().await.unwrap();
    assert!(health[0].pauses[0].reason.contains("the user or the password is wrong"), "{health:?}");
    // Mended, it goes on by itself.
    mended.store(true, Ordering::SeqCst);
    timeout(Duration::from_secs(10), until(&running, true)).await.unwrap();
    assert_eq!(embedded.sync(&flow).await.unwrap().counts.open(), 0);
    assert_eq!(bench.entity("00002").await.status, TxStatus::Success);
    running.stop().await;
    assert_eq!(embedded.start().err().unwrap().kind(), ErrorKind::Config);
}

#[tokio::test]
async fn workers_that_a_broken_store_has_stopped_are_started_again() {
    let folder = tempfile::tempdir().unwrap();
    let (path, aside) = (folder.path().join("staging.db"), folder.path().join("aside.db"));
    let store = Arc::new(SqliteStore::open(&path).unwrap());
    let mut settings = quick();
    settings.rest_ms = 20;
    let rows = Rows::many(3);
    let engine = Engine::builder(store.clone())
        .settings(settings)
        .flow(Flow::new(flow()).source(rows.clone()).target(Answers::new(|_, claimed, _| applied(&claimed.key.id))))
        .build()
        .unwrap();
    let running = engine.start().unwrap();
    engine.sync(&flow()).await.unwrap();

    std::fs::rename(&path, &aside).unwrap();
    while running.halted(&flow()).is_none() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let error = running.halted(&flow()).unwrap();
    assert!(error.to_string().contains("was deleted or replaced while it was in use"), "{error}");

    std::fs::rename(&aside, &path).unwrap();
    timeout(Duration::from_secs(10), until(&running, true)).await.unwrap();
    rows.put("00009", 40, "content");
    assert_eq!(engine.sync(&flow()).await.unwrap().counts.success, 1);
    assert_eq!(store.list(&Default::default()).await.unwrap().items.len(), 4);
    running.stop().await;
}
