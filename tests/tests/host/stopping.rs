//! SIGTERM in the middle of a run.

use std::time::{Duration, Instant};

use datawald_core::model::{FlowId, Table, TxStatus};
use datawald_core::store::{EntityFilter, SqliteStore, StagingStore};
use mage2_connector::sandbox::OrderSet;
use rustix::process::Signal;
use sapb1_connector::sandbox::{Faults, Way};

use crate::world::{LIMIT, World, get, get_until};

sapb1_connector::over_both_ways! {
    what_is_applied_ends_and_the_rest_is_handed_back
    ending_is_bounded
}

const ORDERS: u64 = 150;

async fn what_is_applied_ends_and_the_rest_is_handed_back(way: Way) {
    let world = World::new(way, OrderSet::Synthetic(ORDERS)).await;
    world.b1.set_faults(Faults { latency_ms: 400, ..Faults::default() });
    world.write();
    let mut host = world.start("first", &[]);
    get_until(&mut host, "/health/ready", |status, _| status == 200).await;
    world.documents(20, &mut host).await;

    let told = Instant::now();
    host.signal(Signal::INT);
    // While it ends what it has begun, it tells that it is not to be given anything new.
    let text = get_until(&mut host, "/health/ready", |status, _| status == 503).await;
    assert!(text.contains("is about to end"), "{text}");
    host.succeed(Duration::from_secs(20)).await;
    println!("ended {:?} after it was told to", told.elapsed());

    let flow = FlowId::new(Table::Orders, "mage2");
    let store = SqliteStore::open(world.folder.path().join("host.db")).unwrap();
    let with = |statuses: Vec<TxStatus>| EntityFilter {
        failure: None,
        flow: Some(flow.clone()),
        statuses,
        limit: 1_000,
        after: None,
        sync_task: None,
    };
    let held = store.list(&with(vec![TxStatus::InProcess, TxStatus::InDoubt])).await.unwrap().items;
    assert!(held.is_empty(), "{held:?}");
    let waiting = store.list(&with(vec![TxStatus::New])).await.unwrap().items;
    assert!(!waiting.is_empty(), "it was stopped in the middle");
    assert!(waiting.iter().all(|entity| entity.attempts == 0), "what was handed back was not attempted");
    drop(store);

    // The next one goes on at once: leases last two minutes.
    world.b1.set_faults(Faults::default());
    let mut host = world.start("second", &[]);
    world.documents(ORDERS, &mut host).await;
    get(&mut host, "/health/live").await;
    host.signal(Signal::TERM);
    host.succeed(LIMIT).await;
    assert_eq!(world.b1.counters().documents, ORDERS);
    for order in 1..=ORDERS {
        assert_eq!(world.b1.documents_of(&format!("9{order:08}")).len(), 1, "{order}");
    }
}

/// What cannot end in the time that the file allows is told, and does not keep the host from ending.
async fn ending_is_bounded(way: Way) {
    let mut world = World::new(way, OrderSet::Synthetic(30)).await;
    world.b1.set_faults(Faults { latency_ms: 20_000, ..Faults::default() });
    world.more = "stop_within_ms = 500\n[monitor]\nlisten = '127.0.0.1:0'".into();
    world.write();
    let mut host = world.start("host", &[]);
    get_until(&mut host, "/metrics", |_, text| text.contains("datawald_claimed_total")).await;
    let told = Instant::now();
    host.signal(Signal::TERM);
    assert_eq!(host.wait(Duration::from_secs(10)).await.code(), Some(1), "{}", host.log());
    assert!(told.elapsed() < Duration::from_secs(5), "{:?}", told.elapsed());
    assert!(host.log().contains("field host.stop_within_ms: not everything had ended"), "{}", host.log());
}
