//! What a leader does about a schedule: a function of its record and the time, and nothing else.

use std::time::Duration;

use jiff::Timestamp;

use super::state::{RunOutcome, Running, ScheduleState, run_id, short};
use super::{Schedule, SchedulerSettings, ticks};
use crate::clock::later;
use crate::{Disposition, Error, ErrorKind, Result};

/// By how much a record may lie ahead of this host's clock: another host's may be ahead. What is further ahead was written
/// by a clock that has been corrected since.
const AHEAD: Duration = Duration::from_secs(60);

/// Who leads, and when.
#[derive(Debug, Clone, Copy)]
pub(super) struct Leading<'a> {
    pub(super) owner: &'a str,
    pub(super) term: u64,
    pub(super) now: Timestamp,
    /// Whether this host is to stop.
    pub(super) stopping: bool,
    pub(super) settings: &'a SchedulerSettings,
}

/// What is to be written, and whether its run is to be started once that stands.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) state: ScheduleState,
    pub(super) start: bool,
}

impl Leading<'_> {
    /// Takes a schedule one step on. `at_work` says whether this leader has the run that runs, or its outcome.
    pub(super) fn plan(&self, schedule: &Schedule, found: Option<&ScheduleState>, at_work: bool) -> Plan {
        let new = || ScheduleState {
            wanted_at: schedule.at_start.then_some(self.now),
            ..ScheduleState::new(&schedule.name, self.now)
        };
        let mut state = found.cloned().unwrap_or_else(new);
        state.term = self.term;
        let when = schedule.to_string();
        if state.when != when || !state.scheduled {
            // Ticks before the schedule was this one are not its own. What is accounted for stays so.
            state.accounted_to = state.accounted_to.max(self.now);
            state.when = when;
            state.scheduled = true;
        }
        if state.accounted_to > later(self.now, AHEAD) {
            tracing::warn!(
                schedule = state.name, accounted_to = %state.accounted_to,
                "the clock was set back: ticks that come again are run again"
            );
            state.accounted_to = self.now;
            state.set_back = state.set_back.saturating_add(1);
            if let Some(run) = &mut state.running {
                run.waits_until = run.waits_until.min(Some(self.now));
            }
        }
        // Who asks for a run by name while the schedule is paused wants it to come to its end.
        let rests = state.paused && !state.running.as_ref().is_some_and(|run| run.asked_for);
        let mut start = state.running.is_some() && !at_work && !rests && self.take_up(&mut state);
        if state.running.is_none() {
            start = self.start_asked_for(&mut state) || self.start_due(schedule, &mut state);
        }
        let next = match state.paused {
            true => None,
            false => schedule.next_after(state.accounted_to),
        };
        state.next_due = next.map(|tick| schedule.due_at(tick));
        Plan { state, start }
    }

    /// Takes note that the leader has no such schedule.
    pub(super) fn retire(&self, found: &ScheduleState, at_work: bool) -> ScheduleState {
        let mut state = found.clone();
        state.term = self.term;
        state.scheduled = false;
        state.next_due = None;
        state.wanted_at = None;
        if !at_work && state.running.is_some() {
            state.end(RunOutcome::Failed, "its schedule is gone", self.now);
        }
        state
    }

    /// Takes up a run that nobody is at work on. It may fail for good instead.
    fn take_up(&self, state: &mut ScheduleState) -> bool {
        let Some(run) = &mut state.running else { return false };
        match run.waits_until {
            Some(at) if at > self.now => return false,
            Some(_) => {}
            None => {
                run.tries_left = run.tries_left.saturating_sub(1);
                "its host did not come back".clone_into(&mut run.note);
                if run.tries_left == 0 {
                    state.end(RunOutcome::Failed, "its hosts did not come back too often", self.now);
                    return false;
                }
            }
        }
        run.attempt = run.attempt.saturating_add(1);
        self.owner.clone_into(&mut run.owner);
        run.waits_until = None;
        true
    }

    fn start_asked_for(&self, state: &mut ScheduleState) -> bool {
        let Some(at) = state.wanted_at.take() else { return false };
        self.start(state, at, true, 0);
        true
    }

    fn start_due(&self, schedule: &Schedule, state: &mut ScheduleState) -> bool {
        if state.paused {
            return false;
        }
        let Some(due) = ticks::due(schedule, state.accounted_to, self.now) else { return false };
        let in_time = schedule.catch_up || later(schedule.due_at(due.tick), schedule.grace) >= self.now;
        state.accounted_to = due.tick;
        state.missed = state.missed.saturating_add(due.missed).saturating_add(u64::from(!in_time));
        if in_time {
            state.last_tick = Some(due.tick);
            self.start(state, due.tick, false, due.missed);
        }
        in_time
    }

    fn start(&self, state: &mut ScheduleState, tick: Timestamp, asked_for: bool, missed: u64) {
        state.runs = state.runs.saturating_add(1);
        state.running = Some(Running {
            id: run_id(&state.name, tick, asked_for, state.set_back),
            tick,
            asked_for,
            missed,
            started_at: self.now,
            owner: self.owner.to_owned(),
            attempt: 1,
            tries_left: self.settings.max_attempts,
            waits_until: None,
            note: String::new(),
        });
    }

    /// What an attempt came to. `None` if it is no longer the one that runs: nothing of it is written.
    pub(super) fn ended(
        &self,
        found: &ScheduleState,
        attempt: &Attempt,
        result: &Result<String>,
    ) -> Option<ScheduleState> {
        let ours = |run: &Running| run.id == attempt.id && run.attempt == attempt.attempt && run.waits_until.is_none();
        if found.term > self.term || !found.running.as_ref().is_some_and(ours) {
            return None;
        }
        let mut state = found.clone();
        state.term = self.term;
        let error = match result {
            Ok(note) => {
                state.end(RunOutcome::Done, note, self.now);
                return Some(state);
            }
            Err(error) => error,
        };
        let run = state.running.as_mut()?;
        match again(error) {
            Again::No => run.tries_left = 0,
            Again::HandedBack => {
                // The next host may take it up at once; this one, if it goes on, would only be told the same again.
                let wait = if self.stopping { Duration::ZERO } else { self.settings.retry(1) };
                run.waits_until = Some(later(self.now, wait));
                run.note = short(&error.to_string());
                return Some(state);
            }
            Again::After(after) => {
                run.tries_left = run.tries_left.saturating_sub(1);
                run.waits_until = Some(later(
                    self.now,
                    after.max(self.settings.retry(self.settings.max_attempts.saturating_sub(run.tries_left))),
                ));
                run.note = short(&error.to_string());
            }
        }
        if run.tries_left == 0 {
            state.end(RunOutcome::Failed, &error.to_string(), self.now);
        }
        Some(state)
    }
}

/// Which attempt at which run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Attempt {
    pub(super) id: crate::model::SyncTaskId,
    pub(super) attempt: u32,
}

enum Again {
    No,
    HandedBack,
    After(Duration),
}

fn again(error: &Error) -> Again {
    match error.disposition() {
        _ if error.kind() == ErrorKind::Stopped => Again::HandedBack,
        Disposition::Retryable { after } => Again::After(after.unwrap_or_default()),
        Disposition::Uncertain | Disposition::Rejected | Disposition::Permanent => Again::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn leading(settings: &SchedulerSettings) -> Leading<'_> {
        Leading { owner: "host", term: 3, now: NOW, stopping: false, settings }
    }

    /// A schedule whose second attempt at a run is under way.
    fn running(settings: &SchedulerSettings) -> (ScheduleState, Attempt) {
        let mut state = ScheduleState::new("orders", NOW);
        state.term = 3;
        leading(settings).start(&mut state, NOW, false, 0);
        let run = state.running.as_mut().unwrap();
        run.attempt = 2;
        let attempt = Attempt { id: run.id.clone(), attempt: 2 };
        (state, attempt)
    }

    #[test]
    fn an_end_that_was_written_without_an_answer_is_not_written_again() {
        let settings = SchedulerSettings::default();
        let (state, attempt) = running(&settings);
        let failed = Err(Error::store("count", "away"));
        let once = leading(&settings).ended(&state, &attempt, &failed).unwrap();
        assert_eq!(once.running.as_ref().map(|run| run.tries_left), Some(4));
        assert_eq!(leading(&settings).ended(&once, &attempt, &failed), None);
        let done = leading(&settings).ended(&state, &attempt, &Ok(String::new())).unwrap();
        assert_eq!(leading(&settings).ended(&done, &attempt, &Ok(String::new())), None);
    }

    #[test]
    fn the_end_of_another_attempt_or_of_an_older_term_is_not_written() {
        let settings = SchedulerSettings::default();
        let (state, attempt) = running(&settings);
        let done = Ok(String::new());
        let earlier = Attempt { attempt: 1, ..attempt.clone() };
        assert_eq!(leading(&settings).ended(&state, &earlier, &done), None);
        let other = Attempt { id: run_id("orders", NOW, true, 0), ..attempt.clone() };
        assert_eq!(leading(&settings).ended(&state, &other, &done), None);
        let old = Leading { term: 2, ..leading(&settings) };
        assert_eq!(old.ended(&state, &attempt, &done), None);
        assert!(leading(&settings).ended(&state, &attempt, &done).is_some());
    }
}
