//! One trace per run, across processes.

use datawald_tests::servers::shared_amqp_url;
use mage2_connector::sandbox::OrderSet;
use rustix::process::Signal;
use sapb1_connector::sandbox::Way;

use crate::collector::{Collector, Span};
use crate::world::{LIMIT, World};

sapb1_connector::over_both_ways! { an_order_is_followed_from_the_shop_to_sap_b1_and_back }

const ORDERS: u64 = 25;

async fn an_order_is_followed_from_the_shop_to_sap_b1_and_back(way: Way) {
    let collector = Collector::start().await;
    let mut world = World::new(way, OrderSet::Synthetic(ORDERS)).await;
    world.queue =
        format!("kind = 'rabbitmq'\nuri = {{ env = 'AMQP_URL' }}\nprefix = 'host-{}'", uuid::Uuid::now_v7().simple());
    let named = |name: &str| format!("[telemetry]\notlp_endpoint = '{}'\nservice_name = '{name}'", collector.address());
    let start = |world: &World, role: &str| {
        let mut command = world.command(&["--role", role]);
        command.env("AMQP_URL", shared_amqp_url().unwrap());
        datawald_tests::Process::start(&world.folder.path().join(role), role, command)
    };
    world.more = named("worker");
    world.write();
    let mut worker = start(&world, "worker");
    // Both read the file when they start; the worker has, once it says so.
    worker.printed("started", LIMIT).await;
    world.more = named("frontend");
    world.write();
    let mut frontend = start(&world, "frontend");
    frontend.printed("closed", LIMIT).await;
    for host in [&mut frontend, &mut worker] {
        host.signal(Signal::TERM);
        host.succeed(LIMIT).await;
    }
    assert_eq!(world.b1.counters().documents, ORDERS);

    let spans = collector.spans();
    let pulls: Vec<&Span> = spans.iter().filter(|span| span.name == "pull").collect();
    let [pull] = pulls[..] else { panic!("one run: {pulls:?}") };
    assert_eq!(pull.service, "frontend");
    assert_eq!(pull.trace, pull.attributes["sync_task"].replace('-', ""), "the trace is the sync task");
    let of_run: Vec<&Span> = spans.iter().filter(|span| span.trace == pull.trace).collect();

    // Steps A to D, each in its process, and below what it belongs to.
    for (service, name, parent) in [
        ("frontend", "fetch", "pull"),
        ("frontend", "stage", "pull"),
        ("frontend", "dispatch", "pull"),
        ("worker", "apply", "pull"),
        ("worker", "claim", "apply"),
        ("worker", "look_up", "apply"),
        ("worker", "insert", "apply"),
        ("worker", "settle", "apply"),
        ("frontend", "close", "pull"),
    ] {
        let found: Vec<_> = of_run.iter().filter(|span| span.service == service && span.name == name).collect();
        assert!(!found.is_empty(), "no {name} of the {service} in {of_run:?}");
        for span in found {
            let above = of_run.iter().find(|above| above.id == span.parent);
            assert_eq!(above.map(|above| above.name.as_str()), Some(parent), "{span:?}");
        }
    }

    // Each order is told where it is staged, written and settled, by the id of its record.
    for order in 1..=ORDERS {
        let order = order.to_string();
        for name in ["stage", "insert", "settle"] {
            let told = of_run.iter().filter(|span| span.name == name && span.orders.contains(&order)).count();
            assert_eq!(told, 1, "order {order} in {name}: {spans:?}");
        }
    }
}
