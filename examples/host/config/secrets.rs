//! Secrets by reference: `{ env = "NAME" }` or `{ file = "PATH" }`.

use std::path::Path;

use percent_encoding::percent_decode_str;
use secrecy::{ExposeSecret, SecretString};
use toml::{Table, Value};

use super::read::{Mistakes, below};

/// The keys whose values are secrets.
const SECRETS: &[&str] = &["token", "password", "consumer_secret", "access_token", "access_token_secret"];

/// The keys of addresses that may hold a password.
const ADDRESSES: &[&str] = &["uri"];

/// The keys of paths, which count from the folder of the file.
const PATHS: &[&str] = &["path", "ca_file", "settings_file"];

/// What stands for a secret that could not be had, so that the rest can be checked.
const NONE: &str = "-";

/// Puts secrets in the place of references to them.
pub(super) struct Secrets<'a> {
    /// The folder that relative paths count from.
    pub(super) folder: &'a Path,
    /// The secrets that were found, for whoever keeps them out of the log.
    pub(super) found: Vec<SecretString>,
}

impl Secrets<'_> {
    /// Resolves what lies in the section at `path`. Of one that is not `needed` in this process, references are left unread.
    pub(super) fn resolve(&mut self, mistakes: &mut Mistakes, path: &str, table: &mut Table, needed: bool) {
        // A header may be a secret (a firewall's) or none (`User-Agent`).
        let of_headers = path.ends_with(".headers");
        for (key, value) in table.iter_mut() {
            let path = below(path, key);
            let key = key.as_str();
            if SECRETS.contains(&key) || ADDRESSES.contains(&key) || of_headers && value.is_table() {
                if let Some(secret) = self.one(mistakes, &path, key, value, needed) {
                    *value = Value::String(secret);
                }
            } else if let (true, Some(relative)) = (PATHS.contains(&key), value.as_str()) {
                *value = Value::String(self.folder.join(relative).display().to_string());
            } else if let Some(table) = value.as_table_mut() {
                self.resolve(mistakes, &path, table, needed);
            }
        }
    }

    /// What is to stand there; `None` if it is to stay, for its type to be told.
    fn one(&mut self, mistakes: &mut Mistakes, path: &str, key: &str, value: &Value, needed: bool) -> Option<String> {
        let table = match value {
            Value::String(address) if ADDRESSES.contains(&key) && !has_login(address) => return None,
            Value::String(_) => {
                let what = if ADDRESSES.contains(&key) { "an address with a password" } else { "a secret" };
                mistakes.add(
                    path,
                    format!(
                        "{what} does not belong into this file: write {{ env = \"NAME\" }} or {{ file = \"PATH\" }}"
                    ),
                );
                return Some(NONE.to_owned());
            }
            Value::Table(table) => table,
            _ => {
                mistakes.add(path, "is no reference: write { env = \"NAME\" } or { file = \"PATH\" }");
                return Some(NONE.to_owned());
            }
        };
        let reference = match (table.len(), table.get("env"), table.get("file")) {
            (1, Some(Value::String(name)), None) => Reference::Env(name),
            (1, None, Some(Value::String(file))) => Reference::File(file),
            _ => {
                mistakes.add(path, "is no reference: it has one key, `env` or `file`, with a text");
                return Some(NONE.to_owned());
            }
        };
        if !needed {
            return Some(NONE.to_owned());
        }
        match self.read(reference) {
            Ok(secret) => {
                self.keep(key, &secret);
                Some(secret)
            }
            Err(reason) => {
                mistakes.add(path, reason);
                Some(NONE.to_owned())
            }
        }
    }

    fn read(&self, reference: Reference<'_>) -> Result<String, String> {
        let (secret, place) = match reference {
            Reference::Env(name) => match std::env::var(name) {
                Ok(secret) => (secret, format!("the variable {name}")),
                Err(std::env::VarError::NotPresent) => return Err(format!("the variable {name} is not set")),
                Err(std::env::VarError::NotUnicode(_)) => return Err(format!("the variable {name} is not UTF-8")),
            },
            Reference::File(file) => {
                let path = self.folder.join(file);
                let text = std::fs::read_to_string(&path)
                    .map_err(|error| format!("{} cannot be read: {}", path.display(), error.kind()))?;
                let text = text.strip_suffix('\n').map(|text| text.strip_suffix('\r').unwrap_or(text)).unwrap_or(&text);
                (text.to_owned(), path.display().to_string())
            }
        };
        if secret.is_empty() { Err(format!("{place} is empty")) } else { Ok(secret) }
    }

    /// Remembers a secret; of an address its login, as it stands there and as it is meant.
    fn keep(&mut self, key: &str, secret: &str) {
        if !ADDRESSES.contains(&key) {
            self.found.push(secret.to_owned().into());
            return;
        }
        let Some((_, password)) = login(secret).and_then(|login| login.split_once(':')) else { return };
        self.found.push(password.to_owned().into());
        if let Ok(meant) = percent_decode_str(password).decode_utf8() {
            self.found.push(meant.into_owned().into());
        }
    }
}

enum Reference<'a> {
    Env(&'a str),
    File(&'a str),
}

fn has_login(address: &str) -> bool {
    login(address).is_some()
}

/// User and password of an address.
fn login(address: &str) -> Option<&str> {
    let (_, rest) = address.split_once("://")?;
    let authority = rest.split(['/', '?']).next()?;
    authority.rsplit_once('@').map(|(login, _)| login)
}

/// Takes secrets out of a text, whoever wrote it.
#[derive(Clone, Default)]
pub(crate) struct Redaction(Vec<SecretString>);

impl Redaction {
    /// Of these secrets, and of how JSON writes them. What is very short is in any text and stays.
    pub(super) fn new(found: Vec<SecretString>) -> Self {
        let mut all = Vec::new();
        for secret in found {
            let text = secret.expose_secret();
            if text.len() < 4 {
                continue;
            }
            let json = serde_json::to_string(text).unwrap_or_default();
            let json = json.trim_matches('"');
            if json != text {
                all.push(SecretString::from(json.to_owned()));
            }
            all.push(secret);
        }
        // A secret that holds another goes first.
        all.sort_by_key(|secret: &SecretString| std::cmp::Reverse(secret.expose_secret().len()));
        Self(all)
    }

    /// The text without them.
    pub(crate) fn apply<'a>(&self, text: &'a str) -> std::borrow::Cow<'a, str> {
        let mut text = std::borrow::Cow::Borrowed(text);
        for secret in &self.0 {
            if text.contains(secret.expose_secret()) {
                text = text.replace(secret.expose_secret(), "[redacted]").into();
            }
        }
        text
    }
}
