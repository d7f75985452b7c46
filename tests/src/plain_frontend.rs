//! A frontend of one page of orders, every step of it plain.

use std::sync::Mutex;

use async_trait::async_trait;
use datawald_core::engine::FetchQuery;
use datawald_core::model::{Intent, Order, OrderItem};
use datawald_core::{Cx, Result};
use datawald_frontend::{Frontend, PulledOrder, RawDoc, RawPage, SourceRef, Unsupported};
use rust_decimal::Decimal;

/// A frontend whose documents are canonical orders themselves.
#[derive(Debug, Default)]
pub struct PlainFrontend {
    orders: Mutex<Vec<Order>>,
}

impl PlainFrontend {
    /// A frontend with `count` orders, numbered from 1.
    pub fn with_orders(count: u32) -> Self {
        let order = |number: u32| Order {
            fe_order_id: format!("{number:09}"),
            fe_order_status: "pending".into(),
            currency: "USD".into(),
            grand_total: Decimal::from(10),
            items: vec![OrderItem {
                sku: "SKU-1".into(),
                qty: Decimal::ONE,
                price: Decimal::from(10),
                ..OrderItem::default()
            }],
            ..Order::default()
        };
        Self { orders: Mutex::new((1..=count).map(order).collect()) }
    }

    /// Changes an order.
    pub fn edit(&self, number: u32, edit: impl FnOnce(&mut Order)) {
        let mut orders = self.orders.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let id = format!("{number:09}");
        if let Some(order) = orders.iter_mut().find(|order| order.fe_order_id == id) {
            edit(order);
        }
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl Frontend for PlainFrontend {
    fn base(&self) -> &dyn Frontend {
        &Unsupported
    }

    async fn fetch_orders(&self, _: &Cx, _: &FetchQuery) -> Result<RawPage> {
        let orders = self.orders.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let docs = orders.iter().map(|order| RawDoc::new(serde_json::to_string(order).unwrap_or_default())).collect();
        Ok(RawPage { docs, ..RawPage::default() })
    }

    async fn count_orders(&self, _: &Cx, _: Option<jiff::Timestamp>) -> Result<Option<u64>> {
        Ok(None)
    }

    async fn identify_order(&self, _: &Cx, raw: &RawDoc) -> Result<SourceRef> {
        let order: Order = raw.read()?;
        // A record's id is another than its number.
        let id = format!("record {}", order.fe_order_id);
        Ok(SourceRef { id, name: order.fe_order_id, status: order.fe_order_status, updated_at: None })
    }

    async fn map_order(&self, cx: &Cx, raw: &RawDoc) -> Result<Order> {
        let order: Order = raw.read()?;
        Ok(Order { frontend: cx.frontend().to_owned(), ..order })
    }

    async fn extend_orders(&self, _: &Cx, _: &mut [PulledOrder]) -> Result<()> {
        Ok(())
    }

    async fn extend_order(&self, _: &Cx, _: &RawDoc, _: &mut Order) -> Result<()> {
        Ok(())
    }

    async fn validate_order(&self, _: &Cx, _: &Order) -> Result<()> {
        Ok(())
    }

    async fn decide_order(&self, _: &Cx, order: &Order) -> Result<Intent> {
        Ok(match order.fe_order_status.as_str() {
            "canceled" => Intent::Cancel,
            "holded" => Intent::Ignore("its status is holded".into()),
            _ => Intent::Apply,
        })
    }
}
