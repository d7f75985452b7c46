//! What SAP B1 makes of an order. Written from SAP B1's rules, and knowing nothing of the agency's own reckoning, so that
//! the two can be compared.

use std::collections::BTreeMap;

use rust_decimal::prelude::ToPrimitive;
use rust_decimal::{Decimal, RoundingStrategy};

use super::options::TaxRounding;

/// A taxed amount before discount.
pub(super) struct Row<'a> {
    pub(super) amount: Decimal,
    pub(super) tax_code: &'a str,
    pub(super) rate: Decimal,
}

/// Rounds half a cent away from zero, to whole cents.
fn cents(amount: Decimal) -> Option<i128> {
    (amount * Decimal::ONE_HUNDRED).round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero).to_i128()
}

/// The document's total: rows to the cent, less the document discount to the cent, plus tax on what is left of each row,
/// plus freight and its tax. `None` for amounts that no document can have.
pub(super) fn document_total(
    rows: &[Row<'_>],
    discount_percent: Decimal,
    freight: Option<&Row<'_>>,
    rounding: TaxRounding,
) -> Option<Decimal> {
    let percent = discount_percent.round_dp_with_strategy(6, RoundingStrategy::MidpointAwayFromZero);
    let left = Decimal::ONE - percent / Decimal::ONE_HUNDRED;
    let mut net: i128 = 0;
    let mut tax: i128 = 0;
    let mut unrounded: BTreeMap<&str, Decimal> = BTreeMap::new();
    for row in rows {
        let amount = cents(row.amount)?;
        net = net.checked_add(amount)?;
        let taxed = Decimal::from_i128_with_scale(amount, 2).checked_mul(left)?;
        let row_tax = taxed.checked_mul(row.rate)? / Decimal::ONE_HUNDRED;
        match rounding {
            TaxRounding::PerLine => tax += cents(row_tax)?,
            TaxRounding::PerCode => *unrounded.entry(row.tax_code).or_default() += row_tax,
        }
    }
    for sum in unrounded.into_values() {
        tax += cents(sum)?;
    }
    let discount = cents(Decimal::from_i128_with_scale(net, 2).checked_mul(percent)? / Decimal::ONE_HUNDRED)?;
    let mut total = net - discount + tax;
    if let Some(freight) = freight {
        let amount = cents(freight.amount)?;
        let taxed = Decimal::from_i128_with_scale(amount, 2);
        total += amount + cents(taxed.checked_mul(freight.rate)? / Decimal::ONE_HUNDRED)?;
    }
    i64::try_from(total).ok().map(|total| Decimal::new(total, 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(amount: &str, tax_code: &'static str, rate: &str) -> Row<'static> {
        Row { amount: amount.parse().unwrap(), tax_code, rate: rate.parse().unwrap() }
    }

    fn total(rows: &[Row<'_>], percent: &str, freight: Option<Row<'_>>, rounding: TaxRounding) -> String {
        document_total(rows, percent.parse().unwrap(), freight.as_ref(), rounding).unwrap().to_string()
    }

    #[test]
    fn totals_that_real_shops_charged() {
        let per_code = TaxRounding::PerCode;
        let two = [row("138", "CA", "8.25"), row("224", "CA", "8.25")];
        assert_eq!(total(&two, "0", Some(row("5", "EX", "0")), per_code), "396.87");
        let discounted = [row("69", "CA", "8.25"), row("224", "CA", "8.25")];
        assert_eq!(total(&discounted, "20", None, per_code), "253.74");
        assert_eq!(total(&[row("22", "PL", "23")], "15", Some(row("5", "EX", "0")), per_code), "28.00");
        let virginia = [row("14", "VA", "5.3"), row("104", "VA", "5.3")];
        assert_eq!(total(&virginia, "0", Some(row("18.06", "EX", "0")), per_code), "142.31");
    }

    #[test]
    fn rounding_per_line_and_per_code_differ() {
        let rows = [row("0.50", "A", "5"), row("0.50", "A", "5")];
        assert_eq!(total(&rows, "0", None, TaxRounding::PerLine), "1.06");
        assert_eq!(total(&rows, "0", None, TaxRounding::PerCode), "1.05");
    }

    #[test]
    fn no_overflow() {
        let huge = Row { amount: Decimal::new(i64::MAX, 0), tax_code: "A", rate: Decimal::ONE_HUNDRED };
        assert_eq!(document_total(&[huge], Decimal::ZERO, None, TaxRounding::PerCode), None);
    }
}
