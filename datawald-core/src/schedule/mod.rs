//! The scheduler: any number of hosts with the same schedules, of which each tick is run once.
//!
//! - [`Schedule`]: when a job is to run, by a cron expression in a time zone or by a period;
//! - [`Job`]: what it runs; [`SyncFlow`] is the job of a flow;
//! - [`Scheduler`]: takes part on a host, until it is stopped;
//! - [`ScheduleControl`]: lists schedules, pauses and resumes them, has them run now; from any process.
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//! use std::time::Duration;
//!
//! use async_trait::async_trait;
//! use datawald_core::schedule::{Job, Run, Schedule, ScheduleControl, Scheduler, SchedulerSettings};
//! use datawald_core::store::{SqliteStore, StagingStore};
//! use datawald_core::{Result, SystemClock};
//!
//! struct Stock;
//!
//! #[async_trait]
//! impl Job for Stock {
//!     async fn run(&self, run: &Run) -> Result<String> {
//!         Ok(format!("counted the stock of {}", run.tick))
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! # let folder = tempfile::tempdir().expect("a folder");
//! # let path = folder.path().join("staging.db");
//! let store: Arc<dyn StagingStore> = Arc::new(SqliteStore::open(&path)?);
//! let scheduler = Scheduler::builder(store.clone())
//!     .settings(SchedulerSettings { poll_ms: 20, ..SchedulerSettings::default() })
//!     .job(Schedule::cron("stock", "30 2 * * *")?.in_zone("Europe/Berlin")?, Stock)
//!     .job(Schedule::every("often", Duration::from_millis(50))?, Stock)
//!     .build()?;
//!
//! let control = ScheduleControl::new(store, Arc::new(SystemClock));
//! let watch = async {
//!     while control.list().await?.iter().all(|schedule| schedule.last_runs.is_empty()) {
//!         tokio::time::sleep(Duration::from_millis(20)).await;
//!     }
//!     scheduler.stop();
//!     Result::Ok(())
//! };
//! let ((), watched) = tokio::join!(scheduler.run(), watch);
//! watched?;
//! let often = control.get("often").await?;
//! assert!(often.last_runs.iter().all(|run| run.note.starts_with("counted the stock")));
//! # Ok(())
//! # }
//! ```
//!
//! # How each tick is run once
//!
//! One host leads, by a lease in a record of the store. Each leader has a term, greater than those before. All that it
//! changes is a compare-and-set of a schedule's record, which then carries its term; a leader that finds a greater one has
//! been succeeded and changes nothing. The **claim** of a tick is such a change: it writes the run and that the tick is
//! accounted for. So no tick has two runs.
//!
//! The leader runs the jobs. If it loses its lease, it drops them before the lease is over by its own clock; others honour
//! the lease for longer ([`SchedulerSettings::clock_offset_ms`]), and need no clock that is right, since they
//! also count from when they saw the leader's record change last. Then the next leader takes the run up again **under the
//! same id**, as its next attempt. So each run comes to its end, once; what its job did before its host died is for the
//! job to find by the run's id. A schedule has one run at a time.
//!
//! # What is missed
//!
//! Ticks that come while no host leads, or while the run before takes longer, are made up for by one run for the newest of
//! them ([`Schedule::catch_up`]), or skipped; [`ScheduleState::missed`] counts those without a run of their own, and
//! each run says how many it makes up for. Of a cron expression, at most 10,000 are counted at a time.
//!
//! All hosts of a store are to have the same schedules and settings. What a leader has no schedule of is not run while it
//! leads.

mod control;
mod cron;
mod host;
mod job;
mod lease;
mod plan;
mod records;
mod reign;
mod scheduler;
mod settings;
mod spec;
mod state;
mod sync_flow;
mod ticks;

pub use control::ScheduleControl;
pub use job::{Job, Run};
pub use lease::Leader;
pub use scheduler::{Scheduler, SchedulerBuilder};
pub use settings::SchedulerSettings;
pub use spec::{SCHEDULE_NAME_LIMIT, Schedule, ScheduleParts, When};
pub use state::{EndedRun, LAST_RUNS, NOTE_LIMIT, RunOutcome, Running, ScheduleState};
pub use sync_flow::SyncFlow;
