//! What a mover itself says of the orders.

use std::collections::HashMap;

use datawald_core::model::{FlowId, Table, TxStatus};
use datawald_core::store::EntityFilter;
use jiff::Timestamp;
use mongodb::bson::{Document, doc};

use super::judge::{NUMBERS_FROM, in_the_shop};
use super::plan::{Mover, Plan};
use super::world::{SHOP, World};

/// What is said of an order.
pub(super) struct Staged {
    pub(super) status: TxStatus,
    pub(super) note: String,
    /// The document that it names.
    pub(super) target: Option<String>,
}

/// What is said, by the order's id in the shop.
pub(super) async fn staged(plan: &Plan, world: &World) -> Result<HashMap<u64, Staged>, String> {
    match plan.mover {
        Mover::Datawald => by_the_store(world).await,
        Mover::Celery => by_the_peer(world).await.map_err(|error| format!("the peer's orders cannot be read: {error}")),
        Mover::Loop => by_the_cut(plan, world),
    }
}

/// Whether some orders still wait, as far as that can be told without reading all of them.
pub(super) async fn some_wait(plan: &Plan, world: &World) -> Result<bool, String> {
    if plan.mover != Mover::Datawald {
        return Ok(false);
    }
    let waiting = [TxStatus::New, TxStatus::InProcess, TxStatus::InDoubt];
    let filter = EntityFilter { statuses: waiting.into(), limit: 1, ..EntityFilter::default() };
    let listing = world.store().await?.list(&filter).await.map_err(|error| error.report())?;
    Ok(!listing.items.is_empty())
}

async fn by_the_store(world: &World) -> Result<HashMap<u64, Staged>, String> {
    let store = world.store().await?;
    let flow = Some(FlowId::new(Table::Orders, SHOP));
    let mut filter = EntityFilter { flow, limit: 500, ..EntityFilter::default() };
    let mut all = HashMap::new();
    loop {
        let listing = store.list(&filter).await.map_err(|error| error.report().to_string())?;
        for entity in listing.items {
            let id: u64 = entity.key.id.parse().map_err(|_| format!("`{}` is none of the orders", entity.key.id))?;
            let staged = Staged { status: entity.status, note: entity.note, target: entity.target_id };
            // Whether a store goes by ids or by numbers is all the same here.
            all.insert(id.checked_sub(NUMBERS_FROM).unwrap_or(id), staged);
        }
        match listing.next {
            Some(next) => filter.after = Some(next),
            None => return Ok(all),
        }
    }
}

async fn by_the_peer(world: &World) -> Result<HashMap<u64, Staged>, Box<dyn std::error::Error>> {
    let (mongodb, _) = world.server_uris();
    let client = mongodb::Client::with_uri_str(mongodb).await?;
    let wanted = doc! { "tx_status": 1, "tx_note": 1, "bo_order_id": 1 };
    let orders = client.database("dw_celery").collection::<Document>("orders");
    let (mut all, mut found) = (HashMap::new(), orders.find(doc! {}).projection(wanted).await?);
    while found.advance().await? {
        let order = found.deserialize_current()?;
        let text = |field| order.get_str(field).unwrap_or_default();
        let status = TxStatus::from_letter(text("tx_status")).ok_or("an order has another status")?;
        let id: u64 = text("_id").parse()?;
        let staged = Staged { status, note: text("tx_note").to_owned(), target: Some(text("bo_order_id").to_owned()) };
        all.insert(id - NUMBERS_FROM, staged);
    }
    Ok(all)
}

/// A loop knows nothing of an order but that it has come past it: then the order has a document, it holds, whichever.
fn by_the_cut(plan: &Plan, world: &World) -> Result<HashMap<u64, Staged>, String> {
    let Ok(text) = std::fs::read_to_string(world.cut_file()) else { return Ok(HashMap::new()) };
    let cut: Timestamp = text.trim().parse().map_err(|error| format!("the cut of the loop cannot be read: {error}"))?;
    let mut all = HashMap::new();
    for order in 1..=plan.orders {
        if in_the_shop(world, order)?.is_some_and(|shop| shop.updated_at <= cut) {
            let document = world.b1.document(&(NUMBERS_FROM + order).to_string());
            let target = document.map(|document| document.doc_entry.to_string());
            all.insert(order, Staged { status: TxStatus::Success, note: String::new(), target });
        }
    }
    Ok(all)
}
