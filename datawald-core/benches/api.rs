//! What it costs to stage orders over HTTP, beside the same core in this process: orders per second and latencies, in turns.
//! `cargo bench -p datawald-core --bench api --features api,client`; ORDERS and TURNS change its size.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::print_stdout,
    clippy::float_arithmetic,
    reason = "a benchmark"
)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use datawald_core::Effect;
use datawald_core::SystemClock;
use datawald_core::api::{Api, ApiSettings, Scope, Tokens};
use datawald_core::engine::Engine;
use datawald_core::http::{Http, HttpRequest, HttpSettings};
use datawald_core::model::{FlowId, Intent, Order, Table};
use datawald_core::store::{Push, SqliteStore, StageEntity};
use http::Method;
use http::header::AUTHORIZATION;
use secrecy::ExposeSecret;
use tokio::net::TcpListener;

/// Callers at the same time.
const CALLERS: usize = 8;

/// Orders in a batch.
const BATCH: usize = 100;

fn number(name: &str, default: usize) -> usize {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

/// An order of five lines, about 2.5 KB as JSON.
fn order(id: &str) -> Order {
    let item = |n: usize| {
        serde_json::json!({"sku": format!("24-MB0{n}"), "name": "Joust Duffle Bag", "qty": "2", "price": "34.00",
            "original_price": "34.00", "tax_amt": "5.61", "sub_total": "68.00"})
    };
    let address =
        serde_json::json!({"firstname": "V", "lastname": "C", "city": "Calder", "region": "MI", "country": "US"});
    let order = serde_json::json!({"frontend": "mage2", "fe_order_id": id, "fe_order_status": "processing", "currency": "USD",
        "sub_total": "340.00", "tax_amt": "28.05", "grand_total": "396.87", "addresses": {"billto": address, "shipto": address},
        "items": (0..5).map(item).collect::<Vec<_>>()});
    serde_json::from_value(order).unwrap()
}

fn staged(id: &str) -> Push {
    let (doc, fingerprint) = order(id).to_document().unwrap();
    let entity = StageEntity {
        id: id.to_owned(),
        name: id.to_owned(),
        intent: Intent::Apply,
        source_status: "processing".into(),
        source_updated_at: None,
        fingerprint,
        raw: doc.clone(),
        doc,
    };
    Push { entity, if_rev: None }
}

fn body(id: &str) -> serde_json::Value {
    let order = serde_json::to_value(order(id)).unwrap();
    serde_json::json!({"frontend": "mage2", "data": order, "raw": order})
}

struct World {
    engine: Engine,
    http: Http,
    token: String,
    _folder: tempfile::TempDir,
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(folder.path().join("core.db")).unwrap());
        let engine = Engine::builder(store.clone()).build().unwrap();
        let token = Tokens::new(store, Arc::new(SystemClock)).create("bench", &[Scope::Stage], None).await.unwrap();
        let settings = ApiSettings { requests_per_second: 1_000_000, burst: 1_000_000, ..ApiSettings::default() };
        let router = Api::new(engine.clone(), settings.clone()).unwrap().router();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        tokio::spawn(
            async move { datawald_core::api::serve(listener, router, &settings, std::future::pending()).await },
        );
        let http = Http::new(HttpSettings::new(&url).unwrap()).unwrap();
        Self { engine, http, token: format!("Bearer {}", token.expose_secret()), _folder: folder }
    }

    async fn put(&self, path: &str, body: String) {
        let url = self.http.url(path).unwrap();
        let request = HttpRequest::new("stage", Effect::IdempotentWrite, Method::PUT, url);
        let request = request.secret_header(AUTHORIZATION, &self.token).unwrap().json(body);
        let answer = self.http.send(request).await.unwrap();
        assert!(answer.status.is_success(), "{}: {}", answer.status, String::from_utf8_lossy(&answer.body));
    }
}

/// How a caller stages orders.
#[derive(Clone, Copy, PartialEq)]
enum Way {
    One,
    Batch,
    OneOverHttp,
    BatchOverHttp,
}

/// A call, made before the clock runs.
enum Call {
    Here(Vec<Push>),
    OverHttp(String, String),
}

impl Call {
    fn new(way: Way, ids: &[String]) -> Self {
        match way {
            Way::One | Way::Batch => Call::Here(ids.iter().map(|id| staged(id)).collect()),
            Way::OneOverHttp => Call::OverHttp(format!("backoffice/order/{}", ids[0]), body(&ids[0]).to_string()),
            Way::BatchOverHttp => {
                let entities: Vec<_> = ids.iter().map(|id| serde_json::json!({"id": id, "entity": body(id)})).collect();
                Call::OverHttp("backoffice/order".to_owned(), serde_json::json!({"entities": entities}).to_string())
            }
        }
    }

    async fn carry_out(self, world: &World) {
        match self {
            Call::Here(pushes) => {
                world.engine.push(&FlowId::new(Table::Orders, "mage2"), pushes).await.unwrap();
            }
            Call::OverHttp(path, body) => world.put(&path, body).await,
        }
    }
}

/// Orders per second, and the latencies of the calls.
async fn turn(way: Way, orders: usize) -> (f64, Vec<Duration>) {
    let world = Arc::new(World::new().await);
    let size = if matches!(way, Way::One | Way::OneOverHttp) { 1 } else { BATCH };
    let calls: Vec<Vec<Call>> = (0..CALLERS)
        .map(|caller| {
            let ids: Vec<String> = (0..orders / CALLERS).map(|n| format!("{caller}-{n}")).collect();
            ids.chunks(size).map(|ids| Call::new(way, ids)).collect()
        })
        .collect();
    let started = Instant::now();
    let callers = calls.into_iter().map(|calls| {
        let world = world.clone();
        tokio::spawn(async move {
            let mut took = Vec::new();
            for call in calls {
                let began = Instant::now();
                call.carry_out(&world).await;
                took.push(began.elapsed());
            }
            took
        })
    });
    let mut latencies = Vec::new();
    for caller in callers.collect::<Vec<_>>() {
        latencies.extend(caller.await.unwrap());
    }
    ((orders / CALLERS * CALLERS) as f64 / started.elapsed().as_secs_f64(), latencies)
}

#[tokio::main]
async fn main() {
    let (orders, turns) = (number("ORDERS", 8_000), number("TURNS", 3));
    println!(
        "{orders} orders per turn, {CALLERS} callers, batches of {BATCH}, SQLite in one file; medians of {turns} turns"
    );
    let ways = [
        (Way::One, "one by one, in this process"),
        (Way::OneOverHttp, "one by one, over HTTP"),
        (Way::Batch, "in batches, in this process"),
        (Way::BatchOverHttp, "in batches, over HTTP"),
    ];
    let mut rates: Vec<Vec<f64>> = vec![Vec::new(); ways.len()];
    let mut latencies: Vec<Vec<Duration>> = vec![Vec::new(); ways.len()];
    for _ in 0..turns {
        for (n, (way, _)) in ways.iter().enumerate() {
            let (rate, took) = turn(*way, orders).await;
            rates[n].push(rate);
            latencies[n].extend(took);
        }
    }
    let median = |rates: &[f64]| {
        let mut rates = rates.to_vec();
        rates.sort_by(f64::total_cmp);
        rates[rates.len() / 2]
    };
    for (n, (way, name)) in ways.iter().enumerate() {
        let took = &mut latencies[n];
        took.sort();
        let at = |part: f64| took[((took.len() - 1) as f64 * part) as usize];
        let rate = median(&rates[n]);
        let beside = match way {
            Way::OneOverHttp | Way::BatchOverHttp => format!(", {:.2} of in-process", rate / median(&rates[n - 1])),
            _ => String::new(),
        };
        println!("{name:<28} {rate:>8.0} orders/s{beside}; a call takes {:.2?}, p99 {:.2?}", at(0.5), at(0.99));
    }
}
