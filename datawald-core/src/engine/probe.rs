//! What the workers of a flow do while it is paused: one of them probes, with one entity; the others wait.

use std::sync::PoisonError;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Notify;
use tokio::time::timeout;

use super::batch::{Ended, Purpose, beside};
use super::pause::{Held, Side};
use super::worker::Crew;
use crate::{Error, Result};

/// From how many of the longest due one is chosen to probe with.
const CHOICE: usize = 20;

/// The shortest wait between two looks.
const SHORTEST_REST: Duration = Duration::from_millis(5);

impl Crew {
    /// Whether nothing is to be taken up for this purpose now.
    pub(super) fn must_wait(&self, purpose: Purpose) -> bool {
        purpose == Purpose::Work && self.paused.borrow().is_some()
    }

    /// Pauses the flow, for all processes.
    pub(super) async fn pause(&self, error: &Error) {
        if self.paused.borrow().is_some() {
            return;
        }
        match self.engine.begin_pause(&self.flow, Side::Target, error).await {
            Ok(held) => _ = self.paused.send_replace(Some(held)),
            // The next batch begins it, if the other side is away still.
            Err(error) => tracing::warn!(%error, "a pause could not be written down"),
        }
    }

    /// Joins the pause that another process has begun; `false` if there is none.
    pub(super) async fn join_pause(&self) -> Result<bool> {
        let held = self.engine.pause_of(&self.flow, Side::Target).await?;
        let paused = held.is_some();
        if paused {
            self.note(held);
        }
        Ok(paused)
    }

    /// Waits while the flow is paused; returns now and then, when the pause has ended, and when the workers are to stop.
    pub(super) async fn while_paused(&self) -> Result<()> {
        let (mut paused, mut stop, mut halted) =
            (self.paused.subscribe(), self.stop.subscribe(), self.halted.subscribe());
        let _turn = tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return Ok(()),
            _ = halted.wait_for(Option::is_some) => return Ok(()),
            _ = paused.wait_for(Option::is_none) => return Ok(()),
            turn = self.prober.lock() => turn,
        };
        self.look().await
    }

    /// Looks at the pause, and probes if it is time.
    async fn look(&self) -> Result<()> {
        let shared = &self.engine.shared;
        let Some(held) = self.engine.pause_of(&self.flow, Side::Target).await? else {
            self.note(None);
            return Ok(());
        };
        self.note(Some(held.clone()));
        let now = self.engine.now().await?.store;
        if held.due() > now {
            self.rest(now, held.due()).await;
            return Ok(());
        }
        match shared.store.next_due(&self.flow).await? {
            // There is nothing to ask for, and nothing that waits.
            None => {
                self.engine.end_pause(&held).await?;
                self.note(None);
            }
            Some(first) if first > now => self.rest(now, first).await,
            Some(_) => {
                let due = shared.store.due(&self.flow, now, CHOICE).await?;
                // Of one over which the side has failed alone, a failure tells the least.
                let Some(one) = due.iter().find(|id| !self.suspects.has(id)).or(due.first()) else { return Ok(()) };
                if let Some(mine) = self.engine.take_probe(&held, shared.settings.lease()).await? {
                    self.probe(mine, std::slice::from_ref(one)).await?;
                }
            }
        }
        Ok(())
    }

    /// Tries one entity. Whatever the other side answers about it ends the pause.
    async fn probe(&self, mine: Held, due: &[String]) -> Result<()> {
        let probing = self.process(due, None, Purpose::Probe);
        let done = Notify::new();
        let (ended, mine) = beside(probing, &done, self.keep_probing(mine, &done)).await;
        match ended {
            Ok(Ended::Done(heard)) if heard.answered => {
                self.engine.end_pause(&mine).await?;
                self.note(None);
                Ok(())
            }
            Ok(Ended::Done(heard)) => self.engine.put_off(&mine, heard.away.as_ref()).await,
            Ok(Ended::HandedBack) => self.engine.put_off(&mine, None).await,
            Err(error) => {
                self.engine.put_off(&mine, None).await?;
                Err(error)
            }
        }
    }

    /// Keeps the right to probe until the probe is over.
    async fn keep_probing(&self, mut mine: Held, done: &Notify) -> Held {
        let lease = self.engine.shared.settings.lease();
        while timeout(lease / 3, done.notified()).await.is_err() {
            match self.engine.keep_probe(&mine, lease).await {
                Ok(Some(kept)) => mine = kept,
                Ok(None) => {}
                Err(error) => tracing::warn!(%error, "could not keep the right to probe"),
            }
        }
        mine
    }

    /// Notes how the flow stands. When a pause ends, all that is due goes at once.
    fn note(&self, held: Option<Held>) {
        if held.is_none() {
            let now = self.engine.shared.clock.monotonic();
            *self.next_sweep.lock().unwrap_or_else(PoisonError::into_inner) = now;
        }
        self.paused.send_if_modified(|known| {
            let changed = *known != held;
            *known = held;
            changed
        });
    }

    /// Waits until `until` by the store's clock, at most as long as between two sweeps: another process may end the pause.
    async fn rest(&self, now: Timestamp, until: Timestamp) {
        let wait = Duration::try_from(until.duration_since(now)).unwrap_or_default();
        let wait = wait.clamp(SHORTEST_REST, self.engine.shared.settings.sweep().max(SHORTEST_REST));
        let mut stop = self.stop.subscribe();
        // Whichever it was, there is another look.
        let _ = timeout(wait, stop.wait_for(|stop| *stop)).await;
    }
}
