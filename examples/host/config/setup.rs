//! What sections of the file say, as the host uses it.

use std::net::SocketAddr;

use datawald_core::engine::EngineSettings;
use datawald_core::model::FlowId;
use datawald_core::schedule::Schedule;
use jiff::Timestamp;
use serde::Deserialize;

/// A flow and its two sides.
#[derive(Debug, Clone)]
pub(crate) struct FlowSetup {
    /// Its table and frontend.
    pub(crate) id: FlowId,
    /// The connection that it is applied to.
    pub(crate) backoffice: String,
    /// Where its first pull begins; without it, with the first order that the shop has.
    pub(crate) since: Option<Timestamp>,
    /// How the engine works on it.
    pub(crate) engine: EngineSettings,
}

/// When a flow is pulled.
#[derive(Debug, Clone)]
pub(crate) struct ScheduleSetup {
    /// The flow.
    pub(crate) flow: FlowId,
    /// When.
    pub(crate) schedule: Schedule,
}

/// How the host answers probes and scrapers.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct MonitorSetup {
    /// The address to listen at.
    pub(crate) listen: SocketAddr,
}

/// What is logged, to standard error.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct LogSetup {
    /// The least that is told of what the host itself does; of libraries, warnings are.
    pub(crate) level: Level,
    /// For people or for machines.
    pub(crate) format: Format,
}

/// A level of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Level {
    /// What fails for good.
    Error,
    /// What fails for now, too.
    Warn,
    /// What runs bring, too.
    #[default]
    Info,
    /// Every entity, too.
    Debug,
    /// Everything.
    Trace,
}

/// How a line of the log is written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Format {
    /// A line of text.
    #[default]
    Text,
    /// A JSON object.
    Json,
}

/// Where traces go.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct TelemetrySetup {
    /// The address of a collector that takes OTLP over HTTP (`http://127.0.0.1:4318`); spans go to `v1/traces` below it.
    pub(crate) otlp_endpoint: String,
    /// What the host is called in traces.
    #[serde(default = "service_name")]
    pub(crate) service_name: String,
}

fn service_name() -> String {
    "datawald".to_owned()
}

/// How patient the host is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct HostSetup {
    /// How long ending in good order may take, in milliseconds; what is held longer is found again by its lease.
    pub(crate) stop_within_ms: u64,
    /// How often store, queue and both sides are tried, in milliseconds.
    pub(crate) check_every_ms: u64,
}

impl Default for HostSetup {
    fn default() -> Self {
        Self { stop_within_ms: 30_000, check_every_ms: 30_000 }
    }
}
