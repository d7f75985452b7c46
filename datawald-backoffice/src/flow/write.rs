//! Writing: insert what is not there, bring up to date or cancel what is.

use std::collections::HashMap;

use datawald_core::engine::Done;
use datawald_core::{Checkpoint, Cx, Disposition, Result};
use tracing::{Instrument, Span, debug_span};

use super::bind::bind;
use super::document::{Document, document};
use super::job::{FoundJob, Job};
use super::refusals::{another_number, same_reference};
use super::results::Results;
use crate::{Backoffice, Found, NativeOrder, Reference};

/// The remark of an order whose document was cancelled without this call.
pub(super) const CANCELLED_BEFORE: &str = "was cancelled in the backoffice already";

/// Maps and inserts what is not there.
pub(super) async fn insert(backoffice: &dyn Backoffice, cx: &Cx, jobs: Vec<Job<'_>>, results: &mut Results) {
    let mut docs: Vec<NativeOrder> = Vec::with_capacity(jobs.len());
    let mut sent: Vec<&Job<'_>> = Vec::with_capacity(jobs.len());
    let mut taken: HashMap<&Reference, &str> = HashMap::with_capacity(jobs.len());
    for (job, made) in jobs.iter().zip(make(backoffice, cx, &jobs).await) {
        if let Some(other) = taken.get(&job.reference) {
            results.set(job, Err(same_reference(other)));
            continue;
        }
        match made {
            Ok(Document::Ready(doc)) => {
                taken.insert(&job.reference, &job.claimed.key.id);
                docs.push(doc);
                sent.push(job);
            }
            Ok(Document::Ignore(note)) => results.set(job, Ok(Done::Ignored { note })),
            Err(error) => results.set(job, Err(error)),
        }
    }
    let unwritten: Vec<_> = sent.iter().map(|job| (*job, None)).collect();
    let bound = bind(cx, &unwritten).await;
    let (docs, sent): (Vec<_>, Vec<_>) = docs
        .into_iter()
        .zip(sent)
        .zip(bound)
        .filter_map(|((doc, job), bound)| match bound {
            Ok(()) => Some((doc, job)),
            Err(error) => {
                results.set(job, Err(error));
                None
            }
        })
        .unzip();
    if docs.is_empty() {
        return;
    }
    let span = debug_span!("insert", orders = docs.len());
    written(&span, sent.iter().copied());
    cx.reached(Checkpoint::BeforeWrite);
    let inserted = backoffice.insert_orders(cx, &docs).instrument(span).await;
    cx.reached(Checkpoint::AfterWrite);
    let done = |place: usize, target_id: String| Done::Applied {
        target_id,
        note: docs.get(place).map(note).unwrap_or_default(),
    };
    results.spread(&sent, inserted, "insert_orders", done);
}

/// Makes the documents of orders, each or why not.
pub(super) async fn make(backoffice: &dyn Backoffice, cx: &Cx, jobs: &[Job<'_>]) -> Vec<Result<Document>> {
    let jobs: Vec<&Job<'_>> = jobs.iter().collect();
    make_of(backoffice, cx, &jobs).await
}

pub(super) async fn make_of(backoffice: &dyn Backoffice, cx: &Cx, jobs: &[&Job<'_>]) -> Vec<Result<Document>> {
    if jobs.is_empty() {
        return Vec::new();
    }
    let orders: Vec<_> = jobs.iter().map(|job| &job.order).collect();
    let codes = match backoffice.customer_codes(cx, &orders).await {
        Ok(codes) if codes.len() == jobs.len() => codes,
        Ok(_) => jobs.iter().map(|_| Err(another_number("customer_codes"))).collect(),
        Err(error) => jobs.iter().map(|_| Err(error.clone())).collect(),
    };
    let mut made = Vec::with_capacity(jobs.len());
    for (job, code) in jobs.iter().zip(codes) {
        made.push(match code {
            Ok(code) => document(backoffice, cx, &job.order, job.reference.clone(), job.mark(), code).await,
            Err(error) => Err(error),
        });
    }
    made
}

/// Brings up to date what is there in an earlier version; the rest is done as it is.
pub(super) async fn update(backoffice: &dyn Backoffice, cx: &Cx, jobs: Vec<FoundJob<'_>>, results: &mut Results) {
    let (changed, same): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|found| found.job.claimed.is_newer());
    for FoundJob { job, document, .. } in same {
        let note = "is in the backoffice already".to_owned();
        results.set(&job, Ok(Done::Applied { target_id: document.target_id, note }));
    }
    if changed.is_empty() {
        return;
    }
    let orders: Vec<_> = changed.iter().map(|found| (&found.job.order, found.document.target_id.as_str())).collect();
    let jobs: Vec<_> = changed.iter().map(|found| &found.job).collect();
    let span = debug_span!("update", orders = orders.len());
    written(&span, jobs.iter().copied());
    cx.reached(Checkpoint::BeforeWrite);
    let updated = backoffice.update_orders(cx, &orders).instrument(span).await;
    cx.reached(Checkpoint::AfterWrite);
    results.spread(&jobs, updated, "update_orders", |place, note| {
        let target_id = changed.get(place).map(|found| found.document.target_id.clone()).unwrap_or_default();
        Done::Applied { target_id, note }
    });
}

/// Cancels what stands.
pub(super) async fn cancel(backoffice: &dyn Backoffice, cx: &Cx, jobs: Vec<FoundJob<'_>>, results: &mut Results) {
    if jobs.is_empty() {
        return;
    }
    let orders: Vec<_> = jobs.iter().map(|found| (&found.job.reference, found.document.target_id.as_str())).collect();
    let sent: Vec<_> = jobs.iter().map(|found| &found.job).collect();
    let span = debug_span!("cancel", orders = orders.len());
    written(&span, sent.iter().copied());
    cx.reached(Checkpoint::BeforeWrite);
    let mut cancelled = backoffice.cancel_orders(cx, &orders).instrument(span).await;
    cx.reached(Checkpoint::AfterWrite);
    if let Ok(answers) = &mut cancelled {
        cancelled_meanwhile(backoffice, cx, &jobs, answers).await;
    }
    results.spread(&sent, cancelled, "cancel_orders", |place, note| {
        let target_id = jobs.get(place).map(|found| found.document.target_id.clone());
        Done::Cancelled { target_id, note }
    });
}

/// Looks up what was refused to be cancelled: an earlier call without an answer may have been carried out since the look-up, and what is
/// cancelled cannot be cancelled again.
async fn cancelled_meanwhile(
    backoffice: &dyn Backoffice,
    cx: &Cx,
    jobs: &[FoundJob<'_>],
    answers: &mut [Result<String>],
) {
    let is_refused =
        |answer: &Result<String>| answer.as_ref().is_err_and(|error| error.disposition() == Disposition::Rejected);
    let mut refused: Vec<_> = jobs.iter().zip(answers).filter(|(_, answer)| is_refused(answer)).collect();
    if refused.is_empty() {
        return;
    }
    let references: Vec<_> = refused.iter().map(|(found, _)| found.job.reference.clone()).collect();
    // Where it cannot be looked up, the refusal stands.
    let Ok(looked_up) = backoffice.look_up_orders(cx, &references).await else { return };
    for ((found, answer), now) in refused.iter_mut().zip(looked_up) {
        if matches!(now, Found::Cancelled(document) if document.target_id == found.document.target_id) {
            **answer = Ok(CANCELLED_BEFORE.to_owned());
        }
    }
}

/// Tells of each order that it is in a write, to whoever follows one.
fn written<'a>(span: &Span, jobs: impl Iterator<Item = &'a Job<'a>>) {
    span.in_scope(|| {
        for job in jobs {
            let (entity, order) = (&job.claimed.key.id, &job.claimed.name);
            tracing::debug!(entity, order, "is sent to the backoffice");
        }
    });
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
