//! What must hold between the sections of a file.

use std::collections::{BTreeMap, BTreeSet};

use datawald_core::engine::EngineSettings;
use datawald_core::model::{FlowId, Table as EntityTable};
use datawald_core::schedule::{Schedule, ScheduleParts};
use datawald_core::{Error, Result};
use serde::Deserialize;
use toml::{Table, Value};

use super::connection::{ERPS, KINDS};
use super::read::{section, typed};
use super::sections::OPERATION;
use super::{Connection, FlowSetup, Mistakes, ScheduleSetup};
use crate::args::Roles;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FlowTable {
    table: String,
    frontend: String,
    backoffice: String,
    since: Option<String>,
    #[serde(default)]
    engine: EngineSettings,
}

/// Reads the flows; `None` in the place of one with a mistake.
pub(super) fn flows(tables: Vec<Table>, mistakes: &mut Mistakes) -> Vec<Option<FlowSetup>> {
    let read = |table: Table| {
        let flow: FlowTable = typed(table)?;
        flow.engine.check().map_err(|error| {
            let field = format!("engine.{}", error.field_path().unwrap_or_default());
            error.field(field)
        })?;
        let id = FlowId::new(synced(&flow.table)?, flow.frontend);
        let since = flow.since.map(|since| {
            since.parse().map_err(|_| {
                Error::config(OPERATION, "is no time; write it as in \"2026-01-31T00:00:00Z\"").field("since")
            })
        });
        Ok(FlowSetup { id, backoffice: flow.backoffice, since: since.transpose()?, engine: flow.engine })
    };
    let mut taken = BTreeSet::new();
    let mut flows = Vec::with_capacity(tables.len());
    for (at, table) in tables.into_iter().enumerate() {
        let path = format!("flows[{at}]");
        let flow = section(mistakes, &path, table, read);
        if let Some(flow) = &flow
            && !taken.insert(flow.id.clone())
        {
            mistakes.add(path, format!("is there twice: {}", flow.id));
        }
        flows.push(flow);
    }
    flows
}

/// The table of a name, if this host can sync it.
fn synced(name: &str) -> Result<EntityTable> {
    match name.parse::<EntityTable>() {
        Ok(EntityTable::Orders) => Ok(EntityTable::Orders),
        Ok(_) => Err(Error::config(OPERATION, "has no flow in this host; `orders` has").field("table")),
        Err(error) => Err(error.field("table")),
    }
}

/// Reads the schedules; `None` in the place of one with a mistake.
pub(super) fn schedules(tables: Vec<Table>, mistakes: &mut Mistakes) -> Vec<Option<ScheduleSetup>> {
    let read = |mut table: Table| {
        let mut text = |key: &str| match table.remove(key) {
            Some(Value::String(text)) => Ok(text),
            Some(_) => Err(Error::config(OPERATION, "should be a text").field(key)),
            None => Err(Error::config(OPERATION, "is missing: it names the flow that is pulled").field(key)),
        };
        let flow = FlowId::new(synced(&text("table")?)?, text("frontend")?);
        if table.contains_key("job") {
            return Err(
                Error::config(OPERATION, "is not known here; `table` and `frontend` name the flow").field("job")
            );
        }
        Ok(ScheduleSetup { flow, schedule: Schedule::try_from(typed::<ScheduleParts>(table)?)? })
    };
    let mut names = BTreeSet::new();
    let mut schedules = Vec::with_capacity(tables.len());
    for (at, table) in tables.into_iter().enumerate() {
        let path = format!("schedules[{at}]");
        let schedule = section(mistakes, &path, table, read);
        if let Some(setup) = &schedule
            && !names.insert(setup.schedule.name.clone())
        {
            mistakes.add(format!("{path}.name"), format!("is there twice: {}", setup.schedule.name));
        }
        schedules.push(schedule);
    }
    schedules
}

/// Checks the connections that the flows name, whatever else is wrong with either.
pub(super) fn names(flows: &[Table], kinds: &BTreeMap<String, String>, mistakes: &mut Mistakes) {
    let known: Vec<_> = kinds.keys().map(String::as_str).collect();
    for (at, flow) in flows.iter().enumerate() {
        for (side, wanted, what) in [("frontend", &["magento2"][..], "a shop"), ("backoffice", &ERPS[..], "an ERP")] {
            let Some(name) = flow.get(side).and_then(Value::as_str) else { continue };
            let path = format!("flows[{at}].{side}");
            match kinds.get(name) {
                None => mistakes.add(path, format!("`{name}` is no connection; there are: {}", known.join(", "))),
                Some(kind) if !wanted.contains(&kind.as_str()) && KINDS.contains(&kind.as_str()) => {
                    mistakes.add(path, format!("`{name}` is not {what}; it must be of kind {}", wanted.join(" or ")));
                }
                Some(_) => {}
            }
        }
    }
}

/// Checks what sections without mistakes say about each other.
pub(super) fn together(
    connections: &BTreeMap<String, Option<Connection>>,
    flows: &[Option<FlowSetup>],
    schedules: &[Option<ScheduleSetup>],
    mistakes: &mut Mistakes,
) {
    let mut prefixes: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for flow in flows.iter().flatten() {
        let Some(Some(Connection::SapB1 { rules, .. })) = connections.get(&flow.backoffice) else { continue };
        let prefix = rules.reference.prefix.get(&flow.id.frontend).map(String::as_str).unwrap_or_default();
        let other = prefixes.insert((flow.backoffice.as_str(), prefix), &flow.id.frontend);
        if let Some(other) = other.filter(|other| *other != flow.id.frontend) {
            mistakes.add(
                format!("connections.{}.settings.reference.prefix", flow.backoffice),
                format!(
                    "does not tell orders of {other} and {} apart, which may have the same numbers: give one of them a \
                     prefix of its own",
                    flow.id.frontend
                ),
            );
        }
    }
    let known: BTreeSet<_> = flows.iter().flatten().map(|flow| &flow.id).collect();
    let all_read = flows.iter().all(Option::is_some);
    for (at, setup) in schedules.iter().enumerate() {
        if let Some(setup) = setup
            && all_read
            && !known.contains(&setup.flow)
        {
            mistakes.add(format!("schedules[{at}].frontend"), format!("there is no flow {}", setup.flow));
        }
    }
}

/// Checks that each role that was asked for has its part.
pub(super) fn roles(
    roles: Roles,
    api: bool,
    remote: bool,
    flows: &[Option<FlowSetup>],
    schedules: &[Option<ScheduleSetup>],
    mistakes: &mut Mistakes,
) {
    if remote && (api || (roles.named && roles.core)) {
        mistakes.add("api", "stands beside [core]: that one answers; a host over it has no API of its own");
    }
    if flows.is_empty() {
        mistakes.add("flows", "is missing: what is synced, a [[flows]] for each");
    }
    if !roles.named {
        return;
    }
    if roles.core && !api && !remote {
        mistakes.add("api", "is missing: the role `core` answers over HTTP");
    }
    if roles.frontend && schedules.is_empty() {
        mistakes.add("schedules", "is missing: the role `frontend` pulls by them");
    }
}
