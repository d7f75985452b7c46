//! What any host, or an operator, can do about schedules.

use std::sync::Arc;

use super::lease::{Leader, parse};
use super::records;
use super::state::{ScheduleState, run_id};
use crate::model::SyncTaskId;
use crate::store::StagingStore;
use crate::{Clock, Disposition, Error, ErrorKind, Result};

/// Lists schedules, pauses and resumes them, and has them run now: by their records alone, from any process. Leaders
/// notice within their [`poll_ms`](super::SchedulerSettings::poll_ms).
#[derive(Clone)]
pub struct ScheduleControl {
    store: Arc<dyn StagingStore>,
    clock: Arc<dyn Clock>,
}

impl ScheduleControl {
    /// Control over the schedules of a store.
    pub fn new(store: Arc<dyn StagingStore>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    /// Every schedule that a leader ever had, by name.
    ///
    /// # Errors
    /// Of the store; if a record cannot be read, one that names it.
    pub async fn list(&self) -> Result<Vec<ScheduleState>> {
        records::all(&self.store).await?.into_iter().map(|found| found.state).collect()
    }

    /// One schedule.
    ///
    /// # Errors
    /// Of kind `NotFound` if there is none of this name; of the store.
    pub async fn get(&self, name: &str) -> Result<ScheduleState> {
        records::find(&self.store, name).await?.ok_or_else(|| records::unknown(name))?.state
    }

    /// Who leads; `None` if nobody ever did.
    ///
    /// # Errors
    /// Of the store.
    pub async fn leader(&self) -> Result<Option<Leader>> {
        self.store.record(records::LEADER).await?.map(|record| parse(&record.value)).transpose()
    }

    /// Pauses a schedule: what runs goes on, and nothing more is started but what is asked for by name; a run that waits to
    /// be tried again, or whose host dies, waits until the schedule is resumed, unless it was asked for by name. Answers
    /// whether it was not paused.
    ///
    /// # Errors
    /// As [`ScheduleControl::get`].
    pub async fn pause(&self, name: &str) -> Result<bool> {
        records::change(&self.store, name, |state| match state.paused {
            true => (None, false),
            false => (Some(ScheduleState { paused: true, next_due: None, ..state.clone() }), true),
        })
        .await
    }

    /// Resumes a schedule. The ticks that came while it was paused are no missed ones: they are left out. Answers whether
    /// it was paused.
    ///
    /// # Errors
    /// As [`ScheduleControl::get`].
    pub async fn resume(&self, name: &str) -> Result<bool> {
        let now = self.clock.now();
        records::change(&self.store, name, |state| match state.paused {
            true => {
                let accounted_to = state.accounted_to.max(now);
                (Some(ScheduleState { paused: false, accounted_to, ..state.clone() }), true)
            }
            false => (None, false),
        })
        .await
    }

    /// Has a schedule run once outside its ticks, paused or not, as soon as a leader notices and it does not run any more.
    /// Answers the id of the run; that of the run which is asked for already, if one is.
    ///
    /// # Errors
    /// As [`ScheduleControl::get`]; of kind `Invalid` if the leader has no such schedule any more.
    pub async fn run_now(&self, name: &str) -> Result<SyncTaskId> {
        let now = self.clock.now();
        let id = records::change(&self.store, name, |state| match state.wanted_at {
            _ if !state.scheduled => (None, None),
            Some(at) => (None, Some(run_id(name, at, true, state.set_back))),
            None => {
                let wanted = ScheduleState { wanted_at: Some(now), ..state.clone() };
                (Some(wanted), Some(run_id(name, now, true, state.set_back)))
            }
        });
        id.await?.ok_or_else(|| {
            Error::invalid("run schedule now", "the leading host has no such schedule any more")
                .entity(format!("schedule {name}"))
        })
    }

    /// Forgets a schedule: its state, its ended runs. If a host still has it, it starts anew. Answers whether there was one.
    ///
    /// # Errors
    /// Of kind `Busy` while it runs or changes; of the store.
    pub async fn remove(&self, name: &str) -> Result<bool> {
        let busy = |message: &str| {
            Error::new(ErrorKind::Busy, Disposition::Retryable { after: None }, "remove schedule", message)
                .entity(format!("schedule {name}"))
        };
        let Some(found) = records::find(&self.store, name).await? else { return Ok(false) };
        if found.state.is_ok_and(|state| state.running.is_some()) {
            return Err(busy("runs; wait for its end"));
        }
        match records::remove(&self.store, name, found.rev).await? {
            true => Ok(true),
            false => Err(busy("has just changed; try again")),
        }
    }
}
