//! The options of a query.

use super::call::Call;
use super::check::Names;
use super::error::{Refusal, Version};
use super::filter::Filter;
use super::filter_parser;
use super::schema::Type;

/// What a reading call asks for.
#[derive(Debug, Default)]
pub(super) struct Query {
    pub(super) filter: Option<Filter>,
    pub(super) select: Option<Vec<String>>,
    /// Properties, and whether each goes down.
    pub(super) order_by: Vec<(String, bool)>,
    pub(super) top: Option<usize>,
    pub(super) skip: usize,
    /// Whether the answer tells how many there are in all.
    pub(super) count: bool,
}

impl Query {
    pub(super) fn read(call: &Call, of: &Type, names: &Names<'_>) -> Result<Self, Refusal> {
        let mut query = Self::default();
        for (name, value) in call.parameters() {
            let bad = || Refusal::new(400, 201, format!("Invalid query option '{name}': '{value}'"));
            match name.as_str() {
                "$filter" => query.filter = Some(filter_parser::parse(&value, of, names)?),
                "$select" => query.select = select(&value, of, names)?,
                "$orderby" => query.order_by = order_by(&value, of, names)?,
                "$top" => query.top = Some(value.trim().parse().map_err(|_| bad())?),
                "$skip" => query.skip = value.trim().parse().map_err(|_| bad())?,
                "$inlinecount" if call.version == Version::V1 => match value.as_str() {
                    "allpages" => query.count = true,
                    "none" => {}
                    _ => return Err(bad()),
                },
                "$count" if call.version == Version::V2 => query.count = value.parse().map_err(|_| bad())?,
                name if name.starts_with('$') => return Err(bad()),
                _ => {}
            }
        }
        Ok(query)
    }
}

/// `None` for `*`.
fn select(value: &str, of: &Type, names: &Names<'_>) -> Result<Option<Vec<String>>, Refusal> {
    let mut selected = Vec::new();
    for name in value.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        if name == "*" {
            return Ok(None);
        }
        names.property(of, name).ok_or_else(|| Refusal::unknown_property(name, of.name))?;
        selected.push(name.to_owned());
    }
    Ok(Some(selected))
}

fn order_by(value: &str, of: &Type, names: &Names<'_>) -> Result<Vec<(String, bool)>, Refusal> {
    let one = |part: &str| {
        let mut words = part.split_whitespace();
        let name = words.next().unwrap_or_default();
        let known = names.property(of, name).filter(|known| !known.list);
        known.ok_or_else(|| Refusal::unknown_property(name, of.name))?;
        match (words.next(), words.next()) {
            (None | Some("asc"), None) => Ok((name.to_owned(), false)),
            (Some("desc"), None) => Ok((name.to_owned(), true)),
            _ => Err(Refusal::new(400, 201, format!("Invalid query option '$orderby': '{part}'"))),
        }
    };
    value.split(',').map(one).collect()
}
