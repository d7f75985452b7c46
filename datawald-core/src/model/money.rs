//! Money is decimal.

use std::str::FromStr;

use rust_decimal::{Decimal, RoundingStrategy};

/// An amount, in a currency that stands beside it.
pub type Money = Decimal;

/// Rounds to two decimals, half away from zero: 2.385 becomes 2.39, -2.385 becomes -2.39.
///
/// That is how both sides round amounts: Magento with PHP's `round()`, SAP B1 by its totals accuracy.
///
/// ```
/// use datawald_core::model::{Money, round_cents};
/// assert_eq!(round_cents("2.385".parse()?).to_string(), "2.39");
/// # Ok::<(), rust_decimal::Error>(())
/// ```
pub fn round_cents(amount: Money) -> Money {
    amount.round_dp_with_strategy(2, RoundingStrategy::MidpointAwayFromZero)
}

/// Reads a decimal as systems write it: plain (`12.50`), signed, or with an exponent (`1.0E-6`, as PHP and JSON may).
/// Blanks around it are taken off. `None` for anything else, and for numbers that 28 digits cannot hold.
///
/// ```
/// use datawald_core::model::parse_decimal;
/// assert_eq!(parse_decimal(" 5.0E-1 ").map(|d| d.to_string()), Some("0.50".into()));
/// assert_eq!(parse_decimal("12,50"), None);
/// ```
pub fn parse_decimal(text: &str) -> Option<Decimal> {
    let text = text.trim();
    Decimal::from_str(text).or_else(|_| Decimal::from_scientific(text)).ok()
}
