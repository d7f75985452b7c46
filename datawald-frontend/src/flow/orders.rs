//! Pulling orders: fetch a page → map → extend all, then one → validate → decide.

use std::sync::Arc;

use async_trait::async_trait;
use datawald_core::engine::{FetchQuery, Source, SourcePage, check_chain};
use datawald_core::model::{Fingerprint, Intent, Order};
use datawald_core::store::StageEntity;
use datawald_core::{Cx, Disposition, Error, Result};
use jiff::Timestamp;

use crate::{Frontend, PulledOrder, RawDoc, RawPage, SourceRef};

/// Pulls orders from a [`Frontend`].
pub struct OrdersSource {
    frontend: Arc<dyn Frontend>,
}

impl OrdersSource {
    /// Pulls from `frontend`: an agency, or an agent over one.
    pub fn new(frontend: Arc<dyn Frontend>) -> Self {
        Self { frontend }
    }
}

#[async_trait]
impl Source for OrdersSource {
    fn check(&self) -> Result<()> {
        check_chain(&*self.frontend, |link| link.base())
    }

    async fn fetch(&self, cx: &Cx, query: &FetchQuery) -> Result<SourcePage> {
        let frontend = &*self.frontend;
        let RawPage { docs, next, reached, source_now } = frontend.fetch_orders(cx, query).await?;

        // Each document ends as an entity of the page, in the order of the page: mapped, or rejected with its reason.
        let mut entities: Vec<Option<StageEntity>> = Vec::with_capacity(docs.len());
        let mut mapped: Vec<(usize, SourceRef)> = Vec::with_capacity(docs.len());
        let mut pulled: Vec<PulledOrder> = Vec::with_capacity(docs.len());
        for (at, raw) in docs.into_iter().enumerate() {
            let source = identify(frontend, cx, &raw).await?;
            match refusal(frontend.map_order(cx, &raw).await)? {
                Ok(order) => {
                    mapped.push((at, source));
                    pulled.push(PulledOrder { raw, order });
                    entities.push(None);
                }
                Err(reason) => entities.push(Some(rejected(source, raw, reason))),
            }
        }

        frontend.extend_orders(cx, &mut pulled).await?;

        for ((at, source), PulledOrder { raw, mut order }) in mapped.into_iter().zip(pulled) {
            let intent = refusal(decide(frontend, cx, &raw, &mut order).await)?;
            entities[at] = Some(match intent {
                Ok(intent) => entity(source, raw, order, intent)?,
                Err(reason) => rejected(source, raw, reason),
            });
        }
        Ok(SourcePage { entities: entities.into_iter().flatten().collect(), next, reached, source_now })
    }

    async fn count(&self, cx: &Cx, from: Option<Timestamp>) -> Result<Option<u64>> {
        self.frontend.count_orders(cx, from).await
    }
}

async fn identify(frontend: &dyn Frontend, cx: &Cx, raw: &RawDoc) -> Result<SourceRef> {
    match refusal(frontend.identify_order(cx, raw).await)? {
        Ok(source) => Ok(source),
        Err(_) => {
            let id = format!("unidentified-{}", Fingerprint::of(raw.text().as_bytes()).as_str());
            Ok(SourceRef { id, name: String::new(), status: String::new(), updated_at: None })
        }
    }
}

async fn decide(frontend: &dyn Frontend, cx: &Cx, raw: &RawDoc, order: &mut Order) -> Result<Intent> {
    frontend.extend_order(cx, raw, order).await?;
    let intent = frontend.decide_order(cx, order).await?;
    // Only what will be written must be valid: a cancelled or ignored order may be as it is.
    if intent == Intent::Apply {
        frontend.validate_order(cx, order).await?;
    }
    Ok(intent)
}

/// Sorts a refusal of this one entity (inner `Err`) from a failure that concerns the whole pull (outer `Err`).
fn refusal<T>(result: Result<T>) -> Result<std::result::Result<T, Error>> {
    match result {
        Ok(value) => Ok(Ok(value)),
        Err(error) if error.disposition() == Disposition::Rejected => Ok(Err(error)),
        Err(error) => Err(error),
    }
}

fn rejected(source: SourceRef, raw: RawDoc, reason: Error) -> StageEntity {
    StageEntity {
        id: source.id,
        name: source.name,
        intent: Intent::Reject(reason.note()),
        source_status: source.status,
        source_updated_at: source.updated_at,
        fingerprint: Fingerprint::of(raw.text().as_bytes()),
        doc: String::new(),
        raw: raw.into_text(),
    }
}

fn entity(source: SourceRef, raw: RawDoc, mut order: Order, intent: Intent) -> Result<StageEntity> {
    let (doc, fingerprint) = order.to_document()?;
    Ok(StageEntity {
        id: source.id,
        name: order.fe_order_id,
        intent,
        source_status: source.status,
        source_updated_at: source.updated_at,
        fingerprint,
        doc,
        raw: raw.into_text(),
    })
}
