//! A SAP Business One, behind either way in.

use std::collections::BTreeMap;
use std::path::PathBuf;

use datawald_core::{Error, Result};
use sapb1_connector::service_layer::{Contacts, TaxTable};
use sapb1_connector::{B1Settings, RestfulSettings, ServiceLayerSettings};
use secrecy::SecretString;
use serde::Deserialize;
use toml::Table;

use super::connection::{Connection, SapB1Way};
use super::read::{self, below};
use super::sections::OPERATION;
use super::typed;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Restful {
    url: String,
    user: String,
    password: SecretString,
    auth_path: Option<String>,
    ca_file: Option<PathBuf>,
    headers: Option<BTreeMap<String, SecretString>>,
    settings: Option<Table>,
    settings_file: Option<PathBuf>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ServiceLayer {
    url: String,
    company_db: String,
    user: String,
    password: SecretString,
    sessions: Option<usize>,
    adaptive: Option<bool>,
    page_size: Option<usize>,
    max_request: Option<usize>,
    approvals: Option<bool>,
    contacts: Option<Contacts>,
    most_contacts: Option<usize>,
    tax_table: Option<TaxTable>,
    currency_codes: Option<BTreeMap<String, String>>,
    licence_codes: Option<Vec<i64>>,
    ca_file: Option<PathBuf>,
    headers: Option<BTreeMap<String, SecretString>>,
    settings: Option<Table>,
    settings_file: Option<PathBuf>,
}

fn wrong(field: &'static str, text: String) -> Error {
    Error::config(OPERATION, text).field(field)
}

/// An error of an address has no field of its own.
fn of_url(error: Error) -> Error {
    if error.field_path().is_some() { error } else { error.field("url") }
}

pub(super) fn restful(table: Table) -> Result<Connection> {
    let table: Restful = typed(table)?;
    // Before the rules, so that it is told together with what is wrong with those.
    let mut service =
        RestfulSettings::new(&table.url, table.user, table.password, &B1Settings::default()).map_err(of_url)?;
    service.add_headers(&table.headers.unwrap_or_default())?;
    let rules = rules(table.settings, table.settings_file, RestfulSettings::check_rules)?;
    service.set_rules(&rules);
    if let Some(path) = table.auth_path {
        service.auth_path = path;
    }
    service.http.extra_ca_pem = authority(table.ca_file)?;
    Ok(Connection::SapB1 { way: SapB1Way::Restful(Box::new(service)), rules: Box::new(rules) })
}

pub(super) fn service_layer(table: Table) -> Result<Connection> {
    let table: ServiceLayer = typed(table)?;
    let rules_of_none = B1Settings::default();
    let mut service =
        ServiceLayerSettings::new(&table.url, table.company_db, table.user, table.password, &rules_of_none)
            .map_err(of_url)?;
    service.add_headers(&table.headers.unwrap_or_default())?;
    let rules = rules(table.settings, table.settings_file, |_| Ok(()))?;
    service.set_rules(&rules);
    service.sessions = table.sessions.unwrap_or(service.sessions);
    service.adaptive = table.adaptive.unwrap_or(service.adaptive);
    service.page_size = table.page_size.unwrap_or(service.page_size);
    service.max_request = table.max_request.unwrap_or(service.max_request);
    service.approvals = table.approvals.unwrap_or(service.approvals);
    service.contacts = table.contacts.unwrap_or_default();
    service.most_contacts = table.most_contacts.unwrap_or(service.most_contacts);
    service.tax_table = table.tax_table.unwrap_or_default();
    service.currency_codes = table.currency_codes.unwrap_or_default();
    service.licence_codes = table.licence_codes.unwrap_or(service.licence_codes);
    service.http.extra_ca_pem = authority(table.ca_file)?;
    service.check()?;
    Ok(Connection::SapB1 { way: SapB1Way::ServiceLayer(Box::new(service)), rules: Box::new(rules) })
}

/// The rules, if they hold for the way in. Those of a file of their own were put into the section.
fn rules(
    settings: Option<Table>,
    settings_file: Option<PathBuf>,
    hold: impl FnOnce(&B1Settings) -> Result<()>,
) -> Result<B1Settings> {
    let settings = match (settings, settings_file) {
        (Some(settings), None) => settings,
        (None, None) => {
            return Err(wrong("settings", "is missing, and `settings_file` too: the rules for orders".into()));
        }
        _ => return Err(wrong("settings_file", "stands beside `settings`; the rules are in one of them".into())),
    };
    let text = toml::to_string(&settings).map_err(|_| wrong("settings", "cannot be written as TOML".into()))?;
    let rules = B1Settings::from_toml(&text).and_then(|rules| hold(&rules).map(|()| rules));
    rules.map_err(|error| {
        // With the section's own path.
        let error = read::wrong(error.field_path().unwrap_or_default(), error.message());
        let key = error.field_path().unwrap_or_default();
        wrong("settings", error.message().to_owned()).field(below("settings", key))
    })
}

fn authority(ca_file: Option<PathBuf>) -> Result<Option<String>> {
    let read = |path: PathBuf| {
        std::fs::read_to_string(&path)
            .map_err(|error| wrong("ca_file", format!("{} cannot be read: {}", path.display(), error.kind())))
    };
    ca_file.map(read).transpose()
}
