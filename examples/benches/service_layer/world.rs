//! Sandboxes, client and engine in one process.

use std::sync::Arc;

use datawald_backoffice::OrdersTarget;
use datawald_core::engine::{Engine, EngineSettings, Flow};
use datawald_core::model::{FlowId, Table};
use datawald_core::store::SqliteStore;
use datawald_examples::{b1_settings, sample_company};
use datawald_frontend::OrdersSource;
use mage2_connector::sandbox::{OrderSet, Sandbox as Magento, SandboxOptions as MagentoOptions};
use mage2_connector::{Mage2Agency, Mage2Settings};
use sapb1_connector::sandbox::service_layer::{Faults, Sandbox};
use sapb1_connector::sandbox::{COMPANY_DB, Company, LOGIN};
use sapb1_connector::{B1Agency, B1Settings, ServiceLayerClient, ServiceLayerSettings};

use crate::Failure;

/// Orders per batch that inserts, unless another number is tried; a look-up takes twice as many.
pub(crate) const BATCH: usize = 50;

/// What is run.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) orders: u64,
    pub(crate) sessions: usize,
    pub(crate) batch: usize,
    /// Whether the number of calls at the same time adapts.
    pub(crate) adaptive: bool,
    pub(crate) rules: B1Settings,
    pub(crate) faults: Faults,
}

impl Default for Setup {
    fn default() -> Self {
        let rules = b1_settings().unwrap_or_default();
        Self { orders: 1000, sessions: 4, batch: BATCH, adaptive: true, rules, faults: Faults::default() }
    }
}

/// Both sides and the engine between them.
pub(crate) struct World {
    pub(crate) b1: Sandbox,
    pub(crate) client: Arc<ServiceLayerClient>,
    pub(crate) engine: Engine,
    flow: FlowId,
    _magento: Magento,
    _folder: tempfile::TempDir,
}

impl World {
    pub(crate) async fn start(setup: &Setup) -> Result<Self, Failure> {
        let options = MagentoOptions { orders: OrderSet::Synthetic(setup.orders), ..MagentoOptions::default() };
        let token = options.token.clone();
        let magento = Magento::start(options).await?;
        // Who orders is a customer only if made one.
        let company = Company { customers: Some(["C20000".to_owned()].into()), ..sample_company() };
        let b1 = Sandbox::start(company.over_service_layer(0)).await?;
        b1.set_faults(setup.faults.clone());
        let mut rules = setup.rules.clone();
        rules.requests.write_batch = setup.batch;
        let (user, password) = LOGIN;
        let mut connection = ServiceLayerSettings::new(&b1.url(), COMPANY_DB, user, password.into(), &rules)?;
        connection.sessions = setup.sessions;
        connection.adaptive = setup.adaptive;
        let client = Arc::new(ServiceLayerClient::new(connection)?);
        let folder = tempfile::tempdir()?;
        let store = SqliteStore::open(folder.path().join("staging.db"))?;
        let settings = EngineSettings {
            page_size: 100,
            batch: setup.batch * 2,
            concurrency: setup.sessions + 1,
            ..EngineSettings::default()
        };
        let flow = FlowId::new(Table::Orders, "mage2");
        let agency = Arc::new(Mage2Agency::new(Mage2Settings::bearer(magento.url(), token))?);
        let target = OrdersTarget::new(Arc::new(B1Agency::new(client.clone(), rules)));
        let engine = Engine::builder(Arc::new(store))
            .settings(settings)
            .flow(Flow::new(flow.clone()).source(OrdersSource::new(agency)).target(target))
            .build()?;
        Ok(Self { b1, client, engine, flow, _magento: magento, _folder: folder })
    }

    /// Pulls and applies everything.
    pub(crate) async fn run_to_the_end(&self) -> Result<(), Failure> {
        self.engine.run_once(&self.flow).await?;
        Ok(())
    }
}
