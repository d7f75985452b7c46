//! The writer of the embedded store: what waits is committed together, and one that fails spoils nothing.
#![cfg(feature = "sqlite")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "helpers of tests: a failure is a panic")]

mod common;

use std::path::Path;
use std::time::Duration;

use common::{batch, begin, entity, flow, pass};
use datawald_core::model::EntityKey;
use datawald_core::store::{PullLease, SqliteSettings, SqliteStore, StageBatch, StagingStore};
use datawald_core::{Disposition, ErrorKind};
use rusqlite::Connection;

/// Another process's transaction, which keeps the writer from its own.
fn hold(path: &Path) -> Connection {
    let other = Connection::open(path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    other
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_that_fails_spoils_no_other_of_its_group() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let settings = SqliteSettings { waiting_writes: 7, ..SqliteSettings::default() };
    let store = SqliteStore::open_with(&path, settings).unwrap();
    let lease = begin(&store, &flow()).await;
    let stale = PullLease { token: lease.token + 1, ..lease.clone() };
    let other = hold(&path);
    let calls: Vec<_> = (0..50)
        .map(|n| {
            let store = store.clone();
            let right = if n % 3 == 0 { &stale } else { &lease };
            let batch = StageBatch { lease: right.clone(), ..batch(&lease, vec![entity(&n.to_string(), "r")]) };
            tokio::spawn(async move { store.stage(batch).await })
        })
        .collect();
    // By now they wait: some with the writer, some for room to wait there.
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(store.sync_task_counts(&pass()).await.unwrap().total(), 0, "readers wait for nobody");
    other.execute_batch("COMMIT").unwrap();
    for (n, call) in calls.into_iter().enumerate() {
        let staged = call.await.unwrap();
        let found = store.get(&EntityKey::new(&flow(), n.to_string())).await.unwrap();
        if n % 3 == 0 {
            assert_eq!(staged.unwrap_err().kind(), ErrorKind::Fenced);
            assert!(found.is_none());
        } else {
            staged.unwrap();
            assert!(found.is_some());
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn another_process_that_never_ends_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let settings = SqliteSettings { busy_timeout: Duration::from_millis(100), ..SqliteSettings::default() };
    let store = SqliteStore::open_with(&path, settings).unwrap();
    let lease = begin(&store, &flow()).await;
    let other = hold(&path);
    let error = store.stage(batch(&lease, vec![entity("1", "r")])).await.unwrap_err();
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::Store, Disposition::Retryable { after: None }));
    assert!(error.to_string().contains("another process has held"), "{error}");
    other.execute_batch("ROLLBACK").unwrap();
    assert!(store.get(&EntityKey::new(&flow(), "1")).await.unwrap().is_none());
    store.stage(batch(&lease, vec![entity("1", "r")])).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_caller_that_goes_away_leaves_the_writer_at_work() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = SqliteStore::open(&path).unwrap();
    let lease = begin(&store, &flow()).await;
    let other = hold(&path);
    let waiting = store.stage(batch(&lease, vec![entity("1", "r")]));
    assert!(tokio::time::timeout(Duration::from_millis(50), waiting).await.is_err());
    other.execute_batch("COMMIT").unwrap();
    // It was handed over: it is done before what comes after it.
    store.stage(batch(&lease, vec![entity("2", "r")])).await.unwrap();
    assert!(store.get(&EntityKey::new(&flow(), "1")).await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dropped_store_has_written_what_it_took() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = SqliteStore::open(&path).unwrap();
    let lease = begin(&store, &flow()).await;
    let entities = (0..300).map(|n| entity(&n.to_string(), &"r".repeat(9_000))).collect();
    let waiting = store.stage(batch(&lease, entities));
    // Polled once, so that it is handed over, then dropped with the store. The writer may be done with it by then or not.
    let _ = futures::poll!(Box::pin(waiting));
    drop(store);
    let store = SqliteStore::open(&path).unwrap();
    assert_eq!(store.sync_task_counts(&pass()).await.unwrap().new, 300);
}
