//! A shop, a Service Layer and an engine between them, with times so short that a run takes about a second.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use datawald_backoffice::{Backoffice, OrdersTarget};
use datawald_core::engine::{Engine, EngineSettings, Flow, RunReport};
use datawald_core::model::{Entity, FlowId, Table, TxStatus};
use datawald_core::store::{EntityFilter, SqliteStore};
use datawald_core::{Clock, Result, SystemClock};
use datawald_frontend::OrdersSource;
use jiff::{SignedDuration, Timestamp};
use mage2_connector::sandbox::{Sandbox as Shop, SandboxOptions as ShopOptions};
use mage2_connector::{Mage2Agency, Mage2Settings};
use sapb1_connector::sandbox::service_layer::{Faults, Sandbox, SandboxOptions};
use sapb1_connector::sandbox::{COMPANY_DB, LOGIN};
use sapb1_connector::service_layer::{Contacts, Root};
use sapb1_connector::settings::ChangeRule;
use sapb1_connector::{B1Agency, B1Settings, ServiceLayerClient, ServiceLayerSettings};
use serde_json::{Value, json};

pub(crate) const ROOTS: [Root; 2] = [Root::V1, Root::V2];

/// What a world is made of; tests change it before it is there.
pub(crate) struct Setup {
    pub(crate) root: Root,
    pub(crate) orders: u64,
    pub(crate) options: SandboxOptions,
    pub(crate) rules: B1Settings,
    pub(crate) sessions: usize,
    pub(crate) licence_codes: Vec<i64>,
    pub(crate) contacts: Contacts,
    pub(crate) engine: EngineSettings,
    /// What stands above the agency.
    pub(crate) agent: fn(B1Agency) -> Arc<dyn Backoffice>,
}

impl Setup {
    pub(crate) fn new(root: Root, orders: u64) -> Self {
        let mut rules = datawald_examples::b1_settings().unwrap();
        rules.changes = ChangeRule::Addresses;
        rules.requests.write_timeout_s = 2;
        let options = SandboxOptions {
            // So that both cookies are needed.
            nodes: 2,
            customers: Some(BTreeSet::from(["C20000".to_owned()])),
            items: Some(BTreeSet::from(["SKU-1".to_owned()])),
            ..datawald_examples::sample_company().over_service_layer(0)
        };
        let engine = EngineSettings {
            concurrency: 2,
            lease_ms: 4_000,
            pull_lease_ms: 4_000,
            settle_delay_ms: 500,
            max_attempts: 40,
            backoff_ms: 50,
            max_backoff_ms: 300,
            sweep_ms: 20,
            close_wait_ms: 60_000,
            ..EngineSettings::default()
        };
        let agent = |agency| Arc::new(agency) as Arc<dyn Backoffice>;
        let (licence_codes, contacts) = (vec![-131], Contacts::Make);
        Self { root, orders, options, rules, sessions: 3, licence_codes, contacts, engine, agent }
    }
}

/// The system's clock, and as many seconds ahead of it as have passed for a test.
#[derive(Debug, Default)]
struct AheadClock(AtomicI64);

impl Clock for AheadClock {
    fn now(&self) -> Timestamp {
        let ahead = SignedDuration::from_secs(self.0.load(Ordering::SeqCst));
        SystemClock.now().saturating_add(ahead).unwrap_or(Timestamp::MAX)
    }

    fn monotonic(&self) -> Duration {
        SystemClock.monotonic() + Duration::from_secs(u64::try_from(self.0.load(Ordering::SeqCst)).unwrap_or(0))
    }
}

pub(crate) struct World {
    pub(crate) shop: Shop,
    pub(crate) b1: Sandbox,
    pub(crate) client: Arc<ServiceLayerClient>,
    engine: Engine,
    clock: Arc<AheadClock>,
    flow: FlowId,
    sessions: u64,
    /// Documents that somebody entered by hand.
    pub(crate) by_hand: u64,
    _folder: tempfile::TempDir,
}

/// How to reach `sandbox`.
pub(crate) fn connection(sandbox: &Sandbox, root: Root, rules: &B1Settings) -> ServiceLayerSettings {
    let mut made = ServiceLayerSettings::new(&sandbox.url(), COMPANY_DB, LOGIN.0, LOGIN.1.into(), rules).unwrap();
    made.set_root(root);
    made
}

impl World {
    pub(crate) async fn start(setup: Setup) -> Self {
        let Setup { root, orders, options, rules, sessions, licence_codes, contacts, engine, agent } = setup;
        let shop = Shop::start(ShopOptions::default()).await.unwrap();
        for number in 1..=orders {
            shop.put_order(order(number).to_string()).unwrap();
        }
        let b1 = Sandbox::start(options).await.unwrap();
        let connection = ServiceLayerSettings { sessions, licence_codes, contacts, ..connection(&b1, root, &rules) };
        let client = Arc::new(ServiceLayerClient::new(connection).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let store = Arc::new(SqliteStore::open(folder.path().join("staging.db")).unwrap());
        let frontend = Mage2Agency::new(Mage2Settings::bearer(shop.url(), shop.token())).unwrap();
        let flow = FlowId::new(Table::Orders, "mage2");
        let sides = Flow::new(flow.clone())
            .source(OrdersSource::new(Arc::new(frontend)))
            .target(OrdersTarget::new(agent(B1Agency::new(client.clone(), rules))));
        let clock = Arc::new(AheadClock::default());
        let engine = Engine::builder(store).settings(engine).clock(clock.clone()).flow(sides).build().unwrap();
        Self { shop, b1, client, engine, clock, flow, sessions: sessions as u64, by_hand: 0, _folder: folder }
    }

    /// A world of `orders` at each root, one after the other, as it is by default.
    pub(crate) async fn plain(root: Root, orders: u64) -> Self {
        Self::start(Setup::new(root, orders)).await
    }

    pub(crate) async fn run(&self) -> Result<RunReport> {
        self.engine.run_once(&self.flow).await
    }

    /// Runs while `meanwhile` goes on beside it.
    pub(crate) async fn run_while(&self, meanwhile: impl Future<Output = ()>) -> RunReport {
        tokio::join!(self.run(), meanwhile).0.unwrap()
    }

    /// Lets `secs` seconds pass for the engine.
    pub(crate) fn pass(&self, secs: i64) {
        self.clock.0.fetch_add(secs, Ordering::SeqCst);
    }

    pub(crate) fn faults(&self, faults: Faults) {
        self.b1.set_faults(faults);
    }

    pub(crate) async fn entities(&self) -> Vec<Entity> {
        self.engine.store().list(&EntityFilter::default()).await.unwrap().items
    }

    pub(crate) async fn entity(&self, number: u64) -> Entity {
        let sought = id(number);
        self.entities().await.into_iter().find(|entity| entity.name == sought).unwrap()
    }

    /// Every order that has not ended with success, its status and its note.
    pub(crate) async fn told(&self) -> String {
        let entities = self.entities().await;
        let open = entities.iter().filter(|it| it.status != TxStatus::Success);
        open.map(|it| format!("\n{} {} {} {}", it.name, it.status, it.attempts, it.note)).collect()
    }

    /// The most often that an order was taken up.
    pub(crate) async fn most_attempts(&self) -> u32 {
        self.entities().await.iter().map(|entity| entity.attempts).max().unwrap_or_default()
    }

    /// Has the customer cancel an order.
    pub(crate) fn cancel(&self, number: u64) {
        self.edit(number, &json!({ "state": "canceled", "status": "canceled" }));
    }

    /// Has the customer correct both addresses of an order.
    pub(crate) fn move_to(&self, number: u64, city: &str) {
        let mut changed = order(number);
        changed["billing_address"]["city"] = city.into();
        changed["extension_attributes"]["shipping_assignments"][0]["shipping"]["address"]["city"] = city.into();
        let parts = ["billing_address", "extension_attributes"].map(|name| (name.to_owned(), changed[name].clone()));
        self.edit(number, &Value::Object(parts.into_iter().collect()));
    }

    pub(crate) fn edit(&self, number: u64, changes: &Value) {
        self.shop.edit_order(number, changes.as_object().unwrap().clone()).unwrap();
    }

    /// Every order has ended with the status that is expected of how many; SAP B1 has one document of each that is there,
    /// under the key that is recorded, and no other; no more sessions were used than there may be.
    pub(crate) async fn ends(&self, expected: &[(TxStatus, usize)], what: &str) {
        let entities = self.entities().await;
        let told = || entities.iter().map(|it| format!("\n{} {} {}", it.name, it.status, it.note)).collect::<String>();
        for (status, count) in expected {
            let counted = entities.iter().filter(|entity| entity.status == *status).count();
            assert_eq!(counted, *count, "{what}: {status}{}", told());
        }
        assert_eq!(entities.len(), expected.iter().map(|(_, count)| count).sum::<usize>(), "{what}{}", told());
        let mut documents = self.by_hand;
        for entity in entities.iter().filter(|it| matches!(it.status, TxStatus::Success | TxStatus::Cancelled)) {
            let there = self.b1.documents_of(&entity.name);
            let Some(target) = &entity.target_id else { panic!("{what}: {} has no key{}", entity.key, told()) };
            if let Some(draft) = target.strip_prefix("draft ") {
                assert!(there.is_empty(), "{what}: {} is more than a draft", entity.key);
                let drafts = self.b1.drafts();
                let own = drafts.iter().filter(|it| it.num_at_card.as_deref() == Some(entity.name.as_str()));
                let own: Vec<String> = own.map(|it| it.doc_entry.to_string()).collect();
                assert_eq!(own, [draft], "{what}: {}", entity.key);
                continue;
            }
            assert_eq!(there.len(), 1, "{what}: {}", entity.key);
            assert_eq!(there[0].doc_entry.to_string(), *target, "{what}: {}", entity.key);
            assert_eq!(there[0].cancelled, entity.status == TxStatus::Cancelled, "{what}: {}", entity.key);
            documents += 1;
        }
        let counters = self.b1.counters();
        assert_eq!(counters.documents, documents, "{what}: documents that belong to no order{}", told());
        assert!(counters.sessions_most <= self.sessions, "{what}: {} sessions", counters.sessions_most);
    }
}

/// The number that the shop shows.
pub(crate) fn id(number: u64) -> String {
    format!("{number:09}")
}

/// An order as Magento has it, of two of `SKU-1` for 20.00 in all.
pub(crate) fn order(number: u64) -> Value {
    let email = format!("buyer{number}@example.com");
    let address = json!({
        "firstname": "Ada", "lastname": format!("Buyer {number}"), "street": ["1 Main Street"], "city": "Calder",
        "postcode": "49628", "region_code": "MI", "country_id": "US", "telephone": "555-0100", "email": email,
    });
    let shipping = json!({ "address": address, "method": "flatrate_flatrate" });
    json!({
        "entity_id": number, "increment_id": id(number), "state": "new", "status": "pending", "store_id": 1,
        "created_at": "2026-01-01 00:00:00", "updated_at": format!("2026-01-01 00:00:{:02}", number % 60),
        "order_currency_code": "USD", "base_currency_code": "USD", "customer_is_guest": 1, "is_virtual": 0,
        "customer_email": email, "subtotal": 20, "grand_total": 20, "discount_amount": 0, "shipping_amount": 0,
        "shipping_tax_amount": 0, "tax_amount": 0, "total_qty_ordered": 2,
        "items": [{ "item_id": number, "sku": "SKU-1", "name": "Thing", "product_type": "simple", "qty_ordered": 2,
            "price": 10, "row_total": 20, "tax_amount": 0, "discount_amount": 0 }],
        "billing_address": address, "payment": { "method": "checkmo" },
        "extension_attributes": { "shipping_assignments": [{ "shipping": shipping }] },
    })
}

pub(crate) async fn after(millis: u64, then: impl FnOnce()) {
    tokio::time::sleep(Duration::from_millis(millis)).await;
    then();
}
