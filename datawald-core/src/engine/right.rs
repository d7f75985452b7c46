//! The right to pull: short, so that a process that dies keeps the next one waiting for a short time only, and renewed while the
//! pull works.

use super::Engine;
use super::meter::{self, Part};
use crate::clock::later;
use crate::store::PullLease;
use crate::{Error, Result};

impl Engine {
    /// Does `work` of a pull, renewing the right to it meanwhile. If the right has passed on, the work ends where it is.
    pub(super) async fn renewing<T>(&self, lease: &PullLease, work: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            done = work => done,
            () = self.renew_until_lost(lease) => {
                let message = "the right to pull has passed to another process, or an operator set the cut";
                Err(Error::fenced("pull", message).entity(lease.flow.to_string()))
            }
        }
    }

    async fn renew_until_lost(&self, lease: &PullLease) {
        loop {
            tokio::time::sleep(self.shared.settings.pull_lease() / 3).await;
            match self.renew_pull(lease).await {
                Ok(true) => {}
                Ok(false) => return,
                Err(error) => {
                    meter::failed(&lease.flow, Part::Store);
                    tracing::warn!(%error, flow = %lease.flow, "could not renew the right to pull; trying again");
                }
            }
        }
    }

    async fn renew_pull(&self, lease: &PullLease) -> Result<bool> {
        let until = later(self.now().await?.store, self.shared.settings.pull_lease());
        self.shared.store.renew_pull(lease, until).await
    }
}
