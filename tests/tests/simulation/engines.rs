//! What runs in a process: the real engine, flows, agencies and clients, over the simulated store, queue and network.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use datawald_backoffice::{Backoffice, OrdersTarget};
use datawald_core::engine::{Engine, EngineSettings, Flow};
use datawald_core::http::Transport;
use datawald_frontend::OrdersSource;
use mage2_connector::{Mage2Agency, Mage2Client, Mage2Settings};
use sapb1_connector::settings::ChangeRule;
use sapb1_connector::{B1Agency, B1Settings};

use super::network::{Link, Peer};
use super::process::Process;
use super::queue::LossyQueue;
use super::schedule::Group;
use super::store::FaultyStore;
use super::world::World;

/// Lease and settle delay as they are by default; the rest so that a run is short.
fn settings() -> EngineSettings {
    EngineSettings {
        page_size: 4,
        batch: 5,
        concurrency: 2,
        sweep_ms: 12_000,
        close_wait_ms: 90_000,
        max_backoff_ms: 60_000,
        // Nothing fails here for having lost its workers too often.
        max_lost_leases: 10_000,
        ..EngineSettings::default()
    }
}

fn rules(world: &World) -> B1Settings {
    let mut rules = datawald_examples::b1_settings().unwrap();
    rules.changes = ChangeRule::Addresses;
    if !world.prefix().is_empty() {
        rules.reference.prefix.insert(world.shops[0].name().to_owned(), world.prefix().to_owned());
    }
    rules
}

fn link(world: &World, process: &Arc<Process>, peer: Peer) -> Arc<dyn Transport> {
    Arc::new(Link { process: process.clone(), wires: world.wires.clone(), peer })
}

fn backoffice(world: &World, process: &Arc<Process>) -> Arc<dyn Backoffice> {
    let rules = rules(world);
    let api = world.b1.api_with_http(&rules, |http| http.transport = Some(link(world, process, Peer::B1))).unwrap();
    Arc::new(B1Agency::new(api, rules))
}

pub(crate) fn is_frontend(process: &Process) -> bool {
    process.name.starts_with("frontend")
}

fn engine(world: &World, process: &Arc<Process>) -> Engine {
    let store = FaultyStore { watch: world.watch.clone(), ..FaultyStore::new(world.store.clone(), process) };
    let queue = LossyQueue { inner: world.queue.clone(), process: process.clone() };
    let mut builder =
        Engine::builder(Arc::new(store)).queue(Arc::new(queue)).clock(process.clock.clone()).settings(settings());
    let backoffice = (!is_frontend(process)).then(|| backoffice(world, process));
    for (shop, flow) in world.shops.iter().zip(&world.flows) {
        let mut settings = Mage2Settings::bearer(shop.sandbox.url(), shop.sandbox.token());
        settings.transport = Some(link(world, process, Peer::Shop(shop.place)));
        if world.schedule().has(Group::Agent) {
            settings.orders.number_prefix = ["1", "2"].map(|store| (store.into(), format!("V{store}-"))).into();
        }
        let client = Mage2Client::with_clock(settings, process.clock.clone()).unwrap();
        let flow = Flow::new(flow.clone());
        builder = builder.flow(match &backoffice {
            None => flow.source(OrdersSource::new(Arc::new(Mage2Agency::with_client(client)))),
            Some(backoffice) => flow.target(OrdersTarget::new(backoffice.clone())),
        });
    }
    builder.build().unwrap()
}

/// A process from its start until it is killed or ends by itself.
pub(crate) async fn life(world: Arc<World>, process: Arc<Process>) {
    let engine = engine(&world, &process);
    if is_frontend(&process) {
        return pull(&world, &process, &engine).await;
    }
    let mut crews = Vec::new();
    for flow in &world.flows {
        crews.push(engine.start_workers(flow).unwrap());
    }
    let [first, rest @ ..] = &crews[..] else { return };
    let error = match rest {
        [] => first.halted().await,
        [second, ..] => tokio::select! {
            biased;
            error = first.halted() => error,
            error = second.halted() => error,
        },
    };
    process.tell(format!("ends by itself: {error}"));
}

/// Counts a run as long as it goes on, also if it is killed.
struct UnderWay<'a>(&'a AtomicUsize);

impl<'a> UnderWay<'a> {
    fn new(world: &'a World) -> Self {
        world.under_way.fetch_add(1, Ordering::Relaxed);
        Self(&world.under_way)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

async fn pull(world: &World, process: &Process, engine: &Engine) {
    loop {
        for flow in &world.flows {
            if world.closing.load(Ordering::Relaxed) {
                std::future::pending::<()>().await;
            }
            let calm = world.is_calm();
            let _under_way = UnderWay::new(world);
            match engine.sync(flow).await {
                Ok(report) => {
                    let run = world.watch.run(&report.sync_task.id);
                    let (new, again) = (report.pulled.inserted, report.pulled.restaged);
                    if new + again > 0 {
                        process.tell(format!("has done run {run} of {flow}: {new} new, {again} changed"));
                    }
                    if calm {
                        *world.runs.lock().unwrap().entry(flow.clone()).or_default() += 1;
                    }
                }
                Err(error) => process.tell(format!("a run of {flow} ends: {error}")),
            }
        }
        let rest = world.chance.dice("between runs", process.id).seconds(5, 60);
        tokio::time::sleep(rest).await;
        // Not at once, whatever the clock does.
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
