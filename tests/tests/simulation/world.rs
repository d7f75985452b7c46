//! The world: shops, SAP B1, a store, processes; and a run from the first order until all is at rest.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use datawald_core::Clock;
use datawald_core::model::{Entity, EntityKey, FlowId, Table};
use datawald_core::queue::InProcessQueue;
use datawald_core::store::{SqliteStore, StagingStore};
use jiff::Timestamp;
use mage2_connector::sandbox::{Sandbox, SandboxOptions};
use sapb1_connector::sandbox::{B1Sandbox, Company, Faults, service_layer};

use super::chance::{Chance, Strike};
use super::clock::WallClock;
use super::judge::{Watch, Wrong, judge};
use super::network::{Peer, Wires};
use super::papers::{self, Paper};
use super::process::Process;
use super::schedule::{Group, Schedule};
use super::shop::{Record, Shop};
use super::story::Story;
use super::{customers, engines, people};

/// How long things happen and faults strike.
pub(crate) const ACTIVE: Duration = Duration::from_secs(900);

/// How long it may take afterwards until all is at rest.
const PATIENCE: Duration = Duration::from_secs(4 * 3_600);

pub(crate) struct World {
    pub(crate) chance: Arc<Chance>,
    pub(crate) story: Arc<Story>,
    pub(crate) clock: Arc<WallClock>,
    pub(crate) shops: Vec<Arc<Shop>>,
    pub(crate) b1: Arc<B1Sandbox>,
    pub(crate) wires: Arc<Wires>,
    pub(crate) store: SqliteStore,
    pub(crate) queue: InProcessQueue,
    pub(crate) flows: Vec<FlowId>,
    pub(crate) processes: Vec<Arc<Process>>,
    pub(crate) watch: Arc<Watch>,
    /// Documents of other people's making, with their totals.
    pub(crate) foreign: Arc<Mutex<BTreeMap<i64, u64>>>,
    /// Documents that were drafts.
    pub(crate) approved: Mutex<BTreeSet<i64>>,
    /// References are made otherwise than before.
    pub(crate) other_rules: AtomicBool,
    /// What operators have had done again.
    pub(crate) resynced: Mutex<BTreeSet<EntityKey>>,
    /// Runs of frontends that began since it is calm, by flow.
    pub(crate) runs: Mutex<BTreeMap<FlowId, usize>>,
    /// No run is to begin any more.
    pub(crate) closing: AtomicBool,
    /// Runs of frontends that have begun and not ended.
    pub(crate) under_way: AtomicUsize,
    serial: Mutex<u64>,
}

/// What came of a run.
pub(crate) struct Verdict {
    pub(crate) wrongs: Vec<Wrong>,
    pub(crate) struck: Vec<Strike>,
    pub(crate) story: Vec<String>,
    /// How often each place was passed where something may strike.
    pub(crate) passed: BTreeMap<&'static str, u64>,
}

/// Runs a schedule.
pub(crate) fn run(schedule: &Schedule) -> Verdict {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let world = Arc::new(World::new(schedule.clone()));
        world.go().await;
        let wrongs = judge(&world).await;
        for wrong in &wrongs {
            world.story.tell("JUDGE", wrong);
        }
        Verdict { wrongs, struck: world.chance.struck(), story: world.story.lines(), passed: world.chance.passed() }
    })
}

impl World {
    fn new(schedule: Schedule) -> Self {
        let chance = Arc::new(Chance::new(schedule.clone()));
        let story = Arc::new(Story::new());
        let clock = Arc::new(WallClock::right());
        let mut routers = Vec::new();
        let mut shops = Vec::new();
        for place in 0..if schedule.has(Group::Collision) || schedule.has(Group::SameNumbers) { 2 } else { 1 } {
            let (sandbox, router) = Sandbox::in_process(SandboxOptions::default()).unwrap();
            routers.push((Peer::Shop(place), router));
            shops.push(Arc::new(Shop::new(place, sandbox, story.clone())));
        }
        let company = Company { clock: clock.clone(), licences: 1_000, ..datawald_examples::sample_company() };
        let (b1, router) = B1Sandbox::in_process(schedule.way, company);
        routers.push((Peer::B1, router));
        let b1 = Arc::new(b1);
        let watch = Arc::new(Watch::new(story.clone()));
        let foreign: Arc<Mutex<BTreeMap<i64, u64>>> = Arc::default();
        let before = {
            let shops = shops.clone();
            Box::new(move || shops.iter().for_each(|shop| shop.tick()))
        };
        let after_write = {
            let (shops, b1, watch, foreign) = (shops.clone(), b1.clone(), watch.clone(), foreign.clone());
            Box::new(move || {
                let records: Vec<_> = shops.iter().flat_map(|shop| shop.records.lock().unwrap().clone()).collect();
                watch.written(&records, &papers::all(&b1), &foreign.lock().unwrap());
            })
        };
        let wires = Arc::new(Wires::new(chance.clone(), story.clone(), routers, before, after_write));
        let names = (1..=schedule.workers).map(|nth| format!("worker {nth}"));
        let names = names.chain((1..=schedule.frontends).map(|nth| format!("frontend {nth}")));
        let processes = names
            .enumerate()
            .map(|(id, name)| Arc::new(Process::new(id, name, chance.clone(), story.clone())))
            .collect();
        let flows = shops.iter().map(|shop| FlowId::new(Table::Orders, shop.name())).collect();
        let world = Self {
            chance,
            story,
            clock,
            shops,
            b1,
            wires,
            store: SqliteStore::in_memory().unwrap(),
            queue: InProcessQueue::default(),
            flows,
            processes,
            watch,
            foreign,
            approved: Mutex::default(),
            other_rules: AtomicBool::new(false),
            resynced: Mutex::default(),
            runs: Mutex::default(),
            closing: AtomicBool::new(false),
            under_way: AtomicUsize::new(0),
            serial: Mutex::new(0),
        };
        world.set_faults(true);
        world
    }

    /// Whether faults have ended.
    pub(crate) fn is_calm(&self) -> bool {
        self.chance.is_calm()
    }

    pub(crate) fn schedule(&self) -> &Schedule {
        self.chance.schedule()
    }

    /// An amount that nothing else in this world has.
    pub(crate) fn cents(&self) -> u64 {
        1_000 + 37 * self.next()
    }

    /// A street that nothing else in this world has.
    pub(crate) fn street(&self) -> String {
        format!("{} High Street", self.next())
    }

    fn next(&self) -> u64 {
        let mut serial = self.serial.lock().unwrap();
        *serial += 1;
        *serial
    }

    pub(crate) fn records(&self) -> Vec<Record> {
        self.shops.iter().flat_map(|shop| shop.records.lock().unwrap().clone()).collect()
    }

    pub(crate) fn papers(&self) -> Vec<Paper> {
        papers::all(&self.b1)
    }

    /// The order that an entity is of, by the shop's own id in what was staged.
    pub(crate) fn record_of(&self, entity: &Entity) -> Option<(usize, Record)> {
        let raw: serde_json::Value = serde_json::from_str(&entity.raw).ok()?;
        let id = raw.get("entity_id")?.as_u64()?;
        let shop = self.shops.iter().find(|shop| shop.name() == entity.key.frontend)?;
        let records = shop.records.lock().unwrap();
        records.iter().find(|record| record.entity_id == id).map(|record| (shop.place, record.clone()))
    }

    /// Under what an order is to stand in SAP B1.
    pub(crate) fn reference(&self, record: &Record) -> String {
        let Record { number, store, .. } = record;
        let prefix = if record.shop == 0 { self.prefix() } else { "" };
        match self.schedule().has(Group::Agent) {
            true => format!("{prefix}V{store}-{number}"),
            false => format!("{prefix}{number}"),
        }
    }

    /// Whether orders of two shops have the same numbers, and nothing that would tell them apart.
    pub(crate) fn shares_numbers(&self) -> bool {
        self.schedule().has(Group::SameNumbers) && !self.schedule().has(Group::Collision)
    }

    /// What stands before the numbers of the first shop in SAP B1.
    pub(crate) fn prefix(&self) -> &'static str {
        match (self.schedule().has(Group::Collision), self.other_rules.load(Ordering::Relaxed)) {
            (false, false) => "",
            (false, true) => "W-",
            (true, false) => "2-",
            (true, true) => "W2-",
        }
    }

    /// The time by the store's clock, as whoever asks the core is told it.
    pub(crate) async fn store_now(&self) -> Timestamp {
        let record = self.store.record("clock").await.unwrap();
        let micros = record.and_then(|record| record.value.split('/').next()?.parse().ok());
        micros.and_then(|micros| Timestamp::from_microsecond(micros).ok()).unwrap_or_else(|| self.clock.now())
    }

    /// What goes wrong in SAP B1 by itself.
    fn set_faults(&self, on: bool) {
        let strikes = |group, site, every: u64| {
            if on && self.chance.strikes(group, site, 0, 1_000).is_some() { every } else { 0 }
        };
        let faults = Faults {
            end_session_every: strikes(Group::Sessions, "sessions end", 23),
            crash_every: strikes(Group::Partial, "batches end early", 5),
            crash_after_orders: 2,
            html_every: strikes(Group::Partial, "a proxy answers", 29),
            block_duplicates: self.schedule().has(Group::Fence),
            ..Faults::default()
        };
        let approval_every = strikes(Group::Drafts, "drafts", 6);
        match &*self.b1 {
            B1Sandbox::ServiceLayer(sandbox) => {
                sandbox.set_faults(service_layer::Faults { approval_every, ..faults.into() });
            }
            B1Sandbox::Restful(_) => self.b1.set_faults(faults),
        }
    }

    async fn go(self: &Arc<Self>) {
        for process in &self.processes {
            let (world, own) = (self.clone(), process.clone());
            let process = process.clone();
            tokio::spawn(async move {
                process.live(move || engines::life(world.clone(), own.clone())).await;
            });
        }
        for place in (0..self.schedule().orders).filter(|place| !self.schedule().absent.contains(place)) {
            tokio::spawn(customers::order(self.clone(), place));
            tokio::spawn(people::colleague(self.clone(), place));
        }
        tokio::spawn(people::clerk(self.clone()));
        tokio::spawn(people::operator(self.clone()));
        tokio::spawn(people::approver(self.clone()));
        tokio::spawn(people::rules(self.clone()));
        tokio::spawn(people::clocks(self.clone()));
        tokio::time::sleep(ACTIVE).await;
        self.story.tell("-", "the faults end");
        self.chance.calm();
        self.set_faults(false);
        self.processes.iter().for_each(|process| process.clock.correct());
        self.shops.iter().for_each(|shop| shop.clock.correct());
        self.come_to_rest().await;
        // Runs that have begun come to their end, and no other begins.
        self.closing.store(true, Ordering::Relaxed);
        let deadline = self.story.elapsed() + Duration::from_secs(1_800);
        while self.under_way.load(Ordering::Relaxed) > 0 && self.story.elapsed() < deadline {
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
    }

    async fn come_to_rest(&self) {
        let deadline = self.story.elapsed() + PATIENCE;
        let mut quiet = 0;
        while quiet < 3 && self.story.elapsed() < deadline {
            tokio::time::sleep(Duration::from_secs(60)).await;
            quiet = if self.is_at_rest().await { quiet + 1 } else { 0 };
        }
    }

    /// Whether nothing is open and nothing on its way, no process stands still that would open something once it goes on, and
    /// each flow was pulled twice since.
    async fn is_at_rest(&self) -> bool {
        if self.processes.iter().any(|process| process.is_stopped()) {
            return false;
        }
        for flow in &self.flows {
            let pulled = self.runs.lock().unwrap().get(flow).copied().unwrap_or(0);
            if pulled < 2 || self.store.next_due(flow).await.unwrap().is_some() {
                return false;
            }
        }
        self.wires.on_the_way() == 0
    }
}
