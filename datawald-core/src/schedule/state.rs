//! What a schedule's record says.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::{Builder, Uuid};

use super::ticks::{digest, first_bytes};
use crate::model::SyncTaskId;

/// How many ended runs a schedule's record keeps.
pub const LAST_RUNS: usize = 50;

/// The longest note of a run that is kept, in bytes.
pub const NOTE_LIMIT: usize = 300;

/// Where a schedule stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct ScheduleState {
    /// Its name.
    pub name: String,
    /// When its ticks are, for people; see [`Schedule`](super::Schedule).
    pub when: String,
    /// Whether the leading host has this schedule. What others had before stays readable.
    pub scheduled: bool,
    /// Whether it is paused: nothing of it is started but what is asked for by name.
    pub paused: bool,
    /// When its next run is due, jitter included; `None` if it is paused or will not come.
    #[cfg_attr(feature = "api", schema(value_type = Option<String>, format = DateTime))]
    pub next_due: Option<Timestamp>,
    /// The last tick that a run was started for.
    #[cfg_attr(feature = "api", schema(value_type = Option<String>, format = DateTime))]
    pub last_tick: Option<Timestamp>,
    /// Every tick up to here has had its run, was missed, or is none of this schedule's.
    #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
    pub accounted_to: Timestamp,
    /// When a run outside the ticks was asked for, if one was and has not started.
    #[cfg_attr(feature = "api", schema(value_type = Option<String>, format = DateTime))]
    pub wanted_at: Option<Timestamp>,
    /// The run that runs, or waits to be tried again.
    pub running: Option<Running>,
    /// How many ticks had no run of their own so far: another made up for them, or they were skipped.
    pub missed: u64,
    /// How often the clock was set back so far, by more than clocks may differ: the ticks since then come again.
    #[serde(default)]
    pub set_back: u64,
    /// How many runs have been started so far.
    pub runs: u64,
    /// The runs that ended last, the newest first; at most [`LAST_RUNS`].
    pub last_runs: Vec<EndedRun>,
    /// The leader's term in which this was written; fences the leaders before.
    pub term: u64,
}

/// A run that has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Running {
    /// Its id, the same for every attempt.
    pub id: SyncTaskId,
    /// Its tick; if it was asked for by name, when that was.
    #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
    pub tick: Timestamp,
    /// Whether it was asked for by name.
    pub asked_for: bool,
    /// How many ticks before its own had no run: it makes up for them, or they were skipped.
    pub missed: u64,
    /// When its first attempt started.
    #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
    pub started_at: Timestamp,
    /// The host of this attempt.
    pub owner: String,
    /// The number of this attempt, from 1.
    pub attempt: u32,
    /// How often it may still fail or lose its host before it has failed for good.
    pub tries_left: u32,
    /// If it waits: when its next attempt is due.
    #[cfg_attr(feature = "api", schema(value_type = Option<String>, format = DateTime))]
    pub waits_until: Option<Timestamp>,
    /// Why the attempt before ended, for people.
    pub note: String,
}

/// A run that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct EndedRun {
    /// Its id.
    pub id: SyncTaskId,
    /// Its tick; if it was asked for by name, when that was.
    #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
    pub tick: Timestamp,
    /// Whether it was asked for by name.
    pub asked_for: bool,
    /// How many ticks before its own had no run: it made up for them, or they were skipped.
    pub missed: u64,
    /// When its first attempt started.
    #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
    pub started_at: Timestamp,
    /// When it ended.
    #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
    pub ended_at: Timestamp,
    /// The host of its last attempt.
    pub owner: String,
    /// How many attempts it took.
    pub attempts: u32,
    /// How it ended.
    pub outcome: RunOutcome,
    /// What its job says, for people.
    pub note: String,
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub enum RunOutcome {
    /// Its job came to its end.
    Done,
    /// Its job failed for good, or its hosts died too often.
    Failed,
}

impl ScheduleState {
    /// A schedule that nothing is known of; its ticks count from `now` on.
    pub(super) fn new(name: &str, now: Timestamp) -> Self {
        Self {
            name: name.to_owned(),
            when: String::new(),
            scheduled: true,
            paused: false,
            next_due: None,
            last_tick: None,
            accounted_to: now,
            wanted_at: None,
            running: None,
            missed: 0,
            set_back: 0,
            runs: 0,
            last_runs: Vec::new(),
            term: 0,
        }
    }

    /// Ends the run that runs.
    pub(super) fn end(&mut self, outcome: RunOutcome, note: &str, now: Timestamp) {
        let Some(run) = self.running.take() else { return };
        let ended = EndedRun {
            id: run.id,
            tick: run.tick,
            asked_for: run.asked_for,
            missed: run.missed,
            started_at: run.started_at,
            ended_at: now,
            owner: run.owner,
            attempts: run.attempt,
            outcome,
            note: short(note),
        };
        self.last_runs.insert(0, ended);
        self.last_runs.truncate(LAST_RUNS);
    }
}

/// The id of the run of a tick: the same on every host, and sorted by the tick. `set_back` is of [`ScheduleState`]: a tick that
/// comes again is another run.
pub(super) fn run_id(schedule: &str, tick: Timestamp, asked_for: bool, set_back: u64) -> SyncTaskId {
    let kind = if asked_for { "asked for" } else { "tick" };
    let millis = u64::try_from(tick.as_millisecond()).unwrap_or(0);
    let again = set_back.to_string();
    let texts = ["run", kind, schedule, &again];
    let share = first_bytes::<10>(&digest(if set_back == 0 { &texts[..3] } else { &texts }, tick));
    let id: Uuid = Builder::from_unix_timestamp_millis(millis, &share).into_uuid();
    SyncTaskId::from_stored(id.to_string())
}

/// A note in one line that a record has room for.
pub(super) fn short(note: &str) -> String {
    let mut note: String = note.chars().map(|char| if char.is_control() { ' ' } else { char }).collect();
    if note.len() > NOTE_LIMIT {
        let end = (0..=NOTE_LIMIT - '…'.len_utf8()).rev().find(|end| note.is_char_boundary(*end));
        note.truncate(end.unwrap_or(0));
        note.push('…');
    }
    note
}
