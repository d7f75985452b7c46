//! Queues that are deleted in mid-run.

use std::time::{Duration, Instant};

use datawald_core::model::{FlowId, Table};
use datawald_core::queue::{RabbitQueue, RabbitSettings};
use datawald_tests::servers::RabbitNode;
use lapin::options::QueueDeclareOptions;
use lapin::types::FieldTable;
use lapin::{Connection, ConnectionProperties};
use rustix::process::Signal;
use sapb1_connector::sandbox::{Faults, Way};

use crate::world::{Backends, World, database};

sapb1_connector::over_both_ways! { deleting_all_queues_in_mid_run_only_delays }

const ORDERS: u64 = 1_000;

/// What was left takes some seconds by itself; a lease that was lost would take the two minutes that it lasts.
const LIMIT: Duration = Duration::from_secs(100);

/// How many of these queues are there.
async fn there(connection: &Connection, names: [&str; 2]) -> usize {
    let mut there = 0;
    for name in names {
        // RabbitMQ ends the channel if it is not.
        let channel = connection.create_channel().await.unwrap();
        let asking = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
        there += usize::from(channel.queue_declare(name.into(), asking, FieldTable::default()).await.is_ok());
    }
    there
}

async fn deleting_all_queues_in_mid_run_only_delays(way: Way) {
    let broker = RabbitNode::start().await.unwrap();
    let backends = Backends { store: database(), queue: Some(broker.uri().to_owned()) };
    let mut world = World::new(way, backends, 1, ORDERS).await;
    world.b1.set_faults(Faults { latency_ms: 600, ..Faults::default() });
    // A lease that is not waited for: only the sweep can bring back what the queues lose.
    let lease = world.sizes.iter().position(|arg| arg == "--lease-ms").unwrap();
    world.sizes[lease + 1] = "120000".into();

    let operator = RabbitQueue::connect(RabbitSettings::new(broker.uri())).await.unwrap();
    let connection = Connection::connect(broker.uri(), ConnectionProperties::default()).await.unwrap();
    let flow = FlowId::new(Table::Orders, world.shops[0].name.as_str());
    let tasks = operator.queue_name(&flow);
    let dead = format!("{tasks}.dead");

    let mut workers = [world.worker("one"), world.worker("two")];
    let mut frontend = world.frontend(0, "frontend");
    let mut deleted = 0;
    for at in [100, 300, 500] {
        let started = Instant::now();
        while world.b1.counters().documents < at {
            assert!(started.elapsed() < Duration::from_secs(60), "it stands still: {}", workers[0].log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        // They may not all have been declared again after the last time.
        deleted += there(&connection, [&tasks, &dead]).await;
        operator.delete_queues(&flow).await.unwrap();
    }
    assert!(deleted >= 3, "{deleted} queues were deleted");
    assert!(world.b1.counters().documents < ORDERS, "it was over before");
    let started = Instant::now();
    let report = frontend.report(LIMIT + Duration::from_secs(10)).await;
    let took = started.elapsed();
    world.check_all_applied(0, &report, ORDERS);
    assert!(took < LIMIT, "it took {took:?}");
    println!("{deleted} queues deleted; the rest took {took:?}");
    for worker in &mut workers {
        worker.signal(Signal::TERM);
        worker.succeed(Duration::from_secs(30)).await;
    }
}
