//! Whole runs of a flow: pull, wait for the outcomes, close.

use std::time::Duration;

use jiff::Timestamp;

use super::pause::Side;
use super::{Engine, Pulled};
use crate::model::{Counts, FlowId, SyncTask};
use crate::{Disposition, Result};

/// How often a pull that waits for its turn asks.
pub(super) const TURN: Duration = Duration::from_millis(200);

/// What one whole run of a flow came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunReport {
    /// What was pulled.
    pub pulled: Pulled,
    /// The sync task as it was closed.
    pub sync_task: SyncTask,
    /// Where its entities stand.
    pub counts: Counts,
}

impl Engine {
    /// One whole run: starts workers, pulls, waits for the outcomes and closes the sync task.
    ///
    /// If somebody else is pulling the flow, or died doing so, the pull waits for its turn. What an earlier run left open
    /// is ended too, as far as the time allowed for closing goes. So long a side that is away is waited for.
    ///
    /// # Errors
    /// What ends a pull or pauses a flow until somebody mends it (configuration, credentials). What is wrong with single
    /// entities is in their outcomes.
    pub async fn run_once(&self, flow: &FlowId) -> Result<RunReport> {
        let began = self.begin_run(flow).await?;
        let workers = self.start_workers(flow)?;
        let run = async {
            let pulled = self.pull_patiently(flow).await?;
            let closed = self.close_or_halt(&pulled.sync_task, began, &workers).await?;
            Ok((pulled, closed))
        };
        let report = run.await;
        let stopped = workers.stop().await;
        // A flow that was stopped by its target explains itself better than a sync task that never ended.
        match (report, stopped) {
            (_, Err(halted)) => Err(halted),
            (Ok((pulled, Ok((sync_task, counts)))), Ok(())) => Ok(RunReport { pulled, sync_task, counts }),
            (Ok((_, Err(error))) | Err(error), Ok(())) => Err(error),
        }
    }

    /// One run of a flow whose workers are at work already, by [`Engine::start`] or in other processes: pulls, waits for the outcomes and
    /// closes the sync task.
    ///
    /// As [`Engine::run_once`], the pull waits for its turn, and what an earlier run left open is ended too. If no worker
    /// is at work anywhere, the sync task is closed `Incompleted` when the time allowed for closing is over.
    ///
    /// # Errors
    /// What ends a pull or pauses a flow until somebody mends it (configuration, credentials), whichever process has found
    /// that, and of the store.
    pub async fn sync(&self, flow: &FlowId) -> Result<RunReport> {
        let began = self.begin_run(flow).await?;
        let pulled = self.pull_in_turn(flow).await?;
        let (sync_task, counts) = self.close_all(&pulled.sync_task, began).await?;
        Ok(RunReport { pulled, sync_task, counts })
    }

    /// The time by the store's clock at which a run begins. Whoever begins one may have mended what a pause waits for, so that is
    /// tried at once.
    async fn begin_run(&self, flow: &FlowId) -> Result<Timestamp> {
        let began = self.now().await?.store;
        self.probe_now(flow).await?;
        Ok(began)
    }

    /// Pulls; waits for a source that is away, as long as closing may take.
    async fn pull_patiently(&self, flow: &FlowId) -> Result<Pulled> {
        let deadline = self.shared.clock.monotonic() + Duration::from_millis(self.shared.settings.close_wait_ms);
        loop {
            let error = match self.pull_in_turn(flow).await {
                Err(error) if matches!(error.disposition(), Disposition::Retryable { .. }) => error,
                pulled => return pulled,
            };
            let Some(held) = self.pause_of(flow, Side::Source).await? else { return Err(error) };
            let wait = held.pause().next_probe.duration_since(self.shared.clock.now());
            let wait = Duration::try_from(wait).unwrap_or_default();
            if self.shared.clock.monotonic() + wait > deadline {
                return Err(error);
            }
            self.pause("pull", wait.max(TURN)).await?;
        }
    }

    async fn pull_in_turn(&self, flow: &FlowId) -> Result<Pulled> {
        loop {
            if let Some(pulled) = self.try_pull(flow).await? {
                return Ok(pulled);
            }
            tracing::info!(%flow, "somebody else is pulling; waiting for that turn to end");
            self.pause("pull", self.shared.settings.pull_lease().min(TURN)).await?;
        }
    }
}
