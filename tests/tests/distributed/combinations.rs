//! The same orders give the same report, wherever they are staged and however tasks travel.

use std::time::Duration;

use mage2_connector::sandbox::{OrderSet, Sandbox, SandboxOptions};
use sapb1_connector::sandbox::Way;
use serde_json::Value;

use crate::world::{Backends, Process, Shop, World, broker, database, unique, words};

sapb1_connector::over_both_ways! { every_combination_gives_the_same_report }

const LIMIT: Duration = Duration::from_secs(120);

/// The sample orders, of every shape: applied, ignored, refused, cancelled.
async fn sample(way: Way, backends: Backends) -> World {
    let options = SandboxOptions { orders: OrderSet::Fixtures, ..SandboxOptions::default() };
    World {
        shops: vec![Shop { name: unique("shop"), magento: Sandbox::start(options).await.unwrap() }],
        sizes: words("--page-size 10 --batch 5 --concurrency 2 --rounds 2"),
        ..World::new(way, backends, 0, 0).await
    }
}

/// What must be the same: everything of every order but SAP B1's own number, and what each round came to.
fn told(report: &Value) -> (Vec<Value>, Vec<Value>) {
    let mut orders = report["orders"].as_array().unwrap().clone();
    for order in &mut orders {
        let order = order.as_object_mut().unwrap();
        assert!(!order["fe_order_id"].as_str().unwrap().is_empty());
        // Numbers follow the order of insertion, which is any; shops have names of their own.
        let numbered = !order["bo_order_id"].is_null();
        order.insert("bo_order_id".into(), numbered.into());
        for name in ["frontend", "b1_total", "b1_cancelled"] {
            order.remove(name);
        }
    }
    let rounds = report["run"]["rounds"].as_array().unwrap();
    let rounds = rounds
        .iter()
        .map(|round| serde_json::json!([round["taken_up"], round["unchanged"], round["sync_status"]]))
        .collect();
    (orders, rounds)
}

async fn every_combination_gives_the_same_report(way: Way) {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| format!("sqlite:{}", folder.path().join(name).display());
    let combinations = [
        ("sqlite, in process", Backends { store: file("1.db"), queue: None }),
        ("sqlite, rabbitmq", Backends { store: file("2.db"), queue: Some(broker()) }),
        ("mongodb, in process", Backends { store: database(), queue: None }),
        ("mongodb, rabbitmq", Backends::shared()),
    ];
    let mut first: Option<(Vec<Value>, Vec<Value>, u64)> = None;
    for (what, backends) in combinations {
        let world = sample(way, backends).await;
        let report = world.both(0, what).report(LIMIT).await;
        compare(what, &mut first, &report, world.b1.counters().documents);
    }
    // In processes with a role each, sharing nothing but the backends: three in one file, and three over servers.
    for (what, backends) in [
        ("roles, sqlite", Backends { store: file("5.db"), queue: None }),
        ("roles, mongodb, rabbitmq", Backends::shared()),
    ] {
        let mut world = sample(way, backends).await;
        let rounds = std::mem::replace(&mut world.sizes, words("--page-size 10 --batch 5 --concurrency 2"));
        let workers: Vec<Process> = ["one", "two"].map(|name| world.worker(name)).into();
        world.sizes = rounds;
        let report = world.frontend(0, "frontend").report(LIMIT).await;
        compare(what, &mut first, &report, world.b1.counters().documents);
        for mut worker in workers {
            worker.signal(rustix::process::Signal::TERM);
            worker.succeed(LIMIT).await;
        }
    }
}

fn compare(what: &str, first: &mut Option<(Vec<Value>, Vec<Value>, u64)>, report: &Value, documents: u64) {
    let (orders, rounds) = told(report);
    println!("{what}: {} orders, {documents} documents, {rounds:?}", orders.len());
    match first {
        None => {
            for status in ["S", "F", "I"] {
                assert!(orders.iter().any(|order| order["tx_status"] == status), "no order is {status}");
            }
            *first = Some((orders, rounds, documents));
        }
        Some((first_orders, first_rounds, first_documents)) => {
            for (one, other) in first_orders.iter().zip(&orders) {
                assert_eq!(one, other, "{what}");
            }
            assert_eq!(
                (first_orders.len(), &*first_rounds, *first_documents),
                (orders.len(), &rounds, documents),
                "{what}"
            );
        }
    }
}
