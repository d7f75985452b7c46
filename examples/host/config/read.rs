//! Reading a section with all of its mistakes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use datawald_core::{Error, Result};
use serde::de::DeserializeOwned;
use toml::de::DeTable;
use toml::{Table, Value};

/// Every mistake of a file, sorted by where it is.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Mistakes(BTreeSet<(String, String)>);

impl Mistakes {
    /// Notes a mistake at `path` (`connections.mage2.credentials.token`).
    pub(crate) fn add(&mut self, path: impl Into<String>, message: impl Into<String>) {
        self.0.insert((path.into(), message.into()));
    }

    /// Takes over those of `others`, each as `told` has it.
    pub(super) fn take(&mut self, others: Self, told: impl Fn(String, String) -> Option<(String, String)>) {
        self.0.extend(others.0.into_iter().filter_map(|(path, message)| told(path, message)));
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

/// Reads TOML.
///
/// # Errors
/// Every line that is none, with its number.
pub(super) fn toml(text: &str) -> std::result::Result<Table, Vec<String>> {
    text.parse().map_err(|_: toml::de::Error| {
        let (_, errors) = DeTable::parse_recoverable(text);
        let before = |error: &toml::de::Error| error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        let lines: BTreeSet<usize> = errors.iter().map(|error| before(error).matches('\n').count() + 1).collect();
        lines.into_iter().map(|line| format!("line {line} is not TOML")).collect()
    })
}

/// `path` and what lies below it.
pub(super) fn below(path: &str, field: &str) -> String {
    match (path, field) {
        (path, "") => path.to_owned(),
        ("", field) => field.to_owned(),
        (path, field) => format!("{path}.{field}"),
    }
}

/// What most settings take, to go on in the place of one that is wrong.
const STAND_INS: [fn() -> Value; 9] = [
    || "http://localhost".into(),
    || 1.into(),
    || "orders".into(),
    || true.into(),
    || "127.0.0.1:1".into(),
    || Value::Array(Vec::new()),
    || Value::Table(Table::new()),
    || Value::Table(Table::from_iter([("kind", "bearer"), ("token", "-")].map(|(key, it)| (key.into(), it.into())))),
    || "USD".into(),
];

/// What was tried in the place of a value that is wrong.
#[derive(Default)]
struct Tried {
    /// What it may be, as the mistake itself tells.
    named: Vec<String>,
    stand_ins: usize,
    removed: bool,
}

impl Tried {
    fn of(field: &str, message: &str) -> Self {
        // Of another kind other things must be said, and what is missing of those is no mistake of this file.
        let is_kind = field == "kind" || field.ends_with(".kind");
        let named = message.strip_prefix("is none of ").filter(|_| !is_kind).unwrap_or_default();
        let named = named.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        Self { named, ..Self::default() }
    }

    /// What is tried next.
    fn next(&mut self) -> Option<Value> {
        if let Some(name) = self.named.pop() {
            return Some(name.into());
        }
        let stand_in = STAND_INS.get(self.stand_ins)?;
        self.stand_ins += 1;
        Some(stand_in())
    }
}

/// Reads the section at `path`, with all of its mistakes: whoever reads stops at the first, so what that is about is taken out,
/// or a stand-in put in its place if it must be there, and the section read again, until no more can be found that way.
pub(super) fn section<T>(
    mistakes: &mut Mistakes,
    path: &str,
    mut table: Table,
    read: impl Fn(Table) -> Result<T>,
) -> Option<T> {
    let mut wrong: BTreeMap<String, Tried> = BTreeMap::new();
    loop {
        let error = match read(table.clone()) {
            Ok(section) => return wrong.is_empty().then_some(section),
            Err(error) => error,
        };
        let field = error.field_path().unwrap_or_default().to_owned();
        // What is wrong within a stand-in is no mistake of the file: another one is tried.
        let within = |(path, tried): (&String, &Tried)| tried.stand_ins > 0 && field.starts_with(&format!("{path}."));
        let field = wrong.iter().find(|entry| within(*entry)).map_or(field.clone(), |(path, _)| path.clone());
        let is_new = !wrong.contains_key(&field);
        let tried = wrong.entry(field.clone()).or_insert_with(|| Tried::of(&field, error.message()));
        if is_new {
            mistakes.add(below(path, &field), error.message());
            if error.message().ends_with("should be a boolean") {
                // What needs it to be set is no mistake then.
                put(&mut table, &field, true.into());
                continue;
            }
            if !is_indexed(&field) {
                take_out(&mut table, &field);
                continue;
            }
        }
        match tried.next() {
            Some(value) => put(&mut table, &field, value)?,
            None if is_indexed(&field) && !tried.removed => {
                tried.removed = true;
                take_out(&mut table, &field);
            }
            None => return None,
        }
    }
}

/// Reads a table as a `T`; an error names the key, never a value.
pub(crate) fn typed<T: DeserializeOwned>(table: Table) -> Result<T> {
    serde_path_to_error::deserialize(Value::Table(table)).map_err(|error| {
        let path = error.path().to_string();
        wrong(if path == "." { "" } else { &path }, error.inner().message())
    })
}

/// The error of what serde says about `path`.
pub(super) fn wrong(path: &str, message: &str) -> Error {
    let missing = message.strip_prefix("missing field `").and_then(|rest| rest.strip_suffix('`'));
    match missing {
        Some(key) => Error::config(OPERATION, "is missing").field(below(path, key)),
        None if path.is_empty() => Error::config(OPERATION, without_value(message)),
        None => Error::config(OPERATION, without_value(message)).field(path),
    }
}

const OPERATION: &str = "read configuration";

/// What serde says about a wrong value, without the value: `invalid type: string "s3cret", expected u64`.
fn without_value(message: &str) -> String {
    if let Some((_, known)) = message.strip_prefix("unknown field `").and_then(|rest| rest.split_once("`, expected ")) {
        return format!("is not known here; known: {}", known.replacen("one of ", "", 1));
    }
    if let Some((_, known)) = message.strip_prefix("unknown variant `").and_then(|rest| rest.split_once("`, expected "))
    {
        return format!("is none of {}", known.replacen("one of ", "", 1));
    }
    if message == "invalid socket address syntax" {
        return "should be an address and a port, as 127.0.0.1:7000".to_owned();
    }
    let Some(rest) = ["invalid type: ", "invalid value: "].iter().find_map(|prefix| message.strip_prefix(prefix))
    else {
        return message.to_owned();
    };
    let kind = rest.split(['"', '`', ',']).next().unwrap_or_default().trim();
    match rest.rsplit_once(", expected ").map(|(_, expected)| expected) {
        Some("u16" | "u32" | "u64" | "usize") => format!("is a wrong {kind}, should be a whole number from 0"),
        Some(expected) => format!("is a wrong {kind}, should be {expected}"),
        None => format!("is a wrong {kind}"),
    }
}

/// The table that what lies at `path` is in, and its key there.
fn place<'a>(table: &'a mut Table, path: &'a str) -> Option<(&'a mut Table, &'a str)> {
    let Some((parents, last)) = path.rsplit_once('.') else { return Some((table, path)) };
    let table = parents.split('.').try_fold(table, |table, key| {
        let (key, index) = indexed(key);
        let value = table.get_mut(key)?;
        match index {
            None => value.as_table_mut(),
            Some(index) => value.as_array_mut()?.get_mut(index)?.as_table_mut(),
        }
    })?;
    Some((table, last))
}

/// Takes what lies at `path` out of a table; of a list, all of it: its other items would not be called as they are any more.
fn take_out(table: &mut Table, path: &str) {
    if let Some((table, key)) = place(table, path) {
        table.remove(indexed(key).0);
    }
}

/// Puts a value to `path`, if there is such a place.
fn put(table: &mut Table, path: &str, value: Value) -> Option<()> {
    let (table, key) = place(table, path)?;
    match indexed(key) {
        ("", _) => None,
        (key, None) => {
            table.insert(key.to_owned(), value);
            Some(())
        }
        (key, Some(index)) => {
            *table.get_mut(key)?.as_array_mut()?.get_mut(index)? = value;
            Some(())
        }
    }
}

/// Whether `path` leads to an item of a list.
fn is_indexed(path: &str) -> bool {
    path.ends_with(']')
}

/// `tax[1]` as its key and index.
fn indexed(key: &str) -> (&str, Option<usize>) {
    let parts = key.strip_suffix(']').and_then(|key| key.split_once('['));
    match parts.and_then(|(key, index)| Some((key, index.parse().ok()?))) {
        Some((key, index)) => (key, Some(index)),
        None => (key, None),
    }
}
