//! Applying orders: look up → map → extend → reconcile → insert, update or cancel, batch by batch.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use datawald_core::engine::{Done, Target};
use datawald_core::model::{Intent, Order};
use datawald_core::store::Claimed;
use datawald_core::{Checkpoint, Cx, Error, Result};
use tracing::{Instrument, Span, debug_span};

use super::document::{Document, document};
use crate::{Backoffice, Found, NativeOrder, Reference};

/// Applies orders to a [`Backoffice`].
///
/// No order is written that was not looked up just before, in the same lease. What a look-up finds decides:
///
/// | | not there | stands | cancelled | several stand |
/// |---|---|---|---|---|
/// | to be applied | inserted | S; updated if its content is newer | F | F |
/// | to be cancelled | I | cancelled: X | X | F |
///
/// Not there, but recorded under a key: F. Somebody has changed the document's reference or taken it away; to insert another
/// could double the order, and to call it cancelled could have it shipped.
pub struct OrdersTarget {
    backoffice: Arc<dyn Backoffice>,
}

impl OrdersTarget {
    /// Applies to `backoffice`: an agency, or an agent over one.
    pub fn new(backoffice: Arc<dyn Backoffice>) -> Self {
        Self { backoffice }
    }
}

/// An order of the batch on its way through the steps.
struct Job<'a> {
    /// Its place in the batch.
    at: usize,
    claimed: &'a Claimed,
    order: Order,
    reference: Reference,
}

#[async_trait]
impl Target for OrdersTarget {
    async fn apply(&self, cx: &Cx, batch: &[Claimed]) -> Vec<Result<Done>> {
        let mut results = Results(batch.iter().map(|_| None).collect());
        let jobs = self.prepare(cx, batch, &mut results).await;
        let jobs = self.look_up(cx, jobs, &mut results).await;
        let (mut inserts, mut updates, mut cancels) = (Vec::new(), Vec::new(), Vec::new());
        for (job, found) in jobs {
            match (&job.claimed.intent, found) {
                (_, Found::Missing) if job.claimed.target_id.is_some() => results.set(job.at, Err(gone(&job))),
                // Newer content is not to be written: all that is left is to find out what became of an earlier write.
                (Intent::Ignore(reason), Found::Missing) => {
                    results.set(job.at, Ok(Done::Ignored { note: reason.clone() }));
                }
                (Intent::Reject(reason), Found::Missing) => {
                    results.set(job.at, Err(Error::invalid("apply order", reason.clone())));
                }
                (Intent::Ignore(reason) | Intent::Reject(reason), Found::Open { target_id }) => {
                    let note = format!("is in the backoffice; what changed since is not written: {reason}");
                    results.set(job.at, Ok(Done::Applied { target_id, note }));
                }
                (_, Found::Several { target_ids }) => results.set(job.at, Err(several(&target_ids))),
                (Intent::Apply, Found::Missing) => inserts.push(job),
                (Intent::Apply, Found::Open { target_id }) => updates.push((job, target_id)),
                (Intent::Apply, Found::Cancelled { target_id }) => {
                    results.set(job.at, Err(cancelled_there(&target_id)))
                }
                (Intent::Cancel, Found::Missing) => {
                    let note = "cancelled in the frontend before it reached the backoffice: nothing to do".to_owned();
                    results.set(job.at, Ok(Done::Ignored { note }));
                }
                (Intent::Cancel, Found::Open { target_id }) => cancels.push((job, target_id)),
                (Intent::Cancel, Found::Cancelled { target_id }) => {
                    let note = "was cancelled in the backoffice already".to_owned();
                    results.set(job.at, Ok(Done::Cancelled { target_id: Some(target_id), note }));
                }
                (_, Found::Cancelled { target_id }) => results.set(job.at, Err(cancelled_there(&target_id))),
            }
        }
        self.update(cx, updates, &mut results).await;
        self.cancel(cx, cancels, &mut results).await;
        self.insert(cx, inserts, &mut results).await;
        results.named(batch)
    }
}

impl OrdersTarget {
    /// Reads the orders and their references.
    async fn prepare<'a>(&self, cx: &Cx, batch: &'a [Claimed], results: &mut Results) -> Vec<Job<'a>> {
        let mut jobs = Vec::with_capacity(batch.len());
        for (at, claimed) in batch.iter().enumerate() {
            let order: Order = match serde_json::from_str(&claimed.doc) {
                Ok(order) => order,
                // What could not be mapped has its key, which is enough to look it up by.
                Err(_) if claimed.doc.is_empty() => Order {
                    frontend: claimed.key.frontend.clone(),
                    fe_order_id: claimed.key.id.clone(),
                    ..Order::default()
                },
                Err(error) => {
                    let message = format!("the staged document is not a canonical order (line {})", error.line());
                    results.set(at, Err(Error::mapping("read staged order", message)));
                    continue;
                }
            };
            match self.backoffice.order_reference(cx, &order).await {
                Ok(reference) => jobs.push(Job { at, claimed, order, reference }),
                Err(error) => results.set(at, Err(error)),
            }
        }
        jobs
    }

    async fn look_up<'a>(&self, cx: &Cx, jobs: Vec<Job<'a>>, results: &mut Results) -> Vec<(Job<'a>, Found)> {
        if jobs.is_empty() {
            return Vec::new();
        }
        let references: Vec<_> = jobs.iter().map(|job| job.reference.clone()).collect();
        let span = debug_span!("look_up", orders = jobs.len());
        cx.reached(Checkpoint::BeforeLookUp);
        let found = self.backoffice.look_up_orders(cx, &references).instrument(span).await;
        cx.reached(Checkpoint::AfterLookUp);
        match found {
            Ok(found) if found.len() == jobs.len() => jobs.into_iter().zip(found).collect(),
            Ok(_) => {
                let error = Error::config(
                    "look_up_orders",
                    "the step answered for another number of orders than it was asked for",
                );
                jobs.iter().for_each(|job| results.set(job.at, Err(error.clone())));
                Vec::new()
            }
            Err(error) => {
                jobs.iter().for_each(|job| results.set(job.at, Err(error.clone())));
                Vec::new()
            }
        }
    }

    /// Maps and inserts what is not there.
    async fn insert(&self, cx: &Cx, jobs: Vec<Job<'_>>, results: &mut Results) {
        let Some(codes) = self.customer_codes(cx, &jobs, results).await else { return };
        let mut docs: Vec<NativeOrder> = Vec::with_capacity(jobs.len());
        let mut at: Vec<usize> = Vec::with_capacity(jobs.len());
        let mut taken: HashMap<Reference, &str> = HashMap::with_capacity(jobs.len());
        for (job, code) in jobs.iter().zip(codes) {
            if let Some(other) = taken.get(&job.reference) {
                results.set(job.at, Err(same_reference(other)));
                continue;
            }
            let made = match code {
                Ok(code) => document(&*self.backoffice, cx, &job.order, job.reference.clone(), code).await,
                Err(error) => Err(error),
            };
            match made {
                Ok(Document::Ready(doc)) => {
                    taken.insert(job.reference.clone(), &job.claimed.key.id);
                    docs.push(doc);
                    at.push(job.at);
                }
                Ok(Document::Ignore(note)) => results.set(job.at, Ok(Done::Ignored { note })),
                Err(error) => results.set(job.at, Err(error)),
            }
        }
        if docs.is_empty() {
            return;
        }
        let span = debug_span!("insert", orders = docs.len());
        written(&span, taken.values().copied());
        cx.reached(Checkpoint::BeforeWrite);
        let inserted = self.backoffice.insert_orders(cx, &docs).instrument(span).await;
        cx.reached(Checkpoint::AfterWrite);
        let done = |place: usize, target_id: String| Done::Applied { target_id, note: note(&docs[place]) };
        results.spread(&at, inserted, "insert_orders", done);
    }

    async fn customer_codes(&self, cx: &Cx, jobs: &[Job<'_>], results: &mut Results) -> Option<Vec<Result<String>>> {
        if jobs.is_empty() {
            return None;
        }
        let orders: Vec<_> = jobs.iter().map(|job| &job.order).collect();
        match self.backoffice.customer_codes(cx, &orders).await {
            Ok(codes) if codes.len() == jobs.len() => Some(codes),
            Ok(_) => {
                let error = Error::config(
                    "customer_codes",
                    "the step answered for another number of orders than it was asked for",
                );
                jobs.iter().for_each(|job| results.set(job.at, Err(error.clone())));
                None
            }
            Err(error) => {
                jobs.iter().for_each(|job| results.set(job.at, Err(error.clone())));
                None
            }
        }
    }

    /// Brings up to date what is there and has changed since; the rest is done as it is.
    async fn update(&self, cx: &Cx, jobs: Vec<(Job<'_>, String)>, results: &mut Results) {
        let (changed, same): (Vec<_>, Vec<_>) =
            jobs.into_iter().partition(|(job, _)| job.claimed.rev > 1 && job.claimed.target_id.is_some());
        for (job, target_id) in same {
            results.set(job.at, Ok(Done::Applied { target_id, note: "is in the backoffice already".to_owned() }));
        }
        if changed.is_empty() {
            return;
        }
        let orders: Vec<_> = changed.iter().map(|(job, target_id)| (&job.order, target_id.as_str())).collect();
        let span = debug_span!("update", orders = orders.len());
        written(&span, changed.iter().map(|(job, _)| job.claimed.key.id.as_str()));
        let updated = self.backoffice.update_orders(cx, &orders).instrument(span).await;
        let at: Vec<_> = changed.iter().map(|(job, _)| job.at).collect();
        let done = |place: usize, note: String| {
            let target_id = changed.get(place).map(|(_, target_id)| target_id.clone()).unwrap_or_default();
            Done::Applied { target_id, note }
        };
        results.spread(&at, updated, "update_orders", done);
    }

    async fn cancel(&self, cx: &Cx, jobs: Vec<(Job<'_>, String)>, results: &mut Results) {
        if jobs.is_empty() {
            return;
        }
        let orders: Vec<_> = jobs.iter().map(|(job, target_id)| (&job.reference, target_id.as_str())).collect();
        let span = debug_span!("cancel", orders = orders.len());
        written(&span, jobs.iter().map(|(job, _)| job.claimed.key.id.as_str()));
        cx.reached(Checkpoint::BeforeWrite);
        let cancelled = self.backoffice.cancel_orders(cx, &orders).instrument(span).await;
        cx.reached(Checkpoint::AfterWrite);
        let at: Vec<_> = jobs.iter().map(|(job, _)| job.at).collect();
        let done = |place: usize, note: String| {
            let target_id = jobs.get(place).map(|(_, target_id)| target_id.clone());
            Done::Cancelled { target_id, note }
        };
        results.spread(&at, cancelled, "cancel_orders", done);
    }
}

/// Tells of each order that it is in a write, to whoever follows one.
fn written<'a>(span: &Span, orders: impl Iterator<Item = &'a str>) {
    span.in_scope(|| {
        for entity in orders {
            tracing::debug!(entity, "is sent to the backoffice");
        }
    });
}

/// The results of a batch, by place.
struct Results(Vec<Option<Result<Done>>>);

impl Results {
    fn set(&mut self, at: usize, result: Result<Done>) {
        if let Some(place) = self.0.get_mut(at) {
            *place = Some(result);
        }
    }

    /// Spreads the answer of a batch step over the places that it was asked for.
    fn spread(
        &mut self,
        at: &[usize],
        answer: Result<Vec<Result<String>>>,
        step: &'static str,
        done: impl Fn(usize, String) -> Done,
    ) {
        match answer {
            Err(error) => at.iter().for_each(|at| self.set(*at, Err(error.clone()))),
            Ok(answers) => {
                let missing = at.len().saturating_sub(answers.len());
                let answers = answers.into_iter().chain((0..missing).map(|_| Err(unanswered(step))));
                for (place, (at, answer)) in at.iter().zip(answers).enumerate() {
                    self.set(*at, answer.map(|text| done(place, text)));
                }
            }
        }
    }

    /// The results, with the entity named in every error.
    fn named(self, batch: &[Claimed]) -> Vec<Result<Done>> {
        let name = |(claimed, result): (&Claimed, Option<Result<Done>>)| {
            let result = result.unwrap_or_else(|| Err(unanswered("apply")));
            result.map_err(|error| error.or_entity(|| claimed.key.to_string()))
        };
        batch.iter().zip(self.0).map(name).collect()
    }
}

fn unanswered(step: &'static str) -> Error {
    let disposition = datawald_core::Disposition::Uncertain;
    Error::new(datawald_core::ErrorKind::Protocol, disposition, step, "the step did not answer for this order")
}

/// The remark of an order that was inserted: what its totals came to, and what the mapping had to say.
fn note(doc: &NativeOrder) -> String {
    let mut note = String::from("inserted");
    if let Some(totals) = &doc.totals {
        note.push_str(&format!(", document total {}", totals.document));
    }
    if !doc.note.is_empty() {
        note.push_str("; ");
        note.push_str(&doc.note);
    }
    note
}

fn gone(job: &Job<'_>) -> Error {
    let message = format!(
        "its document {} is not found under its reference {} any more, so it is neither changed nor made a second time: give \
         the document its reference back or, if it is gone, enter the order by hand under that reference; then re-sync it",
        job.claimed.target_id.as_deref().unwrap_or_default(),
        job.reference.value,
    );
    Error::invalid("look up order", message)
}

fn several(target_ids: &[String]) -> Error {
    let message = format!(
        "{} documents stand for this order ({}): cancel those that are too many in the backoffice, then re-sync it",
        target_ids.len(),
        target_ids.join(", ")
    );
    Error::invalid("look up order", message)
}

fn cancelled_there(target_id: &str) -> Error {
    let message = format!(
        "its document {target_id} is cancelled in the backoffice, though the order stands in the frontend: cancel the order \
         there, or enter it by hand; a second document is not made"
    );
    Error::invalid("look up order", message)
}

fn same_reference(other: &str) -> Error {
    let message = format!(
        "has the same reference as order {other}, so that one could not be told from the other: have `order_reference` make \
         them different"
    );
    Error::invalid("order_reference", message)
}
