//! `kill -9` of `orders_sync` at every named point of the engine, then a restart: every order ends S, and SAP B1 holds one
//! document each. On the embedded store over both ways into SAP B1, and on servers. Real processes; the sandboxes live in the
//! test and survive the crash.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::time::Duration;

use datawald_core::Checkpoint;
use datawald_examples::{b1_arguments, sample_company};
use datawald_tests::servers::{in_database, shared_amqp_url, shared_mongodb_uri};
use datawald_tests::{Run, orders_sync, run_orders_sync};
use futures::future::join_all;
use mage2_connector::sandbox::{OrderSet, Sandbox, SandboxOptions};
use sapb1_connector::sandbox::{B1Sandbox, Faults, Way, restful, service_layer};

const ORDERS: u64 = 120;

struct Sides {
    magento: Sandbox,
    b1: B1Sandbox,
    folder: tempfile::TempDir,
    /// Arguments that name store and queue; none for a file and within the process.
    backends: Vec<String>,
    settle_delay: Duration,
}

impl Sides {
    async fn start(way: Way) -> Self {
        let options = SandboxOptions { orders: OrderSet::Synthetic(ORDERS), ..SandboxOptions::default() };
        Self {
            magento: Sandbox::start(options).await.unwrap(),
            b1: B1Sandbox::start(way, sample_company()).await.unwrap(),
            folder: tempfile::tempdir().unwrap(),
            backends: Vec::new(),
            settle_delay: Duration::from_millis(700),
        }
    }

    /// Staged in MongoDB, with tasks by way of RabbitMQ.
    async fn start_on_servers(way: Way) -> Self {
        let name = format!("crash-{}", uuid::Uuid::now_v7().simple());
        let store = in_database(&shared_mongodb_uri().unwrap(), &name);
        let backends = ["--store", &store, "--queue", &shared_amqp_url().unwrap(), "--shop", &name].map(String::from);
        Self { backends: backends.into(), ..Self::start(way).await }
    }

    /// The number of an order at the shop.
    fn number(&self, id: u64) -> String {
        let order: serde_json::Value = serde_json::from_str(&self.magento.order(id).unwrap()).unwrap();
        order["increment_id"].as_str().unwrap().to_owned()
    }

    fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn args(&self, more: &[&str]) -> Vec<String> {
        let token = SandboxOptions::default().token;
        let mut args: Vec<String> =
            ["--magento", &self.magento.url(), "--magento-token", &token].map(String::from).into();
        args.extend(b1_arguments(&self.b1));
        let sizes = ["--page-size", "25", "--batch", "10", "--concurrency", "2", "--lease-ms", "2000"];
        args.extend(sizes.map(String::from));
        let settle_delay = self.settle_delay.as_millis().to_string();
        args.extend(["--settle-delay-ms", &settle_delay, "--close-wait-ms", "120000"].map(String::from));
        args.extend(self.backends.iter().cloned());
        args.extend(more.iter().map(|arg| (*arg).to_owned()));
        args
    }

    /// Runs until the process kills itself at `point`.
    async fn crash(&self, point: &str) {
        self.crash_with(point, &[]).await;
    }

    async fn crash_with(&self, point: &str, more: &[&str]) {
        let args = self.args(&[&["--crash-at", point], more].concat());
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        let run = run_orders_sync(self.folder(), &args).await;
        assert_eq!(run.output.status.signal(), Some(9), "{point}: {}", String::from_utf8_lossy(&run.output.stderr));
    }

    /// Runs to the end.
    async fn run(&self, more: &[&str]) -> Run {
        let args = self.args(more);
        let args: Vec<_> = args.iter().map(String::as_str).collect();
        run_orders_sync(self.folder(), &args).await
    }

    /// Runs to the end: every order ends S, and SAP B1 holds one document each.
    async fn recover(&self, what: &str) {
        let run = self.run(&[]).await;
        let open: Vec<_> = run.orders().iter().filter(|order| order["tx_status"] != "S").collect();
        assert!(open.is_empty(), "{what}: {}, {open:?}", run.report()["run"]);
        assert_eq!(run.count("S") as u64, ORDERS, "{what}");
        let counters = self.b1.counters();
        assert_eq!(counters.documents, ORDERS, "{what}: documents in SAP B1");
        for order in run.orders() {
            let document = self.b1.document(order["fe_order_id"].as_str().unwrap()).expect("a document of each order");
            assert_eq!(order["bo_order_id"], document.doc_entry.to_string(), "{what}");
        }
    }
}

async fn survives(way: Way, point: Checkpoint, times: &[u32], on_servers: bool) {
    // Side by side: most of each is waiting for leases.
    join_all(times.iter().map(async |nth| {
        let what = format!("{}:{nth}", point.name());
        let sides = if on_servers { Sides::start_on_servers(way).await } else { Sides::start(way).await };
        sides.crash(&what).await;
        sides.recover(&what).await;
    }))
    .await;
}

macro_rules! crashes {
    ($($test:ident $point:ident $times:expr;)*) => {
        sapb1_connector::over_both_ways! {
            $($test)*
            killed_while_a_write_whose_answer_was_lost_is_still_carried_out
            killed_while_a_write_is_in_flight
            killed_after_a_write_and_started_with_another_prefix
            killed_around_a_cancellation
            lost_answers_double_nothing
        }

        $(async fn $test(way: Way) {
            survives(way, Checkpoint::$point, &$times, false).await;
        })*

        // Which store it is makes no difference to what is sent to SAP B1, so the servers go with one way: that in which a
        // killed process leaves something behind, its sessions; and with the middle of a run.
        mod on_servers_over_service_layer {
            use super::*;

            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() {
                survives(Way::ServiceLayer, Checkpoint::$point, &$times[$times.len() - 1..], true).await;
            })*
        }

        #[test]
        fn every_checkpoint_is_covered() {
            let covered = [$(Checkpoint::$point),*];
            for point in Checkpoint::ALL {
                assert!(covered.contains(point), "no test crashes at {point:?}");
            }
        }
    };
}

// What happens once in a run is crashed at once; what happens again and again, at the first and in the middle.
crashes! {
    before_pull_lease BeforePullLease [1];
    after_pull_lease AfterPullLease [1];
    after_sync_task AfterSyncTask [1];
    before_fetch BeforeFetch [1, 3];
    after_fetch AfterFetch [1, 3];
    before_stage BeforeStage [1, 3];
    after_stage AfterStage [1, 3];
    before_dispatch BeforeDispatch [1, 3];
    after_dispatch AfterDispatch [1, 3];
    before_pull_end BeforePullEnd [1];
    after_pull_end AfterPullEnd [1];
    before_claim BeforeClaim [1, 5];
    after_claim AfterClaim [1, 5];
    before_look_up BeforeLookUp [1, 5];
    after_look_up AfterLookUp [1, 5];
    before_write BeforeWrite [1, 5];
    after_write AfterWrite [1, 5];
    before_settle BeforeSettle [1, 5];
    after_settle AfterSettle [1, 5];
    before_ack BeforeAck [1, 5];
    after_ack AfterAck [1, 5];
    before_close BeforeClose [1];
    after_close AfterClose [1];
}

/// The answer to a write is lost, SAP B1 is still carrying it out, and the process dies.
async fn killed_while_a_write_whose_answer_was_lost_is_still_carried_out(way: Way) {
    let sides = Sides::start(way).await;
    sides.b1.set_faults(Faults { slow_commit_every: 1, slow_commit_ms: 500, ..Faults::default() });
    sides.crash("AfterWrite:1").await;
    sides.b1.set_faults(Faults::default());
    sides.recover("in flight").await;
}

/// Killed from outside while a write is in flight.
async fn killed_while_a_write_is_in_flight(way: Way) {
    let sides = Sides::start(way).await;
    sides.b1.set_faults(Faults { latency_ms: 300, ..Faults::default() });
    let args = sides.args(&[]);
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let mut child = orders_sync(sides.folder(), &args).spawn().unwrap();
    while sides.b1.counters().writes == 0 {
        assert!(child.try_wait().unwrap().is_none(), "it ended before it wrote");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    child.kill().unwrap();
    assert_eq!(child.wait().unwrap().signal(), Some(9));
    sides.b1.set_faults(Faults::default());
    sides.recover("killed from outside").await;
}

/// The orders that change in these tests, by their ids at the shop.
const CHANGED: std::ops::RangeInclusive<u64> = 1..=6;

/// Killed before cancellations are sent, and after: each document of an order that the shop has cancelled is cancelled, and no
/// other.
async fn killed_around_a_cancellation(way: Way) {
    let sides = Sides::start(way).await;
    sides.recover("at first").await;
    let mut cancelled = Vec::new();
    for id in CHANGED {
        let status = [("status".to_owned(), "canceled".into()), ("state".to_owned(), "canceled".into())];
        sides.magento.edit_order(id, status.into_iter().collect()).unwrap();
        cancelled.push(sides.number(id));
    }
    sides.crash("BeforeWrite:1").await;
    assert_eq!(sides.b1.counters().cancelled, 0, "it was killed before");
    sides.crash("AfterWrite:1").await;
    assert!(sides.b1.counters().cancelled > 0, "it was killed after");
    let run = sides.run(&[]).await;
    let (all, many) = (ORDERS as usize, cancelled.len());
    assert_eq!((run.count("S"), run.count("X")), (all - many, many), "{}", run.report()["run"]);
    let counters = sides.b1.counters();
    assert_eq!((counters.documents, counters.cancelled), (ORDERS, many as u64));
    assert!(cancelled.iter().all(|number| sides.b1.document(number).unwrap().cancelled));
}

/// Killed before changes are sent, and after: each document has the new address, and none is made anew. SAP B1 RESTful changes
/// nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_around_an_update() {
    let sides = Sides::start(Way::ServiceLayer).await;
    let settings = sides.folder().join("sapb1.toml");
    let sample = include_str!("../../examples/config/sapb1.toml");
    std::fs::write(&settings, format!("changes = \"addresses\"\n{sample}")).unwrap();
    let settings = ["--b1-settings", settings.to_str().unwrap()];
    assert_eq!(sides.run(&settings).await.count("S") as u64, ORDERS);
    for id in CHANGED {
        let text = sides.magento.order(id).unwrap();
        let mut order: serde_json::Value = serde_json::from_str(&text).unwrap();
        for address in ["/billing_address", "/extension_attributes/shipping_assignments/0/shipping/address"] {
            // A virtual order is shipped nowhere.
            if let Some(address) = order.pointer_mut(address) {
                address["street"] = serde_json::json!([format!("{id} New Street")]);
            }
        }
        let parts = ["billing_address", "extension_attributes"].map(|part| (part.to_owned(), order[part].take()));
        sides.magento.edit_order(id, parts.into_iter().collect()).unwrap();
    }
    let B1Sandbox::ServiceLayer(b1) = &sides.b1 else { panic!("it is another") };
    let moved = || {
        let street = |document: &service_layer::DocumentRecord| {
            document.body.pointer("/AddressExtension/ShipToStreet").and_then(|street| street.as_str().map(String::from))
        };
        b1.documents().iter().filter_map(street).filter(|street| street.ends_with(" New Street")).count()
    };
    sides.crash_with("BeforeWrite:1", &settings).await;
    assert_eq!(moved(), 0, "it was killed before");
    sides.crash_with("AfterWrite:1", &settings).await;
    assert!(moved() > 0, "it was killed after");
    let run = sides.run(&settings).await;
    assert_eq!(run.count("S") as u64, ORDERS, "{}", run.report()["run"]);
    assert_eq!((sides.b1.counters().documents, moved()), (ORDERS, CHANGED.count()));
}

/// A killed process leaves its sessions behind, each with a licence. They end by themselves, and until then the next one waits.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn licences_of_a_killed_process_come_back() {
    let mut sides = Sides::start(Way::ServiceLayer).await;
    let life = Duration::from_secs(8);
    let options =
        service_layer::SandboxOptions { licences: 2, session_timeout: life, ..sample_company().over_service_layer(0) };
    sides.b1 = B1Sandbox::ServiceLayer(service_layer::Sandbox::start(options).await.unwrap());
    sides.crash("AfterWrite:1").await;
    let B1Sandbox::ServiceLayer(b1) = &sides.b1 else { panic!("it is another") };
    assert_eq!(b1.counters().sessions, 2, "it held them all");
    let began = std::time::Instant::now();
    sides.recover("licences").await;
    assert_eq!(b1.counters().sessions_most, 2);
    assert!(began.elapsed() < life + Duration::from_secs(30), "{:?}", began.elapsed());
    assert_eq!(b1.counters().sessions, 0, "all are given back");
}

/// Before the restart somebody gives the shop a prefix: what may have been written keeps the reference that it was sent under.
async fn killed_after_a_write_and_started_with_another_prefix(way: Way) {
    let sides = Sides::start(way).await;
    sides.crash("AfterWrite:1").await;
    let before = sides.b1.counters().documents;
    assert!(before > 0, "it was killed before it wrote");
    let sample = include_str!("../../examples/config/sapb1.toml");
    let settings = sides.folder().join("sapb1.toml");
    std::fs::write(&settings, format!("{sample}\n[reference.prefix]\nmage2 = \"NEW-\"\n")).unwrap();
    let args = sides.args(&["--b1-settings", settings.to_str().unwrap()]);
    let args: Vec<_> = args.iter().map(String::as_str).collect();
    let run = run_orders_sync(sides.folder(), &args).await;
    assert_eq!(run.count("S") as u64, ORDERS, "{}", run.report()["run"]);
    assert_eq!(sides.b1.counters().documents, ORDERS, "documents in SAP B1");
    let prefixed = |order: &&serde_json::Value| {
        sides.b1.document(&format!("NEW-{}", order["fe_order_id"].as_str().unwrap())).is_some()
    };
    // What the killed process had under way keeps its reference, whether it came to be sent or not.
    let renamed = run.orders().iter().filter(prefixed).count() as u64;
    assert!(renamed > 0 && renamed <= ORDERS - before, "{renamed}");
}

/// The settle delay where documents are made late, and how late. The caller gives up within its lease of 2 s: whoever did not
/// wait had found nothing twice by then, and written it again.
const LATE: [Duration; 2] = [Duration::from_millis(3_000), Duration::from_millis(4_500)];

/// Answers get lost all the time, with the documents made at once, as late as the settle delay allows, or in part; nobody dies.
async fn lost_answers_double_nothing(way: Way) {
    // Every third would fall into step with three orders that are left: one of them gets each answer that is cut, and waits twice as long
    // each time. The Service Layer is asked for five tables of names at once, none of which may be cut.
    let cut_body_every = if way == Way::Restful { 5 } else { 7 };
    let all = [
        Faults { drop_after_commit_every: 2, ..Faults::default() },
        Faults { slow_commit_every: 2, slow_commit_ms: LATE[1].as_millis() as u64, ..Faults::default() },
        Faults { crash_every: 2, crash_after_orders: 4, ..Faults::default() },
        Faults { cut_body_every, ..Faults::default() },
        // Primes, so that no fault falls into step with the requests of an attempt and hits each of them.
        Faults { html_every: 11, unavailable_every: 13, end_session_every: 7, ..Faults::default() },
    ];
    join_all(all.into_iter().map(async |faults| {
        let mut sides = Sides::start(way).await;
        if faults.slow_commit_every > 0 {
            sides.settle_delay = LATE[0];
        }
        let what = format!("{way}, {faults:?}");
        sides.b1.set_faults(faults);
        sides.recover(&what).await;
    }))
    .await;
}

/// The answer of SAP B1 RESTful lists the orders of an insert; a batch of the Service Layer has its parts in order.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_of_restful_in_another_order_and_short_double_nothing() {
    let sides = Sides::start(Way::Restful).await;
    let B1Sandbox::Restful(sandbox) = &sides.b1 else { panic!("it is another") };
    sandbox.set_faults(restful::Faults { short: true, reorder: true, ..restful::Faults::default() });
    sides.recover("short and in another order").await;
}
