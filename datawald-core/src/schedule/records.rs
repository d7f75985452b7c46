//! The schedules' records in the store.

use std::sync::Arc;

use super::state::ScheduleState;
use crate::store::{Record, StagingStore};
use crate::{Disposition, Error, ErrorKind, Result};

/// The record of who leads.
pub(super) const LEADER: &str = "scheduler/leader";

/// How the names of schedules' records begin.
const PREFIX: &str = "schedule/";

/// How often a change is tried anew because another came in between.
const ROUNDS: u32 = 50;

/// A schedule's record as it was read.
pub(super) struct Found {
    pub(super) name: String,
    pub(super) rev: u64,
    /// An error if it cannot be read as one.
    pub(super) state: Result<ScheduleState>,
}

impl Found {
    fn of(record: &Record) -> Self {
        let name = record.name.strip_prefix(PREFIX).unwrap_or(&record.name).to_owned();
        let state = serde_json::from_str(&record.value).map_err(|error| {
            Error::new(
                ErrorKind::Store,
                Disposition::Permanent,
                "read schedule's record",
                "cannot be read as the state of a schedule; remove it to start the schedule anew",
            )
            .entity(format!("record {}", record.name))
            .caused_by(error)
        });
        Self { name, rev: record.rev, state }
    }
}

pub(super) async fn all(store: &Arc<dyn StagingStore>) -> Result<Vec<Found>> {
    Ok(store.records(PREFIX).await?.iter().map(Found::of).collect())
}

/// The highest term that a schedule's record carries; 0 if there is none.
pub(super) async fn highest_term(store: &Arc<dyn StagingStore>) -> Result<u64> {
    let terms = all(store).await?.into_iter().filter_map(|found| found.state.ok()).map(|state| state.term);
    Ok(terms.max().unwrap_or(0))
}

pub(super) async fn find(store: &Arc<dyn StagingStore>, name: &str) -> Result<Option<Found>> {
    Ok(store.record(&format!("{PREFIX}{name}")).await?.as_ref().map(Found::of))
}

/// Writes the state of a schedule whose record is at `rev`. `false` if it no longer is.
pub(super) async fn write(store: &Arc<dyn StagingStore>, rev: u64, state: &ScheduleState) -> Result<bool> {
    store.write_record(&format!("{PREFIX}{}", state.name), rev, &text(state, "write schedule's record")?).await
}

/// Removes the record of a schedule.
pub(super) async fn remove(store: &Arc<dyn StagingStore>, name: &str, rev: u64) -> Result<bool> {
    store.delete_record(&format!("{PREFIX}{name}"), rev).await
}

/// Changes the state of a schedule, anew if another came in between. `change` answers what is to be written, if
/// something is.
pub(super) async fn change<T: Send>(
    store: &Arc<dyn StagingStore>,
    name: &str,
    change: impl Fn(&ScheduleState) -> (Option<ScheduleState>, T) + Send + Sync,
) -> Result<T> {
    for _ in 0..ROUNDS {
        let found = find(store, name).await?.ok_or_else(|| unknown(name))?;
        let (changed, answer) = change(&found.state?);
        match changed {
            None => return Ok(answer),
            Some(state) if write(store, found.rev, &state).await? => return Ok(answer),
            Some(_) => {}
        }
    }
    Err(Error::new(
        ErrorKind::Busy,
        Disposition::Retryable { after: None },
        "change schedule",
        "its record changes all the time; try again",
    )
    .entity(format!("schedule {name}")))
}

pub(super) fn unknown(name: &str) -> Error {
    Error::new(
        ErrorKind::NotFound,
        Disposition::Rejected,
        "find schedule",
        "no host has led with a schedule of this name; list them for those that are there",
    )
    .entity(format!("schedule {name}"))
}

/// The text of a record.
pub(super) fn text(value: &impl serde::Serialize, operation: &'static str) -> Result<String> {
    serde_json::to_string(value).map_err(|error| Error::store(operation, "cannot be written as JSON").caused_by(error))
}
