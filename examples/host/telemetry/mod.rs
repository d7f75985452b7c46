//! What the host tells about itself: logs, metrics, traces.

mod disk;
mod log;
mod metrics;
mod otlp;
mod run_tracer;
mod trace;

use datawald_core::{Error, Result};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use self::log::Log;
pub(crate) use self::metrics::{Metrics, succeeded, up};
use self::trace::Traces;
use crate::config::Config;

/// The beginnings of the names of what is ours.
const OURS: &[&str] = &["datawald", "mage2_connector", "sapb1_connector", "host"];

/// Logs and traces of this process.
pub(crate) struct Telemetry {
    log: Log,
    traces: Option<Traces>,
}

impl Telemetry {
    /// Starts to log, and to send traces if the file says so.
    pub(crate) fn start(config: &Config) -> Result<Self> {
        let traces = config.telemetry.as_ref().map(Traces::start).transpose()?;
        let (log, lines) = Log::new(config);
        let spans =
            traces.as_ref().map(|traces| traces.layer().with_filter(of_ours(LevelFilter::DEBUG, LevelFilter::OFF)));
        tracing_subscriber::registry()
            .with(lines)
            .with(spans)
            .try_init()
            .map_err(|error| Error::config("start logging", "another logger is there already").caused_by(error))?;
        Ok(Self { log, traces })
    }

    /// Logs by another file from now on: its level, its secrets.
    pub(crate) fn reload(&self, config: &Config) {
        self.log.reload(config);
    }

    /// Sends what is left. Waits for it, so not to be called where others are to go on.
    pub(crate) async fn stop(self) {
        if let Some(traces) = self.traces {
            // It waits for its own thread, which needs this runtime to send.
            let _ = tokio::task::spawn_blocking(move || traces.stop()).await;
        }
    }
}

/// What is ours from `level` on, and of everything else from `others` on.
fn of_ours(level: LevelFilter, others: LevelFilter) -> Targets {
    // Of lost connections the queue tells itself, in words for people.
    let targets = Targets::new().with_default(others).with_target("lapin", LevelFilter::OFF);
    OURS.iter().fold(targets, |targets, name| targets.with_target(*name, level))
}
