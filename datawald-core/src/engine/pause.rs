//! Pauses: that a side is away, busy, lets nobody in or is set up wrongly concerns the flow, not any entity.
//!
//! A pause stands in a record of the store, so all processes of the store share it. The right to probe is taken by
//! compare-and-set on that record, and goes by the store's clock: whichever process has it, there is one probe at a time.
//! See the decision on [pauses](crate::decisions::adr_0012_pauses).

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::Engine;
use super::meter;
use super::outcome::LONGEST_WAIT;
use crate::clock::later;
use crate::model::{Direction, FlowId, SyncTask};
use crate::store::StagingStore;
use crate::{Disposition, Error, ErrorKind, Result};

/// How the names of these records begin.
const PREFIX: &str = "pause/";

/// A side of a flow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub enum Side {
    /// The side that is pulled.
    Source,
    /// The side that is applied to.
    Target,
}

impl Side {
    /// The side in a word.
    pub fn as_str(self) -> &'static str {
        match self {
            Side::Source => "source",
            Side::Target => "target",
        }
    }

    /// What people call this side of `flow`.
    fn called(self, flow: &FlowId) -> &'static str {
        match (self, flow.table.direction()) {
            (Side::Source, Direction::ToBackoffice) | (Side::Target, Direction::ToFrontend) => "the frontend",
            (Side::Target, Direction::ToBackoffice) | (Side::Source, Direction::ToFrontend) => "the backoffice",
        }
    }
}

/// A pause of a flow, because one of its sides cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Pause {
    /// The flow.
    pub flow: FlowId,
    /// The side that cannot be used.
    pub side: Side,
    /// Since when.
    #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
    pub since: Timestamp,
    /// The kind of the error that it answered last, in a word.
    pub class: String,
    /// What it answered last.
    pub reason: String,
    /// How often it was tried since.
    pub probes: u32,
    /// When it is tried next, by the clock of whoever tried last.
    #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
    pub next_probe: Timestamp,
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = match ErrorKind::from_word(&self.class) {
            Some(ErrorKind::Unauthorized) => "has refused access",
            Some(ErrorKind::Config | ErrorKind::Unsupported | ErrorKind::Refused) => "could not be used",
            _ => "has been away",
        };
        let (who, since) = (self.side.called(&self.flow), self.since.strftime("%Y-%m-%dT%H:%M:%SZ"));
        write!(f, "{who} {state} since {since}: {}", self.reason)
    }
}

/// A pause as it stands in its record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Stored {
    #[serde(flatten)]
    pause: Pause,
    /// When the next probe is due, by the store's clock.
    due: Timestamp,
    /// Who wrote it: two that write the same at the same time are two.
    by: String,
    /// When the side answered last, by the store's clock.
    #[serde(default)]
    answered: Option<Timestamp>,
    /// Whether somebody has to mend what it answered.
    #[serde(default)]
    to_mend: bool,
    /// The other system's own code for what it answered.
    #[serde(default)]
    code: Option<String>,
}

impl Stored {
    /// Notes what the side has answered.
    fn note(&mut self, error: &Error, now: Timestamp) {
        error.kind().as_str().clone_into(&mut self.pause.class);
        self.pause.reason = error.note();
        self.answered = Some(now);
        self.to_mend = error.disposition() == Disposition::Permanent;
        self.code = error.code_text().map(str::to_owned);
    }
}

/// A pause, and the revision of its record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Held {
    stored: Stored,
    rev: u64,
}

impl Held {
    /// When the next probe is due, by the store's clock.
    pub(super) fn due(&self) -> Timestamp {
        self.stored.due
    }

    /// The pause.
    pub(super) fn pause(&self) -> &Pause {
        &self.stored.pause
    }
}

fn name(flow: &FlowId, side: Side) -> String {
    format!("{PREFIX}{}/{}/{}", side.as_str(), flow.table.name(), flow.frontend)
}

/// The pauses of all flows of a store, as [`Engine::pauses`].
///
/// # Errors
/// Of the store.
pub async fn pauses(store: &dyn StagingStore) -> Result<Vec<Pause>> {
    let records = store.records(PREFIX).await?;
    Ok(records.iter().filter_map(|record| Some(read(&record.value)?.pause)).collect())
}

impl Engine {
    /// The pauses of all flows of the store, whichever process has found them.
    ///
    /// # Errors
    /// Of the store.
    pub async fn pauses(&self) -> Result<Vec<Pause>> {
        pauses(&*self.shared.store).await
    }

    /// Has the sides that a flow waits for be tried at once: whoever has mended one need not wait for the next probe.
    ///
    /// # Errors
    /// Of the store.
    pub async fn probe_now(&self, flow: &FlowId) -> Result<()> {
        for side in [Side::Source, Side::Target] {
            if let Some(held) = self.pause_of(flow, side).await? {
                self.put(&held, Duration::ZERO, |_, _| {}).await?;
            }
        }
        Ok(())
    }

    /// The pause of a side of a flow, if it is paused.
    pub(super) async fn pause_of(&self, flow: &FlowId, side: Side) -> Result<Option<Held>> {
        let Some(record) = self.shared.store.record(&name(flow, side)).await? else { return Ok(None) };
        if let Some(stored) = read(&record.value) {
            return Ok(Some(Held { stored, rev: record.rev }));
        }
        tracing::warn!(record = record.name, "the record holds no pause: has somebody changed it? it is removed");
        self.shared.store.delete_record(&record.name, record.rev).await?;
        Ok(None)
    }

    /// Begins a pause because of `error`, or joins the one that somebody else has begun.
    pub(super) async fn begin_pause(&self, flow: &FlowId, side: Side, error: &Error) -> Result<Held> {
        let now = self.now().await?;
        let pause = Pause {
            flow: flow.clone(),
            side,
            since: now.wall,
            class: String::new(),
            reason: String::new(),
            probes: 0,
            next_probe: now.wall,
        };
        let by = self.shared.owner.clone();
        let mut stored = Stored { pause, due: now.store, by, answered: None, to_mend: false, code: None };
        stored.note(error, now.store);
        let held = Held { stored, rev: 0 };
        loop {
            let wait = self.wait_after(error, 0);
            if let Some(begun) = self.put(&held, wait, |_, _| {}).await? {
                tracing::warn!(%flow, side = side.as_str(), class = %begun.pause().class, "{}; the flow is paused", begun.pause());
                meter::paused(flow, side, true);
                return Ok(begun);
            }
            if let Some(known) = self.pause_of(flow, side).await? {
                meter::paused(flow, side, true);
                return Ok(known);
            }
        }
    }

    /// Takes the right to probe, for as long as `hold`; `None` if somebody else was quicker.
    pub(super) async fn take_probe(&self, held: &Held, hold: Duration) -> Result<Option<Held>> {
        self.put(held, hold, |stored, _| stored.pause.probes = stored.pause.probes.saturating_add(1)).await
    }

    /// Keeps the right to probe for as long as `hold` from now on; `None` if it has passed to somebody else.
    pub(super) async fn keep_probe(&self, held: &Held, hold: Duration) -> Result<Option<Held>> {
        self.put(held, hold, |_, _| {}).await
    }

    /// Puts the next probe off: because the last one brought `error`, or because it told nothing.
    pub(super) async fn put_off(&self, held: &Held, error: Option<&Error>) -> Result<()> {
        let probes = held.pause().probes;
        let wait = error.map_or(self.shared.settings.backoff(1), |error| self.wait_after(error, probes));
        let put = self.put(held, wait, |stored, now| {
            if let Some(error) = error {
                stored.note(error, now);
            }
        });
        if let (Some(held), Some(_)) = (put.await?, error) {
            let pause = held.pause();
            tracing::debug!(flow = %pause.flow, probes = pause.probes, next = %pause.next_probe, "{pause}");
        }
        Ok(())
    }

    /// Ends a pause: the side has answered.
    pub(super) async fn end_pause(&self, held: &Held) -> Result<()> {
        let pause = held.pause();
        if self.shared.store.delete_record(&name(&pause.flow, pause.side), held.rev).await? {
            let lasted = self.shared.clock.now().duration_since(pause.since).round(jiff::Unit::Second);
            let (flow, side, probes) = (&pause.flow, pause.side, pause.probes);
            let lasted = lasted.unwrap_or(SignedDuration::ZERO);
            tracing::info!(%flow, side = side.as_str(), probes, "{} can be used again, after {lasted:#}", side.called(flow));
        }
        meter::paused(&pause.flow, pause.side, false);
        Ok(())
    }

    /// Why entities of a run are still open, if that is because the other side cannot be used.
    pub(super) async fn why_open(&self, task: &SyncTask) -> Result<String> {
        Ok(self.pause_of(&task.flow, Side::Target).await?.map_or_else(String::new, |held| held.pause().to_string()))
    }

    /// What somebody has to mend of the side that a flow is applied to, if it has answered so since `began`, by the store's clock.
    pub(super) async fn to_mend(&self, flow: &FlowId, began: Timestamp) -> Result<Option<Error>> {
        let Some(Held { stored, .. }) = self.pause_of(flow, Side::Target).await? else { return Ok(None) };
        if !stored.to_mend || stored.answered.is_none_or(|answered| answered < began) {
            return Ok(None);
        }
        let kind = ErrorKind::from_word(&stored.pause.class).unwrap_or(ErrorKind::Config);
        let error = Error::new(kind, Disposition::Permanent, "sync", stored.pause.to_string());
        Ok(Some(stored.code.into_iter().fold(error, Error::code)))
    }

    /// How long to wait after `error`, and so many probes.
    fn wait_after(&self, error: &Error, probes: u32) -> Duration {
        let asked = match error.disposition() {
            Disposition::Retryable { after } => after.unwrap_or_default().min(LONGEST_WAIT),
            _ => Duration::ZERO,
        };
        asked.max(self.shared.settings.backoff(probes.saturating_add(1)))
    }

    /// Writes a pause whose next probe is due after `wait`; `None` if somebody else has written meanwhile.
    async fn put(
        &self,
        held: &Held,
        wait: Duration,
        change: impl FnOnce(&mut Stored, Timestamp),
    ) -> Result<Option<Held>> {
        let now = self.now().await?;
        let mut stored = held.stored.clone();
        change(&mut stored, now.store);
        stored.pause.next_probe = later(now.wall, wait);
        stored.due = later(now.store, wait);
        stored.by.clone_from(&self.shared.owner);
        let text = serde_json::to_string(&stored)
            .map_err(|error| Error::store("write pause", "cannot be written as JSON").caused_by(error))?;
        let name = name(&stored.pause.flow, stored.pause.side);
        let written = self.shared.store.write_record(&name, held.rev, &text).await?;
        Ok(written.then_some(Held { stored, rev: held.rev + 1 }))
    }
}

fn read(text: &str) -> Option<Stored> {
    serde_json::from_str(text).ok()
}
