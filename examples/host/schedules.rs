//! When flows are pulled: the scheduler of this host. Of all hosts of a store, one leads and pulls.

use std::sync::Arc;

use async_trait::async_trait;
use datawald_core::engine::Engine;
use datawald_core::model::FlowId;
use datawald_core::schedule::{Job, Run, Schedule, Scheduler, SchedulerSettings, SyncFlow};
use datawald_core::store::StagingStore;
use datawald_core::{Clock, ErrorKind, Result, SystemClock};
use tokio::task::JoinHandle;

use crate::config::ScheduleSetup;
use crate::health::Health;
use crate::telemetry;

/// The scheduler, ready to be started.
pub(crate) struct PreparedBeat {
    scheduler: Arc<Scheduler>,
    schedules: Vec<ScheduleSetup>,
}

/// The scheduler at work.
pub(crate) struct Beat {
    scheduler: Arc<Scheduler>,
    running: JoinHandle<()>,
}

impl PreparedBeat {
    /// Puts a scheduler together that syncs the flows of these engines.
    pub(crate) fn new(
        store: Arc<dyn StagingStore>,
        settings: SchedulerSettings,
        schedules: &[ScheduleSetup],
        engines: Vec<(FlowId, Engine)>,
        health: &Health,
    ) -> Result<Self> {
        let mut builder = Scheduler::builder(store).settings(settings).schedules(of_flows(schedules));
        for (flow, engine) in engines {
            let job = Told { job: SyncFlow::new(engine, flow.clone()), flow: flow.clone(), health: health.clone() };
            builder = builder.named_job(job_of(&flow), job);
        }
        Ok(Self { scheduler: Arc::new(builder.build()?), schedules: schedules.to_vec() })
    }

    /// Starts to take part.
    pub(crate) fn start(self, health: &Health) -> Beat {
        for setup in &self.schedules {
            health.set(&part(&setup.schedule.name), Ok(()));
        }
        let scheduler = self.scheduler.clone();
        Beat { scheduler: self.scheduler, running: tokio::spawn(async move { scheduler.run().await }) }
    }
}

impl Beat {
    /// Goes on with other schedules of the same flows.
    pub(crate) fn replace(&self, schedules: &[ScheduleSetup], health: &Health) -> Result<()> {
        self.scheduler.replace(of_flows(schedules))?;
        health.forget(|name| name.starts_with(PART));
        for setup in schedules {
            health.set(&part(&setup.schedule.name), Ok(()));
        }
        Ok(())
    }

    /// Has what runs end after its page, hands it back, and waits for it.
    pub(crate) async fn stop(self) {
        self.scheduler.stop();
        if self.running.await.is_err() {
            tracing::error!("the scheduler panicked; the lines before tell where");
        }
    }
}

/// What the parts of readiness that are schedules begin with.
const PART: &str = "schedule ";

fn part(schedule: &str) -> String {
    format!("{PART}{schedule}")
}

fn of_flows(schedules: &[ScheduleSetup]) -> Vec<Schedule> {
    schedules.iter().map(|setup| setup.schedule.clone().job(&job_of(&setup.flow))).collect()
}

fn job_of(flow: &FlowId) -> String {
    format!("sync {flow}")
}

/// Syncs a flow, and has readiness tell what came of it last.
struct Told {
    job: SyncFlow,
    flow: FlowId,
    health: Health,
}

#[async_trait]
impl Job for Told {
    async fn run(&self, run: &Run) -> Result<String> {
        let done = self.job.run(run).await;
        match &done {
            Err(error) if error.kind() == ErrorKind::Stopped => {}
            Err(error) => {
                tracing::error!(%error, schedule = run.schedule, attempt = run.attempt, "a run failed");
                self.health.set(&part(&run.schedule), Err(error.to_string()));
            }
            Ok(_) => {
                self.health.set(&part(&run.schedule), Ok(()));
                telemetry::succeeded(&self.flow, SystemClock.now());
            }
        }
        done
    }
}
