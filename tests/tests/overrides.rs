//! An override of any step, at any depth of agents over agents, is what the flow runs: one test per step.
//!
//! Each test overrides one step so that it refuses with a text of its own, puts that agent at three depths of a chain, runs
//! the flow and finds the text where the flow shows what that step refused.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

use std::sync::Arc;

use async_trait::async_trait;
use datawald_backoffice::{
    AddressRole, Backoffice, Found, FoundDocument, Freight, LineTax, Mapped, NativeAddress, NativeLine, NativeOrder,
    OrderTerms, OrdersTarget, Reference,
};
use datawald_core::engine::{Engine, FetchQuery, Flow};
use datawald_core::model::{EntityKey, FlowId, Intent, Order, OrderItem, Table, TxStatus};
use datawald_core::store::{EntityFilter, SqliteStore};
use datawald_core::{Cx, Error, Result};
use datawald_frontend::{Frontend, OrdersSource, PulledOrder, RawDoc, RawPage, SourceRef};
use datawald_tests::{PlainBackoffice, PlainFrontend};
use jiff::civil::Date;
use rust_decimal::Decimal;

const REFUSAL: &str = "refused by the agent's own step";

fn refuse<T>(step: &'static str) -> Result<T> {
    Err(Error::invalid(step, REFUSAL))
}

/// An agent that overrides nothing.
struct PassFrontend(Box<dyn Frontend>);

impl Frontend for PassFrontend {
    fn base(&self) -> &dyn Frontend {
        &*self.0
    }
}

/// An agent that overrides nothing.
struct PassBackoffice(Box<dyn Backoffice>);

impl Backoffice for PassBackoffice {
    fn base(&self) -> &dyn Backoffice {
        &*self.0
    }
}

/// A shared plain frontend at the end of a chain.
struct Shop(Arc<PlainFrontend>);

impl Frontend for Shop {
    fn base(&self) -> &dyn Frontend {
        &*self.0
    }
}

/// A shared plain backoffice at the end of a chain.
struct Erp(Arc<PlainBackoffice>);

impl Backoffice for Erp {
    fn base(&self) -> &dyn Backoffice {
        &*self.0
    }
}

type WrapFrontend = fn(Box<dyn Frontend>) -> Box<dyn Frontend>;
type WrapBackoffice = fn(Box<dyn Backoffice>) -> Box<dyn Backoffice>;

/// The chains in which an agent stands: alone, below another agent, and in the middle of several.
fn frontends(agent: WrapFrontend, shop: &Arc<PlainFrontend>) -> [Box<dyn Frontend>; 3] {
    let pass: WrapFrontend = |base| Box::new(PassFrontend(base));
    let end = || Box::new(Shop(shop.clone())) as Box<dyn Frontend>;
    [agent(end()), pass(agent(end())), pass(pass(agent(pass(end()))))]
}

/// As [`frontends`].
fn backoffices(agent: WrapBackoffice, erp: &Arc<PlainBackoffice>) -> [Box<dyn Backoffice>; 3] {
    let pass: WrapBackoffice = |base| Box::new(PassBackoffice(base));
    let end = || Box::new(Erp(erp.clone())) as Box<dyn Backoffice>;
    [agent(end()), pass(agent(end())), pass(pass(agent(pass(end()))))]
}

fn engine(store: &Arc<SqliteStore>, frontend: Box<dyn Frontend>, backoffice: Box<dyn Backoffice>) -> (Engine, FlowId) {
    let id = FlowId::new(Table::Orders, "shop");
    let source = OrdersSource::new(Arc::from(frontend));
    let target = OrdersTarget::new(Arc::from(backoffice));
    let engine = Engine::builder(store.clone()).flow(Flow::new(id.clone()).source(source).target(target)).build();
    (engine.unwrap(), id)
}

/// Runs the flow and tells everything that an operator sees of it.
async fn run(store: &Arc<SqliteStore>, frontend: Box<dyn Frontend>, backoffice: Box<dyn Backoffice>) -> String {
    let (engine, flow) = engine(store, frontend, backoffice);
    let mut seen = engine.run_once(&flow).await.err().map(|error| error.to_string()).unwrap_or_default();
    for entity in engine.store().list(&EntityFilter::default()).await.unwrap().items {
        seen.push_str(&format!("\n{} ({}) {} {}", entity.key.id, entity.name, entity.status, entity.note));
    }
    seen
}

/// In place of a status: what is in the ERP is found with an empty store.
const LOST_STORE: &str = "the store is lost";

fn empty() -> Arc<SqliteStore> {
    Arc::new(SqliteStore::in_memory().unwrap())
}

macro_rules! frontend_step {
    ($step:ident($($arg:tt)*) -> $answer:ty, shows $shows:expr) => {
        #[tokio::test]
        async fn $step() {
            struct Agent(Box<dyn Frontend>);
            #[async_trait]
            impl Frontend for Agent {
                fn base(&self) -> &dyn Frontend {
                    &*self.0
                }
                async fn $step(&self, _: &Cx, $($arg)*) -> $answer {
                    refuse(stringify!($step))
                }
            }
            let shop = Arc::new(PlainFrontend::with_orders(2));
            for (depth, frontend) in frontends(|base| Box::new(Agent(base)), &shop).into_iter().enumerate() {
                let seen = run(&empty(), frontend, Box::new(PlainBackoffice::default())).await;
                assert!(seen.contains($shows), "depth {depth}: {seen}");
            }
        }
    };
}

macro_rules! backoffice_step {
    ($step:ident($($arg:tt)*) -> $answer:ty) => {
        backoffice_step!($step($($arg)*) -> $answer, once "");
    };
    // `once`: the order is in the ERP already when its status becomes this one, or the store is lost.
    ($step:ident($($arg:tt)*) -> $answer:ty, once $status:literal) => {
        #[tokio::test]
        async fn $step() {
            struct Agent(Box<dyn Backoffice>);
            #[async_trait]
            impl Backoffice for Agent {
                fn base(&self) -> &dyn Backoffice {
                    &*self.0
                }
                async fn $step(&self, _: &Cx, $($arg)*) -> $answer {
                    refuse(stringify!($step))
                }
            }
            for depth in 0..3 {
                let (shop, erp) = (Arc::new(PlainFrontend::with_orders(2)), Arc::new(PlainBackoffice::default()));
                let mut store = empty();
                if !str::is_empty($status) {
                    run(&store, Box::new(Shop(shop.clone())), Box::new(Erp(erp.clone()))).await;
                    match $status {
                        LOST_STORE => store = empty(),
                        status => shop.edit(2, |order| order.fe_order_status = status.to_owned()),
                    }
                }
                let [alone, below, middle] = backoffices(|base| Box::new(Agent(base)), &erp);
                let backoffice = [alone, below, middle].into_iter().nth(depth).unwrap();
                let seen = run(&store, Box::new(Shop(shop)), backoffice).await;
                assert!(seen.contains(REFUSAL), "depth {depth}: {seen}");
            }
        }
    };
}

mod frontend {
    use super::*;

    frontend_step!(fetch_orders(_: &FetchQuery) -> Result<RawPage>, shows REFUSAL);
    frontend_step!(identify_order(_: &RawDoc) -> Result<SourceRef>, shows "unidentified-");
    frontend_step!(map_order(_: &RawDoc) -> Result<Order>, shows REFUSAL);
    frontend_step!(extend_orders(_: &mut [PulledOrder]) -> Result<()>, shows REFUSAL);
    frontend_step!(extend_order(_: &RawDoc, _: &mut Order) -> Result<()>, shows REFUSAL);
    frontend_step!(validate_order(_: &Order) -> Result<()>, shows REFUSAL);
    frontend_step!(decide_order(_: &Order) -> Result<Intent>, shows REFUSAL);
}

mod backoffice {
    use super::*;

    backoffice_step!(order_reference(_: &Order) -> Result<Reference>);
    backoffice_step!(look_up_orders(_: &[Reference]) -> Result<Vec<Found>>);
    backoffice_step!(customer_codes(_: &[&Order]) -> Result<Vec<Result<String>>>);
    backoffice_step!(due_date(_: &Order) -> Result<Date>);
    backoffice_step!(freight(_: &Order) -> Result<Freight>);
    backoffice_step!(discount_percent(_: &Order) -> Result<Decimal>);
    backoffice_step!(transport(_: &Order) -> Result<Option<String>>);
    backoffice_step!(payment(_: &Order) -> Result<Option<String>>);
    backoffice_step!(address(_: &Order, _: AddressRole) -> Result<NativeAddress>);
    backoffice_step!(map_order(_: &Order, _: &OrderTerms) -> Result<Mapped>);
    backoffice_step!(extend_order(_: &Order, _: &mut NativeOrder) -> Result<()>);
    backoffice_step!(line_tax(_: &Order, _: &OrderItem) -> Result<LineTax>);
    backoffice_step!(map_line(_: &Order, _: &OrderItem, _: &LineTax) -> Result<NativeLine>);
    backoffice_step!(extend_line(_: &Order, _: &OrderItem, _: &mut NativeLine) -> Result<()>);
    backoffice_step!(reconcile_order(_: &Order, _: &mut NativeOrder) -> Result<()>);
    backoffice_step!(
        recognize_order(_: &Order, _: &NativeOrder, _: &FoundDocument) -> Result<bool>,
        once "the store is lost"
    );
    backoffice_step!(insert_orders(_: &[NativeOrder]) -> Result<Vec<Result<String>>>);
    backoffice_step!(update_orders(_: &[(&Order, &str)]) -> Result<Vec<Result<String>>>, once "processing");
    backoffice_step!(cancel_orders(_: &[(&Reference, &str)]) -> Result<Vec<Result<String>>>, once "canceled");
}

/// `base()` is `super`: an override adds to what it inherits, and what it inherits is untouched for others.
#[tokio::test]
async fn super_is_base() {
    struct Agent(PassBackoffice);
    #[async_trait]
    impl Backoffice for Agent {
        fn base(&self) -> &dyn Backoffice {
            &self.0
        }
        async fn map_order(&self, cx: &Cx, order: &Order, terms: &OrderTerms) -> Result<Mapped> {
            let mut mapped = self.base().map_order(cx, order, terms).await?;
            if let Mapped::Ready(doc) = &mut mapped {
                doc.set("U_Channel", "web");
            }
            Ok(mapped)
        }
    }
    let erp = Arc::new(PlainBackoffice::default());
    let agent = Agent(PassBackoffice(Box::new(Erp(erp.clone()))));
    let (engine, flow) = engine(&empty(), Box::new(PlainFrontend::with_orders(1)), Box::new(agent));
    engine.run_once(&flow).await.unwrap();
    let entity = engine.store().get(&EntityKey::new(&flow, "record 000000001")).await.unwrap().unwrap();
    assert_eq!(entity.status, TxStatus::Success);
    let documents = erp.documents();
    assert_eq!(documents[0].get("U_Channel"), Some(&"web".into()));
    assert_eq!(documents[0].get("CardCode"), Some(&"C20000".into()), "what the agent inherits is there too");
}
