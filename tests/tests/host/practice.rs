//! The practice example, step by step, on four machines: the scheduler and the shop's side on one, the core on another, the
//! broker, and SAP B1's side on a third, which reads and writes its orders over the core's API.

use std::process::Command;

use datawald_core::client::{ClientSettings, RemoteCore};
use datawald_core::model::{SyncTaskId, TxStatus};
use datawald_core::store::{EntityFilter, StagingStore};
use datawald_tests::servers::shared_amqp_url;
use datawald_tests::{Process, example};
use mage2_connector::sandbox::OrderSet;
use rustix::process::Signal;
use sapb1_connector::sandbox::Way;

use crate::collector::{Collector, Span};
use crate::world::{LIMIT, World, address};

sapb1_connector::over_both_ways! { scheduler_core_broker_and_worker_on_machines_of_their_own }

const ORDERS: u64 = 25;

async fn scheduler_core_broker_and_worker_on_machines_of_their_own(way: Way) {
    let collector = Collector::start().await;
    let mut world = World::new(way, OrderSet::Synthetic(ORDERS)).await;
    let queue = format!(
        "kind = 'rabbitmq'\nuri = {{ env = 'AMQP_URL' }}\nprefix = 'practice-{}'",
        uuid::Uuid::now_v7().simple()
    );
    world.queue = queue.clone();
    world.more = "[api]\nlisten = '127.0.0.1:0'".into();
    world.write();
    let whole = std::fs::read_to_string(world.folder.path().join("host.toml")).unwrap();

    // The core: it alone has the store, and dispatches what is staged over its API.
    let mut create = world.command(&["token", "create", "agents", "--scope", "read,stage,operate"]);
    let made =
        tokio::task::spawn_blocking(move || create.env("AMQP_URL", "amqp://unused").output()).await.unwrap().unwrap();
    let secret = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    assert!(secret.starts_with("dw_agents_"), "{}", String::from_utf8_lossy(&made.stderr));
    let mut core = {
        let mut command = world.command(&["--role", "core"]);
        command.env("AMQP_URL", shared_amqp_url().unwrap());
        Process::start(&world.folder.path().join("core"), "core", command)
    };
    let api = address(&mut core, "api").await;

    // The two others know the core by its address and a token. The shop's side has no queue, since the core dispatches;
    // SAP B1's side takes its tasks from the broker.
    let elsewhere = |name: &str, role: &str, queue: &str| {
        let file = whole.replace(&world.more, "");
        let file = file.replace(
            &format!("[store]\n{}\n[queue]\n{}\n", world.store, world.queue),
            &format!("[core]\nurl = '{api}'\ntoken = {{ env = 'CORE_TOKEN' }}\n{queue}"),
        );
        let telemetry = format!("[telemetry]\notlp_endpoint = '{}'\nservice_name = '{name}'\n", collector.address());
        let path = world.folder.path().join(format!("{name}.toml"));
        std::fs::write(&path, format!("{file}{telemetry}")).unwrap();
        let mut command = Command::new(example("host"));
        command.arg("--config").arg(path).args(["--role", role]);
        command.env("CORE_TOKEN", &secret).env("MAGENTO_TOKEN", world.magento.token());
        command.env("AMQP_URL", shared_amqp_url().unwrap());
        Process::start(&world.folder.path().join(name), name, command)
    };
    let mut worker = elsewhere("backoffice", "worker", &format!("[queue]\n{queue}\n"));
    worker.printed("started", LIMIT).await;
    let mut frontend = elsewhere("frontend", "frontend", "");
    frontend.printed("closed status=\"Completed\" success=25", LIMIT).await;

    // The store, seen over the API: every order has its document, and the sync task is closed.
    let store = RemoteCore::new(ClientSettings::new(api, secret.clone())).unwrap();
    let orders = store.list(&EntityFilter { limit: 1_000, ..EntityFilter::default() }).await.unwrap().items;
    assert_eq!(orders.len() as u64, ORDERS);
    assert!(orders.iter().all(|order| order.status == TxStatus::Success && order.target_id.is_some()), "{orders:?}");
    assert_eq!(world.b1.counters().documents, ORDERS);
    for host in [&mut frontend, &mut worker, &mut core] {
        host.signal(Signal::TERM);
        host.succeed(LIMIT).await;
    }

    // A to D in one trace, which is the run: its id is the scheduler's, the sync task's and the trace's.
    let spans = collector.spans();
    let pulls: Vec<&Span> = spans.iter().filter(|span| span.name == "pull").collect();
    let [pull] = pulls[..] else { panic!("one run: {pulls:?}") };
    let id = SyncTaskId::from_stored(pull.attributes["sync_task"].clone());
    assert_eq!(pull.trace, id.as_str().replace('-', ""));
    let steps = [
        ("B2 pull", "frontend", "fetch"),
        ("B3 stage", "frontend", "stage"),
        ("C apply", "backoffice", "apply"),
        ("C6a look up", "backoffice", "look_up"),
        ("C6b insert", "backoffice", "insert"),
        ("C7 write back", "backoffice", "settle"),
        ("D close", "frontend", "close"),
    ];
    for (step, service, name) in steps {
        let found =
            spans.iter().filter(|span| span.trace == pull.trace && span.service == service && span.name == name);
        assert!(found.count() > 0, "{step}: no {name} of {service} in {spans:?}");
    }
    let log = frontend.log();
    assert!(log.contains(id.as_str()), "the scheduler's run is the sync task: {log}");
}
