//! The scheduler of one host.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, watch};

use super::host::Host;
use super::lease::Candidate;
use super::reign::Reign;
use super::{Job, Schedule, SchedulerSettings};
use crate::store::StagingStore;
use crate::{Clock, Error, Result, SystemClock};

/// The scheduler of one host. Cheap to clone. See the [module](super) for an example.
#[derive(Clone)]
pub struct Scheduler {
    host: Arc<Host>,
}

/// Puts a [`Scheduler`] together.
#[must_use]
pub struct SchedulerBuilder {
    store: Arc<dyn StagingStore>,
    clock: Arc<dyn Clock>,
    settings: SchedulerSettings,
    jobs: HashMap<String, Arc<dyn Job>>,
    schedules: Vec<Schedule>,
}

impl SchedulerBuilder {
    /// With another clock than the system's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// With other settings.
    pub fn settings(mut self, settings: SchedulerSettings) -> Self {
        self.settings = settings;
        self
    }

    /// With a schedule and its job.
    pub fn job(self, schedule: Schedule, job: impl Job + 'static) -> Self {
        let name = schedule.job.clone();
        self.named_job(name, job).schedules([schedule])
    }

    /// With a job for the schedules that name it, now or when they are replaced.
    pub fn named_job(mut self, name: impl Into<String>, job: impl Job + 'static) -> Self {
        self.jobs.insert(name.into(), Arc::new(job));
        self
    }

    /// With schedules of named jobs.
    pub fn schedules(mut self, schedules: impl IntoIterator<Item = Schedule>) -> Self {
        self.schedules.extend(schedules);
        self
    }

    /// The scheduler.
    ///
    /// # Errors
    /// Of kind `Config` if a setting or a schedule is wrong, a schedule is there twice, or one names a job that is not there.
    pub fn build(self) -> Result<Scheduler> {
        self.settings.check()?;
        let schedules = checked(self.schedules, &self.jobs)?;
        let host = Host {
            store: self.store,
            clock: self.clock,
            settings: self.settings,
            owner: format!("{}-{}", std::process::id(), uuid::Uuid::now_v7().simple()),
            jobs: self.jobs,
            schedules: Mutex::new(Arc::new(schedules)),
            replaced: Notify::new(),
            stopping: watch::Sender::new(false),
            store_away: AtomicBool::new(false),
        };
        Ok(Scheduler { host: Arc::new(host) })
    }
}

/// The schedules, whose fields may have been changed since they were made, if they are right.
fn checked(schedules: Vec<Schedule>, jobs: &HashMap<String, Arc<dyn Job>>) -> Result<Vec<Schedule>> {
    let schedules = schedules.into_iter().map(Schedule::checked).collect::<Result<Vec<_>>>()?;
    let mut names = HashSet::new();
    for schedule in &schedules {
        let wrong = |field: &'static str, message: String| {
            Err(Error::config("read schedules", message).entity(format!("schedule {}", schedule.name)).field(field))
        };
        if !names.insert(&schedule.name) {
            return wrong("name", "is there twice".to_owned());
        }
        if !jobs.contains_key(&schedule.job) {
            let mut known: Vec<&str> = jobs.keys().map(String::as_str).collect();
            known.sort_unstable();
            return wrong("job", format!("there is no job {:?}; there are: {}", schedule.job, known.join(", ")));
        }
    }
    Ok(schedules)
}

impl Scheduler {
    /// Starts to put a scheduler together whose hosts agree over `store`.
    pub fn builder(store: Arc<dyn StagingStore>) -> SchedulerBuilder {
        SchedulerBuilder {
            store,
            clock: Arc::new(SystemClock),
            settings: SchedulerSettings::default(),
            jobs: HashMap::new(),
            schedules: Vec::new(),
        }
    }

    /// The name of this host in the records.
    pub fn owner(&self) -> &str {
        &self.host.owner
    }

    /// Takes part until [`Scheduler::stop`]: leads when no other host does, and runs what is due while it leads. A store
    /// that fails is told of once and tried again. To be called once; dropping the future aborts the jobs.
    pub async fn run(&self) {
        let host = &self.host;
        let mut candidate = Candidate::default();
        while !host.is_stopping() {
            let led = tokio::select! {
                biased;
                () = host.stopped() => return,
                led = candidate.try_lead(host) => led,
            };
            match led {
                Ok(None) => host.store_works(),
                Ok(Some(lease)) => {
                    host.store_works();
                    Reign::new(host.clone(), lease.term).run(lease).await;
                }
                Err(error) => host.store_failed(&error),
            }
            let _ = tokio::time::timeout(host.settings.poll(), host.stopped()).await;
        }
    }

    /// Has [`Scheduler::run`] come to its end: nothing is started any more, jobs are told to stop, and those that do not
    /// end in time are handed back for another host.
    pub fn stop(&self) {
        self.host.stopping.send_replace(true);
    }

    /// Replaces all schedules. What runs goes on. A schedule that is new or of other ticks counts them from now on; one
    /// that stays the same goes on where it was, and so does one that is gone and comes back, but for the ticks between.
    ///
    /// # Errors
    /// As [`SchedulerBuilder::build`]; the schedules are as they were then.
    pub fn replace(&self, schedules: Vec<Schedule>) -> Result<()> {
        let schedules = checked(schedules, &self.host.jobs)?;
        *self.host.schedules.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(schedules);
        self.host.replaced.notify_one();
        Ok(())
    }
}
