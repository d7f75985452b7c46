//! `[connections.NAME]`: one side each.

use std::collections::BTreeMap;

use datawald_core::Result;
use mage2_connector::Mage2Settings;
use sapb1_connector::{B1Settings, RestfulSettings, ServiceLayerSettings};
use toml::{Table, Value};

use super::read::{below, section, toml, wrong};
use super::sections::{kind, unknown_kind};
use super::{Mistakes, Secrets, sap_b1};
use crate::args::Roles;

/// The kinds of connections.
pub(super) const KINDS: [&str; 3] = ["magento2", "sapb1-restful", "sapb1-service-layer"];

/// Those of them that are an ERP.
pub(super) const ERPS: [&str; 2] = ["sapb1-restful", "sapb1-service-layer"];

/// One side.
#[derive(Debug, Clone)]
pub(crate) enum Connection {
    /// A Magento 2.
    Magento2(Box<Mage2Settings>),
    /// A SAP Business One.
    SapB1 {
        /// How to reach it.
        way: SapB1Way,
        /// The rules by which orders become its own.
        rules: Box<B1Settings>,
    },
}

/// A way into SAP Business One.
#[derive(Debug, Clone)]
pub(crate) enum SapB1Way {
    /// SAP B1 RESTful.
    Restful(Box<RestfulSettings>),
    /// SAP's own Service Layer.
    ServiceLayer(Box<ServiceLayerSettings>),
}

/// Puts secrets in their places, where this process needs them: a worker needs none of a shop.
pub(super) fn resolve(sections: &mut Table, roles: Roles, secrets: &mut Secrets<'_>, mistakes: &mut Mistakes) {
    for (name, value) in sections.iter_mut() {
        match value.as_table_mut() {
            Some(connections) if name == "connections" => {
                for (name, connection) in connections.iter_mut() {
                    let Some(table) = connection.as_table_mut() else { continue };
                    let needed = match table.get("kind").and_then(Value::as_str) {
                        Some("magento2") => roles.frontend,
                        Some(kind) if ERPS.contains(&kind) => roles.worker,
                        _ => true,
                    };
                    secrets.resolve(mistakes, &below("connections", name), table, needed);
                }
            }
            Some(table) => secrets.resolve(mistakes, name, table, true),
            None => {}
        }
    }
}

/// Adds what stands in the files that connections name, so that a change of theirs is one of the section.
pub(super) fn add_contents(sections: &mut Table) {
    let connections = sections.get_mut("connections").and_then(Value::as_table_mut);
    for table in connections.into_iter().flat_map(|connections| connections.iter_mut()) {
        let Some(table) = table.1.as_table_mut() else { continue };
        for key in ["settings_file", "ca_file"] {
            // What cannot be read is told by whoever needs it.
            let contents = table.get(key).and_then(Value::as_str).and_then(|path| std::fs::read_to_string(path).ok());
            if let Some(contents) = contents {
                table.insert(format!("contents of {key}"), contents.into());
            }
        }
    }
}

/// Puts the rules that stand in files of their own into the connections that name those. Answers which connections these are,
/// and whether their files could be read.
pub(super) fn add_rules(connections: &mut Table, mistakes: &mut Mistakes) -> BTreeMap<String, bool> {
    let mut files = BTreeMap::new();
    for (name, table) in connections.iter_mut() {
        let Some(table) = table.as_table_mut() else { continue };
        let is_erp = table.get("kind").and_then(Value::as_str).is_some_and(|kind| ERPS.contains(&kind));
        let Some(Value::String(path)) = table.get("settings_file") else { continue };
        if !is_erp || table.contains_key("settings") {
            continue;
        }
        let rules = match std::fs::read_to_string(path) {
            Ok(text) => toml(&text).map_err(|lines| lines.into_iter().map(|line| format!("{line} in it")).collect()),
            Err(error) => Err(vec![format!("{path} cannot be read: {}", error.kind())]),
        };
        table.remove("settings_file");
        files.insert(name.clone(), rules.is_ok());
        let rules = rules.unwrap_or_else(|reasons: Vec<String>| {
            let path = below(&below("connections", name), "settings_file");
            reasons.into_iter().for_each(|reason| mistakes.add(&path, reason));
            Table::new()
        });
        table.insert("settings".to_owned(), Value::Table(rules));
    }
    files
}

/// Reads every connection; `None` in the place of one with a mistake. The rules of those in `files` stand in another file.
pub(super) fn all(
    tables: Table,
    files: &BTreeMap<String, bool>,
    mistakes: &mut Mistakes,
) -> BTreeMap<String, Option<Connection>> {
    let mut connections = BTreeMap::new();
    for (name, value) in tables {
        let path = below("connections", &name);
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
            mistakes.add(&path, "is no name: letters, digits, `-` and `_`; orders carry it as their frontend");
        }
        let connection = match value {
            Value::Table(table) => {
                let mut found = Mistakes::default();
                let connection = section(&mut found, &path, table, one);
                let rules = below(&path, "settings");
                let of_rules = |at: &'_ str| -> Option<String> {
                    let key = at.strip_prefix(&rules)?;
                    (key.is_empty() || key.starts_with('.')).then(|| key.trim_start_matches('.').to_owned())
                };
                mistakes.take(found, |at, message| match (files.get(&name), of_rules(&at)) {
                    (Some(true), Some(key)) => {
                        let message = format!("{key} in it: {message}");
                        Some((below(&path, "settings_file"), message))
                    }
                    // Nothing is known of what stands there.
                    (Some(false), Some(_)) => None,
                    _ => Some((at, message)),
                });
                connection.filter(|_| files.get(&name) != Some(&false))
            }
            _ => {
                mistakes.add(&path, format!("should be a table: [{path}]"));
                None
            }
        };
        connections.insert(name, connection);
    }
    connections
}

/// The kind that each connection says to be, whatever else is wrong with it.
pub(super) fn kinds(tables: &Table) -> BTreeMap<String, String> {
    let kind = |value: &Value| value.get("kind").and_then(Value::as_str).unwrap_or_default().to_owned();
    tables.iter().map(|(name, value)| (name.clone(), kind(value))).collect()
}

fn one(mut table: Table) -> Result<Connection> {
    match kind(&mut table, &KINDS)?.as_str() {
        "magento2" => {
            let settings = Mage2Settings::from_table(table);
            let settings = settings.map_err(|error| wrong(error.field_path().unwrap_or_default(), error.message()))?;
            Ok(Connection::Magento2(Box::new(settings)))
        }
        "sapb1-restful" => sap_b1::restful(table),
        "sapb1-service-layer" => sap_b1::service_layer(table),
        _ => Err(unknown_kind(&KINDS)),
    }
}
