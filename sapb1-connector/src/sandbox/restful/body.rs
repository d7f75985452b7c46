//! JSON objects that are read without copying and given back as they came.

use std::borrow::Cow;
use std::fmt;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::python::PyError;

/// An object as it came: keys in order, values unread.
pub(super) struct Dict<'a>(pub(super) Vec<(Cow<'a, str>, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Dict<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Pairs;
        impl<'de> Visitor<'de> for Pairs {
            type Value = Dict<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut pairs = Vec::with_capacity(40);
                while let Some(Key(key)) = map.next_key()? {
                    pairs.push((key, map.next_value()?));
                }
                Ok(Dict(pairs))
            }
        }
        deserializer.deserialize_map(Pairs)
    }
}

/// A key, borrowed unless it holds escapes.
#[derive(Deserialize)]
struct Key<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Dict<'a> {
    /// The value of `key`; of a repeated key the last, as in Python.
    pub(super) fn get(&self, key: &str) -> Option<&'a RawValue> {
        self.0.iter().rev().find(|(name, _)| name == key).map(|(_, value)| *value)
    }

    /// The value of `key`.
    pub(super) fn need(&self, key: &str) -> Result<&'a RawValue, PyError> {
        self.get(key).ok_or_else(|| PyError::key(key))
    }

    /// The value of `key`, which the service works on as text.
    pub(super) fn text(&self, key: &str) -> Result<Cow<'a, str>, PyError> {
        text(self.need(key)?)
    }

    /// The value of `key` as what `str()` makes of it.
    pub(super) fn str_of(&self, key: &str) -> Result<Cow<'a, str>, PyError> {
        let raw = self.need(key)?;
        text(raw).or_else(|_| Ok(Cow::Borrowed(raw.get())))
    }
}

/// A value that must be text.
pub(super) fn text(raw: &RawValue) -> Result<Cow<'_, str>, PyError> {
    let json = raw.get();
    let inner = json.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
    match inner {
        Some(inner) if !inner.contains('\\') => Ok(Cow::Borrowed(inner)),
        _ => serde_json::from_str::<String>(json)
            .map(Cow::Owned)
            .map_err(|_| PyError::new("TypeError", "cannot concatenate 'str' and other objects")),
    }
}

/// Writes `text` as a JSON string.
pub(super) fn write_text(out: &mut Vec<u8>, text: &str) {
    // Writing to a Vec does not fail.
    let _ = serde_json::to_writer(out, text);
}
