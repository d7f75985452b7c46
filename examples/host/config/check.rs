//! What must hold between the sections of a file.

use std::collections::{BTreeMap, BTreeSet};

use datawald_core::engine::EngineSettings;
use datawald_core::model::{FlowId, Table as EntityTable};
use datawald_core::schedule::{Schedule, ScheduleParts};
use datawald_core::{Error, Result};
use serde::Deserialize;
use toml::{Table, Value};

use super::connection::{Connection, ERPS, KINDS};
use super::read::{section, typed};
use super::sections::OPERATION;
use super::{FlowSetup, Mistakes, ScheduleSetup};
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

/// Checks that the rules of an ERP tell the orders of its shops apart, whatever else is wrong with them.
pub(super) fn prefixes(flows: &[Table], connections: &Table, mistakes: &mut Mistakes) {
    let mut prefixes: BTreeMap<(&str, &str), &str> = BTreeMap::new();
    for flow in flows {
        let text = |key: &str| flow.get(key).and_then(Value::as_str);
        let (Some(frontend), Some(backoffice)) = (text("frontend"), text("backoffice")) else { continue };
        let rules = connections.get(backoffice).and_then(|connection| connection.get("settings"));
        let Some(rules) = rules.and_then(Value::as_table) else { continue };
        let prefix = rules.get("reference").and_then(|reference| reference.get("prefix")?.get(frontend)?.as_str());
        let other = prefixes.insert((backoffice, prefix.unwrap_or_default()), frontend);
        if let Some(other) = other.filter(|other| *other != frontend) {
            mistakes.add(
                format!("connections.{backoffice}.settings.reference.prefix"),
                format!(
                    "does not tell orders of {other} and {frontend} apart, which may have the same numbers: give one of them \
                     a prefix of its own"
                ),
            );
        }
    }
}

/// Checks that no order is taken twice into one ERP: by two connections to one shop.
pub(super) fn shops(
    flows: &[Option<FlowSetup>],
    connections: &BTreeMap<String, Option<Connection>>,
    mistakes: &mut Mistakes,
) {
    let flows: Vec<_> = flows.iter().flatten().collect();
    for (at, flow) in flows.iter().enumerate() {
        for other in flows.iter().take(at).filter(|other| other.backoffice == flow.backoffice) {
            let (one, two) = (&other.id.frontend, &flow.id.frontend);
            if let (Some(Some(Connection::Magento2(first))), Some(Some(Connection::Magento2(second)))) =
                (connections.get(one), connections.get(two))
                && one != two
                && first.takes_orders_of(second)
            {
                mistakes.add(
                    format!("connections.{two}.orders.stores"),
                    format!(
                        "does not tell orders of {one} and {two} apart: both take orders of the same stores of one Magento, and each of \
                         these orders would become two documents in {}; limit both to stores of their own",
                        flow.backoffice
                    ),
                );
            }
        }
    }
}

/// The frontends that the flows name; `None` if one does not say.
pub(super) fn frontends(flows: &[Table]) -> Option<BTreeSet<String>> {
    flows.iter().map(|flow| Some(flow.get("frontend")?.as_str()?.to_owned())).collect()
}

/// Checks that what is scheduled is the flow of one of these frontends: orders have flows here alone.
pub(super) fn pulled(
    frontends: Option<&BTreeSet<String>>,
    schedules: &[Option<ScheduleSetup>],
    mistakes: &mut Mistakes,
) {
    for (at, setup) in schedules.iter().enumerate() {
        if let (Some(setup), Some(frontends)) = (setup, frontends)
            && !frontends.contains(&setup.flow.frontend)
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
