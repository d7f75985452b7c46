//! What must hold between the sections of a file.

use std::collections::{BTreeMap, BTreeSet};

use datawald_core::engine::EngineSettings;
use datawald_core::model::{FlowId, Table as EntityTable};
use datawald_core::{Error, Result};
use serde::Deserialize;
use toml::{Table, Value};

use super::read::{section, typed};
use super::{Connection, FlowSetup, Mistakes, OPERATION, ScheduleSetup};
use crate::args::Roles;
use crate::schedules::Schedule;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FlowTable {
    table: String,
    frontend: String,
    backoffice: String,
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
        Ok(FlowSetup { id, backoffice: flow.backoffice, engine: flow.engine })
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
        Ok(ScheduleSetup { flow, schedule: Schedule::read(table)? })
    };
    let mut names = BTreeSet::new();
    let mut schedules = Vec::with_capacity(tables.len());
    for (at, table) in tables.into_iter().enumerate() {
        let path = format!("schedules[{at}]");
        let schedule = section(mistakes, &path, table, read);
        if let Some(setup) = &schedule
            && !names.insert(setup.schedule.name().to_owned())
        {
            mistakes.add(format!("{path}.name"), format!("is there twice: {}", setup.schedule.name()));
        }
        schedules.push(schedule);
    }
    schedules
}

/// Checks what sections say about each other.
pub(super) fn together(
    connections: &BTreeMap<String, Option<Connection>>,
    flows: &[Option<FlowSetup>],
    schedules: &[Option<ScheduleSetup>],
    mistakes: &mut Mistakes,
) {
    let mut prefixes: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for (at, flow) in flows.iter().enumerate() {
        let Some(flow) = flow else { continue };
        let wrong = |side: &str, name: &str, what: &str| {
            let known: Vec<_> = connections.keys().map(String::as_str).collect();
            (format!("flows[{at}].{side}"), format!("`{name}` {what}; there are: {}", known.join(", ")))
        };
        match connections.get(&flow.id.frontend) {
            None => {
                let (path, message) = wrong("frontend", &flow.id.frontend, "is no connection");
                mistakes.add(path, message);
            }
            Some(Some(Connection::SapB1Restful { .. })) => {
                let (path, message) = wrong("frontend", &flow.id.frontend, "is an ERP; it needs a shop (magento2)");
                mistakes.add(path, message);
            }
            Some(_) => {}
        }
        match connections.get(&flow.backoffice) {
            None => {
                let (path, message) = wrong("backoffice", &flow.backoffice, "is no connection");
                mistakes.add(path, message);
            }
            Some(Some(Connection::Magento2(_))) => {
                let (path, message) =
                    wrong("backoffice", &flow.backoffice, "is a shop; it needs an ERP (sapb1-restful)");
                mistakes.add(path, message);
            }
            Some(Some(Connection::SapB1Restful { rules, .. })) => {
                let prefix = rules.reference.prefix.get(&flow.id.frontend).map(String::as_str).unwrap_or_default();
                let other = prefixes.insert((flow.backoffice.as_str(), prefix), &flow.id.frontend);
                if let Some(other) = other.filter(|other| *other != flow.id.frontend) {
                    mistakes.add(
                        format!("connections.{}.settings.reference.prefix", flow.backoffice),
                        format!(
                            "tells orders of {other} and {} not apart, which may have the same numbers: give one of them a \
                             prefix of its own",
                            flow.id.frontend
                        ),
                    );
                }
            }
            Some(None) => {}
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
    flows: &[Option<FlowSetup>],
    schedules: &[Option<ScheduleSetup>],
    mistakes: &mut Mistakes,
) {
    if flows.is_empty() {
        mistakes.add("flows", "is missing: what is synced, a [[flows]] for each");
    }
    if !roles.named {
        return;
    }
    if roles.core && !api {
        mistakes.add("api", "is missing: the role `core` answers over HTTP");
    }
    if roles.frontend && schedules.is_empty() {
        mistakes.add("schedules", "is missing: the role `frontend` pulls by them");
    }
}
