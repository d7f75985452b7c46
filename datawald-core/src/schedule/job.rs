//! What a schedule runs.

use async_trait::async_trait;
use jiff::Timestamp;
use tokio::sync::watch;

use super::state::{Running, run_id};
use crate::Result;
use crate::model::SyncTaskId;

/// What a schedule runs.
///
/// A run is taken up again, under the same id, when its host dies: what a job does is to be the same done twice. Where
/// that does not come by itself, the id of the run tells what an earlier attempt has done.
#[async_trait]
pub trait Job: Send + Sync {
    /// Does the work of one run, and answers a note for people, which is kept (no secrets, no personal data).
    ///
    /// # Behavior
    /// An error that is [`Retryable`](crate::Disposition::Retryable) has the run tried again later, as often as
    /// [`SchedulerSettings::max_attempts`](super::SchedulerSettings::max_attempts) says; any other ends it. An error of
    /// kind [`Stopped`](crate::ErrorKind::Stopped) hands it back, which costs no attempt: when this host is stopped, the
    /// next leader takes it up at once; else it waits for the shortest time. The future is dropped where it waits if it
    /// does not end in time when [`Run::stopping`] says so, and when this host loses the lead.
    async fn run(&self, run: &Run) -> Result<String>;
}

/// One attempt at a run, as its job sees it.
#[derive(Debug, Clone)]
pub struct Run {
    /// The schedule's name.
    pub schedule: String,
    /// The id of the run: of a form that a sync task takes, the same for every attempt, sorted by the tick.
    pub id: SyncTaskId,
    /// The tick that it is for; if it was asked for by name, when that was.
    pub tick: Timestamp,
    /// Whether it was asked for by name.
    pub asked_for: bool,
    /// How many ticks before this one had no run: this one makes up for them, or they were skipped
    /// ([`Schedule::catch_up`](super::Schedule::catch_up)).
    pub missed: u64,
    /// The number of this attempt, from 1.
    pub attempt: u32,
    stop: Option<watch::Receiver<bool>>,
}

impl Run {
    /// The first attempt at the run of a tick, never stopped; for tests of jobs.
    ///
    /// ```
    /// # use datawald_core::schedule::Run;
    /// let run = Run::of("orders", "2026-01-31T10:00:00Z".parse()?);
    /// assert_eq!(run.id, Run::of("orders", run.tick).id);
    /// assert!(run.id < Run::of("orders", "2026-01-31T10:15:00Z".parse()?).id);
    /// # Ok::<(), jiff::Error>(())
    /// ```
    pub fn of(schedule: &str, tick: Timestamp) -> Self {
        let id = run_id(schedule, tick, false, 0);
        Self { schedule: schedule.to_owned(), id, tick, asked_for: false, missed: 0, attempt: 1, stop: None }
    }

    pub(super) fn new(schedule: &str, running: &Running, stop: watch::Receiver<bool>) -> Self {
        Self {
            schedule: schedule.to_owned(),
            id: running.id.clone(),
            tick: running.tick,
            asked_for: running.asked_for,
            missed: running.missed,
            attempt: running.attempt,
            stop: Some(stop),
        }
    }

    /// Whether the job is to come to its end, or to a point from which another attempt can go on.
    pub fn is_stopping(&self) -> bool {
        self.stop.as_ref().is_some_and(|stop| *stop.borrow())
    }

    /// Waits until [`Run::is_stopping`].
    pub async fn stopping(&self) {
        let ended = match self.stop.clone() {
            Some(mut stop) => stop.wait_for(|stop| *stop).await.is_ok(),
            None => false,
        };
        if !ended {
            // Nobody is left to say so.
            std::future::pending::<()>().await;
        }
    }

    /// The stop signal, for what takes one.
    pub(super) fn stop_signal(&self) -> Option<watch::Receiver<bool>> {
        self.stop.clone()
    }
}
