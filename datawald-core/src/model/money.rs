//! Money is decimal.

use std::fmt;
use std::str::FromStr;

use rust_decimal::{Decimal, RoundingStrategy};
use serde::de::{Deserialize, Deserializer, Error, Unexpected, Visitor};

/// An amount, in a currency that stands beside it.
pub type Money = Decimal;

/// How many decimals amounts of a currency have (its *minor unit* in ISO 4217): 2 for USD, 0 for JPY, 3 for KWD. Two, too,
/// for a code that the standard does not list or lists without any, as gold.
///
/// The exceptions are those of list one of ISO 4217 as its maintenance agency (SIX) publishes it.
///
/// ```
/// use datawald_core::model::minor_units;
/// assert_eq!(["USD", "JPY", "KWD"].map(minor_units), [2, 0, 3]);
/// ```
pub fn minor_units(currency: &str) -> u32 {
    match currency {
        "BIF" | "CLP" | "DJF" | "GNF" | "ISK" | "JPY" | "KMF" | "KRW" | "PYG" | "RWF" | "UGX" | "UYI" | "VND"
        | "VUV" | "XAF" | "XOF" | "XPF" => 0,
        "BHD" | "IQD" | "JOD" | "KWD" | "LYD" | "OMR" | "TND" => 3,
        "CLF" | "UYW" => 4,
        _ => 2,
    }
}

/// Rounds to so many decimals, half away from zero: with two, 2.385 becomes 2.39 and -2.385 becomes -2.39.
///
/// That is how both sides round amounts: Magento with PHP's `round()`, SAP B1 by the decimals of its amounts.
///
/// ```
/// use datawald_core::model::{Money, minor_units, round_money};
/// assert_eq!(round_money("2.385".parse()?, minor_units("USD")).to_string(), "2.39");
/// assert_eq!(round_money("2.3855".parse()?, minor_units("KWD")).to_string(), "2.386");
/// # Ok::<(), rust_decimal::Error>(())
/// ```
pub fn round_money(amount: Money, decimals: u32) -> Money {
    amount.round_dp_with_strategy(decimals, RoundingStrategy::MidpointAwayFromZero)
}

/// The longest text that is read as a number, in bytes. `Decimal` reads digit by digit, each a call deeper, so that a text
/// of many of them would use the stack up.
const LONGEST: usize = 256;

/// Reads a decimal as systems write it: plain (`12.50`), signed, or with an exponent (`1.0E-6`, as PHP and JSON may).
/// Blanks around it are taken off. `None` for anything else, for numbers that 28 digits cannot hold, and for more than 256
/// characters.
///
/// ```
/// use datawald_core::model::parse_decimal;
/// assert_eq!(parse_decimal(" 5.0E-1 ").map(|d| d.to_string()), Some("0.50".into()));
/// assert_eq!(parse_decimal("12,50"), None);
/// ```
pub fn parse_decimal(text: &str) -> Option<Decimal> {
    let text = text.trim();
    if text.len() > LONGEST || text.contains('_') {
        return None;
    }
    Decimal::from_str(text).or_else(|_| Decimal::from_scientific(text)).ok()
}

/// Reads an amount of a document: text that is a number, or a number of up to fifteen digits.
pub(super) fn amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Money, D::Error> {
    deserializer.deserialize_any(Amount)
}

/// As [`amount`], or nothing.
pub(super) fn optional_amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Money>, D::Error> {
    struct Given(Money);
    impl<'de> Deserialize<'de> for Given {
        fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
            amount(deserializer).map(Given)
        }
    }
    Ok(Option::<Given>::deserialize(deserializer)?.map(|given| given.0))
}

struct Amount;

impl<'de> Visitor<'de> for Amount {
    type Value = Money;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a decimal number")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<Money, E> {
        parse_decimal(text).ok_or_else(|| E::invalid_value(Unexpected::Other("text that is none"), &self))
    }

    fn visit_i64<E: Error>(self, number: i64) -> Result<Money, E> {
        Ok(number.into())
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<Money, E> {
        Ok(number.into())
    }

    /// A number of a document. Binary floating point holds fifteen digits of a decimal number surely; the shortest form of one that
    /// was written with no more gives back what was written.
    fn visit_f64<E: Error>(self, number: f64) -> Result<Money, E> {
        let text = number.to_string();
        let digits = text.trim_start_matches(['-', '0', '.']).trim_end_matches('0').bytes().filter(u8::is_ascii_digit);
        if digits.count() > 15 {
            return Err(E::custom("a number of more than fifteen digits: write the amount as text"));
        }
        self.visit_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_no_numbers() {
        assert_eq!(parse_decimal(&"0".repeat(200)), Some(Decimal::ZERO));
        for long in
            ["0".repeat(1_000_000), "0_0".repeat(10), "0_".repeat(1_000_000), format!("0.{}", "0".repeat(100_000))]
        {
            assert_eq!(parse_decimal(&long), None);
            assert!(amount(&mut serde_json::Deserializer::from_str(&format!("\"{long}\""))).is_err());
        }
    }

    #[test]
    fn amounts_come_as_text_or_number() {
        for text in ["\"12.50\"", "12.50", "1.250e1"] {
            let read = amount(&mut serde_json::Deserializer::from_str(text)).unwrap();
            assert_eq!(read, "12.50".parse().unwrap(), "{text}");
        }
        for text in ["9999999999999.99", "-123456789012345", "0.000001", "1e15", "18446744073709551615"] {
            let read = amount(&mut serde_json::Deserializer::from_str(text)).unwrap();
            assert_eq!(Some(read), parse_decimal(text), "{text}");
        }
        for text in ["12345678901234.567", "123456789012345678901", "0.1234567890123456", "1e300"] {
            assert!(amount(&mut serde_json::Deserializer::from_str(text)).is_err(), "{text}");
        }
        let optional = |text: &str| optional_amount(&mut serde_json::Deserializer::from_str(text));
        assert_eq!(optional("null").unwrap(), None);
        assert_eq!(optional("-3").unwrap(), Some((-3).into()));
        for text in ["\"\"", "\"12,50\"", "{}", "[]", "true", "{\"a\": 1}"] {
            assert!(optional(text).is_err(), "{text}");
        }
    }
}
