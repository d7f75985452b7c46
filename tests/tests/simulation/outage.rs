//! An outage of twenty minutes of either side while orders come, of each kind that there is, in virtual time.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use axum::Router;
use axum::http::{HeaderMap, StatusCode};
use datawald_backoffice::OrdersTarget;
use datawald_core::engine::{Engine, EngineSettings, Flow, Side};
use datawald_core::http::{Answered, Broken, Carried, Transport};
use datawald_core::model::{Entity, FlowId, Table, TxStatus};
use datawald_core::queue::InProcessQueue;
use datawald_core::store::{EntityFilter, SqliteStore, StagingStore};
use datawald_frontend::OrdersSource;
use jiff::SignedDuration;
use mage2_connector::sandbox::{Sandbox, SandboxOptions};
use mage2_connector::{Mage2Agency, Mage2Client, Mage2Settings};
use sapb1_connector::B1Agency;
use sapb1_connector::sandbox::{B1Sandbox, Company, Way};

use super::clock::WallClock;
use super::network::ask;
use super::papers;
use super::shop::{Record, Shop, Version};
use super::story::Story;

const ORDERS: usize = 140;

const OUTAGE: Duration = Duration::from_secs(20 * 60);

/// How a side is away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Away {
    NoConnection,
    /// It takes requests and never answers.
    Hangs,
    /// 503.
    Busy,
    /// A proxy before it answers 502, with a page.
    NoUpstream,
    /// It answers 500 to everything.
    Broken,
    /// The password was changed.
    Refuses,
}

/// The way to one side.
struct Line {
    router: Router,
    shop: Option<Arc<Shop>>,
    away: Mutex<Option<Away>>,
    requests: AtomicUsize,
    at_once: AtomicUsize,
    most_at_once: AtomicUsize,
}

impl Line {
    fn new(router: Router, shop: Option<Arc<Shop>>) -> Arc<Self> {
        let (away, requests, at_once, most_at_once) = Default::default();
        Arc::new(Self { router, shop, away, requests, at_once, most_at_once })
    }

    fn set(&self, away: Option<Away>) {
        *self.away.lock().unwrap() = away;
    }

    /// How many requests there were since this was asked last, and how many at a time.
    fn look(&self) -> (usize, usize) {
        (self.requests.swap(0, Ordering::SeqCst), self.most_at_once.swap(0, Ordering::SeqCst))
    }

    async fn answer(&self, request: Carried) -> Result<Answered, Broken> {
        let status = |status, body: &'static str| {
            let body = axum::body::Bytes::from_static(body.as_bytes());
            Ok(Answered { status, headers: HeaderMap::new(), body })
        };
        let away = *self.away.lock().unwrap();
        tokio::time::sleep(Duration::from_millis(20)).await;
        match away {
            None => {
                if let Some(shop) = &self.shop {
                    shop.tick();
                }
                ask(self.router.clone(), request).await
            }
            Some(Away::NoConnection) => Err(Broken::Connect(None)),
            Some(Away::Hangs) => {
                tokio::time::sleep(request.timeout).await;
                Err(Broken::Timeout(None))
            }
            Some(Away::Busy) => status(StatusCode::SERVICE_UNAVAILABLE, ""),
            Some(Away::NoUpstream) => status(StatusCode::BAD_GATEWAY, "<html>Bad Gateway</html>"),
            Some(Away::Broken) => status(StatusCode::INTERNAL_SERVER_ERROR, "{}"),
            // The Service Layer tells by its code that a session is over.
            Some(Away::Refuses) if request.url.path().ends_with("/Login") => {
                status(StatusCode::UNAUTHORIZED, r#"{"error":{"code":100000027,"message":{"value":"Login failed"}}}"#)
            }
            Some(Away::Refuses) => {
                status(StatusCode::UNAUTHORIZED, r#"{"error":{"code":301,"message":{"value":"Invalid session"}}}"#)
            }
        }
    }
}

impl fmt::Debug for Line {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Line")
    }
}

#[async_trait]
impl Transport for Line {
    async fn exchange(&self, request: Carried) -> Result<Answered, Broken> {
        self.requests.fetch_add(1, Ordering::SeqCst);
        let at_once = self.at_once.fetch_add(1, Ordering::SeqCst) + 1;
        self.most_at_once.fetch_max(at_once, Ordering::SeqCst);
        let answered = self.answer(request).await;
        self.at_once.fetch_sub(1, Ordering::SeqCst);
        answered
    }
}

struct Town {
    shop: Arc<Shop>,
    shop_line: Arc<Line>,
    b1: B1Sandbox,
    b1_line: Arc<Line>,
    store: SqliteStore,
    queue: InProcessQueue,
    clock: Arc<WallClock>,
    flow: FlowId,
}

impl Town {
    fn new(way: Way) -> Self {
        let clock = Arc::new(WallClock::right());
        let (sandbox, router) = Sandbox::in_process(SandboxOptions::default()).unwrap();
        let shop = Arc::new(Shop::new(0, sandbox, Arc::new(Story::new())));
        let shop_line = Line::new(router, Some(shop.clone()));
        let company = Company { clock: clock.clone(), licences: 1_000, ..datawald_examples::sample_company() };
        let (b1, router) = B1Sandbox::in_process(way, company);
        let b1_line = Line::new(router, None);
        let flow = FlowId::new(Table::Orders, shop.name());
        let (store, queue) = (SqliteStore::in_memory().unwrap(), InProcessQueue::default());
        Self { shop, shop_line, b1, b1_line, store, queue, clock, flow }
    }

    /// A process, with its own clients.
    fn engine(&self) -> Engine {
        let rules = datawald_examples::b1_settings().unwrap();
        let b1 = self.b1.api_with_http(&rules, |http| http.transport = Some(self.b1_line.clone())).unwrap();
        let mut shop = Mage2Settings::bearer(self.shop.sandbox.url(), self.shop.sandbox.token());
        shop.transport = Some(self.shop_line.clone());
        let shop = Mage2Agency::with_client(Mage2Client::with_clock(shop, self.clock.clone()).unwrap());
        let flow = Flow::new(self.flow.clone())
            .source(OrdersSource::new(Arc::new(shop)))
            .target(OrdersTarget::new(Arc::new(B1Agency::new(b1, rules))));
        Engine::builder(Arc::new(self.store.clone()))
            .queue(Arc::new(self.queue.clone()))
            .clock(self.clock.clone())
            .settings(EngineSettings::default())
            .flow(flow)
            .build()
            .unwrap()
    }

    /// A customer's order.
    fn order(&self, nth: usize) {
        let cents = 1_000 + 37 * nth as u64;
        let version = Version { cents, street: format!("{nth} High Street"), status: "pending", mappable: true };
        let entity_id = nth as u64 + 1;
        let number = format!("{entity_id:09}");
        let record = Record { shop: 0, entity_id, number, store: 1, versions: vec![version], excuses: [].into() };
        self.shop.place(record, 0);
    }

    async fn entities(&self) -> Vec<Entity> {
        self.store.list(&EntityFilter { limit: 1_000, ..EntityFilter::default() }).await.unwrap().items
    }

    async fn done(&self) -> usize {
        self.entities().await.iter().filter(|entity| entity.status == TxStatus::Success).count()
    }
}

/// An outage of one side, of a kind; over one way into SAP B1.
async fn outage(way: Way, side: Side, away: Away) {
    let told = format!("{way}, {side:?} {away:?}");
    let town = Arc::new(Town::new(way));
    let workers = [town.engine(), town.engine()];
    let crews = workers.each_ref().map(|engine| engine.start_workers(&town.flow).unwrap());
    let frontend = town.engine();
    let customers = tokio::spawn({
        let town = town.clone();
        async move {
            for nth in 0..ORDERS {
                town.order(nth);
                tokio::time::sleep(Duration::from_secs(5)).await;
            }
        }
    });
    let pulls = tokio::spawn({
        let (town, frontend) = (town.clone(), frontend.clone());
        async move {
            loop {
                // In an outage of the shop: since when, and why.
                let _ = frontend.pull(&town.flow).await;
                tokio::time::sleep(Duration::from_secs(10)).await;
            }
        }
    });
    tokio::time::sleep(Duration::from_secs(60)).await;
    let line = if side == Side::Source { &town.shop_line } else { &town.b1_line };
    line.set(Some(away));
    // What was under way when it began comes to its end.
    tokio::time::sleep(Duration::from_secs(120)).await;
    line.look();
    let (before, done) = (town.clock.began() + SignedDuration::from_secs(59), town.done().await);
    tokio::time::sleep(OUTAGE - Duration::from_secs(120)).await;
    let (requests, at_once) = line.look();
    assert!((2..=60).contains(&requests) && at_once == 1, "{told}: {requests} requests, {at_once} at a time");
    assert_eq!(town.done().await, done, "{told}");
    for entity in town.entities().await.iter().filter(|entity| entity.status != TxStatus::Success) {
        let waits = matches!(entity.status, TxStatus::New | TxStatus::InDoubt | TxStatus::InProcess);
        assert!(
            waits && (entity.status != TxStatus::New || entity.attempts == 0),
            "{told}: {entity:?}, {}",
            entity.note
        );
    }
    let [pause] = &frontend.pauses().await.unwrap()[..] else { panic!("{told}: one pause") };
    assert!(pause.side == side && pause.since >= before && pause.probes >= 2, "{told}: {pause:?}");

    line.set(None);
    customers.await.unwrap();
    let longest = match away {
        // A log-in that hung may hold a licence as long as a session lives.
        Away::Hangs => Duration::from_secs(45 * 60),
        // A log-in that was refused is tried seldom, so that no user is locked.
        Away::Refuses => Duration::from_secs(65 * 60),
        _ => Duration::from_secs(330),
    };
    let mut waited = Duration::ZERO;
    while town.done().await < ORDERS {
        assert!(waited < longest, "{told}: {:?}", town.entities().await);
        tokio::time::sleep(Duration::from_secs(10)).await;
        waited += Duration::from_secs(10);
    }
    pulls.abort();
    assert_eq!(frontend.pauses().await.unwrap(), [], "{told}");
    let papers = papers::all(&town.b1);
    assert_eq!(papers.len(), ORDERS, "{told}: one document each");
    for crew in crews {
        crew.stop().await.unwrap();
    }
}

fn in_virtual_time(what: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
    runtime.block_on(what);
}

#[test]
fn an_outage_of_sap_b1_fails_no_order() {
    for way in [Way::Restful, Way::ServiceLayer] {
        for away in [Away::NoConnection, Away::Busy, Away::NoUpstream, Away::Broken, Away::Refuses, Away::Hangs] {
            in_virtual_time(outage(way, Side::Target, away));
        }
    }
}

#[test]
fn an_outage_of_the_shop_fails_no_order() {
    for away in [Away::NoConnection, Away::Busy, Away::NoUpstream, Away::Broken, Away::Refuses, Away::Hangs] {
        in_virtual_time(outage(Way::ServiceLayer, Side::Source, away));
    }
}
