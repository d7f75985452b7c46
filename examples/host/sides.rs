//! Both sides, as far as the roles of this process need them.

use std::collections::BTreeMap;
use std::sync::Arc;

use datawald_core::engine::FetchQuery;
use datawald_core::model::{FlowId, Table};
use datawald_core::{Cx, Result};
use futures::future::join_all;
use mage2_connector::Mage2Agency;
use sapb1_connector::{B1Agency, B1Api, RestfulClient, ServiceLayerClient};

use crate::args::Roles;
use crate::config::{Config, Connection, SapB1Way};
use crate::health::{Answer, within};

/// The shops that are pulled and the ERPs that are applied to, by the names of their connections.
#[derive(Default)]
pub(crate) struct Sides {
    shops: BTreeMap<String, Arc<Mage2Agency>>,
    erps: BTreeMap<String, Arc<B1Agency>>,
}

impl Sides {
    /// Makes ready those that flows use; nothing is asked of them yet.
    pub(crate) fn open(config: &Config, roles: Roles) -> Result<Self> {
        let mut sides = Self::default();
        for (name, connection) in &config.connections {
            let used = |side: &str| config.flows.iter().any(|flow| flow.id.frontend == side || flow.backoffice == side);
            match connection {
                Connection::Magento2(settings) if roles.frontend && used(name) => {
                    sides.shops.insert(name.clone(), Arc::new(Mage2Agency::new((**settings).clone())?));
                }
                Connection::SapB1 { way, rules } if roles.worker && used(name) => {
                    let client: Arc<dyn B1Api> = match way {
                        SapB1Way::Restful(settings) => Arc::new(RestfulClient::new((**settings).clone())?),
                        SapB1Way::ServiceLayer(settings) => Arc::new(ServiceLayerClient::new((**settings).clone())?),
                    };
                    sides.erps.insert(name.clone(), Arc::new(B1Agency::new(client, (**rules).clone())));
                }
                _ => {}
            }
        }
        Ok(sides)
    }

    /// The shop of a name, if this process pulls it.
    pub(crate) fn shop(&self, name: &str) -> Option<Arc<Mage2Agency>> {
        self.shops.get(name).cloned()
    }

    /// The ERP of a name, if this process applies to it.
    pub(crate) fn erp(&self, name: &str) -> Option<Arc<B1Agency>> {
        self.erps.get(name).cloned()
    }

    /// The ERPs that this process applies to.
    pub(crate) fn erps(&self) -> impl Iterator<Item = (&str, &Arc<B1Agency>)> {
        self.erps.iter().map(|(name, erp)| (name.as_str(), erp))
    }

    /// Gives back what ERPs hold for this process, as sessions.
    pub(crate) async fn close(&self) {
        join_all(self.erps.values().map(|erp| erp.api().close())).await;
    }

    /// The names of the parts that [`Sides::try_all`] answers for.
    pub(crate) fn parts(&self) -> impl Iterator<Item = String> {
        self.shops.keys().chain(self.erps.keys()).map(|name| part(name))
    }

    /// Asks every side for something that costs it little.
    pub(crate) async fn try_all(&self) -> Vec<(String, Answer)> {
        let shops = self.shops.iter().map(|(name, shop)| async move {
            // What changes from now on is nothing yet: an empty page.
            let query = FetchQuery { from: Some(cx(name).now()), after: None, page_size: 1 };
            let asked = async { shop.client().orders_page(&query).await.map(drop) };
            (part(name), within(asked).await)
        });
        let erps = self.erps.iter().map(|(name, erp)| async move {
            let asked = async { erp.api().info(&cx(name)).await.map(drop) };
            (part(name), within(asked).await)
        });
        let (mut answers, erps) = tokio::join!(join_all(shops), join_all(erps));
        answers.extend(erps);
        answers
    }
}

pub(crate) fn part(name: &str) -> String {
    format!("connection {name}")
}

pub(crate) fn cx(name: &str) -> Cx {
    Cx::new(FlowId::new(Table::Orders, name))
}
