//! Reading a section with all of its mistakes.

use std::collections::BTreeSet;
use std::fmt;

use datawald_core::{Error, Result};
use serde::de::DeserializeOwned;
use toml::{Table, Value};

/// Every mistake of a file, sorted by where it is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Mistakes(BTreeSet<(String, String)>);

impl Mistakes {
    /// Notes a mistake at `path` (`connections.mage2.credentials.token`).
    pub(crate) fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.insert((path.into(), message.into()));
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (path, message)) in self.0.iter().enumerate() {
            let line_end = if at == 0 { "" } else { "\n" };
            match path.as_str() {
                "" => write!(f, "{line_end}{message}")?,
                path => write!(f, "{line_end}{path}: {message}")?,
            }
        }
        Ok(())
    }
}

/// `path` and what lies below it.
pub(super) fn below(path: &str, field: &str) -> String {
    match (path, field) {
        (path, "") => path.to_owned(),
        ("", field) => field.to_owned(),
        (path, field) => format!("{path}.{field}"),
    }
}

/// Reads the section at `path`, with all of its mistakes: whoever reads stops at the first, so what that is about is taken out
/// and the rest read again, until nothing is wrong or nothing can be taken out.
pub(super) fn section<T>(
    mistakes: &mut Mistakes,
    path: &str,
    mut table: Table,
    read: impl Fn(Table) -> Result<T>,
) -> Option<T> {
    let mut taken_out: Vec<String> = Vec::new();
    loop {
        let error = match read(table.clone()) {
            Ok(section) => return taken_out.is_empty().then_some(section),
            Err(error) => error,
        };
        let field = error.field_path().unwrap_or_default().to_owned();
        // What was taken out is missing now, which is no mistake of its own.
        if taken_out.iter().any(|out| *out == field || out.starts_with(&format!("{field}."))) {
            return None;
        }
        mistakes.add(below(path, &field), error.message());
        if field.is_empty() || !take_out(&mut table, &field) {
            return None;
        }
        taken_out.push(field);
    }
}

/// Reads a table as a `T`; an error names the key, never a value.
pub(crate) fn typed<T: DeserializeOwned>(table: Table) -> Result<T> {
    serde_path_to_error::deserialize(Value::Table(table)).map_err(|error| {
        let path = error.path().to_string();
        let path = if path == "." { String::new() } else { path };
        let message = error.inner().message();
        let missing = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
        match missing {
            Some(key) => Error::config(OPERATION, "is missing").field(below(&path, key)),
            None if path.is_empty() => Error::config(OPERATION, without_value(message)),
            None => Error::config(OPERATION, without_value(message)).field(path),
        }
    })
}

const OPERATION: &str = "read configuration";

/// `invalid type: string "s3cret", expected u64` without what stands there; other messages name keys only.
fn without_value(message: &str) -> String {
    let Some(rest) = ["invalid type: ", "invalid value: "].iter().find_map(|prefix| message.strip_prefix(prefix))
    else {
        let key = message.strip_prefix("unknown field `").and_then(|rest| rest.split_once('`'));
        return match key {
            Some((_, rest)) => format!("is not known here{}", rest.replace("expected", "only")),
            None => message.to_owned(),
        };
    };
    let kind = rest.split(['"', '`', ',']).next().unwrap_or_default().trim();
    match rest.rsplit_once(", expected ") {
        Some((_, expected)) => format!("is a {kind}, should be {expected}"),
        None => format!("is a {kind}"),
    }
}

/// Takes what lies at `path` out of a table; `false` if nothing lies there.
fn take_out(table: &mut Table, path: &str) -> bool {
    let (parent, last) = path.rsplit_once('.').map_or((None, path), |(parent, last)| (Some(parent), last));
    let table = match parent {
        None => Some(table),
        Some(parent) => parent.split('.').try_fold(table, |table, key| {
            let (key, index) = indexed(key);
            let value = table.get_mut(key)?;
            match index {
                None => value.as_table_mut(),
                Some(index) => value.as_array_mut()?.get_mut(index)?.as_table_mut(),
            }
        }),
    };
    let (key, index) = indexed(last);
    match (table, index) {
        (None, _) => false,
        (Some(table), None) => table.remove(key).is_some(),
        (Some(table), Some(index)) => match table.get_mut(key).and_then(Value::as_array_mut) {
            Some(list) if index < list.len() => {
                list.remove(index);
                true
            }
            _ => false,
        },
    }
}

/// `tax[1]` as its key and index.
fn indexed(key: &str) -> (&str, Option<usize>) {
    let parts = key.strip_suffix(']').and_then(|key| key.split_once('['));
    match parts.and_then(|(key, index)| Some((key, index.parse().ok()?))) {
        Some((key, index)) => (key, Some(index)),
        None => (key, None),
    }
}
