//! Hosts over a store in memory, each with a clock of its own, and jobs that tell what they were asked.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use datawald_core::schedule::{Job, Run, Schedule, ScheduleControl, ScheduleState, Scheduler, SchedulerSettings};
use datawald_core::store::{SqliteStore, StagingStore};
use datawald_core::{ManualClock, Result};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

pub(crate) fn seconds(seconds: i64) -> SignedDuration {
    SignedDuration::from_secs(seconds)
}

/// Every minute, from 10:00 on, where the clocks of the tests start.
pub(crate) fn minutely() -> Schedule {
    Schedule::every("minutely", Duration::from_secs(60)).unwrap()
}

/// Settings of hosts whose lease no test outlasts.
pub(crate) fn settings() -> SchedulerSettings {
    SchedulerSettings { poll_ms: 2, lease_ms: 100 * 86_400_000, ..SchedulerSettings::default() }
}

/// A job that keeps what it was asked, ends when it may, and answers as it is told (else with a note).
#[derive(Clone, Default)]
pub(crate) struct Book(Arc<Pages>);

struct Pages {
    runs: Mutex<Vec<Run>>,
    answers: Mutex<VecDeque<Result<String>>>,
    held: watch::Sender<bool>,
}

impl Default for Pages {
    fn default() -> Self {
        Self { runs: Mutex::default(), answers: Mutex::default(), held: watch::Sender::new(false) }
    }
}

impl Book {
    pub(crate) fn runs(&self) -> Vec<Run> {
        self.0.runs.lock().unwrap().clone()
    }

    pub(crate) fn answer(&self, answer: Result<String>) {
        self.0.answers.lock().unwrap().push_back(answer);
    }

    /// Has runs go on until they may end.
    pub(crate) fn hold(&self, held: bool) {
        self.0.held.send_replace(held);
    }
}

#[async_trait]
impl Job for Book {
    async fn run(&self, run: &Run) -> Result<String> {
        self.0.runs.lock().unwrap().push(run.clone());
        let answer = self.0.answers.lock().unwrap().pop_front();
        self.0.held.subscribe().wait_for(|held| !held).await.unwrap();
        answer.unwrap_or_else(|| Ok(format!("attempt {}", run.attempt)))
    }
}

/// A store and the control over its schedules, on a clock at 10:00:00.
pub(crate) struct World {
    pub(crate) store: Arc<dyn StagingStore>,
    pub(crate) clock: Arc<ManualClock>,
    pub(crate) control: ScheduleControl,
}

/// A scheduler at work, and its job.
pub(crate) struct Host {
    pub(crate) scheduler: Scheduler,
    pub(crate) book: Book,
    pub(crate) clock: Arc<ManualClock>,
    task: JoinHandle<()>,
}

impl World {
    pub(crate) fn new() -> Self {
        Self::over(Arc::new(SqliteStore::in_memory().unwrap()))
    }

    pub(crate) fn over(store: Arc<dyn StagingStore>) -> Self {
        let clock = Arc::new(ManualClock::at(at("2026-01-31T10:00:00Z")));
        Self { control: ScheduleControl::new(store.clone(), clock.clone()), store, clock }
    }

    /// A host on the world's clock, once it has taken its schedules up.
    pub(crate) async fn host(&self, schedules: Vec<Schedule>) -> Host {
        let names: Vec<String> = schedules.iter().map(|schedule| schedule.name.clone()).collect();
        let host = self.start(self.clock.clone(), settings(), schedules);
        for name in names {
            self.until(&name, |state| state.scheduled).await;
        }
        host
    }

    pub(crate) fn start(&self, clock: Arc<ManualClock>, settings: SchedulerSettings, schedules: Vec<Schedule>) -> Host {
        let book = Book::default();
        let mut builder = Scheduler::builder(self.store.clone()).clock(clock.clone()).settings(settings);
        for schedule in schedules {
            builder = builder.job(schedule, book.clone());
        }
        let scheduler = builder.named_job("other", book.clone()).build().unwrap();
        let task = tokio::spawn({
            let scheduler = scheduler.clone();
            async move { scheduler.run().await }
        });
        Host { scheduler, book, clock, task }
    }

    pub(crate) async fn state(&self, name: &str) -> ScheduleState {
        self.control.get(name).await.unwrap()
    }

    /// Waits until a schedule stands as it should.
    pub(crate) async fn until(&self, name: &str, is: impl Fn(&ScheduleState) -> bool) -> ScheduleState {
        let mut last = None;
        for _ in 0..2_000 {
            last = self.control.get(name).await.ok();
            if let Some(state) = last.as_ref().filter(|state| is(state)) {
                return state.clone();
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("{name} does not come to stand as it should: {last:?}");
    }

    /// Waits until so many runs have ended.
    pub(crate) async fn ended(&self, name: &str, runs: usize) -> ScheduleState {
        self.until(name, |state| state.last_runs.len() == runs && state.running.is_none()).await
    }
}

/// Time for hosts to do what they should not.
pub(crate) async fn meanwhile() {
    // In many steps: however late this is woken, the hosts have been many times in between.
    for _ in 0..30 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
}

impl Host {
    pub(crate) async fn until_runs(&self, runs: usize) {
        for _ in 0..2_000 {
            if self.book.runs().len() == runs {
                return;
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        panic!("there were to be {runs} attempts: {:?}", self.book.runs());
    }

    /// As when its process is killed.
    pub(crate) async fn kill(self) {
        self.task.abort();
        assert!(self.task.await.unwrap_err().is_cancelled());
    }

    pub(crate) async fn stop(self) {
        self.scheduler.stop();
        self.task.await.unwrap();
    }
}
