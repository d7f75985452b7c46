//! Entities as they are answered: every property there is, or those that are asked for.

use serde_json::{Map, Value};

use super::check::{Names, user_table};
use super::error::Version;
use super::schema::{Kind, Property, Type, schema};

/// How entities are written.
#[derive(Clone, Copy)]
pub(super) struct Style<'a> {
    pub(super) version: Version,
    pub(super) names: Names<'a>,
    /// Whether dates have a time of nought in v3 too.
    pub(super) long_dates: bool,
}

impl Style<'_> {
    /// An entity; of its properties those in `select`, if there is one.
    pub(super) fn entity(
        &self,
        of: &Type,
        mut kept: Map<String, Value>,
        select: Option<&[String]>,
    ) -> Map<String, Value> {
        let mut out = Map::new();
        let wanted = |name: &str| select.is_none_or(|select| select.iter().any(|selected| selected == name));
        for property in of.properties.iter().filter(|property| wanted(property.name)) {
            let value = kept.remove(property.name);
            out.insert(property.name.to_owned(), self.value(property, value));
        }
        let table = user_table(of.name);
        for field in self.names.user_fields.iter().filter(|field| field.table == table) {
            let name = format!("U_{}", field.name);
            if wanted(&name) {
                let value = kept.remove(&name).unwrap_or_default();
                out.insert(name, value);
            }
        }
        out
    }

    fn value(&self, property: &Property, value: Option<Value>) -> Value {
        match (property.list, value) {
            (true, Some(Value::Array(values))) => {
                values.into_iter().map(|value| self.single(property.kind, value)).collect()
            }
            (true, _) => Value::Array(Vec::new()),
            (false, Some(value)) if !value.is_null() => self.single(property.kind, value),
            (false, _) => property.default.map_or(Value::Null, Value::from),
        }
    }

    fn single(&self, kind: Kind, value: Value) -> Value {
        match (kind, value) {
            (Kind::Date, Value::String(day)) if self.long_dates || self.version == Version::V2 => {
                Value::String(format!("{day}T00:00:00Z"))
            }
            (Kind::Named(name), Value::Object(kept)) => match schema().type_named(name) {
                Some(of) => Value::Object(self.entity(of, kept, None)),
                None => Value::Object(kept),
            },
            (_, value) => value,
        }
    }
}

/// The value of a property as filters see it.
pub(super) fn value_of(of: &Type, kept: &Map<String, Value>, name: &str) -> Value {
    match kept.get(name) {
        Some(value) if !value.is_null() => value.clone(),
        _ => of.property(name).and_then(|property| property.default).map_or(Value::Null, Value::from),
    }
}
