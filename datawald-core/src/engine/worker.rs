//! Workers: take a task and process its entities. And when idle, sweep.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use super::batch::{Ended, Purpose};
use super::meter::{self, Part};
use super::pause::{Held, Side};
use super::suspects::Suspects;
use super::{Engine, Target};
use crate::model::{FlowId, SyncStatus, SyncTaskId};
use crate::queue::Delivery;
use crate::store::SyncTaskFilter;
use crate::{Checkpoint, Disposition, Error, Result};

/// Batches leased ahead of those being applied, so that the other side never waits for the store.
const LEASED_AHEAD: usize = 2;

/// The longest pause after a failure of the store or the queue.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);

/// How many due entities one sweep dispatches at most.
const SWEEP_LIMIT: usize = 1_000;

/// The workers of one flow. Dropping it stops them without waiting; [`Workers::stop`] lets them finish.
#[must_use]
pub struct Workers {
    tasks: JoinSet<()>,
    crew: Arc<Crew>,
}

/// What the workers of one flow share.
pub(super) struct Crew {
    pub(super) engine: Engine,
    pub(super) flow: FlowId,
    pub(super) target: Arc<dyn Target>,
    pub(super) applying: Semaphore,
    pub(super) stop: watch::Sender<bool>,
    pub(super) halted: watch::Sender<Option<Error>>,
    /// The pause of the flow, as far as this process knows.
    pub(super) paused: watch::Sender<Option<Held>>,
    pub(super) suspects: Suspects,
    /// Whoever holds it probes for all workers of this process.
    pub(super) prober: tokio::sync::Mutex<()>,
    /// By the monotonic clock.
    pub(super) next_sweep: Mutex<Duration>,
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
            stop: watch::Sender::new(false),
            halted: watch::Sender::new(None),
            paused: watch::Sender::new(None),
            suspects: Suspects::default(),
            prober: tokio::sync::Mutex::default(),
            next_sweep: Mutex::new(self.shared.clock.monotonic()),
        });
        meter::paused(flow, Side::Target, false);
        let mut tasks = JoinSet::new();
        for _ in 0..self.shared.settings.concurrency + LEASED_AHEAD {
            tasks.spawn(crew.clone().work());
        }
        tasks.spawn(crew.clone().look_at_settings());
        Ok(Workers { tasks, crew })
    }
}

impl Workers {
    /// Lets the workers finish what they are applying, hand back what they only hold, and stops them.
    ///
    /// # Errors
    /// What stopped the flow before, if something did: the store is damaged or was taken away.
    pub async fn stop(mut self) -> Result<()> {
        self.crew.stop.send_replace(true);
        while self.tasks.join_next().await.is_some() {}
        match self.crew.halted.borrow().clone() {
            Some(error) => Err(error),
            None => Ok(()),
        }
    }

    /// Waits until something stops the flow for good, and tells what: a store that is damaged or was taken away. What is wrong
    /// with the other side only pauses it ([`Engine::pauses`]).
    pub async fn halted(&self) -> Error {
        let mut halted = self.crew.halted.subscribe();
        loop {
            if let Some(error) = halted.borrow_and_update().clone() {
                return error;
            }
            if halted.changed().await.is_err() {
                // The crew, which is borrowed here, has the sender: it cannot be gone.
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Crew {
    async fn work(self: Arc<Self>) {
        let mut stop = self.stop.subscribe();
        let mut halted = self.halted.subscribe();
        let mut failures = 0;
        loop {
            if *stop.borrow() || halted.borrow().is_some() {
                return;
            }
            let done = if self.must_wait(Purpose::Work) {
                self.while_paused().await.inspect_err(|_| self.failed(Part::Store))
            } else {
                let received = tokio::select! {
                    biased;
                    _ = stop.changed() => return,
                    _ = halted.changed() => return,
                    received = self.engine.shared.queue.receive(&self.flow, self.idle()) => received,
                };
                match received {
                    Ok(Some(delivery)) => self.take_up(delivery).await,
                    Ok(None) => {
                        self.engine.queue_works();
                        self.sweep().await.map(drop).inspect_err(|_| self.failed(Part::Store))
                    }
                    Err(error) => {
                        self.engine.queue_failed(&self.flow, &error);
                        self.without_queue(&mut stop).await.inspect_err(|_| self.failed(Part::Store))
                    }
                }
            };
            match done {
                Ok(()) => failures = 0,
                // A damaged store, or one that was taken away, does not come right by itself.
                Err(error) if error.disposition() == Disposition::Permanent => {
                    self.halt(error);
                    return;
                }
                Err(error) => {
                    failures += 1;
                    tracing::warn!(%error, flow = %self.flow, "a worker's store or queue failed; going on");
                    let wait = self.engine.shared.settings.backoff(failures).min(LONGEST_PAUSE);
                    tokio::select! {
                        biased;
                        _ = stop.changed() => return,
                        () = tokio::time::sleep(wait) => {}
                    }
                }
            }
        }
    }

    /// Does the entities of a task, and tells the queue what became of it.
    async fn take_up(&self, delivery: Delivery) -> Result<()> {
        let message = &delivery.message;
        match self.process(&message.keys, message.sync_task.as_ref(), Purpose::Work).await {
            Ok(Ended::HandedBack) => {
                let put_back = self.engine.shared.queue.retry_later(delivery, Duration::ZERO).await;
                put_back.inspect_err(|_| self.failed(Part::Queue))
            }
            Ok(Ended::Done(_)) => {
                let cx = self.engine.cx(&self.flow);
                cx.reached(Checkpoint::BeforeAck);
                let acked = self.engine.shared.queue.ack(delivery).await;
                cx.reached(Checkpoint::AfterAck);
                acked.inspect_err(|_| self.failed(Part::Queue))
            }
            Err(error) => {
                self.failed(Part::Store);
                let wait = self.engine.shared.settings.backoff(1);
                if let Err(error) = self.engine.shared.queue.retry_later(delivery, wait).await {
                    tracing::warn!(%error, "could not put a task back; the sweep finds its entities");
                }
                Err(error)
            }
        }
    }

    /// Stops the flow for good, for the first reason that there is.
    fn halt(&self, error: Error) {
        tracing::error!(%error, flow = %self.flow, "the flow stops");
        self.halted.send_if_modified(|halted| {
            let first = halted.is_none();
            halted.get_or_insert(error);
            first
        });
    }

    fn failed(&self, part: Part) {
        meter::failed(&self.flow, part);
    }

    /// Takes up what a sweep finds, or waits a little.
    async fn without_queue(&self, stop: &mut watch::Receiver<bool>) -> Result<()> {
        if !self.sweep().await? {
            // Whichever it was, look again.
            let _ = tokio::time::timeout(self.engine.shared.settings.sweep(), stop.changed()).await;
        }
        Ok(())
    }

    /// How long to wait for a task before sweeping.
    fn idle(&self) -> Duration {
        let next = *self.next_sweep.lock().unwrap_or_else(PoisonError::into_inner);
        next.saturating_sub(self.engine.shared.clock.monotonic())
            .clamp(Duration::from_millis(5), self.engine.shared.settings.sweep())
    }

    /// Finds what is due and was not dispatched, or whose messages were lost. It takes up a batch of it and dispatches the
    /// rest, so that something is done even if the queue loses everything. One worker at a time, unless the queue does not
    /// take the rest: then each worker takes up a batch of it. Answers whether there was anything.
    async fn sweep(&self) -> Result<bool> {
        let shared = &self.engine.shared;
        let now = shared.clock.monotonic();
        {
            let mut next = self.next_sweep.lock().unwrap_or_else(PoisonError::into_inner);
            if *next > now {
                return Ok(false);
            }
            *next = now + shared.settings.sweep();
        }
        // While nothing is open, the store's clock is left alone too: an idle flow writes nothing.
        let Some(first) = shared.store.next_due(&self.flow).await? else { return Ok(false) };
        let store_now = self.engine.now().await?.store;
        if first > store_now {
            // Nothing is due now: wake when the first is, if that is before the next sweep.
            let wait = Duration::try_from(first.duration_since(store_now)).unwrap_or_default();
            let mut next = self.next_sweep.lock().unwrap_or_else(PoisonError::into_inner);
            *next = (*next).min(now + wait);
            return Ok(false);
        }
        if self.join_pause().await? {
            return Ok(false);
        }
        let mut due = shared.store.due(&self.flow, store_now, SWEEP_LIMIT).await?;
        if !due.is_empty() {
            let rest = due.split_off(due.len().min(shared.settings.batch));
            let run = self.run_of_due().await;
            if !self.engine.dispatch(&self.flow, rest, run.as_ref()).await {
                *self.next_sweep.lock().unwrap_or_else(PoisonError::into_inner) = now;
            }
            return self.process(&due, run.as_ref(), Purpose::Work).await.map(|_| true);
        }
        Ok(false)
    }

    /// The run that brought what a sweep has found, where that is plain: the only one of the flow that is open. It is for
    /// traces alone, so nothing is asked unless they are wanted.
    async fn run_of_due(&self) -> Option<SyncTaskId> {
        if !tracing::enabled!(tracing::Level::INFO) {
            return None;
        }
        let (flow, status) = (Some(self.flow.clone()), Some(SyncStatus::Processing));
        let filter = SyncTaskFilter { flow, status, after: None, limit: 2 };
        let mut open = self.engine.shared.store.list_sync_tasks(&filter).await.ok()?.items;
        let only = open.pop()?;
        open.is_empty().then_some(only.id)
    }
}
