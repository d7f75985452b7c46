//! `[connections.NAME]`: one side each.

use std::collections::BTreeMap;
use std::path::PathBuf;

use datawald_core::{Error, Result};
use mage2_connector::Mage2Settings;
use sapb1_connector::{B1Settings, RestfulSettings};
use secrecy::SecretString;
use serde::Deserialize;
use toml::{Table, Value};

use super::read::{self, below, section};
use super::sections::{OPERATION, kind, unknown_kind};
use super::{Mistakes, Secrets, typed};
use crate::args::Roles;

/// The kinds of connections.
pub(super) const KINDS: [&str; 2] = ["magento2", "sapb1-restful"];

/// One side.
#[derive(Debug, Clone)]
pub(crate) enum Connection {
    /// A Magento 2.
    Magento2(Box<Mage2Settings>),
    /// A SAP Business One behind SAP B1 RESTful.
    SapB1Restful {
        /// How to reach it.
        service: Box<RestfulSettings>,
        /// The rules by which orders become its own.
        rules: Box<B1Settings>,
    },
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
                        Some("sapb1-restful") => roles.worker,
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

/// Reads every connection; `None` in the place of one with a mistake.
pub(super) fn all(tables: Table, mistakes: &mut Mistakes) -> BTreeMap<String, Option<Connection>> {
    let mut connections = BTreeMap::new();
    for (name, value) in tables {
        let path = below("connections", &name);
        if name.is_empty() || !name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_') {
            mistakes.add(&path, "is no name: letters, digits, `-` and `_`; orders carry it as their frontend");
        }
        let connection = match value {
            Value::Table(table) => section(mistakes, &path, table, one),
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
        "magento2" => Ok(Connection::Magento2(Box::new(Mage2Settings::from_table(table)?))),
        "sapb1-restful" => sap_b1(table),
        _ => Err(unknown_kind(&KINDS)),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SapB1 {
    url: String,
    user: String,
    password: SecretString,
    auth_path: Option<String>,
    ca_file: Option<PathBuf>,
    settings: Option<Table>,
    settings_file: Option<PathBuf>,
}

fn sap_b1(table: Table) -> Result<Connection> {
    let table: SapB1 = typed(table)?;
    let wrong = |field: &'static str, text: String| Error::config(OPERATION, text).field(field);
    // Before the rules, so that it is told together with what is wrong with those.
    let mut service = RestfulSettings::new(&table.url, table.user, table.password, &B1Settings::default())
        .map_err(|error| if error.field_path().is_some() { error } else { error.field("url") })?;
    let (text, field) = match (table.settings, &table.settings_file) {
        (Some(_), Some(_)) => {
            return Err(wrong("settings_file", "stands beside `settings`; the rules are in one of them".into()));
        }
        (Some(settings), None) => {
            let text = toml::to_string(&settings).map_err(|_| wrong("settings", "cannot be written as TOML".into()))?;
            (text, "settings")
        }
        (None, Some(path)) => {
            let text = std::fs::read_to_string(path).map_err(|error| {
                wrong("settings_file", format!("{} cannot be read: {}", path.display(), error.kind()))
            })?;
            (text, "settings_file")
        }
        (None, None) => {
            return Err(wrong("settings", "is missing, and `settings_file` too: the rules for orders".into()));
        }
    };
    let rules = B1Settings::from_toml(&text).map_err(|error| {
        // As the file has it: with the section's own path, or within the other file.
        let error = read::wrong(error.field_path().unwrap_or_default(), error.message());
        let key = error.field_path().unwrap_or_default();
        match field {
            "settings" => wrong(field, error.message().to_owned()).field(below(field, key)),
            _ if key.is_empty() => wrong(field, error.message().to_owned()),
            _ => wrong(field, format!("{key} in it: {}", error.message())),
        }
    })?;
    service.main_currency.clone_from(&rules.company_currency);
    service.requests = rules.requests;
    if let Some(path) = table.auth_path {
        service.auth_path = path;
    }
    if let Some(path) = table.ca_file {
        let pem = std::fs::read_to_string(&path)
            .map_err(|error| wrong("ca_file", format!("{} cannot be read: {}", path.display(), error.kind())))?;
        service.http.extra_ca_pem = Some(pem);
    }
    Ok(Connection::SapB1Restful { service: Box::new(service), rules: Box::new(rules) })
}
