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

/// What a document comes to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub(super) total: Decimal,
    /// The document discount.
    pub(super) discount: Decimal,
    /// All tax.
    pub(super) tax: Decimal,
    /// Expenses before tax.
    pub(super) freight: Decimal,
}

/// Counts in the smallest coin of a currency of so many decimals; half a coin is a whole one, away from zero.
struct Coins(u32);

impl Coins {
    fn of(&self, amount: Decimal) -> Option<i128> {
        let coins = amount.checked_mul(Decimal::from(10_u64.checked_pow(self.0)?))?;
        coins.round_dp_with_strategy(0, RoundingStrategy::MidpointAwayFromZero).to_i128()
    }

    fn amount(&self, coins: i128) -> Option<Decimal> {
        i64::try_from(coins).ok().map(|coins| Decimal::new(coins, self.0))
    }
}

/// The document's total: rows, less the document discount, plus tax on what is left of each row, plus freight and its tax;
/// each in whole coins. `None` for amounts that no document can have.
pub(super) fn document_total(
    rows: &[Row<'_>],
    discount_percent: Decimal,
    freight: Option<&Row<'_>>,
    rounding: TaxRounding,
    decimals: u32,
) -> Option<Sums> {
    let coins = Coins(decimals);
    let percent = discount_percent.round_dp_with_strategy(6, RoundingStrategy::MidpointAwayFromZero);
    let left = Decimal::ONE - percent / Decimal::ONE_HUNDRED;
    let mut net: i128 = 0;
    let mut tax: i128 = 0;
    let mut unrounded: BTreeMap<&str, Decimal> = BTreeMap::new();
    for row in rows {
        let amount = coins.of(row.amount)?;
        net = net.checked_add(amount)?;
        let taxed = coins.amount(amount)?.checked_mul(left)?;
        let row_tax = taxed.checked_mul(row.rate)? / Decimal::ONE_HUNDRED;
        match rounding {
            TaxRounding::PerLine => tax += coins.of(row_tax)?,
            TaxRounding::PerCode => *unrounded.entry(row.tax_code).or_default() += row_tax,
        }
    }
    for sum in unrounded.into_values() {
        tax += coins.of(sum)?;
    }
    let discount = coins.of(coins.amount(net)?.checked_mul(percent)? / Decimal::ONE_HUNDRED)?;
    let mut of_freight: i128 = 0;
    if let Some(freight) = freight {
        of_freight = coins.of(freight.amount)?;
        let taxed = coins.amount(of_freight)?;
        tax += coins.of(taxed.checked_mul(freight.rate)? / Decimal::ONE_HUNDRED)?;
    }
    Some(Sums {
        total: coins.amount(net - discount + of_freight + tax)?,
        discount: coins.amount(discount)?,
        tax: coins.amount(tax)?,
        freight: coins.amount(of_freight)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(amount: &str, tax_code: &'static str, rate: &str) -> Row<'static> {
        Row { amount: amount.parse().unwrap(), tax_code, rate: rate.parse().unwrap() }
    }

    fn total(rows: &[Row<'_>], percent: &str, freight: Option<Row<'_>>, rounding: TaxRounding) -> String {
        document_total(rows, percent.parse().unwrap(), freight.as_ref(), rounding, 2).unwrap().total.to_string()
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
    fn other_decimals() {
        let rows = [row("9.125", "A", "5")];
        let of = |decimals| document_total(&rows, Decimal::ZERO, None, TaxRounding::PerCode, decimals).unwrap();
        assert_eq!([0, 2, 3].map(|decimals| of(decimals).total.to_string()), ["9", "9.59", "9.581"]);
        assert_eq!([0, 2, 3].map(|decimals| of(decimals).tax.to_string()), ["0", "0.46", "0.456"]);
    }

    #[test]
    fn no_overflow() {
        let huge = Row { amount: Decimal::new(i64::MAX, 0), tax_code: "A", rate: Decimal::ONE_HUNDRED };
        assert_eq!(document_total(&[huge], Decimal::ZERO, None, TaxRounding::PerCode, 2), None);
    }
}
