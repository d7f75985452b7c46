//! Runs whose sync task has its id from outside: what is taken up again goes on with the same one.

use tokio::sync::watch;

use super::{Engine, TURN};
use crate::model::{Counts, FlowId, SyncStatus, SyncTask, SyncTaskId};
use crate::{Error, Result};

impl Engine {
    /// One run of a flow whose sync task is `id`: pulls, waits for the outcomes and closes it. Workers apply what is
    /// pulled; they are started in this process ([`Engine::start_workers`]) or in another.
    ///
    /// A run that was cut off goes on with the same id, wherever: what has been pulled to its end is not pulled again,
    /// and what is closed only has its counts read. The pull waits for its turn, as in [`Engine::sync`].
    ///
    /// # Errors
    /// What ends a pull, and of the store; of kind `Invalid` if `id` is the sync task of another flow.
    pub async fn sync_run(&self, flow: &FlowId, id: &SyncTaskId) -> Result<(SyncTask, Counts)> {
        loop {
            match self.shared.store.sync_task(id).await? {
                Some(task) if task.flow != *flow => {
                    return Err(Error::invalid("sync flow", format!("is of {}, not of {flow}", task.flow))
                        .entity(format!("sync task {id}")));
                }
                Some(task) if task.pulled && task.status != SyncStatus::Processing => {
                    let counts = self.shared.store.sync_task_counts(id).await?;
                    return Ok((task, counts));
                }
                Some(task) if task.pulled => break,
                _ => {}
            }
            if self.try_pull_into(flow, id.clone()).await?.is_some() {
                break;
            }
            tracing::info!(%flow, "another process is pulling; waiting for its turn to end");
            self.pause("pull", self.shared.settings.pull_lease().min(TURN)).await?;
        }
        self.close_all(id).await
    }

    /// This engine, but what it pulls and closes ends when `halt` says so, as after [`Engine::stop`].
    pub(crate) fn halted_by(&self, halt: Option<watch::Receiver<bool>>) -> Self {
        Self { shared: self.shared.clone(), halt }
    }
}
