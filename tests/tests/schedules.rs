//! Random schedules of a shop at work while it is pulled: ties in time, transactions that commit late, edits between the
//! pages of a pull, clocks that differ. Against the sandbox Magento: nothing is missed, nothing is doubled.
//!
//! A schedule is told by its seed alone, which a failure names.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use datawald_backoffice::OrdersTarget;
use datawald_core::engine::{Engine, EngineSettings, FetchQuery, Flow};
use datawald_core::model::{FlowId, Order, Table, TxStatus};
use datawald_core::store::{SqliteStore, StagingStore};
use datawald_core::{Clock, Cx, Result, SystemClock};
use datawald_frontend::{Frontend, OrdersSource, RawPage};
use datawald_tests::PlainBackoffice;
use futures::StreamExt;
use jiff::{SignedDuration, Timestamp};
use mage2_connector::sandbox::{OrderSet, Sandbox, SandboxOptions};
use mage2_connector::{Mage2Agency, Mage2Settings, format_time};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// The longest transaction and the greatest difference of a node's clock, in seconds; the overlap covers both.
const LATEST_COMMIT: i64 = 20;
const GREATEST_SKEW: i64 = 5;
const OVERLAP: i64 = LATEST_COMMIT + 2 * GREATEST_SKEW + 2;

/// A shop whose life goes on between the requests to it.
struct World {
    sandbox: Sandbox,
    random: StdRng,
    now: Timestamp,
    /// Node clocks, as seconds off.
    nodes: Vec<i64>,
    /// Transactions under way: when they commit, the order's number, and its version with the time that it bears.
    open: Vec<(Timestamp, u64, u64, Timestamp)>,
    /// The version of each order that was committed last, by the order's number.
    committed: BTreeMap<u64, u64>,
    begun: BTreeMap<u64, u64>,
    next_number: u64,
    orders: u64,
    /// So many requests of a pull are yet to be interrupted by the shop's life.
    interruptions: u32,
}

impl World {
    /// Some moments pass: transactions begin and commit.
    fn live(&mut self, moments: usize) {
        for _ in 0..moments {
            // Mostly the same second again, so that there are ties.
            let step = [0, 0, 0, 0, 1, 1, 2, 7][self.random.random_range(0..8)];
            self.now += SignedDuration::from_secs(step);
            let number = if self.next_number <= self.orders && self.random.random_bool(0.6) {
                self.next_number += 1;
                self.next_number - 1
            } else {
                self.random.random_range(1..self.next_number.max(2))
            };
            self.begin(number);
            self.commit();
        }
        self.sandbox.set_now(Some(self.now));
    }

    /// A transaction takes its time when it begins, by the clock of its node, and is seen when it commits. A database lets
    /// one transaction at a time have a row.
    fn begin(&mut self, number: u64) {
        if self.open.iter().any(|(_, other, ..)| *other == number) {
            return;
        }
        let version = self.begun.entry(number).and_modify(|version| *version += 1).or_insert(1);
        let node = self.nodes[self.random.random_range(0..self.nodes.len())];
        let bears = self.now + SignedDuration::from_secs(node);
        let takes = if self.random.random_bool(0.3) { self.random.random_range(0..=LATEST_COMMIT) } else { 0 };
        self.open.push((self.now + SignedDuration::from_secs(takes), number, *version, bears));
    }

    fn commit(&mut self) {
        let (due, open): (Vec<_>, Vec<_>) = self.open.drain(..).partition(|(at, ..)| *at <= self.now);
        self.open = open;
        for (_, number, version, bears) in due {
            self.sandbox.put_order(order(number, version, bears)).unwrap();
            self.committed.insert(number, version);
        }
    }

    /// All transactions come to their end.
    fn rest(&mut self) {
        self.now += SignedDuration::from_secs(LATEST_COMMIT + 1);
        self.commit();
        self.sandbox.set_now(Some(self.now));
    }
}

fn order(number: u64, version: u64, updated_at: Timestamp) -> String {
    let address = serde_json::json!({
        "firstname": "Ada", "lastname": "Byron", "street": ["1 Engine Way"], "city": "Calder", "postcode": "49628",
        "region_code": "MI", "country_id": "US", "telephone": "555", "email": "ada@example.com",
    });
    serde_json::json!({
        "entity_id": number, "increment_id": format!("{number:09}"), "state": "new", "status": "pending", "store_id": 1,
        "created_at": "2026-01-01 00:00:00", "updated_at": format_time(updated_at), "order_currency_code": "USD",
        "customer_is_guest": 1, "is_virtual": 0, "subtotal": 10, "grand_total": 10, "discount_amount": 0,
        "shipping_amount": 0, "shipping_tax_amount": 0, "tax_amount": 0, "total_qty_ordered": 1,
        // What tells one version of the order from another.
        "coupon_code": format!("version-{version}"),
        "items": [{"item_id": number, "sku": "SKU", "name": "Thing", "product_type": "simple", "qty_ordered": 1, "price": 10,
            "row_total": 10, "tax_amount": 0, "discount_amount": 0}],
        "billing_address": address, "payment": {"method": "checkmo"},
        "extension_attributes": {"shipping_assignments": [{"shipping": {"address": address, "method": "flatrate_flatrate"}}]},
    })
    .to_string()
}

/// The agency, but the shop lives on before each request.
struct Interrupted {
    base: Mage2Agency,
    world: Arc<Mutex<World>>,
    most: usize,
}

#[async_trait]
impl Frontend for Interrupted {
    fn base(&self) -> &dyn Frontend {
        &self.base
    }

    async fn fetch_orders(&self, cx: &Cx, query: &FetchQuery) -> Result<RawPage> {
        {
            let mut world = self.world.lock().unwrap();
            // A shop that changes faster than pages are read would keep one pull busy for ever.
            if world.interruptions > 0 {
                world.interruptions -= 1;
                let moments = world.random.random_range(0..=self.most);
                world.live(moments);
            }
        }
        self.base.fetch_orders(cx, query).await
    }
}

async fn schedule(seed: u64) {
    let mut random = StdRng::seed_from_u64(seed);
    let start: Timestamp = "2026-01-31T10:00:00Z".parse().unwrap();
    let sandbox =
        Sandbox::start(SandboxOptions { orders: OrderSet::Empty, now: Some(start), ..Default::default() }).await;
    let sandbox = sandbox.unwrap();
    let settings = Mage2Settings::bearer(sandbox.url(), SandboxOptions::default().token);
    let nodes = (0..3).map(|_| random.random_range(-GREATEST_SKEW..=GREATEST_SKEW)).collect();
    // Our own clock may be an hour off.
    let ours = start + SignedDuration::from_secs(random.random_range(-3_600..=3_600));
    let (pulls, page_size, orders) = (random.random_range(2..5), random.random_range(1..6), random.random_range(5..25));
    let world = Arc::new(Mutex::new(World {
        sandbox,
        now: start,
        nodes,
        open: Vec::new(),
        committed: BTreeMap::new(),
        begun: BTreeMap::new(),
        next_number: 1,
        orders,
        interruptions: 0,
        random,
    }));

    let flow = FlowId::new(Table::Orders, "mage2");
    let folder = tempfile::tempdir().unwrap();
    let store: Arc<dyn StagingStore> = match seed % 8 {
        0 => Arc::new(SqliteStore::open(folder.path().join("staging.db")).unwrap()),
        _ => Arc::new(SqliteStore::in_memory().unwrap()),
    };
    let erp = Arc::new(PlainBackoffice::default());
    let shop = Interrupted { base: Mage2Agency::new(settings).unwrap(), world: world.clone(), most: 6 };
    let engine = Engine::builder(store.clone())
        .clock(Arc::new(Shows(ours)))
        .settings(EngineSettings { page_size, overlap_ms: OVERLAP as u64 * 1_000, ..EngineSettings::default() })
        .flow(Flow::new(flow.clone()).source(OrdersSource::new(Arc::new(shop))).target(OrdersTarget::new(erp.clone())))
        .build()
        .unwrap();

    for _ in 0..pulls {
        {
            let mut world = world.lock().unwrap();
            world.live(5);
            world.interruptions = 12;
        }
        engine.run_once(&flow).await.unwrap();
    }
    // The shop comes to rest, and one more pull must bring all that there is.
    world.lock().unwrap().rest();
    let last = {
        let world = world.lock().unwrap();
        Mage2Settings::bearer(world.sandbox.url(), SandboxOptions::default().token)
    };
    let engine = Engine::builder(store.clone())
        .clock(Arc::new(Shows(ours)))
        .settings(EngineSettings { page_size, overlap_ms: OVERLAP as u64 * 1_000, ..EngineSettings::default() })
        .flow(
            Flow::new(flow.clone())
                .source(OrdersSource::new(Arc::new(Mage2Agency::new(last).unwrap())))
                .target(OrdersTarget::new(erp.clone())),
        )
        .build()
        .unwrap();
    engine.run_once(&flow).await.unwrap();

    let world = world.lock().unwrap();
    let standing = erp.standing();
    assert_eq!(standing.len(), world.committed.len(), "seed {seed}: documents and orders");
    for (number, version) in &world.committed {
        let id = format!("{number:09}");
        assert_eq!(standing.get(&id), Some(&1), "seed {seed}: documents of order {id}");
        let key = futures_block(store.named(&flow, &id));
        let entity = futures_block(store.get(&key));
        let staged: Order = serde_json::from_str(&entity.doc).unwrap();
        assert_eq!(
            staged.coupon_code,
            Some(format!("version-{version}")),
            "seed {seed}: order {id} is the last version"
        );
        assert_eq!(entity.status, TxStatus::Success, "seed {seed}: order {id}: {}", entity.note);
    }
}

/// A wall clock that stands still. Time passes all the same, for whoever waits.
#[derive(Debug)]
struct Shows(Timestamp);

impl Clock for Shows {
    fn now(&self) -> Timestamp {
        self.0
    }

    fn monotonic(&self) -> Duration {
        SystemClock.monotonic()
    }

    fn steady(&self) -> Timestamp {
        SystemClock.steady()
    }
}

fn futures_block<T>(future: impl Future<Output = Result<Option<T>>>) -> T {
    tokio::task::block_in_place(|| tokio::runtime::Handle::current().block_on(future)).unwrap().unwrap()
}

macro_rules! seeds {
    ($($test:ident $from:literal;)*) => {
        $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
        async fn $test() {
            // Most of each is waiting.
            let all = futures::stream::iter($from..$from + 120).for_each_concurrent(4, async |seed| {
                let ended = tokio::time::timeout(Duration::from_secs(30), schedule(seed)).await;
                assert!(ended.is_ok(), "seed {seed}: the schedule does not end");
            });
            all.await;
        })*
    };
}

// 360 schedules, in parts that run side by side; the simulation has the same faults among all others.
seeds! {
    schedules_from_0 0;
    schedules_from_1000 1000;
    schedules_from_2000 2000;
}
