//! Pulls whose sync task has its id from outside: what is taken up again goes on with the same one.

use tokio::sync::watch;

use super::pull::Record;
use super::run::TURN;
use super::{Engine, Pulled};
use crate::model::{FlowId, SyncTaskId};
use crate::{Error, Result};

impl Engine {
    /// The pull of one run of a flow, whose sync task is `id`. It waits for no outcome: what is pulled is applied by workers
    /// ([`Engine::start_workers`]) and closed by [`Engine::keep_closing`], in this process or in another.
    ///
    /// A run that was cut off goes on with the same id, wherever; `None` if it has been pulled to its end before. The pull
    /// waits for its turn, as in [`Engine::sync`]. If it brings nothing, no sync task is recorded.
    ///
    /// # Errors
    /// What ends a pull, and of the store; of kind `Invalid` if `id` is the sync task of another flow.
    pub async fn pull_run(&self, flow: &FlowId, id: &SyncTaskId) -> Result<Option<Pulled>> {
        loop {
            match self.shared.store.sync_task(id).await? {
                Some(task) if task.flow != *flow => {
                    return Err(Error::invalid("sync flow", format!("is of {}, not of {flow}", task.flow))
                        .entity(format!("sync task {id}")));
                }
                Some(task) if task.pulled => return Ok(None),
                _ => {}
            }
            if let Some(pulled) = self.try_pull_into(flow, id.clone(), Record::WithNews).await? {
                return Ok(Some(pulled));
            }
            tracing::info!(%flow, "somebody else is pulling; waiting for that turn to end");
            self.pause("pull", self.shared.settings.pull_lease().min(TURN)).await?;
        }
    }

    /// This engine, but what it pulls and closes ends when `halt` says so, as after [`Engine::stop`].
    pub(crate) fn halted_by(&self, halt: Option<watch::Receiver<bool>>) -> Self {
        Self { shared: self.shared.clone(), halt }
    }
}
