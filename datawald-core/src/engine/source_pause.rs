//! Pulls while their source is away: until the next probe is due, nothing is asked of it.

use std::sync::{MutexGuard, PoisonError};
use std::time::Duration;

use super::Engine;
use super::pause::{Held, Side};
use crate::model::FlowId;
use crate::{Concern, Disposition, Error, ErrorKind, Result};

impl Engine {
    /// The pause of the source, if a pull may probe it now.
    ///
    /// # Errors
    /// Of kind `Busy` if it is not to be asked yet: since when, why, and when it is.
    pub(super) async fn source_pause(&self, flow: &FlowId) -> Result<Option<Held>> {
        let Some(held) = self.pause_of(flow, Side::Source).await? else { return Ok(None) };
        // By the wall clock too: between pulls nobody may be there to push the store's clock on. Of two processes that find it is
        // time, the right to pull lets one probe.
        let now = self.now().await?;
        let wait = held.due().duration_since(now.store).min(held.pause().next_probe.duration_since(now.wall));
        if wait.is_positive() { Err(not_yet(&held, wait)) } else { Ok(Some(held)) }
    }

    /// Takes the right to probe the source, if it is paused. Whoever calls this holds the right to pull.
    pub(super) async fn probe_source(&self, paused: Option<Held>) -> Result<()> {
        let Some(held) = paused else { return Ok(()) };
        let hold = self.shared.settings.pull_lease();
        match self.take_probe(&held, hold).await? {
            Some(mine) => {
                self.probes().insert(mine.pause().flow.clone(), mine);
                Ok(())
            }
            None => Err(not_yet(&held, jiff::SignedDuration::ZERO)),
        }
    }

    /// Whether the pull that this process makes is a probe.
    pub(super) fn is_probing(&self, flow: &FlowId) -> bool {
        self.probes().contains_key(flow)
    }

    /// The source has answered: if that was a probe, the pause is over.
    pub(super) async fn source_answered(&self, flow: &FlowId) -> Result<()> {
        let probe = self.probes().remove(flow);
        match probe {
            Some(held) => self.end_pause(&held).await,
            None => Ok(()),
        }
    }

    /// The source cannot be used: its flow is paused, or stays so for longer. Answers the error.
    pub(super) async fn source_failed(&self, flow: &FlowId, error: Error) -> Error {
        let probe = self.probes().remove(flow);
        let noted = match probe {
            Some(held) => self.put_off(&held, Some(&error)).await,
            None if error.concern() == Concern::Entity => Ok(()),
            None => self.begin_pause(flow, Side::Source, &error).await.map(drop),
        };
        if let Err(unwritten) = noted {
            tracing::warn!(error = %unwritten, "a pause could not be written down");
        }
        error
    }

    /// If a probe has told nothing, the next one need not wait for long.
    pub(super) async fn source_untold(&self, flow: &FlowId) -> Result<()> {
        let probe = self.probes().remove(flow);
        match probe {
            Some(held) => self.put_off(&held, None).await,
            None => Ok(()),
        }
    }

    fn probes(&self) -> MutexGuard<'_, std::collections::HashMap<FlowId, Held>> {
        self.shared.probing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a pull asks nothing of its source now.
fn not_yet(held: &Held, wait: jiff::SignedDuration) -> Error {
    let pause = held.pause();
    let next = pause.next_probe.strftime("%Y-%m-%dT%H:%M:%SZ");
    let after = Some(Duration::try_from(wait).unwrap_or_default());
    let message = format!("{pause}; it is tried again at {next}");
    Error::new(ErrorKind::Busy, Disposition::Retryable { after }, "pull", message)
}
