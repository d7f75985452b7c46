//! A batch of entities: lease them, apply them, settle the outcomes.

use std::panic::AssertUnwindSafe;

use futures::FutureExt;
use tokio::sync::Notify;
use tokio::time::{Instant, timeout};
use tracing::{Instrument, debug_span, info_span};

use super::in_hand::InHand;
use super::meter::{self, Part};
use super::outcome::outcome;
use super::suspects::{Heard, Judged};
use super::worker::Crew;
use super::{Applied, Done};
use crate::clock::later;
use crate::model::{EntityKey, Intent, SyncTaskId};
use crate::queue::TaskMessage;
use crate::store::{Claim, Claimed, Outcome, Settled, Settlement};
use crate::{Checkpoint, Concern, Cx, Disposition, Error, ErrorKind, Now, Result};

/// How often settling is tried before the outcome is left to a later look-up.
const SETTLE_ATTEMPTS: u32 = 5;

/// How many leases long a batch may be applied before it is no longer renewed.
const MAX_RENEWALS: u32 = 20;

/// After so many leases of an entity ran out in a row, it is tried alone.
const SUSPECT_AFTER: u32 = 2;

/// What became of a task.
pub(super) enum Ended {
    /// Everything of it that was due has an outcome; what was heard of the other side on the way.
    Done(Heard),
    /// The workers are to stop, or the flow is paused: what was leased has been given back.
    HandedBack,
}

/// Why a batch is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Purpose {
    /// To get it done: not while the flow is paused.
    Work,
    /// To find out whether the other side can be used again.
    Probe,
}

impl Crew {
    /// Leases what is due of `keys`, applies it and settles the outcomes. `sync_task` is the run that brought them, where
    /// the task tells: by it, traces of several processes are joined.
    pub(super) async fn process(
        &self,
        keys: &[String],
        sync_task: Option<&SyncTaskId>,
        purpose: Purpose,
    ) -> Result<Ended> {
        let sync_task = sync_task.map(tracing::field::display);
        let span = info_span!("apply", flow = %self.flow, sync_task, entities = keys.len());
        self.process_all(keys, purpose).instrument(span).await
    }

    async fn process_all(&self, keys: &[String], purpose: Purpose) -> Result<Ended> {
        let mut heard = Heard::default();
        for keys in keys.chunks(self.engine.shared.settings.batch) {
            if self.must_wait(purpose) {
                return Ok(Ended::HandedBack);
            }
            let (cx, claimed, mut in_hand) = self.claim(keys).await?;
            // Whoever took these up did not come back, or they may be why the other side fails. Each is tried alone, so that it
            // takes nobody along.
            let is_suspect =
                |claimed: &Claimed| claimed.lost_leases >= SUSPECT_AFTER || self.suspects.has(&claimed.key.id);
            let (suspects, claimed): (Vec<_>, Vec<_>) =
                claimed.into_iter().partition(|claimed| keys.len() > 1 && is_suspect(claimed));
            self.hand_back(&suspects).await?;
            in_hand.put_down(&suspects);
            match self.finish(&cx, claimed, purpose).await? {
                Ended::Done(more) => heard.add(more),
                Ended::HandedBack => return Ok(Ended::HandedBack),
            }
            for suspect in suspects {
                if self.must_wait(purpose) {
                    return Ok(Ended::HandedBack);
                }
                let (cx, claimed, _in_hand) = self.claim(&[suspect.key.id]).await?;
                match self.finish(&cx, claimed, purpose).await? {
                    Ended::Done(more) => heard.add(more),
                    Ended::HandedBack => return Ok(Ended::HandedBack),
                }
            }
        }
        Ok(Ended::Done(heard))
    }

    /// Leases what is due of `keys` and is not in this process' hands already: whatever has become of a lease of its own, it
    /// would be the second that works on it.
    async fn claim(&self, keys: &[String]) -> Result<(Cx, Vec<Claimed>, InHand<'_>)> {
        let shared = &self.engine.shared;
        let settings = &shared.settings;
        let cx = self.engine.cx(&self.flow);
        cx.reached(Checkpoint::BeforeClaim);
        let keys = shared.in_hand.free(&self.flow, keys);
        // Before the store is asked for the time: for whoever is stopped in between, the lease is not longer than for others.
        let began = cx.monotonic();
        let now = self.engine.now().await?;
        let mut claimed = shared
            .store
            .claim(Claim {
                flow: &self.flow,
                keys: Some(&keys),
                limit: settings.batch,
                owner: &shared.owner,
                lease: settings.lease(),
                settle_delay: shared.settle_delay(),
                now,
            })
            .instrument(debug_span!("claim"))
            .await?;
        meter::claimed(&self.flow, claimed.len(), claimed.iter().filter(|claimed| claimed.lost_leases > 0).count());
        let in_hand = shared.in_hand.take(&mut claimed);
        self.add_written(&mut claimed).await?;
        cx.reached(Checkpoint::AfterClaim);
        Ok((cx.with_deadline(began + settings.lease()), claimed, in_hand))
    }

    /// Adds what may have been written where newer content came while that was in doubt. It is seldom so. A later version may
    /// have been written in the place of the first, once that was believed not to be there.
    async fn add_written(&self, claimed: &mut [Claimed]) -> Result<()> {
        for claimed in claimed {
            // Of what cannot be mapped any more, earlier versions alone can show which document is its own: the one that is
            // recorded may be a draft that has become an order since.
            let is_unclear = claimed.target_id.is_none() || matches!(claimed.intent, Intent::Reject(_));
            let first = claimed.written.filter(|_| claimed.is_newer() && is_unclear);
            if let Some(first) = first {
                let versions = self.engine.shared.store.history(&claimed.key).await?;
                let may_be_there = (first..claimed.rev).rev();
                let docs = may_be_there.filter_map(|rev| versions.iter().find(|version| version.rev == rev));
                claimed.written_docs = docs.map(|version| version.doc.clone()).filter(|doc| !doc.is_empty()).collect();
            }
        }
        Ok(())
    }

    /// Applies what was leased and settles the outcomes; hands it back if the workers are to stop first.
    async fn finish(&self, cx: &Cx, claimed: Vec<Claimed>, purpose: Purpose) -> Result<Ended> {
        let limit = self.engine.shared.settings.max_lost_leases;
        let (given_up, claimed): (Vec<_>, Vec<_>) =
            claimed.into_iter().partition(|claimed| claimed.lost_leases >= limit);
        let mut given_up = given_up.into_iter();
        let mut heard = Heard::default();
        while let Some(next) = given_up.next() {
            match self.give_up(cx, next, limit, purpose).await? {
                Ended::Done(more) => heard.add(more),
                Ended::HandedBack => {
                    let rest: Vec<_> = given_up.chain(claimed).collect();
                    self.hand_back(&rest).await?;
                    return Ok(Ended::HandedBack);
                }
            }
        }
        if claimed.is_empty() {
            return Ok(Ended::Done(heard));
        }
        let Some(results) = self.apply(cx, &claimed, purpose).await else {
            self.hand_back(&claimed).await?;
            return Ok(Ended::HandedBack);
        };
        heard.add(self.settle(cx, &claimed, results, purpose).await?);
        Ok(Ended::Done(heard))
    }

    /// Gives leases back, as if they had not been taken.
    async fn hand_back(&self, claimed: &[Claimed]) -> Result<()> {
        if claimed.is_empty() {
            return Ok(());
        }
        let outcomes = claimed.iter().map(|claimed| settlement(claimed, Outcome::Release)).collect();
        self.write(outcomes).await.map(drop)
    }

    /// Ends an entity that no worker came back from, and sets its task aside for whoever looks into it. Before that it is
    /// looked up: it may be there. Only if no worker came back from that either, it ends without.
    async fn give_up(&self, cx: &Cx, mut claimed: Claimed, limit: u32, purpose: Purpose) -> Result<Ended> {
        let reason = format!(
            "given up: {} times in a row a worker died or hung while it applied this {}, and it is not known whether it \
             was carried out; see what the workers' logs say, look for it on the other side, then sync it again",
            claimed.lost_leases,
            self.flow.table.singular(),
        );
        if claimed.lost_leases == limit {
            claimed.intent = Intent::Reject(reason.clone());
            let Some(applied) = self.apply(cx, std::slice::from_ref(&claimed), purpose).await else {
                self.hand_back(std::slice::from_ref(&claimed)).await?;
                return Ok(Ended::HandedBack);
            };
            // An earlier version that is there says nothing of the one that they died over.
            let is_known = |applied: &Applied| match applied.result {
                Ok(Done::NotThereYet) => false,
                Ok(Done::Applied { .. }) => !claimed.is_newer(),
                _ => true,
            };
            if applied.iter().all(is_known) {
                return self.settle(cx, std::slice::from_ref(&claimed), applied, purpose).await.map(Ended::Done);
            }
        }
        let claimed = &claimed;
        tracing::error!(entity = %claimed.key, "{reason}");
        let message = TaskMessage { flow: self.flow.clone(), keys: vec![claimed.key.id.clone()], sync_task: None };
        if let Err(error) = self.engine.shared.queue.dead(&message, &reason).await {
            tracing::warn!(%error, entity = %claimed.key, "could not set a task aside; the entity says why it failed");
        }
        self.write(vec![settlement(
            claimed,
            Outcome::Failed { note: reason, class: ErrorKind::GivenUp.as_str().to_owned() },
        )])
        .await?;
        Ok(Ended::Done(Heard::default()))
    }

    /// Applies a batch when it is its turn, renewing its leases meanwhile. `None` if the workers are to stop before, or the flow
    /// is paused.
    async fn apply(&self, cx: &Cx, claimed: &[Claimed], purpose: Purpose) -> Option<Vec<Applied>> {
        let mut stop = self.stop.subscribe();
        let mut paused = self.paused.subscribe();
        let applying = async {
            let _permit = tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return None,
                _ = paused.wait_for(Option::is_some), if purpose == Purpose::Work => return None,
                // Closed never, so this fails never; without a permit it would only be less bounded.
                permit = self.applying.acquire() => permit.ok(),
            };
            // An agent is somebody else's code: a panic in it must not take the worker with it, nor the batch.
            let started = Instant::now();
            let results = AssertUnwindSafe(self.target.apply(cx, claimed)).catch_unwind().await;
            meter::applied(&self.flow, started.elapsed());
            Some(results)
        };
        let leases: Vec<_> = claimed.iter().map(|claimed| (claimed.key.clone(), claimed.token)).collect();
        let done = Notify::new();
        let results = beside(applying, &done, self.keep_leases(cx, &leases, &done)).await.0?;
        let mut results = results.unwrap_or_else(|_| {
            let error = uncertain(ErrorKind::Invalid, "the agent panicked; its log says where");
            claimed.iter().map(|_| Err(error.clone()).into()).collect()
        });
        // A target that answers for fewer entities than it was given has left the rest in doubt.
        let missing = uncertain(ErrorKind::Protocol, "the target did not answer for this entity");
        results.resize(claimed.len(), Err(missing).into());
        Some(results)
    }

    /// Renews leases until the batch is applied, for a limited time.
    async fn keep_leases(&self, cx: &Cx, leases: &[(EntityKey, u64)], done: &Notify) {
        for _ in 0..MAX_RENEWALS {
            if timeout(self.engine.shared.settings.lease() / 3, done.notified()).await.is_ok() {
                return;
            }
            match self.renew(cx, leases).await {
                Ok(true) => {}
                // A successor has one of them: nothing more is to be written.
                Ok(false) => return cx.move_deadline(cx.monotonic()),
                // Nobody knows any more who holds what.
                Err(error) if error.disposition() == Disposition::Permanent => {
                    tracing::error!(%error, "the store is gone: nothing more of this batch is written");
                    return cx.move_deadline(cx.monotonic());
                }
                Err(error) => tracing::warn!(%error, "could not renew leases"),
            }
        }
    }

    /// Prolongs leases; `false` if one of them has passed on. The work may go on as long as was asked for from here on.
    async fn renew(&self, cx: &Cx, leases: &[(EntityKey, u64)]) -> Result<bool> {
        let shared = &self.engine.shared;
        let began = cx.monotonic();
        let until = later(self.engine.now().await?.store, shared.settings.lease());
        let held = shared.store.renew(leases, until, later(until, shared.settle_delay())).await?;
        let all = held.iter().all(|held| *held);
        if all {
            cx.move_deadline(began + shared.settings.lease());
        }
        Ok(all)
    }

    /// Settles what came of a batch; answers what was heard of the other side. If it cannot be used, the flow is paused first:
    /// nobody is to take up again at once what is given back.
    async fn settle(&self, cx: &Cx, claimed: &[Claimed], results: Vec<Applied>, purpose: Purpose) -> Result<Heard> {
        let shared = &self.engine.shared;
        let Judged { against, heard } = self.suspects.judge(claimed, &results);
        if let Some(error) = heard.away.as_ref().filter(|_| purpose == Purpose::Work) {
            self.pause(error).await;
        }
        let now = self.now_patiently().await?.store;
        let outcome = |claimed: &Claimed, applied: &Applied, against: bool| {
            outcome(&shared.settings, now, shared.settle_delay(), claimed, &applied.result, against)
        };
        let settlement = |((claimed, applied), against): ((&Claimed, &Applied), bool)| Settlement {
            reference: applied.reference.clone(),
            ..settlement(claimed, outcome(claimed, applied, against))
        };
        let outcomes: Vec<_> = claimed.iter().zip(&results).zip(against).map(settlement).collect();
        let errors = results.iter().filter_map(|applied| applied.result.as_ref().err());
        if errors.into_iter().any(|error| error.disposition() != Disposition::Rejected) {
            meter::failed(&self.flow, Part::Target);
        }
        cx.reached(Checkpoint::BeforeSettle);
        let settled = self.write(outcomes).await?;
        cx.reached(Checkpoint::AfterSettle);
        let mut newer = Vec::new();
        for (claimed, settled) in claimed.iter().zip(settled) {
            match settled {
                Settled::Done => {}
                Settled::Taken => {
                    tracing::warn!(entity = %claimed.key, "its document is recorded as another entity's");
                }
                Settled::Superseded => newer.push(claimed.key.id.clone()),
                Settled::Fenced => {
                    tracing::warn!(entity = %claimed.key, "an outcome came after its lease had passed to a successor");
                }
            }
        }
        shared.in_hand.put_down(claimed);
        // The task of newer content came while its entity was held, and found nothing to take up.
        self.engine.dispatch(cx.flow(), newer, None).await;
        Ok(heard)
    }

    /// The time, with the patience that outcomes are written with.
    async fn now_patiently(&self) -> Result<Now> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            match self.engine.now().await {
                Err(error) if attempt < SETTLE_ATTEMPTS => {
                    tracing::warn!(%error, attempt, "the store's clock cannot be read; trying again");
                    tokio::time::sleep(self.engine.shared.settings.backoff(attempt)).await;
                }
                now => return now,
            }
        }
    }

    /// Writes outcomes, with some patience: what is not written is looked up again later.
    async fn write(&self, outcomes: Vec<Settlement>) -> Result<Vec<Settled>> {
        let shared = &self.engine.shared;
        let span = debug_span!("settle", entities = outcomes.len());
        let mut attempt = 0;
        loop {
            attempt += 1;
            let settled = async { shared.store.settle(self.engine.due_now().await?, outcomes.clone()).await };
            match settled.instrument(span.clone()).await {
                Ok(settled) => {
                    span.in_scope(|| self.tell(&outcomes, &settled));
                    return Ok(settled);
                }
                Err(error) if attempt >= SETTLE_ATTEMPTS => return Err(error),
                Err(error) => {
                    meter::failed(&self.flow, Part::Store);
                    tracing::warn!(%error, attempt, "settling failed; trying again");
                    tokio::time::sleep(shared.settings.backoff(attempt)).await;
                }
            }
        }
    }

    /// Counts the outcomes that were written, and tells each to whoever follows one entity.
    fn tell(&self, outcomes: &[Settlement], settled: &[Settled]) {
        let lost = settled.iter().filter(|settled| **settled == Settled::Fenced).count();
        meter::leases_lost(&self.flow, lost);
        for (settlement, settled) in outcomes.iter().zip(settled) {
            if *settled != Settled::Fenced {
                let refused = Outcome::Failed { note: String::new(), class: ErrorKind::Invalid.as_str().to_owned() };
                let outcome = if *settled == Settled::Taken { &refused } else { &settlement.outcome };
                meter::settled(&self.flow, outcome);
                let word = meter::outcome_word(outcome);
                tracing::debug!(entity = settlement.key.id, outcome = word, "settled");
                if let Outcome::Failed { class, .. } = outcome {
                    tracing::warn!(entity = settlement.key.id, class, "failed; its note says why");
                }
            }
        }
    }
}

/// Does `work` while `keep` keeps what it needs, until `done` tells it that the work is over. Each goes on while the other waits: if
/// one of them held the store's clock, or a connection, while it stood still, the other would wait for it for ever.
pub(super) async fn beside<T, K>(
    work: impl Future<Output = T>,
    done: &Notify,
    keep: impl Future<Output = K>,
) -> (T, K) {
    let work = async {
        let result = work.await;
        done.notify_one();
        result
    };
    tokio::join!(work, keep)
}

fn settlement(claimed: &Claimed, outcome: Outcome) -> Settlement {
    Settlement { key: claimed.key.clone(), token: claimed.token, rev: claimed.rev, reference: None, outcome }
}

fn uncertain(kind: ErrorKind, message: &str) -> Error {
    Error::new(kind, Disposition::Uncertain, "apply", message).about(Concern::Entity)
}
