//! Names and types of the Service Layer, as its metadata has them.

use std::collections::{BTreeMap, HashMap};
use std::sync::LazyLock;

/// The table of names and types, as text; its first lines tell how to read it.
pub const SCHEMA: &str = include_str!("schema.txt");

static PARSED: LazyLock<Schema> = LazyLock::new(|| Schema::parse(SCHEMA));

/// What a property holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Int,
    Num,
    Text,
    Date,
    Time,
    /// An enumeration or a complex type.
    Named(&'static str),
}

pub(super) struct Property {
    pub(super) name: &'static str,
    pub(super) kind: Kind,
    pub(super) list: bool,
    pub(super) read_only: bool,
    pub(super) default: Option<&'static str>,
}

/// An entity or a complex type.
pub(super) struct Type {
    pub(super) name: &'static str,
    /// The names of an entity's key.
    pub(super) key: Vec<&'static str>,
    pub(super) properties: Vec<Property>,
    by_name: HashMap<&'static str, usize>,
}

impl Type {
    pub(super) fn property(&self, name: &str) -> Option<&Property> {
        self.by_name.get(name).and_then(|at| self.properties.get(*at))
    }
}

/// Names with the values of the database.
pub(super) struct Enumeration {
    members: Vec<(&'static str, &'static str)>,
}

impl Enumeration {
    /// Names with the values of the database, in order.
    pub(super) fn members(&self) -> &[(&'static str, &'static str)] {
        &self.members
    }

    /// The value of a name.
    pub(super) fn value_of(&self, name: &str) -> Option<&'static str> {
        self.members.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    /// The name, given that or the value.
    pub(super) fn name_of(&self, text: &str) -> Option<&'static str> {
        let named = self.members.iter().find(|(name, _)| *name == text);
        named.or_else(|| self.members.iter().find(|(_, value)| *value == text)).map(|(name, _)| *name)
    }
}

pub(super) struct EntitySet {
    pub(super) name: &'static str,
    pub(super) entity: &'static str,
    pub(super) table: &'static str,
}

#[derive(Default)]
pub(super) struct Schema {
    types: HashMap<&'static str, Type>,
    enumerations: HashMap<&'static str, Enumeration>,
    sets: HashMap<&'static str, EntitySet>,
    names: Vec<&'static str>,
}

/// The table, read.
pub(super) fn schema() -> &'static Schema {
    &PARSED
}

impl Schema {
    pub(super) fn type_named(&self, name: &str) -> Option<&Type> {
        self.types.get(name)
    }

    pub(super) fn enumeration(&self, name: &str) -> Option<&Enumeration> {
        self.enumerations.get(name)
    }

    pub(super) fn set(&self, name: &str) -> Option<&EntitySet> {
        self.sets.get(name)
    }

    /// The types, by name.
    pub(super) fn types(&self) -> Vec<&Type> {
        let mut types: Vec<&Type> = self.types.values().collect();
        types.sort_by_key(|of| of.name);
        types
    }

    /// The enumerations, by name.
    pub(super) fn enumerations(&self) -> BTreeMap<&'static str, &Enumeration> {
        self.enumerations.iter().map(|(name, enumeration)| (*name, enumeration)).collect()
    }

    /// The names of the sets, in order.
    pub(super) fn set_names(&self) -> &[&'static str] {
        &self.names
    }

    fn parse(text: &'static str) -> Self {
        let mut schema = Self::default();
        let mut heads: Vec<(Vec<&'static str>, Vec<&'static str>)> = Vec::new();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let words = line.split_whitespace();
            match heads.last_mut() {
                Some((_, body)) if line.starts_with(' ') => body.extend(words),
                _ => heads.push((words.collect(), Vec::new())),
            }
        }
        for (head, body) in heads {
            match head[..] {
                ["set", name, entity, table] => {
                    schema.names.push(name);
                    schema.sets.insert(name, EntitySet { name, entity, table });
                }
                ["enum", name] => {
                    let members = body.iter().filter_map(|word| word.split_once('=')).collect();
                    schema.enumerations.insert(name, Enumeration { members });
                }
                ["entity" | "complex", name, ref key @ ..] => {
                    let properties: Vec<Property> = body.iter().filter_map(|word| property(word)).collect();
                    let by_name = properties.iter().enumerate().map(|(at, property)| (property.name, at)).collect();
                    schema.types.insert(name, Type { name, key: key.to_vec(), properties, by_name });
                }
                _ => {}
            }
        }
        schema
    }
}

/// `NAME:TYPE`, `NAME:[TYPE]`, with `-` for read-only and `=VALUE` for a default.
fn property(word: &'static str) -> Option<Property> {
    let (name, rest) = word.split_once(':')?;
    let (rest, default) = match rest.split_once('=') {
        Some((rest, default)) => (rest, Some(default)),
        None => (rest, None),
    };
    let (rest, read_only) = match rest.strip_suffix('-') {
        Some(rest) => (rest, true),
        None => (rest, false),
    };
    let (kind, list) = match rest.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        Some(kind) => (kind, true),
        None => (rest, false),
    };
    let kind = match kind {
        "int" => Kind::Int,
        "num" => Kind::Num,
        "text" => Kind::Text,
        "date" => Kind::Date,
        "time" => Kind::Time,
        named => Kind::Named(named),
    };
    Some(Property { name, kind, list, read_only, default })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_that_is_named_is_there() {
        let schema = schema();
        for kind in schema.types.values() {
            for property in &kind.properties {
                if let Kind::Named(name) = property.kind {
                    let known = schema.type_named(name).is_some() || schema.enumeration(name).is_some();
                    assert!(known, "{name} of {}.{}", kind.name, property.name);
                }
            }
            assert!(kind.key.iter().all(|key| kind.property(key).is_some()), "{}", kind.name);
        }
        for name in schema.set_names() {
            let set = schema.set(name).unwrap();
            assert!(!schema.type_named(set.entity).unwrap().key.is_empty(), "{name}");
        }
        assert_eq!(schema.enumeration("BoCardTypes").unwrap().name_of("C"), Some("cCustomer"));
        assert!(schema.type_named("Document").unwrap().property("DocEntry").unwrap().read_only);
    }
}
