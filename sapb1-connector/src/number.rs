//! Numbers in and out of JSON.
//!
//! The Service Layer's amounts are binary floating-point numbers (`Edm.Double` in its `$metadata`). The shortest form of one gives back what
//! was meant, up to fifteen digits; an amount of more digits is refused before it is sent.

use datawald_core::model::parse_decimal;
use rust_decimal::Decimal;
use serde_json::{Number, Value};

/// A number, or text that is one.
pub(crate) fn decimal(value: &Value) -> Option<Decimal> {
    match value {
        Value::Number(number) => parse_decimal(&number.to_string()),
        Value::String(text) => parse_decimal(text),
        _ => None,
    }
}

/// A number that says exactly this; none for one of too many digits.
pub(crate) fn number(decimal: Decimal) -> Option<Number> {
    let number: Number = decimal.to_string().parse().ok()?;
    (parse_decimal(&number.to_string()) == Some(decimal)).then_some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_sent_is_exact() {
        for text in ["0", "-0.01", "12.50", "9999999999999.99", "0.000001", "123456789.123456", "100"] {
            let sent = number(text.parse().unwrap()).unwrap().to_string();
            assert_eq!(sent.parse::<Decimal>().unwrap(), text.parse().unwrap(), "{text}");
        }
        for text in ["12345678901234567.89", "1234567890123.123456", "0.1000000000000000000000001"] {
            assert_eq!(number(text.parse().unwrap()), None, "{text}");
        }
    }

    #[test]
    fn what_is_read_is_what_was_meant() {
        for (json, meant) in
            [("10.8", "10.8"), ("1234567890123.45", "1234567890123.45"), ("-0.005", "-0.005"), ("\"1.50\"", "1.50")]
        {
            assert_eq!(decimal(&serde_json::from_str(json).unwrap()), meant.parse().ok(), "{json}");
        }
        for json in ["true", "null", "[]", "\"x\"", "1e300"] {
            assert_eq!(decimal(&serde_json::from_str(json).unwrap()), None, "{json}");
        }
    }
}
