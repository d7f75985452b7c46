//! Values as Magento writes them. PHP is loose about types: the same field is `0`, `"0.0000"`, `null` or absent, from
//! shop to shop and from order to order. So leaves of a document are kept as the JSON text they came as, and read here,
//! where the field is known: exactly (a number never passes through binary floating point), and with an error that
//! names the field and never the value.

use std::borrow::Cow;

use datawald_core::model::parse_decimal;
use rust_decimal::Decimal;
use serde_json::value::RawValue;

/// A leaf: its JSON text; `None` where it is absent or null.
pub(crate) type Leaf<'a> = Option<&'a RawValue>;

/// What is wrong with which field.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) field: String,
    pub(crate) message: &'static str,
}

impl Wrong {
    pub(crate) fn new(field: impl Into<String>, message: &'static str) -> Self {
        Self { field: field.into(), message }
    }

    /// The same within `parent`.
    pub(crate) fn within(self, parent: &str) -> Self {
        Self { field: format!("{parent}.{}", self.field), message: self.message }
    }
}

const NOT_TEXT: &str = "should be text, is an object, a list or a truth value";
const HALF_A_CHARACTER: &str = "holds half of a character (a surrogate without the other)";
const NO_NUMBER: &str = "should be a number, or a number as text";
pub(crate) const MISSING: &str = "is missing";

/// Text; numbers are taken as they are written. `None` where there is none.
pub(crate) fn text<'a>(leaf: Leaf<'a>, field: &str) -> Result<Option<Cow<'a, str>>, Wrong> {
    let Some(raw) = leaf.map(RawValue::get) else { return Ok(None) };
    match raw.as_bytes().first() {
        Some(b'"') => {
            let inner = &raw[1..raw.len() - 1];
            if !inner.contains('\\') {
                return Ok(Some(Cow::Borrowed(inner)));
            }
            let text = serde_json::from_str::<String>(raw).map_err(|_| Wrong::new(field, HALF_A_CHARACTER))?;
            Ok(Some(Cow::Owned(text)))
        }
        Some(b'-' | b'0'..=b'9') => Ok(Some(Cow::Borrowed(raw))),
        Some(b'n') => Ok(None),
        _ => Err(Wrong::new(field, NOT_TEXT)),
    }
}

/// Text, owned; empty where there is none.
pub(crate) fn string(leaf: Leaf<'_>, field: &str) -> Result<String, Wrong> {
    Ok(text(leaf, field)?.map(Cow::into_owned).unwrap_or_default())
}

/// Text that must be there and not blank.
pub(crate) fn needed_string(leaf: Leaf<'_>, field: &str) -> Result<String, Wrong> {
    match text(leaf, field)? {
        Some(text) if !text.trim().is_empty() => Ok(text.into_owned()),
        _ => Err(Wrong::new(field, MISSING)),
    }
}

/// A decimal, exactly as it is written: a number, or a number as text. `None` where there is none, or empty text.
pub(crate) fn decimal(leaf: Leaf<'_>, field: &str) -> Result<Option<Decimal>, Wrong> {
    let text = match text(leaf, field) {
        Ok(None) => return Ok(None),
        Ok(Some(text)) if text.trim().is_empty() => return Ok(None),
        Ok(Some(text)) => text,
        Err(_) => return Err(Wrong::new(field, NO_NUMBER)),
    };
    parse_decimal(&text).map(Some).ok_or_else(|| Wrong::new(field, NO_NUMBER))
}

/// An amount; nothing is nought.
pub(crate) fn amount(leaf: Leaf<'_>, field: &str) -> Result<Decimal, Wrong> {
    Ok(decimal(leaf, field)?.unwrap_or(Decimal::ZERO))
}

/// An amount that must be there.
pub(crate) fn needed_amount(leaf: Leaf<'_>, field: &str) -> Result<Decimal, Wrong> {
    decimal(leaf, field)?.ok_or_else(|| Wrong::new(field, MISSING))
}

/// A whole number, or one as text; `None` for anything else.
pub(crate) fn unsigned(leaf: Leaf<'_>) -> Option<u64> {
    text(leaf, "").ok()??.trim().parse().ok()
}

/// `1`, `"1"` or `true`.
pub(crate) fn flag(leaf: Leaf<'_>) -> bool {
    leaf.is_some_and(|raw| matches!(raw.get(), "true" | "1" | "\"1\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn leaf(json: &str) -> Box<RawValue> {
        RawValue::from_string(json.to_owned()).unwrap()
    }

    #[test]
    fn decimals_are_exact_in_every_form() {
        let cases = [
            ("0", "0"),
            ("-58.6", "-58.6"),
            (r#""0.0000""#, "0.0000"),
            ("1.0E-4", "0.00010"),
            (r#"" 12.50 ""#, "12.50"),
            ("1234567890123456789.12345", "1234567890123456789.12345"),
            ("0.1", "0.1"),
        ];
        for (json, wanted) in cases {
            let raw = leaf(json);
            assert_eq!(decimal(Some(&raw), "f").unwrap().map(|d| d.to_string()).as_deref(), Some(wanted), "{json}");
        }
        for json in ["null", r#""""#, r#""  ""#] {
            assert_eq!(decimal(Some(&leaf(json)), "f"), Ok(None), "{json}");
        }
        assert_eq!(decimal(None, "f"), Ok(None));
        for json in [r#""12,50""#, "true", "[]", "{}", r#""abc""#, "1e999"] {
            assert_eq!(decimal(Some(&leaf(json)), "f"), Err(Wrong::new("f", NO_NUMBER)), "{json}");
        }
    }

    #[test]
    fn texts() {
        assert_eq!(string(Some(&leaf(r#""a\u00e9\n\"b""#)), "f").unwrap(), "aé\n\"b");
        assert_eq!(string(Some(&leaf("12.50")), "f").unwrap(), "12.50");
        assert_eq!(string(Some(&leaf("null")), "f").unwrap(), "");
        for json in ["true", "[]", "{}"] {
            assert_eq!(string(Some(&leaf(json)), "f"), Err(Wrong::new("f", NOT_TEXT)), "{json}");
        }
        assert_eq!(string(Some(&leaf(r#""\ud83d""#)), "f"), Err(Wrong::new("f", HALF_A_CHARACTER)));
        assert_eq!(needed_string(Some(&leaf(r#"" ""#)), "f"), Err(Wrong::new("f", MISSING)));
    }
}
