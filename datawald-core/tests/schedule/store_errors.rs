//! A store that fails for a while only delays.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use datawald_core::Result;
use datawald_core::schedule::{Job, Run, RunOutcome, Scheduler};
use datawald_core::store::{SqliteSettings, SqliteStore};
use rusqlite::Connection;

use crate::world::{World, meanwhile, minutely, seconds};

/// A store in a file that gives up soon on a file that is locked, and another's connection to that file.
fn lockable(folder: &tempfile::TempDir) -> (World, Connection) {
    patient(folder, Duration::from_millis(10))
}

fn patient(folder: &tempfile::TempDir, busy_timeout: Duration) -> (World, Connection) {
    let path = folder.path().join("staging.db");
    let settings = SqliteSettings { busy_timeout, ..SqliteSettings::default() };
    let store = SqliteStore::open_with(&path, settings).unwrap();
    (World::over(Arc::new(store)), Connection::open(path).unwrap())
}

#[tokio::test]
async fn what_is_due_while_the_store_fails_is_run_when_it_works() {
    let folder = tempfile::tempdir().unwrap();
    let (world, other) = lockable(&folder);
    let host = world.host(vec![minutely()]).await;
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    assert!(world.control.pause("minutely").await.is_err(), "the store fails");
    world.clock.advance(seconds(60));
    meanwhile().await;
    assert!(host.book.runs().is_empty());
    other.execute_batch("COMMIT").unwrap();
    let state = world.ended("minutely", 1).await;
    assert_eq!((host.book.runs().len(), state.missed), (1, 0));
    host.stop().await;
}

#[tokio::test]
async fn the_end_of_a_run_is_written_when_the_store_works() {
    let folder = tempfile::tempdir().unwrap();
    let (world, other) = lockable(&folder);
    let host = world.host(vec![minutely()]).await;
    host.book.hold(true);
    world.clock.advance(seconds(60));
    host.until_runs(1).await;
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    host.book.hold(false);
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(world.state("minutely").await.running.is_some());
    other.execute_batch("COMMIT").unwrap();
    let state = world.ended("minutely", 1).await;
    assert_eq!((state.last_runs[0].outcome, state.last_runs[0].attempts), (RunOutcome::Done, 1));
    assert_eq!(host.book.runs().len(), 1);
    host.stop().await;
}

#[tokio::test]
async fn a_host_that_starts_while_the_store_fails_leads_when_it_works() {
    let folder = tempfile::tempdir().unwrap();
    let (world, other) = lockable(&folder);
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let host = world.start(world.clock.clone(), crate::world::settings(), vec![minutely()]);
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert_eq!(world.control.leader().await.unwrap(), None);
    other.execute_batch("COMMIT").unwrap();
    world.until("minutely", |state| state.scheduled).await;
    assert_eq!(world.control.leader().await.unwrap().unwrap().owner, host.scheduler.owner());
    host.stop().await;
}

/// Works for ever, and tells how many do.
#[derive(Clone, Default)]
struct Endless(Arc<AtomicU32>);

impl Drop for AtWork {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

struct AtWork(Arc<AtomicU32>);

#[async_trait]
impl Job for Endless {
    async fn run(&self, _: &Run) -> Result<String> {
        self.0.fetch_add(1, Ordering::SeqCst);
        let _at_work = AtWork(self.0.clone());
        std::future::pending().await
    }
}

#[tokio::test]
async fn a_store_that_hangs_keeps_no_job_beyond_the_lease() {
    let folder = tempfile::tempdir().unwrap();
    let (world, other) = patient(&folder, Duration::from_secs(30));
    let endless = Endless::default();
    let scheduler = Scheduler::builder(world.store.clone())
        .clock(world.clock.clone())
        .settings(crate::world::settings())
        .job(minutely(), endless.clone())
        .build()
        .unwrap();
    let lease = i64::try_from(crate::world::settings().lease_ms / 1_000).unwrap();
    let at_work = |count: u32| {
        let endless = endless.clone();
        async move {
            for _ in 0..2_000 {
                if endless.0.load(Ordering::SeqCst) == count {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            panic!("there were to be {count} jobs at work");
        }
    };
    let watch = async {
        world.until("minutely", |state| state.scheduled).await;
        world.clock.advance(seconds(60));
        at_work(1).await;
        // The renewal of the lease waits for the file.
        other.execute_batch("BEGIN IMMEDIATE").unwrap();
        world.clock.advance(seconds(lease / 2));
        meanwhile().await;
        at_work(1).await;
        world.clock.advance(seconds(lease / 2 + 1));
        at_work(0).await;
        other.execute_batch("COMMIT").unwrap();
        scheduler.stop();
    };
    tokio::join!(scheduler.run(), watch);
    assert_eq!(world.state("minutely").await.running.map(|run| run.attempt), Some(1));
}
