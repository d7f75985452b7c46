//! Numbers in and out of JSON, as the server's are: decimal inside, binary floating point outside.

use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::Value;

/// More than any field of SAP B1 holds. Products and sums of a few of these are far from what a `Decimal` holds.
const MOST: i64 = 1_000_000_000_000;

/// A number, or a text that is one: both are taken. To six places, as SAP B1 keeps them.
pub(super) fn decimal(value: &Value) -> Option<Decimal> {
    let number = crate::number::decimal(value)?;
    (number.abs() < Decimal::from(MOST)).then(|| round(number, 6))
}

/// Half away from zero.
pub(super) fn round(number: Decimal, places: u32) -> Decimal {
    number.round_dp_with_strategy(places, RoundingStrategy::MidpointAwayFromZero)
}

/// To so many places, if that can be an amount of a document.
pub(super) fn amount(amount: Option<Decimal>, places: u32) -> Option<Decimal> {
    amount.map(|amount| round(amount, places)).filter(|amount| amount.abs() < Decimal::from(MOST))
}

/// As JSON.
pub(super) fn number(number: Decimal) -> Value {
    let mut number = number.normalize();
    if number.is_zero() {
        number = Decimal::ZERO;
    }
    number.to_string().parse::<serde_json::Number>().map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_come_as_numbers_or_texts() {
        for (value, expected) in
            [(json!("100"), "100"), (json!(12.5), "12.5"), (json!("1e2"), "100"), (json!(0.123_456_78), "0.123457")]
        {
            assert_eq!(decimal(&value), Some(expected.parse().unwrap()), "{value}");
        }
        for value in [json!("1,5"), json!("x"), json!(true), json!(null), json!("1e99"), json!("9e27"), json!([])] {
            assert_eq!(decimal(&value), None, "{value}");
        }
        assert_eq!(number("-0.00".parse().unwrap()), json!(0));
        assert_eq!(number("12.50".parse().unwrap()).to_string(), "12.5");
    }
}
