//! Metrics in Prometheus' format.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use datawald_core::engine::{Engine, Pause, describe_metrics, pauses};
use datawald_core::model::{FlowId, SyncStatus};
use datawald_core::store::{Overview, StagingStore, SyncTaskFilter};
use datawald_core::{Error, ErrorKind, Now, Result};
use jiff::Timestamp;
use metrics::{Unit, describe_gauge, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use metrics_process::Collector;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::disk;

const FAILED: &str = "datawald_failed_entities";

const OPEN: &str = "datawald_open_entities";
const OLDEST_OPEN: &str = "datawald_oldest_open_seconds";
const OLDEST_DUE: &str = "datawald_oldest_due_seconds";
const LAST_SUCCESS: &str = "datawald_last_success_timestamp_seconds";
const UP: &str = "datawald_up";

/// How often the store is asked at most, however often it is scraped.
const FRESH: Duration = Duration::from_secs(1);

/// How long whoever asks for health waits for what the store tells of pauses.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often it is asked for the last run that succeeded.
const RUNS_FRESH: Duration = Duration::from_secs(30);

/// From a millisecond in a sandbox to the minutes of a slow ERP.
const BUCKETS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];

/// The metrics of this process, and what is open as the store has it.
pub(crate) struct Metrics {
    handle: PrometheusHandle,
    process: Collector,
    store: Arc<dyn StagingStore>,
    /// For the time by the store's clock.
    clock: Engine,
    /// The store's file, if it is one.
    file: Option<PathBuf>,
    flows: std::sync::Mutex<Vec<FlowId>>,
    asked: Mutex<Asked>,
}

#[derive(Default)]
struct Asked {
    at: Option<Instant>,
    runs_at: Option<Instant>,
}

impl Metrics {
    /// Starts to count.
    pub(crate) fn start(store: Arc<dyn StagingStore>, file: Option<PathBuf>, flows: Vec<FlowId>) -> Result<Arc<Self>> {
        let wrong = |error| Error::config("start metrics", "another recorder is there already").caused_by(error);
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), BUCKETS)
            .map_err(wrong)?
            .install_recorder()
            .map_err(wrong)?;
        describe_metrics();
        describe_gauge!(FAILED, "Entities that have failed and were not mended, by the class of the failure");
        describe_gauge!(OPEN, "Entities without an outcome, by what they wait for");
        let since = "How long the oldest of them has been owed: since it was staged, or changed at the source later";
        describe_gauge!(OLDEST_OPEN, Unit::Seconds, since);
        describe_gauge!(OLDEST_DUE, Unit::Seconds, "How long the longest due entity has been due");
        describe_gauge!(
            LAST_SUCCESS,
            Unit::Seconds,
            "When a run of the flow last succeeded, since 1970; 0 if none has"
        );
        describe_gauge!(UP, "Whether a part of this host, or a side that it works with, is there");
        disk::describe();
        let process = Collector::default();
        process.describe();
        let clock = Engine::builder(store.clone()).build()?;
        Ok(Arc::new(Self { handle, process, store, clock, file, flows: flows.into(), asked: Mutex::default() }))
    }

    /// The flows that it tells of.
    pub(crate) fn flows(&self) -> Vec<FlowId> {
        self.flows.lock().unwrap_or_else(std::sync::PoisonError::into_inner).clone()
    }

    /// Tells of these flows from now on.
    pub(crate) fn set_flows(&self, flows: Vec<FlowId>) {
        *self.flows.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = flows;
    }

    /// All of them, in Prometheus' text format.
    pub(crate) fn render(&self) -> String {
        self.process.collect();
        self.handle.render()
    }

    /// Histograms are kept small.
    pub(crate) fn upkeep(&self) {
        self.handle.run_upkeep();
    }

    /// The flows that are paused, as the store has it.
    pub(crate) async fn pauses(&self) -> Vec<Pause> {
        // That the store cannot be read is told by its own part.
        let pauses = tokio::time::timeout(PATIENCE, pauses(&*self.store)).await;
        pauses.ok().and_then(Result::ok).unwrap_or_default()
    }

    /// Asks the store for what is open, unless that was just done; before it is rendered.
    pub(crate) async fn ask(&self) {
        let mut asked = self.asked.lock().await;
        if asked.at.is_some_and(|at| at.elapsed() < FRESH) {
            return;
        }
        let flows = self.flows();
        for flow in &flows {
            // That the store fails is told by the counters of failures and by the readiness.
            if let Err(error) = self.ask_open(flow).await {
                tracing::debug!(%error, %flow, "what is open is not known");
            }
            if let Err(error) = self.ask_failures(flow).await {
                tracing::debug!(%error, %flow, "the failures are not known");
            }
        }
        if asked.runs_at.is_none_or(|at| at.elapsed() >= RUNS_FRESH) {
            for flow in &flows {
                if let Err(error) = self.ask_runs(flow).await {
                    tracing::debug!(%error, %flow, "the last run is not known");
                }
            }
            asked.runs_at = Some(Instant::now());
        }
        if let Some(file) = &self.file {
            disk::measure(file);
        }
        asked.at = Some(Instant::now());
    }

    async fn ask_open(&self, flow: &FlowId) -> Result<()> {
        let now = self.clock.now().await?;
        let (overview, due) = tokio::try_join!(self.store.overview(flow, now.store), self.store.next_due(flow))?;
        let Now { wall, store } = now;
        let labels = labels(flow);
        gauge!(OLDEST_DUE, &labels).set(age(store, due));
        let Overview { waiting, backing_off, in_process, in_doubt } = overview;
        for (state, open) in
            [("waiting", waiting), ("backing_off", backing_off), ("in_process", in_process), ("in_doubt", in_doubt)]
        {
            let [table, frontend] = labels.clone();
            let labels = [table, frontend, ("state", state.to_owned())];
            gauge!(OPEN, &labels).set(u32::try_from(open.count).unwrap_or(u32::MAX));
            gauge!(OLDEST_OPEN, &labels).set(age(wall, open.since));
        }
        Ok(())
    }

    async fn ask_failures(&self, flow: &FlowId) -> Result<()> {
        let failures = self.store.failures(flow).await?;
        for kind in ErrorKind::ALL {
            let count = failures.get(kind.as_str()).copied().unwrap_or_default();
            let [table, frontend] = labels(flow);
            let labels = [table, frontend, ("class", kind.as_str().to_owned())];
            gauge!(FAILED, &labels).set(u32::try_from(count).unwrap_or(u32::MAX));
        }
        Ok(())
    }

    /// A run of before this process, or of another one.
    async fn ask_runs(&self, flow: &FlowId) -> Result<()> {
        let last = SyncTaskFilter {
            flow: Some(flow.clone()),
            status: Some(SyncStatus::Completed),
            limit: 1,
            ..SyncTaskFilter::default()
        };
        let last = self.store.list_sync_tasks(&last).await?.items.into_iter().next();
        succeeded(flow, last.and_then(|task| task.ended_at).unwrap_or(Timestamp::UNIX_EPOCH));
        Ok(())
    }
}

/// When a run of each flow succeeded last, as this process knows. A run that brings nothing need not be in the store.
static LAST: std::sync::Mutex<BTreeMap<FlowId, Timestamp>> = std::sync::Mutex::new(BTreeMap::new());

/// Notes that a run of a flow has succeeded.
pub(crate) fn succeeded(flow: &FlowId, at: Timestamp) {
    let mut last = LAST.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let last = last.entry(flow.clone()).or_insert(at);
    *last = at.max(*last);
    let since_1970 = Duration::from_millis(u64::try_from(last.as_millisecond()).unwrap_or_default());
    gauge!(LAST_SUCCESS, &labels(flow)).set(since_1970);
}

/// Notes whether a part is there.
pub(crate) fn up(part: &str, is_up: bool) {
    gauge!(UP, "part" => part.to_owned()).set(u32::from(is_up));
}

fn labels(flow: &FlowId) -> [(&'static str, String); 2] {
    [("table", flow.table.name().to_owned()), ("frontend", flow.frontend.clone())]
}

fn age(now: Timestamp, since: Option<Timestamp>) -> Duration {
    since.map(|since| now.duration_since(since)).and_then(|age| Duration::try_from(age).ok()).unwrap_or_default()
}
