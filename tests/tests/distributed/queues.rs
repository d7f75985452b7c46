//! Queues that are deleted in mid-run.

use std::time::{Duration, Instant};

use datawald_tests::servers::RabbitNode;
use rustix::process::Signal;
use sapb1_connector::sandbox::{Faults, Way};

use crate::world::{Backends, World, database};

sapb1_connector::over_both_ways! { deleting_all_queues_in_mid_run_only_delays }

const ORDERS: u64 = 1_000;

async fn deleting_all_queues_in_mid_run_only_delays(way: Way) {
    let broker = RabbitNode::start().await.unwrap();
    let backends = Backends { store: database(), queue: Some(broker.uri().to_owned()) };
    let mut world = World::new(way, backends, 1, ORDERS).await;
    world.b1.set_faults(Faults { latency_ms: 600, ..Faults::default() });
    // A lease that is not waited for: only the sweep can bring back what the queues lose.
    let lease = world.sizes.iter().position(|arg| arg == "--lease-ms").unwrap();
    world.sizes[lease + 1] = "120000".into();

    let mut workers = [world.worker("one"), world.worker("two")];
    let mut frontend = world.frontend(0, "frontend");
    let mut deleted = 0;
    for at in [100, 300, 500] {
        let started = Instant::now();
        while world.b1.counters().documents < at {
            assert!(started.elapsed() < Duration::from_secs(60), "it stands still: {}", workers[0].log());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let listed = broker.rabbitmqctl(&["list_queues", "--silent", "name"]).await.unwrap();
        for queue in listed.lines().map(str::trim).filter(|name| name.starts_with("datawald.")) {
            // One that has expired meanwhile is gone as well.
            deleted += usize::from(broker.rabbitmqctl(&["delete_queue", queue]).await.is_ok());
        }
    }
    assert!(deleted >= 3, "{deleted} queues were deleted");
    assert!(world.b1.counters().documents < ORDERS, "it was over before");
    let started = Instant::now();
    let report = frontend.report(Duration::from_secs(60)).await;
    let took = started.elapsed();
    world.check_all_applied(0, &report, ORDERS);
    // What was left takes some seconds by itself; a lost lease would have taken two minutes.
    assert!(took < Duration::from_secs(30), "it took {took:?}");
    println!("{deleted} queues deleted; the rest took {took:?}");
    for worker in &mut workers {
        worker.signal(Signal::TERM);
        worker.succeed(Duration::from_secs(30)).await;
    }
}
