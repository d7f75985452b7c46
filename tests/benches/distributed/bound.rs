//! What the MongoDB server can do at all: the ceiling of every run on it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use datawald_core::model::{FlowId, SyncTaskId, Table};
use datawald_core::store::{
    Claim, EntityFilter, MongoSettings, MongoStore, NewSyncTask, Outcome, Settlement, StageBatch, StageEntity,
    StagingStore,
};
use datawald_core::{Clock, SystemClock};
use jiff::{SignedDuration, Timestamp};
use mongodb::bson::{Document, doc};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::Failure;
use crate::figures::count;
use crate::ours::Run;
use crate::proc::Activity;
use crate::servers::Servers;

/// Orders per page and per claim, as `orders_sync` has them.
const BATCH: usize = 100;
/// Documents that single updates go round.
const DOCUMENTS: i32 = 400;
const SPAN: Duration = Duration::from_secs(2);
const LEASE: Duration = Duration::from_secs(120);

/// Durable updates of one document each, `statements` of them in a command, by so many clients at once: how many per second,
/// and what the server did.
pub(crate) async fn updates(servers: &Servers, clients: usize, statements: usize) -> Result<(f64, Activity), Failure> {
    let database = servers.database("bench_updates");
    let (documents, text) = (database.collection::<Document>("documents"), "d".repeat(1_500));
    documents.insert_many((0..DOCUMENTS).map(|id| doc! { "_id": id, "doc": &text, "rev": 0 })).await?;
    let watch = servers.watch(None);
    let begun = Instant::now();
    let mut tasks = JoinSet::new();
    for client in 0..clients {
        // Each has documents of its own, so that none waits for another's.
        let own: Vec<i32> = (0..DOCUMENTS).skip(client).step_by(clients).collect();
        let database = database.clone();
        tasks.spawn(async move {
            let mut updates = 0_u64;
            while begun.elapsed() < SPAN {
                for ids in own.chunks(statements) {
                    let each = |id: &i32| doc! { "q": { "_id": *id }, "u": { "$inc": { "rev": 1 } } };
                    let durable = doc! { "w": "majority", "j": true };
                    let all: Vec<Document> = ids.iter().map(each).collect();
                    let command =
                        doc! { "update": "documents", "updates": all, "ordered": false, "writeConcern": durable };
                    database.run_command(command).await?;
                    updates += ids.len() as u64;
                }
            }
            Ok::<_, mongodb::error::Error>(updates)
        });
    }
    let mut updates = 0;
    while let Some(done) = tasks.join_next().await {
        updates += done??;
    }
    let rate = count(updates) / begun.elapsed().as_secs_f64();
    let activity = watch.end()?.1.activity().ok_or("the server was not looked at")?;
    database.drop().await?;
    Ok((rate, activity))
}

/// The orders of a run as they were staged.
pub(crate) async fn orders_of(servers: &Servers, run: &Run) -> Result<Vec<StageEntity>, Failure> {
    let store = MongoStore::connect(settings(servers, &run.database)).await?;
    let flow = FlowId::new(Table::Orders, run.shop.clone());
    let mut filter = EntityFilter { flow: Some(flow), limit: 500, ..EntityFilter::default() };
    let mut orders = Vec::new();
    loop {
        let listing = store.list(&filter).await?;
        orders.extend(listing.items.into_iter().map(|entity| StageEntity {
            id: entity.key.id,
            name: entity.name,
            intent: entity.intent,
            source_status: entity.source_status,
            source_updated_at: entity.source_updated_at,
            fingerprint: entity.fingerprint,
            doc: entity.doc,
            raw: entity.raw,
        }));
        match listing.next {
            Some(next) => filter.after = Some(next),
            None => return Ok(orders),
        }
    }
}

/// The same orders through the same store, by one process, without anything else: staged by one client, and leased and
/// settled by so many others as they come; by itself after each page if by none. Answers orders per second.
pub(crate) async fn store_alone(
    servers: &Servers,
    orders: &[StageEntity],
    workers: usize,
) -> Result<(f64, Activity), Failure> {
    let name = format!("bench_store_alone_{workers}");
    let store = Arc::new(MongoStore::connect(settings(servers, &name)).await?);
    let flow = FlowId::new(Table::Orders, name.clone());
    let watch = servers.watch(None);
    let begun = Instant::now();
    let now = SystemClock.now();
    let until = now + SignedDuration::from_hours(1);
    let lease = store.acquire_pull(&flow, "bench", now, until).await?.ok_or("the right to pull is held")?;
    let task = NewSyncTask { id: SyncTaskId::generate(), flow: flow.clone(), cut_before: None, now };
    store.create_sync_task(task.clone()).await?;
    let turns = Arc::new(Semaphore::new(workers));
    let mut tasks: JoinSet<Result<(), datawald_core::Error>> = JoinSet::new();
    for page in orders.chunks(BATCH) {
        let keys: Vec<String> = page.iter().map(|order| order.id.clone()).collect();
        let batch = StageBatch {
            lease: lease.clone(),
            lease_until: until,
            sync_task: task.clone(),
            entities: page.to_vec(),
            cut: None,
            now: SystemClock.now().into(),
        };
        store.stage(batch).await?;
        if workers == 0 {
            apply(&store, &flow, &keys, SystemClock.now()).await?;
            continue;
        }
        let turn = turns.clone();
        let (store, flow) = (store.clone(), flow.clone());
        tasks.spawn(async move {
            let _turn = turn.acquire().await;
            apply(&store, &flow, &keys, SystemClock.now()).await
        });
    }
    while let Some(done) = tasks.join_next().await {
        done??;
    }
    let rate = count(orders.len() as u64) / begun.elapsed().as_secs_f64();
    let activity = watch.end()?.1.activity().ok_or("the server was not looked at")?;
    let left = store.next_due(&flow).await?;
    servers.database(&name).drop().await?;
    match left {
        None => Ok((rate, activity)),
        Some(_) => Err("the store alone has left orders open".into()),
    }
}

async fn apply(store: &MongoStore, flow: &FlowId, keys: &[String], now: Timestamp) -> datawald_core::Result<()> {
    let claim = Claim {
        flow,
        keys: Some(keys),
        limit: keys.len(),
        owner: "bench",
        lease: LEASE,
        settle_delay: Duration::from_secs(30),
        now: now.into(),
    };
    let claimed = store.claim(claim).await?;
    let outcomes = claimed.into_iter().map(|claimed| Settlement {
        reference: None,
        outcome: Outcome::Success { target_id: claimed.key.id.clone(), note: String::new() },
        key: claimed.key,
        token: claimed.token,
        rev: claimed.rev,
    });
    store.settle(now.into(), outcomes.collect()).await.map(drop)
}

fn settings(servers: &Servers, database: &str) -> MongoSettings {
    MongoSettings { database: Some(database.to_owned()), ..MongoSettings::new(servers.mongodb_uri()) }
}
