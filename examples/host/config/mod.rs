//! The file: what a host is told to do.

mod check;
mod connection;
mod read;
mod secrets;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use datawald_core::client::{ClientSettings, RemoteCore};
use datawald_core::engine::EngineSettings;
use datawald_core::http::HttpSettings;
use datawald_core::model::FlowId;
use datawald_core::queue::{RabbitQueue, RabbitSettings};
use datawald_core::store::MongoSettings;
use datawald_core::{Error, Result};
use datawald_examples::{QueueAt, StoreAt};
use secrecy::SecretString;
use serde::Deserialize;
use toml::{Table, Value};

pub(crate) use self::connection::Connection;
pub(crate) use self::read::Mistakes;
use self::read::section;
pub(crate) use self::read::typed;
pub(crate) use self::secrets::Redaction;
use self::secrets::Secrets;
use crate::api::ApiSetup;
use crate::args::Roles;
use crate::schedules::Schedule;

/// A file without mistakes, for the roles of this process.
pub(crate) struct Config {
    /// Where entities are staged.
    pub(crate) store: StoreAt,
    /// How tasks travel.
    pub(crate) queue: QueueAt,
    /// Both sides, by name.
    pub(crate) connections: BTreeMap<String, Connection>,
    /// The flows.
    pub(crate) flows: Vec<FlowSetup>,
    /// When they are pulled.
    pub(crate) schedules: Vec<ScheduleSetup>,
    /// How the host answers as a core.
    pub(crate) api: Option<ApiSetup>,
    /// How it answers probes and scrapers.
    pub(crate) monitor: Option<MonitorSetup>,
    /// What is logged.
    pub(crate) log: LogSetup,
    /// Where traces go.
    pub(crate) telemetry: Option<TelemetrySetup>,
    /// How patient the host is.
    pub(crate) host: HostSetup,
    /// What must not be logged.
    pub(crate) redaction: Redaction,
    /// The sections as they were read, secrets and all, to tell what a reload changes.
    sections: Table,
}

/// A flow and its two sides.
#[derive(Debug, Clone)]
pub(crate) struct FlowSetup {
    /// Its table and frontend.
    pub(crate) id: FlowId,
    /// The connection that it is applied to.
    pub(crate) backoffice: String,
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
    /// Every run, too.
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
    /// How long a flow rests that something stopped for good (refused credentials, say), in milliseconds.
    pub(crate) rest_ms: u64,
}

impl Default for HostSetup {
    fn default() -> Self {
        Self { stop_within_ms: 30_000, check_every_ms: 30_000, rest_ms: 60_000 }
    }
}

/// The sections that a reload leaves as they are, since what they say is held by what runs.
const FIXED: &[&str] = &["store", "core", "queue", "api", "monitor", "telemetry"];

impl Config {
    /// Reads the file at `path`.
    pub(crate) fn load(path: &Path, roles: Roles) -> std::result::Result<Self, Mistakes> {
        let mut mistakes = Mistakes::default();
        let text = match std::fs::read_to_string(path) {
            Ok(text) => text,
            Err(error) => {
                mistakes.add("", format!("{} cannot be read: {}", path.display(), error.kind()));
                return Err(mistakes);
            }
        };
        let sections: Table = match text.parse() {
            Ok(table) => table,
            Err(error) => {
                let error: toml::de::Error = error;
                let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
                mistakes.add("", format!("line {} is not TOML", before.matches('\n').count() + 1));
                return Err(mistakes);
            }
        };
        let folder = path.parent().unwrap_or(Path::new("."));
        Self::read(sections, folder, roles, &mut mistakes).filter(|_| mistakes.is_empty()).ok_or(mistakes)
    }

    /// The sections that differ from those of `other` and only count after a restart.
    pub(crate) fn differs_in_fixed(&self, other: &Config) -> Vec<&'static str> {
        FIXED.iter().copied().filter(|name| self.differs_in(other, name)).collect()
    }

    /// Whether a section differs.
    pub(crate) fn differs_in(&self, other: &Config, name: &str) -> bool {
        self.sections.get(name) != other.sections.get(name)
    }

    /// This file, but for the sections that a reload leaves as they were in `other`: they are told as changed again next time.
    pub(crate) fn keeping(mut self, other: &Config) -> Self {
        for name in FIXED {
            match other.sections.get(*name) {
                Some(section) => self.sections.insert((*name).to_owned(), section.clone()),
                None => self.sections.remove(*name),
            };
        }
        self
    }

    fn read(mut sections: Table, folder: &Path, roles: Roles, mistakes: &mut Mistakes) -> Option<Self> {
        let mut secrets = Secrets { folder, found: Vec::new() };
        connection::resolve(&mut sections, roles, &mut secrets, mistakes);
        let redaction = Redaction::new(secrets.found);
        let kept = sections.clone();

        let remote = sections.contains_key("core");
        match (sections.contains_key("store"), remote) {
            (false, false) => mistakes.add("store", "is missing: where entities are staged"),
            (true, true) => mistakes.add("core", "stands beside [store]; entities are staged in one of them"),
            _ => {}
        }
        let store = part(mistakes, &mut sections, "store").map(|table| section(mistakes, "store", table, store));
        let core = part(mistakes, &mut sections, "core").map(|table| section(mistakes, "core", table, core));
        let queue = match part(mistakes, &mut sections, "queue") {
            Some(table) => section(mistakes, "queue", table, queue),
            None if remote => Some(QueueAt::Core),
            None => Some(QueueAt::InProcess),
        };
        let connections = part(mistakes, &mut sections, "connections").unwrap_or_default();
        let flows = list(mistakes, &mut sections, "flows");
        check::names(&flows, &connection::kinds(&connections), mistakes);
        let connections = connection::all(connections, mistakes);
        let flows = check::flows(flows, mistakes);
        let schedules = check::schedules(list(mistakes, &mut sections, "schedules"), mistakes);
        let api = part(mistakes, &mut sections, "api").map(|table| section(mistakes, "api", table, api));
        let monitor = part(mistakes, &mut sections, "monitor").map(|table| section(mistakes, "monitor", table, typed));
        let log = part(mistakes, &mut sections, "log").unwrap_or_default();
        let log = section(mistakes, "log", log, typed);
        let telemetry =
            part(mistakes, &mut sections, "telemetry").map(|table| section(mistakes, "telemetry", table, telemetry));
        let patience = part(mistakes, &mut sections, "host").unwrap_or_default();
        let host = section(mistakes, "host", patience, host);
        for name in sections.keys() {
            mistakes.add(
                name.as_str(),
                "is not known; a file has store or core, queue, connections, flows, schedules, api, monitor, log, telemetry, host",
            );
        }
        check::together(&connections, &flows, &schedules, mistakes);
        check::roles(roles, api.is_some(), remote, &flows, &schedules, mistakes);

        let all = |items: Vec<Option<FlowSetup>>| items.into_iter().collect::<Option<Vec<_>>>();
        Some(Self {
            store: store.or(core)??,
            queue: queue?,
            connections: connections
                .into_iter()
                .map(|(name, connection)| Some((name, connection?)))
                .collect::<Option<_>>()?,
            flows: all(flows)?,
            schedules: schedules.into_iter().collect::<Option<_>>()?,
            api: transposed(api)?,
            monitor: transposed(monitor)?,
            log: log?,
            telemetry: transposed(telemetry)?,
            host: host?,
            redaction,
            sections: kept,
        })
    }
}

/// A part that may be missing, but not wrong.
fn transposed<T>(part: Option<Option<T>>) -> Option<Option<T>> {
    match part {
        None => Some(None),
        Some(part) => part.map(Some),
    }
}

/// Takes a section out.
fn part(mistakes: &mut Mistakes, sections: &mut Table, name: &str) -> Option<Table> {
    match sections.remove(name)? {
        Value::Table(table) => Some(table),
        _ => {
            mistakes.add(name, format!("should be a table: [{name}]"));
            None
        }
    }
}

/// Takes a list of sections out.
fn list(mistakes: &mut Mistakes, sections: &mut Table, name: &str) -> Vec<Table> {
    let items = match sections.remove(name) {
        None => return Vec::new(),
        Some(Value::Array(items)) => items,
        Some(_) => {
            mistakes.add(name, format!("should be a list of tables: [[{name}]]"));
            return Vec::new();
        }
    };
    let mut tables = Vec::with_capacity(items.len());
    for (at, item) in items.into_iter().enumerate() {
        match item {
            Value::Table(table) => tables.push(table),
            _ => mistakes.add(format!("{name}[{at}]"), format!("should be a table: [[{name}]]")),
        }
    }
    tables
}

const OPERATION: &str = "read configuration";

/// Takes the kind of a section out.
fn kind(table: &mut Table, kinds: &[&str]) -> Result<String> {
    match table.remove("kind") {
        Some(Value::String(kind)) => Ok(kind),
        Some(_) => Err(Error::config(OPERATION, format!("should be one of {}", kinds.join(", "))).field("kind")),
        None => Err(Error::config(OPERATION, format!("is missing: one of {}", kinds.join(", "))).field("kind")),
    }
}

fn unknown_kind(kinds: &[&str]) -> Error {
    Error::config(OPERATION, format!("is none of {}", kinds.join(", "))).field("kind")
}

fn store(mut table: Table) -> Result<StoreAt> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Sqlite {
        path: std::path::PathBuf,
    }
    const KINDS: &[&str] = &["sqlite", "mongodb"];
    match kind(&mut table, KINDS)?.as_str() {
        "sqlite" => Ok(StoreAt::Sqlite(typed::<Sqlite>(table)?.path)),
        "mongodb" => {
            let zero =
                ["patience_ms", "connect_timeout_ms"].into_iter().find(|name| table.get(*name) == Some(&0.into()));
            if let Some(name) = zero {
                return Err(at_least_one(name));
            }
            let uri = table.get("uri").and_then(Value::as_str).unwrap_or("mongodb://");
            if !uri.starts_with("mongodb://") && !uri.starts_with("mongodb+srv://") && uri != "-" {
                return Err(Error::config(OPERATION, "must begin with mongodb:// or mongodb+srv://").field("uri"));
            }
            Ok(StoreAt::Mongodb(typed::<MongoSettings>(table)?))
        }
        _ => Err(unknown_kind(KINDS)),
    }
}

fn core(table: Table) -> Result<StoreAt> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Core {
        url: String,
        token: SecretString,
        timeout_ms: Option<u64>,
        patience_ms: Option<u64>,
        ca_file: Option<std::path::PathBuf>,
    }
    let core: Core = typed(table)?;
    let mut settings = ClientSettings::new(core.url, core.token);
    settings.timeout_ms = core.timeout_ms.unwrap_or(settings.timeout_ms);
    settings.patience_ms = core.patience_ms.unwrap_or(settings.patience_ms);
    if settings.timeout_ms == 0 {
        return Err(at_least_one("timeout_ms"));
    }
    if let Some(path) = core.ca_file {
        let pem = std::fs::read_to_string(&path).map_err(|error| {
            let message = format!("{} cannot be read: {}", path.display(), error.kind());
            Error::config(OPERATION, message).field("ca_file")
        })?;
        settings.extra_ca_pem = Some(pem);
    }
    RemoteCore::new(settings.clone())?;
    Ok(StoreAt::Core(settings))
}

fn api(table: Table) -> Result<ApiSetup> {
    let setup: ApiSetup = typed(table)?;
    setup.limits.check().map_err(|error| {
        let field = format!("limits.{}", error.field_path().unwrap_or_default());
        error.field(field)
    })?;
    Ok(setup)
}

fn queue(mut table: Table) -> Result<QueueAt> {
    const KINDS: &[&str] = &["in-process", "rabbitmq"];
    match kind(&mut table, KINDS)?.as_str() {
        "in-process" => match table.keys().next() {
            None => Ok(QueueAt::InProcess),
            Some(key) => Err(Error::config(OPERATION, "is not known here: a queue in the process has no settings")
                .field(key.as_str())),
        },
        "rabbitmq" => {
            let settings: RabbitSettings = typed(table.clone())?;
            settings.check()?;
            if table.get("uri").and_then(Value::as_str) != Some("-") {
                RabbitQueue::new(settings.clone())?;
            }
            Ok(QueueAt::Rabbitmq(settings))
        }
        _ => Err(unknown_kind(KINDS)),
    }
}

fn telemetry(table: Table) -> Result<TelemetrySetup> {
    let setup: TelemetrySetup = typed(table)?;
    HttpSettings::new(&setup.otlp_endpoint).map_err(|error| error.field("otlp_endpoint"))?;
    if setup.service_name.trim().is_empty() {
        return Err(Error::config(OPERATION, "is empty").field("service_name"));
    }
    Ok(setup)
}

fn host(table: Table) -> Result<HostSetup> {
    let setup: HostSetup = typed(table)?;
    let numbers = [
        ("stop_within_ms", setup.stop_within_ms),
        ("check_every_ms", setup.check_every_ms),
        ("rest_ms", setup.rest_ms),
    ];
    match numbers.iter().find(|(_, number)| *number == 0) {
        None => Ok(setup),
        Some((name, _)) => Err(at_least_one(name)),
    }
}

fn at_least_one(name: &str) -> Error {
    Error::config(OPERATION, "must be at least 1").field(name)
}
