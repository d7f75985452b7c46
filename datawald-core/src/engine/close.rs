//! Closing sync tasks: collect the state of every entity.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;
use tracing::{Instrument, info_span};

use super::meter::{self, Part};
use super::retention::Turn;
use super::{Engine, Workers};
use crate::clock::later;
use crate::model::{Counts, FlowId, SyncStatus, SyncTask, SyncTaskId};
use crate::store::SyncTaskFilter;
use crate::{Checkpoint, Error, Result};

/// How often an open sync task is looked at.
const POLL: Duration = Duration::from_millis(20);

/// How often its entities are counted, even if something of the flow is still open.
const COUNT_EVERY: Duration = Duration::from_secs(1);

/// How many times as long as a look took is waited before the next: looking is to be a small part of what the store does.
const SPARE: u32 = 20;

/// The longest wait between two looks: an end is not to be noticed much later than it comes.
const LONGEST_POLL: Duration = Duration::from_millis(200);

impl Engine {
    /// Waits until every entity of a sync task has an outcome, at most as long as the settings allow, and closes it.
    ///
    /// # Errors
    /// Of the store, of kind `Config` if there is no such sync task, and what pauses the flow meanwhile until somebody mends it.
    pub async fn close(&self, id: &SyncTaskId) -> Result<(SyncTask, Counts)> {
        let began = self.now().await?.store;
        self.close_since(id, began).await
    }

    /// As [`Engine::close`], of a run that began at `began` by the store's clock: what somebody has to mend counts from then on.
    async fn close_since(&self, id: &SyncTaskId, began: Timestamp) -> Result<(SyncTask, Counts)> {
        let shared = &self.shared;
        let task = self.sync_task(id).await?;
        let cx = self.cx(&task.flow);
        let deadline = cx.monotonic() + Duration::from_millis(shared.settings.close_wait_ms);
        let mut count_at = Instant::now() + COUNT_EVERY;
        loop {
            let (idle, pause) = self.look(&task.flow).await?;
            let late = cx.monotonic() >= deadline;
            let counting = Instant::now();
            if idle || late || counting >= count_at {
                let counts = shared.store.sync_task_counts(id).await?;
                if counts.open() == 0 || late {
                    let note = if counts.open() == 0 { String::new() } else { self.why_open(&task).await? };
                    return self.write_close(id, counts, &note).await;
                }
                if let Some(error) = self.to_mend(&task.flow, began).await? {
                    self.write_close(id, counts, &format!("the flow was stopped: {error}")).await?;
                    return Err(error);
                }
                count_at = Instant::now() + COUNT_EVERY.max(counting.elapsed() * SPARE);
            }
            self.pause("close sync task", pause).await?;
        }
    }

    /// Whether nothing of a flow is open, and how long to wait before looking again. It is one look into an index, where
    /// counting reads every entity.
    async fn look(&self, flow: &FlowId) -> Result<(bool, Duration)> {
        let started = Instant::now();
        let idle = self.shared.store.next_due(flow).await?.is_none();
        Ok((idle, POLL.max(started.elapsed() * SPARE).min(LONGEST_POLL)))
    }

    /// Closes a sync task when its entities have ended, then what earlier runs have left open.
    pub(super) async fn close_all(&self, id: &SyncTaskId, began: Timestamp) -> Result<(SyncTask, Counts)> {
        let closed = self.close_since(id, began).await?;
        self.wait_for_left_over(&closed.0.flow).await?;
        Ok(closed)
    }

    /// As [`Engine::close_all`], but gives up when something stops the flow for good: that is the inner error.
    pub(super) async fn close_or_halt(
        &self,
        id: &SyncTaskId,
        began: Timestamp,
        workers: &Workers,
    ) -> Result<Result<(SyncTask, Counts)>> {
        let error = tokio::select! {
            biased;
            closed = self.close_all(id, began) => return closed.map(Ok),
            error = workers.halted() => error,
        };
        let counts = self.shared.store.sync_task_counts(id).await?;
        self.write_close(id, counts, &format!("the flow was stopped: {error}")).await?;
        Ok(Err(error))
    }

    /// Waits for what earlier runs have left open, so that a run after a crash ends what the crash cut off.
    async fn wait_for_left_over(&self, flow: &FlowId) -> Result<()> {
        let shared = &self.shared;
        let deadline = shared.clock.monotonic() + Duration::from_millis(shared.settings.close_wait_ms);
        loop {
            let (idle, pause) = self.look(flow).await?;
            if idle || shared.clock.monotonic() >= deadline {
                break;
            }
            self.pause("close sync task", pause).await?;
        }
        self.close_left_over(flow).await?;
        Ok(())
    }

    /// Closes the open sync tasks of a flow: those whose entities have all ended, and as `Incompleted` those whose pull ended
    /// so long ago that the time allowed for closing is over. Answers how many. One that is still being pulled is left alone:
    /// more entities may join it. If its process is dead, the next pull finds that out.
    ///
    /// # Errors
    /// Of the store.
    pub async fn close_left_over(&self, flow: &FlowId) -> Result<u64> {
        let wait = Duration::from_millis(self.shared.settings.close_wait_ms);
        let mut closed = 0;
        for task in self.open_tasks(flow).await?.into_iter().filter(|task| task.pulled) {
            let counts = self.shared.store.sync_task_counts(&task.id).await?;
            let late = later(task.pulled_at.unwrap_or(task.started_at), wait) <= self.shared.clock.now();
            if counts.open() == 0 || late {
                self.write_close(&task.id, counts, &task.note).await?;
                closed += 1;
            }
        }
        Ok(closed)
    }

    /// Closes the sync tasks of a flow, whoever pulled them, until [`Engine::stop`]: the work beside the pulls of
    /// schedules, which do not wait for outcomes. Every process that pulls the flow does it, so that it goes
    /// on when one of them dies; several do no harm. While nothing is open, nothing is written but whose turn it is, once an
    /// hour, to remove what is no longer kept: that one does so a little at a time ([`Engine::prune`]).
    pub async fn keep_closing(&self, flow: &FlowId) {
        let mut failing = false;
        let mut turn = Turn::new(&*self.shared.clock);
        loop {
            let started = Instant::now();
            let done = async {
                self.close_left_over(flow).await?;
                self.prune_a_step(flow, &mut turn).await
            };
            match done.await {
                Ok(_) => failing = false,
                Err(error) => {
                    meter::failed(flow, Part::Store);
                    if !failing {
                        tracing::warn!(%error, %flow, "sync tasks cannot be closed or removed; it is tried again until it works");
                    }
                    failing = true;
                }
            }
            // Counting is to be a small part of what the store does.
            let wait = self.shared.settings.sweep().max(started.elapsed() * SPARE);
            if self.pause("close sync tasks", wait).await.is_err() {
                return;
            }
        }
    }

    /// Marks the pulls of a flow that never came to their end as cut off. Whoever calls this holds the right to pull, so
    /// nobody else is at it.
    pub(super) async fn end_cut_off(&self, flow: &FlowId, ours: &SyncTaskId) -> Result<()> {
        for task in self.open_tasks(flow).await? {
            if !task.pulled && task.id != *ours {
                let note = "its pull was cut off; the next one went on from its cut";
                let now = self.shared.clock.now();
                self.shared.store.close_sync_task(&task.id, SyncStatus::Processing, note, now).await?;
                self.shared.store.finish_pull(&task.id, now).await?;
            }
        }
        Ok(())
    }

    async fn open_tasks(&self, flow: &FlowId) -> Result<Vec<SyncTask>> {
        let mut filter =
            SyncTaskFilter { flow: Some(flow.clone()), status: Some(SyncStatus::Processing), after: None, limit: 100 };
        let mut open = Vec::new();
        loop {
            let listing = self.shared.store.list_sync_tasks(&filter).await?;
            open.extend(listing.items);
            match listing.next {
                Some(next) => filter.after = Some(next),
                None => return Ok(open),
            }
        }
    }

    async fn write_close(&self, id: &SyncTaskId, counts: Counts, note: &str) -> Result<(SyncTask, Counts)> {
        let task = self.sync_task(id).await?;
        let cx = self.cx(&task.flow);
        let span = info_span!("close", flow = %task.flow, sync_task = %id);
        let closing = async {
            cx.reached(Checkpoint::BeforeClose);
            self.shared.store.close_sync_task(id, counts.sync_status(), note, cx.now()).await?;
            cx.reached(Checkpoint::AfterClose);
            let Counts { success, failed, ignored, cancelled, .. } = counts;
            let (open, status) = (counts.open(), counts.sync_status().as_str());
            if success + failed + cancelled + open > 0 {
                tracing::info!(status, success, failed, ignored, cancelled, open, "closed");
            } else {
                tracing::debug!(status, ignored, "closed");
            }
            Ok((self.sync_task(id).await?, counts))
        };
        closing.instrument(span).await
    }

    async fn sync_task(&self, id: &SyncTaskId) -> Result<SyncTask> {
        self.shared.store.sync_task(id).await?.ok_or_else(|| {
            Error::config("find sync task", format!("there is no sync task {id}; list them for those that are there"))
        })
    }
}
