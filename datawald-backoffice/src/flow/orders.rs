//! Applying orders: look up → map → extend → reconcile → recognize → insert, update or cancel, batch by batch.

use std::sync::Arc;

use async_trait::async_trait;
use datawald_core::engine::{Applied, Done, Target, check_chain};
use datawald_core::model::Intent;
use datawald_core::store::Claimed;
use datawald_core::{Checkpoint, Cx, Error, Result};
use tracing::{Instrument, debug_span};

use super::bind::bind;
use super::document::Document;
use super::job::{FoundJob, Job};
use super::recognize::{Known, check_total, not_ours, recognize};
use super::refusals::{another_number, cancelled_there, gone, several, unanswered};
use super::results::Results;
use super::write;
use crate::{Backoffice, Found};

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
///
/// A cancellation that is refused is looked up once more: X, if an earlier call has cancelled the document meanwhile.
///
/// Not there, and an earlier write may still be carried out ([`Claimed::may_be_missing`]): looked up once more.
///
/// What stands is the order's if it is recorded, bears its mark, or agrees with what is made of the order as it is now or was
/// when it may have been written ([`Backoffice::recognize_order`]); else F, and nothing is done to it. It is recorded as the
/// order's before anything else is done with it ([`Cx::bind`]): if it is another order's, of whatever frontend, F. If its total is
/// not the order's any more: F; once it is corrected by hand and the order done again, S.
pub struct OrdersTarget {
    backoffice: Arc<dyn Backoffice>,
}

impl OrdersTarget {
    /// Applies to `backoffice`: an agency, or an agent over one.
    pub fn new(backoffice: Arc<dyn Backoffice>) -> Self {
        Self { backoffice }
    }
}

#[async_trait]
impl Target for OrdersTarget {
    fn check(&self) -> Result<()> {
        check_chain(&*self.backoffice, |link| link.base())
    }

    async fn apply(&self, cx: &Cx, batch: &[Claimed]) -> Vec<Applied> {
        let backoffice = &*self.backoffice;
        let mut results = Results::of(batch);
        let mut jobs = Vec::with_capacity(batch.len());
        for (at, claimed) in batch.iter().enumerate() {
            match Job::new(backoffice, cx, at, claimed).await {
                Ok(job) => jobs.push(job),
                Err(error) => results.refuse(at, error),
            }
        }
        let (mut missing, mut found) = (Vec::new(), Vec::new());
        for (job, looked_up) in self.look_up(cx, jobs, &mut results).await {
            match looked_up {
                Found::Missing => missing.push(job),
                Found::Open(document) => found.push(FoundJob { job, document, cancelled: false, made: None }),
                Found::Cancelled(document) => found.push(FoundJob { job, document, cancelled: true, made: None }),
                Found::Several { target_ids } => results.set(&job, Err(several(&target_ids))),
            }
        }
        let inserts = decide_missing(missing, &mut results);
        let found = self.recognize_all(cx, found, &mut results).await;
        let (updates, cancels) = decide_found(found, &mut results);
        write::update(backoffice, cx, updates, &mut results).await;
        write::cancel(backoffice, cx, cancels, &mut results).await;
        write::insert(backoffice, cx, inserts, &mut results).await;
        results.named(batch)
    }

    fn settings_digest(&self) -> Option<String> {
        self.backoffice.settings_digest()
    }
}

impl OrdersTarget {
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
                results.fail(&jobs, &another_number("look_up_orders"));
                Vec::new()
            }
            Err(error) => {
                results.fail(&jobs, &error);
                Vec::new()
            }
        }
    }

    /// Lets those through whose document is their own and comes to what the order does.
    async fn recognize_all<'a>(&self, cx: &Cx, found: Vec<FoundJob<'a>>, results: &mut Results) -> Vec<FoundJob<'a>> {
        let (mut ours, mut unmarked) = (Vec::new(), Vec::new());
        for found in found {
            match found.known() {
                Known::Theirs => results.set(&found.job, Err(not_ours(&found, &[]))),
                Known::Ours => ours.push(found),
                Known::Unmarked => unmarked.push(found),
            }
        }
        ours.extend(recognize(&*self.backoffice, cx, unmarked, results).await);
        let ours = keep_bound(cx, ours, results).await;
        let (follow, mut kept): (Vec<_>, Vec<_>) =
            ours.into_iter().partition(|found| found.must_follow() && !found.is_settled());
        let unmade: Vec<&Job<'_>> =
            follow.iter().filter(|found| found.made.is_none()).map(|found| &found.job).collect();
        let mut made = write::make_of(&*self.backoffice, cx, &unmade).await.into_iter();
        for mut found in follow {
            let made = match found.made.take() {
                Some(made) => Ok(Document::Ready(made)),
                None => made.next().unwrap_or_else(|| Err(unanswered("map_order"))),
            };
            let followed = match made {
                Ok(Document::Ready(made)) => check_total(&found, &made).map(|()| None),
                Ok(Document::Ignore(note)) => Ok(Some(Done::Ignored { note })),
                Err(error) => Err(error),
            };
            match followed {
                Ok(None) => kept.push(found),
                Ok(Some(done)) => results.set(&found.job, Ok(done)),
                Err(error) => results.set(&found.job, Err(error)),
            }
        }
        kept
    }
}

/// Records whose document is whose, before anything is done with it, and lets those through whose is nobody else's.
async fn keep_bound<'a>(cx: &Cx, ours: Vec<FoundJob<'a>>, results: &mut Results) -> Vec<FoundJob<'a>> {
    let documents: Vec<_> = ours.iter().map(|found| (&found.job, Some(found.document.target_id.as_str()))).collect();
    let bound = bind(cx, &documents).await;
    let mut kept = Vec::with_capacity(ours.len());
    for (found, bound) in ours.into_iter().zip(bound) {
        match bound {
            Ok(()) => kept.push(found),
            Err(error) => results.set(&found.job, Err(error)),
        }
    }
    kept
}

/// What is not there: answers what is to be inserted.
fn decide_missing<'a>(jobs: Vec<Job<'a>>, results: &mut Results) -> Vec<Job<'a>> {
    let mut inserts = Vec::new();
    for job in jobs {
        let result = match &job.claimed.intent {
            _ if job.claimed.target_id.is_some() => Err(gone(&job)),
            _ if !job.claimed.may_be_missing() => Ok(Done::NotThereYet),
            Intent::Apply => {
                inserts.push(job);
                continue;
            }
            Intent::Cancel => {
                let note = "cancelled in the frontend before it reached the backoffice: nothing to do".to_owned();
                Ok(Done::Ignored { note })
            }
            Intent::Ignore(reason) => Ok(Done::Ignored { note: reason.clone() }),
            Intent::Reject(reason) => Err(Error::invalid("apply order", reason.clone())),
        };
        results.set(&job, result);
    }
    inserts
}

/// What is there and the order's own: answers what is to be brought up to date, and what is to be cancelled.
fn decide_found<'a>(found: Vec<FoundJob<'a>>, results: &mut Results) -> (Vec<FoundJob<'a>>, Vec<FoundJob<'a>>) {
    let (mut updates, mut cancels) = (Vec::new(), Vec::new());
    for found in found {
        let target_id = found.document.target_id.clone();
        let result = match (&found.job.claimed.intent, found.cancelled) {
            (Intent::Apply, false) => {
                updates.push(found);
                continue;
            }
            (Intent::Cancel, false) => {
                cancels.push(found);
                continue;
            }
            (Intent::Cancel, true) => {
                let note = write::CANCELLED_BEFORE.to_owned();
                Ok(Done::Cancelled { target_id: Some(target_id), note })
            }
            // Newer content is not to be written: all that is left is to find out what became of an earlier write.
            (Intent::Ignore(reason) | Intent::Reject(reason), false) => {
                let note = format!("is in the backoffice; what changed since is not written: {reason}");
                Ok(Done::Applied { target_id, note })
            }
            (_, true) => Err(cancelled_there(&target_id)),
        };
        results.set(&found.job, result);
    }
    (updates, cancels)
}
