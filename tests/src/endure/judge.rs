//! The count at the end, by the sandboxes and by what the mover itself says, with nothing known of how it moves orders.

use std::collections::BTreeMap;

use datawald_core::model::TxStatus;
use jiff::Timestamp;
use mage2_connector::parse_time;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::plan::{Mover, Plan};
use super::staged::{some_wait, staged};
use super::world::World;

/// An order's number in the shop is this and its id.
pub(super) const NUMBERS_FROM: u64 = 900_000_000;

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
    /// Orders whose one document does not come to what the customer was charged.
    pub wrong_total: Vec<u64>,
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
        let wrong = [&self.doubled, &self.unstaged, &self.lost, &self.mistaken, &self.wrong_total, &self.silent];
        wrong.into_iter().chain([&self.waiting]).all(|orders| orders.is_empty()) && self.strays == 0
    }

    /// Some of the orders of a kind, for people.
    pub(super) fn some(orders: &[u64]) -> String {
        let named: Vec<_> = orders.iter().take(NAMED).map(u64::to_string).collect();
        named.join(" ")
    }
}

/// The count, if the mover has done with every order.
pub(super) async fn settled(plan: &Plan, world: &World) -> Result<Option<Verdict>, String> {
    // A store that is just being started again is no reason to end.
    if !matches!(some_wait(plan, world).await, Ok(false)) {
        return Ok(None);
    }
    let verdict = count(plan, world).await?;
    // What failed the peer tries again, and what has a loop's cut behind it may still be written.
    let tried_again = match plan.mover {
        Mover::Datawald => 0,
        Mover::Celery => verdict.failed_with_reason,
        Mover::Loop => verdict.lost.len() as u64,
    };
    let done = verdict.staged == plan.orders && verdict.waiting.is_empty() && tried_again == 0;
    Ok(done.then_some(verdict))
}

/// The count.
pub(super) async fn count(plan: &Plan, world: &World) -> Result<Verdict, String> {
    let staged = staged(plan, world).await?;
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
        if let ([document], Some(shop)) = (&standing[..], in_the_shop(world, order)?)
            && document.total != shop.charged
        {
            verdict.wrong_total.push(order);
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

/// What the shop shows of an order.
#[derive(Deserialize)]
struct Shown<'a> {
    #[serde(borrow)]
    grand_total: &'a RawValue,
    updated_at: &'a str,
}

/// What is known of an order in the shop.
pub(super) struct InTheShop {
    /// What the customer was charged.
    charged: Decimal,
    pub(super) updated_at: Timestamp,
}

/// What the shop knows of an order, if there is one.
pub(super) fn in_the_shop(world: &World, order: u64) -> Result<Option<InTheShop>, String> {
    let Some(text) = world.magento.order(order) else { return Ok(None) };
    let unread = |error: &dyn std::fmt::Display| format!("order {order} of the shop cannot be read: {error}");
    let shown: Shown<'_> = serde_json::from_str(&text).map_err(|error| unread(&error))?;
    let charged = shown.grand_total.get().parse().map_err(|error| unread(&error))?;
    let updated_at = parse_time(shown.updated_at).ok_or_else(|| unread(&"its time"))?;
    Ok(Some(InTheShop { charged, updated_at }))
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
