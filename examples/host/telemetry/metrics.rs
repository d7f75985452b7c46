//! Metrics in Prometheus' format.

use std::sync::Arc;
use std::time::Duration;

use datawald_core::engine::describe_metrics;
use datawald_core::model::FlowId;
use datawald_core::store::StagingStore;
use datawald_core::{Clock, Error, Result, SystemClock};
use metrics::{Unit, describe_gauge, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::sync::Mutex;
use tokio::time::Instant;

const DUE: &str = "datawald_due_entities";
const OLDEST: &str = "datawald_oldest_due_seconds";

/// How many due entities are counted at most: a scrape is not to read the whole store.
const COUNTED: usize = 1_000;

/// How often the store is asked at most, however often it is scraped.
const FRESH: Duration = Duration::from_secs(1);

/// From a millisecond in a sandbox to the minutes of a slow ERP.
const BUCKETS: &[f64] = &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0];

/// The metrics of this process, and the backlog as the store has it.
pub(crate) struct Metrics {
    handle: PrometheusHandle,
    store: Arc<dyn StagingStore>,
    flows: std::sync::Mutex<Vec<FlowId>>,
    asked: Mutex<Option<Instant>>,
}

impl Metrics {
    /// Starts to count.
    pub(crate) fn start(store: Arc<dyn StagingStore>, flows: Vec<FlowId>) -> Result<Arc<Self>> {
        let wrong = |error| Error::config("start metrics", "another recorder is there already").caused_by(error);
        let handle = PrometheusBuilder::new()
            .set_buckets_for_metric(Matcher::Suffix("_seconds".to_owned()), BUCKETS)
            .map_err(wrong)?
            .install_recorder()
            .map_err(wrong)?;
        describe_metrics();
        describe_gauge!(DUE, "Entities that are due and not taken up; from 1000 on, 1000");
        describe_gauge!(OLDEST, Unit::Seconds, "How long the longest due entity has been due");
        Ok(Arc::new(Self { handle, store, flows: flows.into(), asked: Mutex::new(None) }))
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
        self.handle.render()
    }

    /// Histograms are kept small.
    pub(crate) fn upkeep(&self) {
        self.handle.run_upkeep();
    }

    /// Asks the store for the backlog, unless that was just done; before it is rendered.
    pub(crate) async fn ask(&self) {
        let mut asked = self.asked.lock().await;
        if asked.is_some_and(|asked| asked.elapsed() < FRESH) {
            return;
        }
        let flows = self.flows();
        let now = SystemClock.now();
        for flow in flows {
            let labels = [("table", flow.table.name().to_owned()), ("frontend", flow.frontend.clone())];
            let (due, oldest) = tokio::join!(self.store.due(&flow, now, COUNTED), self.store.next_due(&flow));
            match (due, oldest) {
                (Ok(due), Ok(oldest)) => {
                    let age = oldest.map(|oldest| now.duration_since(oldest)).unwrap_or_default();
                    gauge!(DUE, &labels).set(u32::try_from(due.len()).unwrap_or(u32::MAX));
                    gauge!(OLDEST, &labels).set(Duration::try_from(age).unwrap_or_default());
                }
                // That the store fails is told by the counters of failures and by the readiness.
                (Err(error), _) | (_, Err(error)) => tracing::debug!(%error, %flow, "the backlog is not known"),
            }
        }
        *asked = Some(Instant::now());
    }
}
