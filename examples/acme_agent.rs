//! A project's own agent: ACME ships heavy goods with its own lorries, whatever the customer chose. Run it:
//! `cargo run --example acme_agent`.

#![allow(clippy::print_stdout, reason = "a program for people")]

use std::sync::Arc;

use async_trait::async_trait;
use datawald_backoffice::{Backoffice, OrdersTarget};
use datawald_core::engine::{Engine, Flow};
use datawald_core::model::{FlowId, Order, Table};
use datawald_core::store::SqliteStore;
use datawald_core::{Cx, Result};
use datawald_examples::{b1_settings, sample_company};
use datawald_frontend::OrdersSource;
use mage2_connector::sandbox::{OrderSet, Sandbox, SandboxOptions};
use mage2_connector::{Mage2Agency, Mage2Settings};
use sapb1_connector::B1Agency;
use sapb1_connector::sandbox::{B1Sandbox, Way};

/// The agent, whole.
struct AcmeAgent {
    base: B1Agency,
}

#[async_trait]
impl Backoffice for AcmeAgent {
    fn base(&self) -> &dyn Backoffice {
        &self.base
    }

    async fn transport(&self, cx: &Cx, order: &Order) -> Result<Option<String>> {
        if order.items.iter().any(|item| item.sku.starts_with("HEAVY-")) || order.total_qty > 2.into() {
            return Ok(Some("Pickup".into()));
        }
        self.base.transport(cx, order).await
    }
}

#[tokio::main]
async fn main() -> std::result::Result<(), Box<dyn std::error::Error>> {
    let magento = Sandbox::start(SandboxOptions { orders: OrderSet::Fixtures, ..SandboxOptions::default() }).await?;
    let b1 = B1Sandbox::start(Way::Restful, sample_company()).await?;

    let shop = Mage2Agency::new(Mage2Settings::bearer(magento.url(), SandboxOptions::default().token))?;
    let agent = AcmeAgent { base: b1.agency(b1_settings()?)? };

    let folder = tempfile::tempdir()?;
    let flow = FlowId::new(Table::Orders, "mage2");
    let engine = Engine::builder(Arc::new(SqliteStore::open(folder.path().join("acme.db"))?))
        .flow(
            Flow::new(flow.clone())
                .source(OrdersSource::new(Arc::new(shop)))
                .target(OrdersTarget::new(Arc::new(agent))),
        )
        .build()?;
    let report = engine.run_once(&flow).await?;
    println!("{} orders pulled, {} in SAP B1", report.pulled.inserted, report.counts.success);
    Ok(())
}
