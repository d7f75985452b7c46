//! Everything dies: workers every two seconds; the broker twice and the MongoDB server once, while there is work left; and
//! answers of SAP B1 are lost. Every order ends S with one document, and no process of ours dies of its own.

use std::time::{Duration, Instant};

use datawald_examples::sample_company;
use datawald_tests::servers::{MongoServer, RabbitNode, in_database};
use rustix::process::Signal;
use sapb1_connector::sandbox::{B1Sandbox, Company, Faults, Way};

use crate::world::{Backends, Process, World, words};

const ORDERS_PER_SHOP: u64 = 500;
const SHOPS: usize = 2;
const WORKERS: usize = 4;

const ORDERS: u64 = ORDERS_PER_SHOP * SHOPS as u64;

/// The whole run ends within this, several times what it takes.
const LIMIT: Duration = Duration::from_secs(540);

/// Over the Service Layer, where killed workers leave sessions behind; the endurance runs go over both ways.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_dies_every_order_is_applied_once() {
    let way = Way::ServiceLayer;
    let mut mongo = MongoServer::start().await.unwrap();
    let mut broker = RabbitNode::start().await.unwrap();
    let backends = Backends { store: in_database(mongo.uri(), "chaos"), queue: Some(broker.uri().to_owned()) };
    let mut world = World::new(way, backends, SHOPS, ORDERS_PER_SHOP).await;
    // Nobody logs out for a worker that is killed: over the Service Layer its sessions keep their licences until they time
    // out, which takes half an hour.
    let company = Company { licences: 1_000, ..sample_company() };
    world.b1 = B1Sandbox::start(way, company).await.unwrap();
    world.sizes = words(
        "--page-size 100 --batch 10 --concurrency 2 --lease-ms 3000 --settle-delay-ms 1000 --close-wait-ms 500000",
    );
    // One insert in fifty is carried out and its answer lost. A prime, so that it does not fall into step with anything.
    let faults = Faults { latency_ms: 250, drop_after_commit_every: 47, ..Faults::default() };
    world.b1.set_faults(faults.clone());

    let started = Instant::now();
    let mut workers: Vec<Process> = (0..WORKERS).map(|n| world.worker(&format!("worker-{n}"))).collect();
    let mut frontends: Vec<Process> = (0..SHOPS).map(|n| world.frontend(n, &format!("frontend-{n}"))).collect();

    let killing = async {
        let mut kills = 0;
        while frontends.iter_mut().any(|frontend| frontend.ended().is_none()) {
            assert!(started.elapsed() < LIMIT, "not done within {LIMIT:?}: {}", frontends[0].log());
            tokio::time::sleep(Duration::from_secs(2)).await;
            // Those that nobody killed must be alive.
            for worker in &mut workers {
                assert_eq!(worker.ended(), None, "{} died of its own: {}", worker.name, worker.log());
            }
            let name = format!("worker-{}", kills % WORKERS);
            workers.remove(0).kill();
            workers.push(world.worker(&name));
            kills += 1;
        }
        kills
    };
    // Each dies when so much is done: with work before it and behind it, however quick that is.
    let documents = || world.b1.counters().documents;
    let done = async |fifths: u64| {
        while documents() < ORDERS * fifths / 5 {
            assert!(started.elapsed() < LIMIT, "{} documents within {LIMIT:?}", documents());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    let servers = async {
        let mut at = Vec::new();
        done(1).await;
        mongo.kill();
        at.push(documents());
        tokio::time::sleep(Duration::from_secs(1)).await;
        mongo.restart().await.unwrap();
        done(2).await;
        broker.kill();
        at.push(documents());
        // A node takes many times as long to start as a call; SAP B1 is slower meanwhile, so that there is work left after it.
        world.b1.set_faults(Faults { latency_ms: 700, ..faults.clone() });
        tokio::time::sleep(Duration::from_secs(1)).await;
        broker.restart().await.unwrap();
        world.b1.set_faults(faults);
        done(3).await;
        broker.kill();
        at.push(documents());
        tokio::time::sleep(Duration::from_secs(1)).await;
        broker.restart().await.unwrap();
        at
    };
    let (kills, at) = tokio::join!(killing, servers);
    let took = started.elapsed();
    assert!(at.iter().all(|documents| *documents < ORDERS), "the work ended before everything had died: {at:?}");

    for (shop, frontend) in frontends.iter_mut().enumerate() {
        let report = frontend.report(Duration::from_secs(10)).await;
        world.check_all_applied(shop, &report, ORDERS_PER_SHOP);
        assert_eq!(report["run"]["rounds"][0]["sync_status"][0], "Completed");
    }
    let counters = world.b1.counters();
    assert_eq!(counters.documents, ORDERS);
    for worker in &mut workers {
        worker.signal(Signal::TERM);
        worker.succeed(Duration::from_secs(30)).await;
    }
    println!(
        "{} orders in {took:?}: {kills} workers killed, servers at {at:?} orders, {} requests to SAP B1, {} writes",
        counters.documents, counters.requests, counters.writes
    );
}
