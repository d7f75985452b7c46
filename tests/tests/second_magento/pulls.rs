//! Pulls through the agency, as a flow makes them.

use std::sync::Arc;

use datawald_core::engine::{FetchQuery, Source};
use datawald_core::model::{FlowId, Intent, Table};
use datawald_core::store::StageEntity;
use datawald_core::{Clock, Cx, Result};
use datawald_frontend::OrdersSource;
use jiff::Timestamp;
use mage2_connector::{Mage2Agency, Mage2Client, Mage2Settings};

pub struct Puller {
    source: OrdersSource,
    pub client: Mage2Client,
}

impl Puller {
    pub fn new(settings: Mage2Settings, clock: Arc<dyn Clock>) -> Self {
        let client = Mage2Client::with_clock(settings, clock).unwrap();
        Self { source: OrdersSource::new(Arc::new(Mage2Agency::with_client(client.clone()))), client }
    }

    pub async fn page(&self, query: &FetchQuery) -> Result<datawald_core::engine::SourcePage> {
        self.source.fetch(&Cx::new(FlowId::new(Table::Orders, "second")), query).await
    }

    /// Everything that a pull stages, in order.
    pub async fn pull(&self, from: Option<Timestamp>, page_size: usize) -> Result<Vec<StageEntity>> {
        let (mut staged, mut after) = (Vec::new(), None);
        for _ in 0..1000 {
            let page = self.page(&FetchQuery { from, after: after.take(), page_size }).await?;
            staged.extend(page.entities);
            match page.next {
                Some(next) => after = Some(next),
                None => return Ok(staged),
            }
        }
        panic!("the pull does not end")
    }
}

/// The ids of those that can be applied, and of those that are refused, with their reasons.
pub fn sorted(staged: &[StageEntity]) -> (Vec<u64>, Vec<(u64, String)>) {
    let id = |entity: &StageEntity| entity.id.parse::<u64>().unwrap();
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for entity in staged {
        match &entity.intent {
            Intent::Apply => good.push(id(entity)),
            Intent::Reject(reason) => bad.push((id(entity), reason.clone())),
            other => panic!("{other:?}"),
        }
    }
    good.sort_unstable();
    bad.sort();
    (good, bad)
}
