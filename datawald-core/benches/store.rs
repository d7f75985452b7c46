//! How fast the embedded store is: `cargo bench -p datawald-core --bench store [-- ORDERS [FLOWS]]`.
//!
//! Stages, claims and settles orders with 4 KB of raw document each, in batches of 100, on the disk of the temporary
//! folder, first one call after the other, then several flows at once.
#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::float_arithmetic, reason = "a program that measures")]

use std::time::{Duration, Instant};

use datawald_core::model::{Fingerprint, FlowId, Intent, SyncTaskId, Table};
use datawald_core::store::{
    Claim, NewSyncTask, Outcome, PullLease, Settlement, SqliteStore, StageBatch, StageEntity, StagingStore,
};
use jiff::{SignedDuration, Timestamp};

const BATCH: usize = 100;

fn main() {
    // cargo passes `--bench`.
    let mut numbers = std::env::args().skip(1).filter_map(|argument| argument.parse::<usize>().ok());
    let orders = numbers.next().unwrap_or(20_000);
    let flows = numbers.next().unwrap_or(4);
    tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap().block_on(async {
        one_after_the_other().await;
        at_once(orders, flows).await;
    });
}

fn start() -> Timestamp {
    Timestamp::from_second(1_767_225_600).unwrap()
}

fn orders(batch: usize) -> Vec<StageEntity> {
    (batch * BATCH..(batch + 1) * BATCH)
        .map(|n| {
            let raw = format!("{n:010}{}", "r".repeat(4_086));
            StageEntity {
                id: format!("{n:09}"),
                name: format!("{n:09}"),
                intent: Intent::Apply,
                source_status: "processing".into(),
                source_updated_at: Some(start()),
                fingerprint: Fingerprint::of(raw.as_bytes()),
                doc: "d".repeat(1_500),
                raw,
            }
        })
        .collect()
}

async fn begin(store: &SqliteStore, flow: &FlowId) -> (PullLease, SyncTaskId) {
    let until = start() + SignedDuration::from_hours(9);
    let lease = store.acquire_pull(flow, "bench", start(), until).await.unwrap().unwrap();
    let task = SyncTaskId::from_stored(flow.frontend.clone());
    let new = NewSyncTask { id: task.clone(), flow: flow.clone(), cut_before: None, now: start() };
    store.create_sync_task(new).await.unwrap();
    (lease, task)
}

fn batch(lease: &PullLease, task: &SyncTaskId, n: usize) -> StageBatch {
    StageBatch {
        lease: lease.clone(),
        lease_until: start() + SignedDuration::from_hours(9),
        sync_task: NewSyncTask { id: task.clone(), flow: lease.flow.clone(), cut_before: None, now: start() },
        entities: orders(n),
        cut: None,
        now: start().into(),
    }
}

fn claim(flow: &FlowId) -> Claim<'_> {
    Claim {
        flow,
        keys: None,
        limit: BATCH,
        owner: "bench",
        lease: Duration::from_secs(60),
        settle_delay: Duration::from_secs(60),
        now: start().into(),
    }
}

fn settlements(claimed: &[datawald_core::store::Claimed]) -> Vec<Settlement> {
    claimed
        .iter()
        .map(|claimed| Settlement {
            key: claimed.key.clone(),
            token: claimed.token,
            rev: claimed.rev,
            reference: None,
            outcome: Outcome::Success { target_id: format!("B1-{}", claimed.key.id), note: String::new() },
        })
        .collect()
}

async fn one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(folder.path().join("store.db")).unwrap();
    let flow = FlowId::new(Table::Orders, "shop");
    let (lease, task) = begin(&store, &flow).await;
    let mut times = [const { Vec::<Duration>::new() }; 3];
    for n in 0..60 {
        let batch = batch(&lease, &task, n);
        let clock = Instant::now();
        store.stage(batch).await.unwrap();
        times[0].push(clock.elapsed());
        let clock = Instant::now();
        let claimed = store.claim(claim(&flow)).await.unwrap();
        times[1].push(clock.elapsed());
        let settlements = settlements(&claimed);
        let clock = Instant::now();
        store.settle(start().into(), settlements).await.unwrap();
        times[2].push(clock.elapsed());
    }
    for (name, mut times) in ["stage", "claim", "settle"].into_iter().zip(times) {
        times.sort();
        let ms = |n: usize| times[n].as_secs_f64() * 1_000.0;
        println!("{name:>6} {BATCH}: median {:.2} ms, 9 of 10 within {:.2} ms", ms(30), ms(54));
    }
}

async fn at_once(orders: usize, flows: usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    let store = SqliteStore::open(&path).unwrap();
    let batches = orders / flows / BATCH;
    let clock = Instant::now();
    let mut tasks = Vec::new();
    for n in 0..flows {
        let (store, flow) = (store.clone(), FlowId::new(Table::Orders, format!("shop{n}")));
        let (lease, task) = begin(&store, &flow).await;
        tasks.push(tokio::spawn({
            let store = store.clone();
            async move {
                for n in 0..batches {
                    store.stage(batch(&lease, &task, n)).await.unwrap();
                }
            }
        }));
        tasks.push(tokio::spawn(async move {
            let mut done = 0;
            while done < batches * BATCH {
                let claimed = store.claim(claim(&flow)).await.unwrap();
                done += claimed.len();
                store.settle(start().into(), settlements(&claimed)).await.unwrap();
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let seconds = clock.elapsed().as_secs_f64();
    let done = flows * batches * BATCH;
    let log = std::fs::metadata(path.with_extension("db-wal")).unwrap().len();
    println!("{done} orders in {flows} flows: {:.0} orders/s, log {} MiB", done as f64 / seconds, log >> 20);
    let clock = Instant::now();
    drop(store);
    let size = std::fs::metadata(&path).unwrap().len();
    println!("closed in {:.0} ms, file {} MiB", clock.elapsed().as_secs_f64() * 1_000.0, size >> 20);
}
