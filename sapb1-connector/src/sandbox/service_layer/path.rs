//! What a path names: `Orders`, `Orders(22)`, `SalesTaxAuthorities(Code='AK',Type=-3)`, `Orders(22)/Cancel`.

use super::error::Refusal;
use super::schema::{Kind, Type};
use super::tables::{Key, Part};

/// A path, read.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) name: String,
    key: Option<Vec<(Option<String>, Part)>>,
    /// A property, an action or `$count`.
    pub(super) rest: Option<String>,
}

impl Target {
    /// Reads a path below the root, percent signs decoded.
    pub(super) fn parse(path: &str) -> Result<Self, Refusal> {
        let path = path.trim_matches('/');
        let bad = || Refusal::new(400, 200, "Unrecognized resource path");
        let end = path.find(['(', '/']).unwrap_or(path.len());
        let (name, rest) = path.split_at(end);
        let (key, rest) = match rest.strip_prefix('(') {
            Some(rest) => {
                let end = closing(rest).ok_or_else(bad)?;
                let (inside, rest) = rest.split_at(end);
                (Some(parts(inside).ok_or_else(bad)?), &rest[1..])
            }
            None => (None, rest),
        };
        let rest = match rest.strip_prefix('/') {
            Some(rest) if !rest.is_empty() && !rest.contains('/') => Some(rest.to_owned()),
            None if rest.is_empty() => None,
            _ => return Err(bad()),
        };
        if name.is_empty() {
            return Err(bad());
        }
        Ok(Self { name: name.to_owned(), key, rest })
    }

    pub(super) fn has_key(&self) -> bool {
        self.key.is_some()
    }

    /// The key, if it is one of this type.
    pub(super) fn key(&self, of: &Type) -> Result<Key, Refusal> {
        let bad = || Refusal::malformed(format!("Invalid key of '{}'", of.name));
        let given = self.key.as_ref().ok_or_else(bad)?;
        if given.len() != of.key.len() {
            return Err(bad());
        }
        let part = |name: &&'static str| {
            let found = match &given[..] {
                [(None, part)] => Some(part),
                parts => parts.iter().find(|(given, _)| given.as_deref() == Some(*name)).map(|(_, part)| part),
            };
            let kind = of.property(name).map(|property| property.kind);
            match (kind, found) {
                (Some(Kind::Int), Some(part @ Part::Int(_))) => Ok(part.clone()),
                (Some(Kind::Text), Some(part @ Part::Text(_))) => Ok(part.clone()),
                _ => Err(bad()),
            }
        };
        of.key.iter().map(part).collect()
    }
}

/// Where the parenthesis closes, quotes heeded.
fn closing(text: &str) -> Option<usize> {
    let mut quoted = false;
    for (at, c) in text.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            ')' if !quoted => return Some(at),
            _ => {}
        }
    }
    None
}

fn parts(inside: &str) -> Option<Vec<(Option<String>, Part)>> {
    let mut quoted = false;
    let separate = |c: char| {
        if c == '\'' {
            quoted = !quoted;
        }
        c == ',' && !quoted
    };
    inside.split(separate).map(part).collect()
}

fn part(text: &str) -> Option<(Option<String>, Part)> {
    let text = text.trim();
    let (name, value) = match text.split_once('=') {
        Some((name, value)) if !name.contains('\'') => (Some(name.trim().to_owned()), value.trim()),
        _ => (None, text),
    };
    let value = match value.strip_prefix('\'').and_then(|value| value.strip_suffix('\'')) {
        Some(text) => Part::Text(text.replace("''", "'")),
        None => Part::Int(value.parse().ok()?),
    };
    Some((name, value))
}

/// A key as it stands in a path.
pub(super) fn written(of: &Type, key: &Key) -> String {
    let part = |part: &Part| match part {
        Part::Int(number) => number.to_string(),
        Part::Text(text) => format!("'{}'", text.replace('\'', "''")),
    };
    match &key[..] {
        [single] => part(single),
        parts => {
            let named = of.key.iter().zip(parts).map(|(name, value)| format!("{name}={}", part(value)));
            named.collect::<Vec<_>>().join(",")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::schema::schema;
    use super::*;

    fn key(path: &str, of: &str) -> Option<Key> {
        Target::parse(path).ok()?.key(schema().type_named(of).unwrap()).ok()
    }

    #[test]
    fn keys() {
        let int = |n| vec![Part::Int(n)];
        assert_eq!(key("/Orders(22)/Cancel", "Document"), Some(int(22)));
        assert_eq!(key("Orders(DocEntry=22)", "Document"), Some(int(22)));
        assert_eq!(key("BusinessPartners('a''b/(c),d=e')", "BusinessPartner"), {
            Some(vec![Part::Text("a'b/(c),d=e".into())])
        });
        let two = vec![Part::Text("OCRD".into()), Part::Int(0)];
        assert_eq!(written(schema().type_named("UserFieldMD").unwrap(), &two), "TableName='OCRD',FieldID=0");
        assert_eq!(key("UserFieldsMD(FieldID=0,TableName='OCRD')", "UserFieldMD"), Some(two));
    }

    #[test]
    fn no_keys() {
        for path in ["Orders('22')", "Orders()", "Orders(22", "Orders(22)x", "Orders(Other=22)", "Orders", "", "("] {
            assert_eq!(key(path, "Document"), None, "{path}");
        }
    }
}
