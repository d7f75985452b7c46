//! When what failed is tried again: when it changes at its source (staging sees to that), when an operator says so
//! ([`Engine::resync`]), and when the settings that it failed under are others. Nothing else: where the cut happens to be is no
//! reason.

use std::sync::Arc;

use super::Engine;
use super::worker::Crew;
use crate::model::FlowId;
use crate::{Disposition, Result};

impl Crew {
    /// Has what failed tried again if the target has other settings than when workers of this flow last started.
    pub(super) async fn look_at_settings(self: Arc<Self>) {
        let Some(digest) = self.target.settings_digest() else { return };
        let mut stop = self.stop.subscribe();
        for failures in 1.. {
            match self.engine.retry_if_settings_changed(&self.flow, &digest).await {
                Ok(0) => return,
                Ok(again) => {
                    tracing::info!(flow = %self.flow, again, "the settings have changed: what failed is tried again");
                    return;
                }
                Err(error) => {
                    tracing::warn!(%error, flow = %self.flow, "it cannot be seen whether settings have changed");
                    if !matches!(error.disposition(), Disposition::Retryable { .. } | Disposition::Uncertain) {
                        return;
                    }
                }
            }
            tokio::select! {
                biased;
                _ = stop.wait_for(|stop| *stop) => return,
                () = tokio::time::sleep(self.engine.shared.settings.backoff(failures)) => {}
            }
        }
    }
}

impl Engine {
    async fn retry_if_settings_changed(&self, flow: &FlowId, digest: &str) -> Result<u64> {
        let store = &self.shared.store;
        let name = format!("settings of {flow}");
        let known = store.record(&name).await?;
        let again = match &known {
            Some(known) if known.value == digest => return Ok(0),
            // Before it is recorded, so that a crash between the two has it done once more, and never left out.
            Some(_) => store.resync_failed(flow, None, self.due_now().await?).await?,
            None => 0,
        };
        // If another process was quicker, what it has written stands.
        store.write_record(&name, known.map_or(0, |known| known.rev), digest).await?;
        Ok(again)
    }
}
