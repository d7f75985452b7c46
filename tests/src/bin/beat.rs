//! A host of the scheduler with a clock that may be off, to run, to kill and to start again. Its job makes the sync task of
//! its run and closes it, and finds out by records of its own whether another is at the same work.

#![allow(clippy::print_stderr, reason = "it tells the test why it ended")]

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use clap::Parser;
use datawald_core::model::{FlowId, SyncStatus, Table};
use datawald_core::schedule::{Job, Run, Schedule, Scheduler, SchedulerSettings};
use datawald_core::store::{MongoSettings, MongoStore, NewSyncTask, SqliteStore, StagingStore};
use datawald_core::{Clock, Error, Result, SystemClock};
use jiff::{SignedDuration, Timestamp};
use tokio::signal::unix::{SignalKind, signal};

/// The record that says which run is at work; empty if none is.
const AT_WORK: &str = "beat/at-work";

#[derive(Debug, Parser)]
struct Args {
    /// sqlite:PATH or mongodb://…
    #[arg(long)]
    store: String,
    /// How far the clock of this host is ahead, in milliseconds.
    #[arg(long, allow_hyphen_values = true)]
    ahead_ms: i64,
    /// The period of the schedule, in milliseconds.
    #[arg(long)]
    period_ms: u64,
    /// How long a run takes, in milliseconds.
    #[arg(long)]
    job_ms: u64,
}

/// The system's clock, but off.
#[derive(Debug)]
struct OffClock(SignedDuration);

impl Clock for OffClock {
    fn now(&self) -> Timestamp {
        SystemClock.now().saturating_add(self.0).unwrap_or(Timestamp::MAX)
    }

    fn monotonic(&self) -> Duration {
        SystemClock.monotonic()
    }
}

struct Beat {
    store: Arc<dyn StagingStore>,
    takes: Duration,
}

#[async_trait]
impl Job for Beat {
    async fn run(&self, run: &Run) -> Result<String> {
        let begun = format!("{}/{}", run.id, run.attempt);
        let result = self.work(run, &begun).await;
        if let Err(error) = &result {
            // Whatever else becomes of it, the test is to see it.
            self.store.write_record(&format!("beat/wrong/{begun}"), 0, &error.to_string()).await?;
        }
        result
    }
}

impl Beat {
    async fn work(&self, run: &Run, begun: &str) -> Result<String> {
        let wrong = |message: String| Error::config("beat", message).entity(format!("run {begun}"));
        // Each attempt is begun by one host, once.
        let host = uuid::Uuid::now_v7().to_string();
        if !self.store.write_record(&format!("beat/begun/{begun}"), 0, &host).await? {
            return Err(wrong("was begun by another host too".to_owned()));
        }
        // Nothing else is at work, but what a host left that was killed: of the same run.
        let (rev, before) = match self.store.record(AT_WORK).await? {
            Some(record) => (record.rev, record.value),
            None => (0, String::new()),
        };
        let left = before.strip_prefix(run.id.as_str()).is_some_and(|rest| rest.starts_with('/'));
        if !before.is_empty() && (!left || before == begun) {
            return Err(wrong(format!("another is at work: {before}")));
        }
        if !self.store.write_record(AT_WORK, rev, begun).await? {
            return Err(wrong("another began at the same time".to_owned()));
        }

        let flow = FlowId::new(Table::Orders, "beat");
        let now = run.tick;
        let task = NewSyncTask { id: run.id.clone(), flow, cut_before: None, now };
        self.store.create_sync_task(task).await?;
        tokio::time::sleep(self.takes).await;
        self.store.finish_pull(&run.id, now).await?;
        let note = format!("missed {}", run.missed);
        self.store.close_sync_task(&run.id, SyncStatus::Completed, &note, now).await?;

        match self.store.write_record(AT_WORK, rev + 1, "").await? {
            true => Ok(note),
            false => Err(wrong("another began before it had ended".to_owned())),
        }
    }
}

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> ExitCode {
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).init();
    match host(&Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("beat: {}", error.report());
            ExitCode::FAILURE
        }
    }
}

async fn host(args: &Args) -> Result<()> {
    let unheard = |error: std::io::Error| Error::config("listen to signals", error.to_string());
    let mut terminate = signal(SignalKind::terminate()).map_err(unheard)?;
    let store: Arc<dyn StagingStore> = match args.store.strip_prefix("sqlite:") {
        Some(path) => Arc::new(SqliteStore::open(path)?),
        None => Arc::new(MongoStore::connect(MongoSettings::new(&args.store)).await?),
    };
    let settings = SchedulerSettings { lease_ms: 600, poll_ms: 50, max_attempts: 100, ..SchedulerSettings::default() };
    let beat = Beat { store: store.clone(), takes: Duration::from_millis(args.job_ms) };
    let scheduler = Scheduler::builder(store)
        .clock(Arc::new(OffClock(SignedDuration::from_millis(args.ahead_ms))))
        .settings(settings)
        .job(Schedule::every("beat", Duration::from_millis(args.period_ms))?, beat)
        .build()?;
    tokio::join!(scheduler.run(), async {
        terminate.recv().await;
        scheduler.stop();
    });
    Ok(())
}
