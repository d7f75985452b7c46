//! A core that is killed at any moment loses nothing that it has accepted.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use datawald_core::Effect;
use datawald_core::http::{Http, HttpRequest, HttpSettings};
use datawald_core::model::{EntityKey, SyncTaskId, Table};
use datawald_core::store::{SqliteStore, StagingStore};
use datawald_tests::Process;
use datawald_tests::servers::free_port;
use http::Method;
use http::header::AUTHORIZATION;
use mage2_connector::sandbox::OrderSet;
use rand::RngExt;
use rustix::process::Signal;
use sapb1_connector::sandbox::Way;

use crate::world::{LIMIT, World, address};

const KILLS: usize = 20;
const CALLERS: usize = 6;

/// Orders and sync tasks that the core has said it has.
#[derive(Default)]
struct Accepted {
    orders: BTreeSet<String>,
    sync_tasks: BTreeSet<String>,
    refused: u64,
}

async fn call(http: &Http, secret: &str, path: &str, body: String) -> bool {
    let request = HttpRequest::new("stage", Effect::IdempotentWrite, Method::PUT, http.url(path).unwrap());
    let request = request.secret_header(AUTHORIZATION, &format!("Bearer {secret}")).unwrap().json(body);
    http.send(request).await.is_ok_and(|answer| answer.status.is_success())
}

/// Hands orders over, one after the other, alone and in batches, and records them; whatever is not accepted, for good.
async fn hand_over(caller: usize, api: String, secret: String, over: Arc<AtomicBool>) -> Accepted {
    let http = Http::new(HttpSettings::new(&api).unwrap()).unwrap();
    let mut accepted = Accepted::default();
    let order =
        |id: &str| format!("{{\"frontend\":\"mage2\",\"data\":{{\"fe_order_id\":\"{id}\",\"grand_total\":\"1.00\"}}}}");
    let mut n = 0;
    while !over.load(Ordering::SeqCst) {
        n += 1;
        let ids: Vec<String> = match n % 3 {
            0 => (0..20).map(|m| format!("{caller}-{n}-{m}")).collect(),
            _ => vec![format!("{caller}-{n}")],
        };
        let took = match &ids[..] {
            [id] => call(&http, &secret, &format!("backoffice/order/{id}"), order(id)).await,
            ids => {
                let entities: Vec<_> =
                    ids.iter().map(|id| format!("{{\"id\":\"{id}\",\"entity\":{}}}", order(id))).collect();
                call(&http, &secret, "backoffice/order", format!("{{\"entities\":[{}]}}", entities.join(","))).await
            }
        };
        if !took {
            accepted.refused += 1;
            tokio::time::sleep(Duration::from_millis(5)).await;
            continue;
        }
        let task = format!("task-{caller}-{n}");
        let members: Vec<_> = ids.iter().map(|id| format!("{{\"id\":\"{id}\"}}")).collect();
        let body = format!("{{\"id\":\"{task}\",\"entities\":[{}]}}", members.join(","));
        if call(&http, &secret, "control/synccontrol/mage2/sync_orders", body).await {
            accepted.sync_tasks.insert(task);
        }
        accepted.orders.extend(ids);
    }
    accepted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_core_loses_no_accepted_request() {
    let mut world = World::new(Way::ServiceLayer, OrderSet::Synthetic(1)).await;
    // Each core listens where the one before it did.
    let port = free_port().unwrap();
    world.more =
        format!("[api]\nlisten = '127.0.0.1:{port}'\n[api.limits]\nrequests_per_second = 100000\nburst = 100000");
    world.write();
    let mut create = world.command(&["token", "create", "agents", "--scope", "stage"]);
    let made = tokio::task::spawn_blocking(move || create.output()).await.unwrap().unwrap();
    let secret = String::from_utf8(made.stdout).unwrap().trim().to_owned();
    let start = |n: usize| -> Process { world.start(&format!("core-{n}"), &["--role", "core"]) };

    let mut core = start(0);
    let api = address(&mut core, "api").await;
    let over = Arc::new(AtomicBool::new(false));
    let callers: Vec<_> =
        (0..CALLERS).map(|caller| tokio::spawn(hand_over(caller, api.clone(), secret.clone(), over.clone()))).collect();
    for n in 1..=KILLS {
        let wait = rand::rng().random_range(20..250);
        tokio::time::sleep(Duration::from_millis(wait)).await;
        core.kill();
        core = start(n);
        address(&mut core, "api").await;
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    over.store(true, Ordering::SeqCst);
    let (mut orders, mut sync_tasks, mut refused) = (BTreeSet::new(), BTreeSet::new(), 0);
    for caller in callers {
        let accepted = caller.await.unwrap();
        orders.extend(accepted.orders);
        sync_tasks.extend(accepted.sync_tasks);
        refused += accepted.refused;
    }
    core.signal(Signal::TERM);
    core.succeed(LIMIT).await;

    let store = SqliteStore::open(world.folder.path().join("host.db")).unwrap();
    for id in &orders {
        let key = EntityKey { table: Table::Orders, frontend: "mage2".into(), id: id.clone() };
        assert!(store.get(&key).await.unwrap().is_some(), "{id} was accepted and is lost");
    }
    for id in &sync_tasks {
        assert!(store.sync_task(&SyncTaskId::from_stored(id.clone())).await.unwrap().is_some(), "{id} is lost");
    }
    println!(
        "{} orders and {} sync tasks accepted, {refused} calls not, {KILLS} kills",
        orders.len(),
        sync_tasks.len()
    );
    assert!(orders.len() > 200 && refused >= 5, "{} accepted, {refused} not", orders.len());
}
