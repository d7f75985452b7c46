//! The file: what a host is told to do.

mod check;
mod connection;
mod read;
mod sap_b1;
mod secrets;
mod sections;
mod setup;

use std::collections::BTreeMap;
use std::path::Path;

use datawald_core::schedule::SchedulerSettings;
use datawald_examples::{QueueAt, StoreAt};
use toml::{Table, Value};

pub(crate) use self::connection::{Connection, SapB1Way};
use self::read::section;
pub(crate) use self::read::{Mistakes, typed};
pub(crate) use self::secrets::Redaction;
use self::secrets::Secrets;
pub(crate) use self::setup::{
    FlowSetup, Format, HostSetup, Level, LogSetup, MonitorSetup, ScheduleSetup, TelemetrySetup,
};
use crate::api::ApiSetup;
use crate::args::Roles;

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
    /// How hosts agree on who pulls.
    pub(crate) scheduler: SchedulerSettings,
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
        let file: Table = match read::toml(&text) {
            Ok(table) => table,
            Err(lines) => {
                lines.into_iter().for_each(|line| mistakes.add("", line));
                return Err(mistakes);
            }
        };
        let folder = path.parent().unwrap_or(Path::new("."));
        Self::read(file, folder, roles, &mut mistakes).filter(|_| mistakes.is_empty()).ok_or(mistakes)
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

    fn read(mut file: Table, folder: &Path, roles: Roles, mistakes: &mut Mistakes) -> Option<Self> {
        let mut secrets = Secrets { folder, found: Vec::new() };
        connection::resolve(&mut file, roles, &mut secrets, mistakes);
        let redaction = Redaction::new(secrets.found);
        let mut kept = file.clone();
        connection::add_contents(&mut kept);

        let remote = file.contains_key("core");
        match (file.contains_key("store"), remote) {
            (false, false) => mistakes.add("store", "is missing: where entities are staged"),
            (true, true) => mistakes.add("core", "stands beside [store]; entities are staged in one of them"),
            _ => {}
        }
        let store = part(mistakes, &mut file, "store").map(|table| section(mistakes, "store", table, sections::store));
        let core = part(mistakes, &mut file, "core").map(|table| section(mistakes, "core", table, sections::core));
        let queue = match part(mistakes, &mut file, "queue") {
            Some(table) => section(mistakes, "queue", table, sections::queue),
            None if remote => Some(QueueAt::Core),
            None => Some(QueueAt::InProcess),
        };
        let mut connections = part(mistakes, &mut file, "connections").unwrap_or_default();
        let files = connection::add_rules(&mut connections, mistakes);
        let flows = list(mistakes, &mut file, "flows");
        check::names(&flows, &connection::kinds(&connections), mistakes);
        check::prefixes(&flows, &connections, mistakes);
        let connections = connection::all(connections, &files, mistakes);
        let pulled = check::frontends(&flows);
        let flows = check::flows(flows, mistakes);
        check::shops(&flows, &connections, mistakes);
        let schedules = check::schedules(list(mistakes, &mut file, "schedules"), mistakes);
        let scheduler = part(mistakes, &mut file, "scheduler").unwrap_or_default();
        let scheduler = section(mistakes, "scheduler", scheduler, sections::scheduler);
        let api = part(mistakes, &mut file, "api").map(|table| section(mistakes, "api", table, sections::api));
        let monitor = part(mistakes, &mut file, "monitor").map(|table| section(mistakes, "monitor", table, typed));
        let log = part(mistakes, &mut file, "log").unwrap_or_default();
        let log = section(mistakes, "log", log, typed);
        let telemetry = part(mistakes, &mut file, "telemetry")
            .map(|table| section(mistakes, "telemetry", table, sections::telemetry));
        let patience = part(mistakes, &mut file, "host").unwrap_or_default();
        let host = section(mistakes, "host", patience, sections::host);
        for name in file.keys() {
            mistakes.add(
                name.as_str(),
                "is not known; a file has store or core, queue, connections, flows, schedules, scheduler, api, monitor, log, telemetry, host",
            );
        }
        check::pulled(pulled.as_ref(), &schedules, mistakes);
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
            scheduler: scheduler?,
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
fn part(mistakes: &mut Mistakes, file: &mut Table, name: &str) -> Option<Table> {
    match file.remove(name)? {
        Value::Table(table) => Some(table),
        _ => {
            mistakes.add(name, format!("should be a table: [{name}]"));
            None
        }
    }
}

/// Takes a list of sections out.
fn list(mistakes: &mut Mistakes, file: &mut Table, name: &str) -> Vec<Table> {
    let items = match file.remove(name) {
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
