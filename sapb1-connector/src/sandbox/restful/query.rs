//! What the service makes of `params` and `columns`: SQL, with whatever was given put into it.

use std::borrow::Cow;
use std::cmp::Ordering;

use datawald_core::model::parse_decimal;
use serde::Deserialize;
use serde_json::value::RawValue;

use super::body::{Dict, text};
use super::documents::same_text;
use super::python::PyError;

/// The body of a fetch.
#[derive(Deserialize)]
pub(super) struct Fetch<'a> {
    #[serde(borrow)]
    pub(super) columns: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) itemcolumns: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) params: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) card_code: Option<&'a RawValue>,
    #[serde(borrow)]
    pub(super) contact: Option<&'a RawValue>,
}

/// A condition on a column.
pub(super) struct Condition<'a> {
    pub(super) column: Cow<'a, str>,
    op: Op,
    pub(super) values: Vec<Cow<'a, str>>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Op {
    Equal,
    Unequal,
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Like,
    In,
}

pub(super) fn sql_error(text: &str) -> PyError {
    PyError::new("ProgrammingError", format!("(102, \"{text} DB-Lib error message 20018, severity 15\")"))
}

pub(super) fn no_column(name: &str) -> PyError {
    let name: String = name.chars().filter(|c| !matches!(c, '\'' | '"')).take(60).collect();
    PyError::new("ProgrammingError", format!("(207, \"Invalid column name '{name}'.DB-Lib error message 20018\")"))
}

/// `num`: at most 100, by default 100.
pub(super) fn rows_wanted(num: Option<&str>) -> Result<usize, PyError> {
    let Some(num) = num else { return Ok(100) };
    match num.trim().parse::<i64>() {
        Ok(num) if num < 0 => Err(sql_error("A TOP or FETCH clause contains an invalid value.")),
        Ok(num) => Ok(usize::try_from(num.min(100)).unwrap_or(100)),
        Err(_) => Err(PyError::new("ValueError", "invalid literal for int() with base 10")),
    }
}

pub(super) fn parse(body: &[u8]) -> Result<Fetch<'_>, PyError> {
    serde_json::from_slice(body)
        .map_err(|_| PyError::new("BadRequest", "400 Bad Request: Failed to decode JSON object"))
}

/// Names of columns; `None` for all.
pub(super) fn columns(raw: Option<&RawValue>) -> Result<Option<Vec<String>>, PyError> {
    match raw.map(RawValue::get) {
        None | Some("{}" | "[]" | "null") => Ok(None),
        Some(json) => {
            let names = serde_json::from_str::<Vec<String>>(json)
                .map_err(|_| PyError::new("TypeError", "sequence item 0: expected string"))?;
            Ok(Some(names))
        }
    }
}

/// The conditions of `params`, which must be there.
pub(super) fn conditions<'a>(params: Option<&'a RawValue>, lists: bool) -> Result<Vec<Condition<'a>>, PyError> {
    let raw = params.ok_or_else(|| PyError::key("params"))?;
    let params: Dict<'a> = serde_json::from_str(raw.get())
        .map_err(|_| PyError::new("AttributeError", "object has no attribute 'keys'"))?;
    params
        .0
        .into_iter()
        .map(|(column, raw)| {
            let parts: Dict<'a> = serde_json::from_str(raw.get())
                .map_err(|_| PyError::new("AttributeError", "object has no attribute 'keys'"))?;
            let op = if parts.get("op").is_some() { operator(&parts.text("op")?)? } else { Op::Equal };
            let value = parts.need("value")?;
            let is_list = value.get().starts_with('[');
            if is_list && !lists {
                return Err(sql_error("Incorrect syntax near ','."));
            }
            let values = if is_list {
                let list: Vec<&'a RawValue> = serde_json::from_str(value.get()).unwrap_or_default();
                list.into_iter().map(literal).collect()
            } else {
                vec![literal(value)]
            };
            // A list is quoted as ('a','b'), so only `in` takes more than one; and `in` wants brackets.
            if is_list == (op == Op::In) && !values.is_empty() || is_list && values.len() == 1 {
                Ok(Condition { column, op, values })
            } else {
                Err(sql_error("Incorrect syntax near ','."))
            }
        })
        .collect()
}

fn literal(raw: &RawValue) -> Cow<'_, str> {
    text(raw).unwrap_or(Cow::Borrowed(raw.get()))
}

fn operator(op: &str) -> Result<Op, PyError> {
    Ok(match op.trim().to_ascii_lowercase().as_str() {
        "=" => Op::Equal,
        "<>" | "!=" => Op::Unequal,
        "<" => Op::Less,
        "<=" => Op::LessOrEqual,
        ">" => Op::Greater,
        ">=" => Op::GreaterOrEqual,
        "like" => Op::Like,
        "in" => Op::In,
        _ => return Err(sql_error("Incorrect syntax near the operator.")),
    })
}

impl Condition<'_> {
    /// Whether it asks for values as they are, which an index can answer.
    pub(super) fn is_equality(&self) -> bool {
        matches!(self.op, Op::Equal | Op::In)
    }

    /// Whether `cell` meets it.
    pub(super) fn holds(&self, cell: &str) -> bool {
        let first = self.values.first().map(AsRef::as_ref).unwrap_or_default();
        match self.op {
            Op::Equal | Op::In => self.values.iter().any(|value| same_text(cell, value)),
            Op::Unequal => !same_text(cell, first),
            Op::Less => compare(cell, first) == Ordering::Less,
            Op::LessOrEqual => compare(cell, first) != Ordering::Greater,
            Op::Greater => compare(cell, first) == Ordering::Greater,
            Op::GreaterOrEqual => compare(cell, first) != Ordering::Less,
            Op::Like => like(&cell.to_lowercase(), &first.to_lowercase()),
        }
    }
}

/// Numbers by value, everything else (dates too, which sort as text) as text.
fn compare(cell: &str, value: &str) -> Ordering {
    match (parse_decimal(cell), parse_decimal(value)) {
        (Some(cell), Some(value)) => cell.cmp(&value),
        _ => cell.to_lowercase().cmp(&value.to_lowercase()),
    }
}

/// `%` stands for anything, `_` for one character.
fn like(text: &str, pattern: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('%') => {
            let rest = &pattern[1..];
            text.char_indices().map(|(at, _)| at).chain([text.len()]).any(|at| like(&text[at..], rest))
        }
        Some(first) => match text.chars().next() {
            Some(c) if c == first || first == '_' => like(&text[c.len_utf8()..], &pattern[first.len_utf8()..]),
            _ => false,
        },
    }
}
