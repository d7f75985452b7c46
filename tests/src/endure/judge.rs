//! The count at the end, by the sandboxes and by the store's public face, with nothing known of the engine.

use std::collections::{BTreeMap, HashMap};

use datawald_core::model::{FlowId, Table, TxStatus};
use datawald_core::store::EntityFilter;
use serde::Serialize;

use super::plan::Plan;
use super::world::{SHOP, World};

/// An order's number in the shop is this and its id.
const NUMBERS_FROM: u64 = 900_000_000;

/// How many orders of each wrong kind are named.
const NAMED: usize = 20;

/// What was counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verdict {
    /// Orders of the shop.
    pub orders: u64,
    /// Of which staged.
    pub staged: u64,
    /// Documents that stand in SAP B1.
    pub documents: u64,
    /// Orders that are S with one document, which is the one that they name.
    pub applied: u64,
    /// Orders that are F with a reason, and have one document or none.
    pub failed_with_reason: u64,
    /// The reasons, and how many orders have each.
    pub reasons: BTreeMap<String, u64>,
    /// Orders with more than one document that stands.
    pub doubled: Vec<u64>,
    /// Of which some that a person hears of, since they are F.
    pub doubled_and_told: u64,
    /// Orders that were never staged.
    pub unstaged: Vec<u64>,
    /// Orders that are S without a document.
    pub lost: Vec<u64>,
    /// Orders that are S and name another document than theirs.
    pub mistaken: Vec<u64>,
    /// Orders that are F without a reason, or left out.
    pub silent: Vec<u64>,
    /// Orders that still wait.
    pub waiting: Vec<u64>,
    /// Documents that are of none of the orders.
    pub strays: u64,
}

impl Verdict {
    /// Whether every order has one document, or is F with a reason.
    pub fn is_good(&self) -> bool {
        let wrong = [&self.doubled, &self.unstaged, &self.lost, &self.mistaken, &self.silent, &self.waiting];
        wrong.iter().all(|orders| orders.is_empty()) && self.strays == 0
    }

    /// Some of the orders of a kind, for people.
    pub(super) fn some(orders: &[u64]) -> String {
        let named: Vec<_> = orders.iter().take(NAMED).map(u64::to_string).collect();
        named.join(" ")
    }
}

/// The count, if no order waits and all are staged.
pub(super) async fn settled(plan: &Plan, world: &World) -> Result<Option<Verdict>, String> {
    let waiting = [TxStatus::New, TxStatus::InProcess, TxStatus::InDoubt];
    let filter = EntityFilter { statuses: waiting.into(), limit: 1, ..EntityFilter::default() };
    // A store that is just being started again is no reason to end.
    let Ok(store) = world.store().await else { return Ok(None) };
    match store.list(&filter).await {
        Ok(listing) if listing.items.is_empty() => {}
        Ok(_) | Err(_) => return Ok(None),
    }
    drop(store);
    let verdict = count(plan, world).await?;
    Ok((verdict.staged == plan.orders && verdict.waiting.is_empty()).then_some(verdict))
}

/// What the store says of an order.
struct Staged {
    status: TxStatus,
    note: String,
    target: Option<String>,
}

/// The count.
pub(super) async fn count(plan: &Plan, world: &World) -> Result<Verdict, String> {
    let staged = staged(world).await?;
    let mut verdict = Verdict { orders: plan.orders, staged: staged.len() as u64, ..Verdict::default() };
    for order in 1..=plan.orders {
        let documents = world.b1.documents_of(&(NUMBERS_FROM + order).to_string());
        let standing: Vec<_> = documents.iter().filter(|document| !document.cancelled).collect();
        verdict.documents += standing.len() as u64;
        let staged = staged.get(&order);
        let status = staged.map(|staged| staged.status);
        if standing.len() > 1 {
            verdict.doubled.push(order);
            verdict.doubled_and_told += u64::from(status == Some(TxStatus::Failed));
            continue;
        }
        match (staged, status) {
            (None, _) => verdict.unstaged.push(order),
            (Some(staged), Some(TxStatus::Success)) => match standing.first() {
                None => verdict.lost.push(order),
                Some(document) if staged.target != Some(document.doc_entry.to_string()) => verdict.mistaken.push(order),
                Some(_) => verdict.applied += 1,
            },
            (Some(staged), Some(TxStatus::Failed)) if !staged.note.trim().is_empty() => {
                verdict.failed_with_reason += 1;
                *verdict.reasons.entry(without_numbers(&staged.note)).or_default() += 1;
            }
            (_, Some(TxStatus::New | TxStatus::InProcess | TxStatus::InDoubt)) => verdict.waiting.push(order),
            _ => verdict.silent.push(order),
        }
    }
    let counted = world.b1.counters();
    verdict.strays = (counted.documents - counted.cancelled).saturating_sub(verdict.documents);
    Ok(verdict)
}

/// What the store holds, by the order's id in the shop.
async fn staged(world: &World) -> Result<HashMap<u64, Staged>, String> {
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

/// A note without what tells one order from another.
fn without_numbers(note: &str) -> String {
    let mut out = String::new();
    for letter in note.chars() {
        let letter = if letter.is_ascii_digit() { '#' } else { letter };
        if letter != '#' || !out.ends_with('#') {
            out.push(letter);
        }
    }
    out
}
