//! Processes that are told to end, as service managers do.

use std::time::{Duration, Instant};

use datawald_core::model::{FlowId, Table, TxStatus};
use datawald_core::store::{EntityFilter, MongoSettings, MongoStore, StagingStore};
use rustix::process::Signal;
use sapb1_connector::sandbox::{Faults, Way};

use crate::world::{Backends, World};

sapb1_connector::over_both_ways! {
    a_worker_finishes_or_hands_back_what_it_holds
    a_frontend_gives_its_right_to_pull_back
}

const ORDERS: u64 = 300;
const LIMIT: Duration = Duration::from_secs(60);

async fn a_worker_finishes_or_hands_back_what_it_holds(way: Way) {
    let mut world = World::new(way, Backends::shared(), 1, ORDERS).await;
    world.b1.set_faults(Faults { latency_ms: 400, ..Faults::default() });
    let lease = world.sizes.iter().position(|arg| arg == "--lease-ms").unwrap();
    world.sizes[lease + 1] = "120000".into();
    let store = MongoStore::connect(MongoSettings::new(world.backends.store.clone())).await.unwrap();
    let flow = FlowId::new(Table::Orders, world.shops[0].name.clone());
    let with = |statuses: Vec<TxStatus>| EntityFilter {
        failure: None,
        flow: Some(flow.clone()),
        statuses,
        limit: 1_000,
        after: None,
        sync_task: None,
    };

    let mut frontend = world.frontend(0, "frontend");
    let mut worker = world.worker("first");
    let started = Instant::now();
    while world.b1.counters().documents < 20 {
        assert!(started.elapsed() < LIMIT, "{}", worker.log());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(!store.list(&with(vec![TxStatus::InProcess])).await.unwrap().items.is_empty(), "it holds some");
    let told = Instant::now();
    worker.signal(Signal::TERM);
    worker.succeed(Duration::from_secs(20)).await;
    println!("ended {:?} after it was told to", told.elapsed());

    let held = store.list(&with(vec![TxStatus::InProcess, TxStatus::InDoubt])).await.unwrap().items;
    assert!(held.is_empty(), "{held:?}");
    let waiting = store.list(&with(vec![TxStatus::New])).await.unwrap().items;
    assert!(!waiting.is_empty());
    assert!(waiting.iter().all(|entity| entity.attempts == 0), "what was handed back was not attempted");

    // Others go on at once: the lease is two minutes.
    world.b1.set_faults(Faults::default());
    let mut second = world.worker("second");
    let report = frontend.report(Duration::from_secs(30)).await;
    world.check_all_applied(0, &report, ORDERS);
    assert_eq!(world.b1.counters().documents, ORDERS);
    second.signal(Signal::TERM);
    second.succeed(LIMIT).await;
}

async fn a_frontend_gives_its_right_to_pull_back(way: Way) {
    let mut world = World::new(way, Backends::shared(), 1, ORDERS).await;
    let lease = world.sizes.iter().position(|arg| arg == "--lease-ms").unwrap();
    world.sizes[lease + 1] = "120000".into();
    // Nobody applies, so it waits for the outcomes.
    let mut frontend = world.frontend(0, "first");
    let store = MongoStore::connect(MongoSettings::new(world.backends.store.clone())).await.unwrap();
    let flow = FlowId::new(Table::Orders, world.shops[0].name.clone());
    let started = Instant::now();
    while store.due(&flow, jiff::Timestamp::now(), 1_000).await.unwrap().len() < ORDERS as usize {
        assert!(started.elapsed() < LIMIT, "{}", frontend.log());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    frontend.signal(Signal::TERM);
    frontend.succeed(Duration::from_secs(10)).await;
    assert!(frontend.log().contains("stopped as told"), "{}", frontend.log());

    let mut both = world.both(0, "second");
    let report = both.report(LIMIT).await;
    world.check_all_applied(0, &report, ORDERS);
}
