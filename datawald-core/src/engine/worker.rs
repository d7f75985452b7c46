//! Workers: take a task, lease its entities, apply them, settle the outcomes. And when idle, sweep.

use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::FutureExt;
use jiff::Timestamp;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::outcome::outcome;
use super::{Done, Engine, Target};
use crate::clock::later;
use crate::model::FlowId;
use crate::store::{Claim, Claimed, Settled, Settlement};
use crate::{Checkpoint, Cx, Disposition, Error, ErrorKind, Result};

/// Batches leased ahead of those being applied, so that the other side never waits for the store.
const LEASED_AHEAD: usize = 2;

/// How often settling is tried before the outcome is left to a later look-up.
const SETTLE_ATTEMPTS: u32 = 5;

/// How many leases long a batch may be applied before it is no longer renewed.
const MAX_RENEWALS: u32 = 20;

/// How many due entities one sweep dispatches at most.
const SWEEP_LIMIT: usize = 1_000;

/// The workers of one flow. Dropping it stops them without waiting; [`Workers::stop`] lets them finish.
#[must_use]
pub struct Workers {
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
    crew: Arc<Crew>,
}

/// What the workers of one flow share.
struct Crew {
    engine: Engine,
    flow: FlowId,
    target: Arc<dyn Target>,
    applying: Semaphore,
    halted: watch::Sender<Option<Error>>,
    next_sweep: Mutex<Timestamp>,
}

impl Engine {
    /// Starts the workers of a flow.
    ///
    /// # Errors
    /// Of kind `Config` if the flow has no target in this process.
    pub fn start_workers(&self, flow: &FlowId) -> Result<Workers> {
        let target =
            self.flow(flow)?.target.clone().ok_or_else(|| {
                Error::config("start workers", format!("the flow {flow} has no target in this process"))
            })?;
        let crew = Arc::new(Crew {
            engine: self.clone(),
            flow: flow.clone(),
            target,
            applying: Semaphore::new(self.shared.settings.concurrency),
            halted: watch::Sender::new(None),
            next_sweep: Mutex::new(self.shared.clock.now()),
        });
        let stop = watch::Sender::new(false);
        let mut tasks = JoinSet::new();
        for _ in 0..self.shared.settings.concurrency + LEASED_AHEAD {
            tasks.spawn(crew.clone().work(stop.subscribe()));
        }
        Ok(Workers { tasks, stop, crew })
    }
}

impl Workers {
    /// Lets the workers finish what they hold, and stops them.
    ///
    /// # Errors
    /// What stopped the flow before, if something did: its disposition is `Permanent`.
    pub async fn stop(mut self) -> Result<()> {
        self.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
        match self.crew.halted.borrow().clone() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Waits until something stops the flow, and tells what.
    pub async fn halted(&self) -> Error {
        let mut halted = self.crew.halted.subscribe();
        loop {
            if let Some(error) = halted.borrow_and_update().clone() {
                return error;
            }
            if halted.changed().await.is_err() {
                // The sender lives in the crew, which this borrows: it cannot be gone.
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Crew {
    async fn work(self: Arc<Self>, mut stop: watch::Receiver<bool>) {
        let mut halted = self.halted.subscribe();
        let mut failures = 0;
        loop {
            if *stop.borrow() || halted.borrow().is_some() {
                return;
            }
            let received = tokio::select! {
                biased;
                _ = stop.changed() => return,
                _ = halted.changed() => return,
                received = self.engine.shared.queue.receive(&self.flow, self.idle()) => received,
            };
            let done = match received {
                Ok(Some(delivery)) => match self.process(&delivery.message.keys).await {
                    Ok(()) => {
                        let cx = self.engine.cx(&self.flow);
                        cx.reached(Checkpoint::BeforeAck);
                        let acked = self.engine.shared.queue.ack(delivery).await;
                        cx.reached(Checkpoint::AfterAck);
                        acked
                    }
                    Err(error) => {
                        let wait = self.engine.shared.settings.backoff(1);
                        if let Err(error) = self.engine.shared.queue.retry_later(delivery, wait).await {
                            tracing::warn!(%error, "could not put a task back; the sweep finds its entities");
                        }
                        Err(error)
                    }
                },
                Ok(None) => self.sweep().await,
                // A queue that is out of reach delays, but the store still knows what is due.
                Err(error) => self.sweep().await.and(Err(error)),
            };
            match done {
                Ok(()) => failures = 0,
                Err(error) => {
                    failures += 1;
                    tracing::warn!(%error, flow = %self.flow, "a worker's store or queue failed; going on");
                    let wait = self.engine.shared.settings.backoff(failures);
                    tokio::select! {
                        _ = stop.changed() => return,
                        () = tokio::time::sleep(wait) => {}
                    }
                }
            }
        }
    }

    /// How long to wait for a task before sweeping.
    fn idle(&self) -> Duration {
        let next = *self.next_sweep.lock().unwrap_or_else(PoisonError::into_inner);
        let wait = next.duration_since(self.engine.shared.clock.now());
        Duration::try_from(wait)
            .unwrap_or_default()
            .clamp(Duration::from_millis(5), self.engine.shared.settings.sweep())
    }

    /// Finds what is due and was not dispatched, or whose messages were lost. It takes up a batch of it and dispatches the
    /// rest, so that something is done even if the queue loses everything. One worker at a time.
    async fn sweep(&self) -> Result<()> {
        let shared = &self.engine.shared;
        let now = shared.clock.now();
        {
            let mut next = self.next_sweep.lock().unwrap_or_else(PoisonError::into_inner);
            if *next > now {
                return Ok(());
            }
            *next = later(now, shared.settings.sweep());
        }
        let mut due = shared.store.due(&self.flow, now, SWEEP_LIMIT).await?;
        if !due.is_empty() {
            let rest = due.split_off(due.len().min(shared.settings.batch));
            self.engine.dispatch(&self.flow, rest, None).await;
            return self.process(&due).await;
        }
        // Nothing is due now: wake when the first is, if that is before the next sweep.
        if let Some(at) = shared.store.next_due(&self.flow).await? {
            let mut next = self.next_sweep.lock().unwrap_or_else(PoisonError::into_inner);
            *next = (*next).min(at.max(now));
        }
        Ok(())
    }

    /// Leases what is due of `keys`, applies it and settles the outcomes.
    async fn process(&self, keys: &[String]) -> Result<()> {
        let shared = &self.engine.shared;
        let settings = &shared.settings;
        let cx = self.engine.cx(&self.flow);
        for keys in keys.chunks(settings.batch) {
            cx.reached(Checkpoint::BeforeClaim);
            let now = cx.now();
            let claimed = shared
                .store
                .claim(Claim {
                    flow: &self.flow,
                    keys: Some(keys),
                    limit: settings.batch,
                    owner: &shared.owner,
                    lease: settings.lease(),
                    settle_delay: settings.settle_delay(),
                    now,
                })
                .await?;
            cx.reached(Checkpoint::AfterClaim);
            if claimed.is_empty() {
                continue;
            }
            let cx = cx.clone().with_deadline(later(now, settings.lease()));
            let results = self.apply(&cx, &claimed).await;
            self.settle(&cx, &claimed, results).await?;
        }
        Ok(())
    }

    /// Applies a batch, renewing its leases meanwhile.
    async fn apply(&self, cx: &Cx, claimed: &[Claimed]) -> Vec<Result<Done>> {
        let shared = &self.engine.shared;
        let settings = &shared.settings;
        // Closed never, so this fails never; without a permit it would only be less bounded.
        let _permit = self.applying.acquire().await.ok();
        // An agent is somebody else's code: a panic in it must not take the worker with it, nor the batch.
        let mut applying = std::pin::pin!(AssertUnwindSafe(self.target.apply(cx, claimed)).catch_unwind());
        let leases: Vec<_> = claimed.iter().map(|claimed| (claimed.key.clone(), claimed.token)).collect();
        let mut renewals = 0;
        let results = loop {
            tokio::select! {
                results = &mut applying => break results,
                () = tokio::time::sleep(settings.lease() / 3), if renewals < MAX_RENEWALS => {
                    renewals += 1;
                    let until = later(cx.now(), settings.lease());
                    match shared.store.renew(&leases, until, later(until, settings.settle_delay())).await {
                        Ok(held) if held.iter().all(|held| *held) => cx.move_deadline(until),
                        Ok(_) => renewals = MAX_RENEWALS,
                        Err(error) => tracing::warn!(%error, "could not renew leases"),
                    }
                }
            }
        };
        let mut results = results.unwrap_or_else(|_| {
            let error = uncertain(ErrorKind::Invalid, "the agent panicked; its log says where");
            claimed.iter().map(|_| Err(error.clone())).collect()
        });
        // A target that answers for fewer entities than it was given has left the rest in doubt.
        let missing = uncertain(ErrorKind::Protocol, "the target did not answer for this entity");
        results.resize(claimed.len(), Err(missing));
        results
    }

    async fn settle(&self, cx: &Cx, claimed: &[Claimed], results: Vec<Result<Done>>) -> Result<()> {
        let shared = &self.engine.shared;
        let now = cx.now();
        let settlements: Vec<_> = claimed
            .iter()
            .zip(&results)
            .map(|(claimed, result)| Settlement {
                key: claimed.key.clone(),
                token: claimed.token,
                rev: claimed.rev,
                outcome: outcome(&shared.settings, now, claimed, result),
            })
            .collect();
        let mut errors = results.iter().filter_map(|result| result.as_ref().err());
        let permanent = errors.find(|error| error.disposition() == Disposition::Permanent).cloned();
        cx.reached(Checkpoint::BeforeSettle);
        let mut attempt = 0;
        let settled = loop {
            attempt += 1;
            match shared.store.settle(now, settlements.clone()).await {
                Ok(settled) => break settled,
                Err(error) if attempt >= SETTLE_ATTEMPTS => return Err(error),
                Err(error) => {
                    tracing::warn!(%error, attempt, "settling failed; trying again");
                    tokio::time::sleep(shared.settings.backoff(attempt)).await;
                }
            }
        };
        cx.reached(Checkpoint::AfterSettle);
        let mut newer = Vec::new();
        for (claimed, settled) in claimed.iter().zip(settled) {
            match settled {
                Settled::Done => {}
                Settled::Superseded => newer.push(claimed.key.id.clone()),
                Settled::Fenced => {
                    tracing::warn!(entity = %claimed.key, "an outcome came after its lease had passed to a successor");
                }
            }
        }
        // The task of newer content came while its entity was held, and found nothing to take up.
        self.engine.dispatch(cx.flow(), newer, None).await;
        if let Some(error) = permanent {
            tracing::error!(%error, flow = %self.flow, "the flow stops");
            self.halted.send_if_modified(|halted| {
                let first = halted.is_none();
                halted.get_or_insert(error);
                first
            });
        }
        Ok(())
    }
}

fn uncertain(kind: ErrorKind, message: &str) -> Error {
    Error::new(kind, Disposition::Uncertain, "apply", message)
}
