//! Sections of the file, one by one.

use datawald_core::client::{ClientSettings, RemoteCore};
use datawald_core::http::HttpSettings;
use datawald_core::queue::{RabbitQueue, RabbitSettings};
use datawald_core::schedule::SchedulerSettings;
use datawald_core::store::MongoSettings;
use datawald_core::{Error, Result};
use datawald_examples::{QueueAt, StoreAt};
use secrecy::SecretString;
use serde::Deserialize;
use toml::{Table, Value};

use super::read::typed;
use super::{HostSetup, TelemetrySetup};
use crate::api::ApiSetup;

/// What is being done, for errors.
pub(super) const OPERATION: &str = "read configuration";

/// Takes the kind of a section out.
pub(super) fn kind(table: &mut Table, kinds: &[&str]) -> Result<String> {
    match table.remove("kind") {
        Some(Value::String(kind)) => Ok(kind),
        Some(_) => Err(Error::config(OPERATION, format!("should be one of {}", kinds.join(", "))).field("kind")),
        None => Err(Error::config(OPERATION, format!("is missing: one of {}", kinds.join(", "))).field("kind")),
    }
}

/// The error of a kind that is none.
pub(super) fn unknown_kind(kinds: &[&str]) -> Error {
    Error::config(OPERATION, format!("is none of {}", kinds.join(", "))).field("kind")
}

/// Where entities are staged.
pub(super) fn store(mut table: Table) -> Result<StoreAt> {
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

/// The core on another machine.
pub(super) fn core(table: Table) -> Result<StoreAt> {
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

/// How the host answers as a core.
pub(super) fn api(table: Table) -> Result<ApiSetup> {
    let setup: ApiSetup = typed(table)?;
    setup.limits.check().map_err(|error| {
        let field = format!("limits.{}", error.field_path().unwrap_or_default());
        error.field(field)
    })?;
    Ok(setup)
}

/// How tasks travel.
pub(super) fn queue(mut table: Table) -> Result<QueueAt> {
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

/// Where traces go.
pub(super) fn telemetry(table: Table) -> Result<TelemetrySetup> {
    let setup: TelemetrySetup = typed(table)?;
    HttpSettings::new(&setup.otlp_endpoint).map_err(|error| error.field("otlp_endpoint"))?;
    if setup.service_name.trim().is_empty() {
        return Err(Error::config(OPERATION, "is empty").field("service_name"));
    }
    Ok(setup)
}

/// How patient the host is.
pub(super) fn scheduler(table: Table) -> Result<SchedulerSettings> {
    let settings: SchedulerSettings = typed(table)?;
    settings.check()?;
    Ok(settings)
}

pub(super) fn host(table: Table) -> Result<HostSetup> {
    let setup: HostSetup = typed(table)?;
    let numbers = [("stop_within_ms", setup.stop_within_ms), ("check_every_ms", setup.check_every_ms)];
    match numbers.iter().find(|(_, number)| *number == 0) {
        None => Ok(setup),
        Some((name, _)) => Err(at_least_one(name)),
    }
}

fn at_least_one(name: &str) -> Error {
    Error::config(OPERATION, "must be at least 1").field(name)
}
