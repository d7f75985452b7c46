//! What SAP B1 makes of an order. Written from SAP B1's rules, and knowing nothing of the agency's own reckoning, so
//! that the two can be compared.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::decimal::cents;
use super::options::TaxRounding;

/// A taxed amount, in the document's currency and to the cent.
pub(super) struct Taxed {
    pub(super) amount: Decimal,
    pub(super) tax_code: String,
    /// In percent.
    pub(super) rate: Decimal,
}

/// What a document comes to, in its currency.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Totals {
    pub(super) discount: Decimal,
    pub(super) tax: Decimal,
    pub(super) total: Decimal,
    /// The tax of each line.
    pub(super) line_taxes: Vec<Decimal>,
    /// The tax of each expense.
    pub(super) expense_taxes: Vec<Decimal>,
}

/// Lines less the document's discount to the cent, plus tax on what is left of each line, plus expenses and their tax,
/// plus the rounding difference. `None` for amounts that no document can have.
pub(super) fn totals(
    lines: &[Taxed],
    discount_percent: Decimal,
    expenses: &[Taxed],
    rounding_difference: Decimal,
    rounding: TaxRounding,
) -> Option<Totals> {
    let left = (Decimal::ONE_HUNDRED - discount_percent) / Decimal::ONE_HUNDRED;
    let mut net = Decimal::ZERO;
    let mut unrounded: BTreeMap<&str, Decimal> = BTreeMap::new();
    let mut line_taxes = Vec::with_capacity(lines.len());
    for line in lines {
        net = cents(net.checked_add(line.amount))?;
        let tax = line.amount.checked_mul(left)?.checked_mul(line.rate)? / Decimal::ONE_HUNDRED;
        let of_code = unrounded.entry(&line.tax_code).or_default();
        *of_code = of_code.checked_add(tax)?;
        line_taxes.push(cents(Some(tax))?);
    }
    let mut tax = Decimal::ZERO;
    match rounding {
        TaxRounding::PerLine => {
            for of_line in &line_taxes {
                tax = cents(tax.checked_add(*of_line))?;
            }
        }
        TaxRounding::PerCode => {
            for of_code in unrounded.into_values() {
                tax = cents(tax.checked_add(cents(Some(of_code))?))?;
            }
        }
    }
    let discount = cents(net.checked_mul(discount_percent).map(|product| product / Decimal::ONE_HUNDRED))?;
    let mut total = cents((net - discount).checked_add(tax))?;
    let mut expense_taxes = Vec::with_capacity(expenses.len());
    for expense in expenses {
        let of_expense = cents(expense.amount.checked_mul(expense.rate).map(|product| product / Decimal::ONE_HUNDRED))?;
        total = cents(total.checked_add(expense.amount + of_expense))?;
        tax = cents(tax.checked_add(of_expense))?;
        expense_taxes.push(of_expense);
    }
    let total = cents(total.checked_add(rounding_difference))?;
    Some(Totals { discount, tax, total, line_taxes, expense_taxes })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taxed(amount: &str, tax_code: &str, rate: &str) -> Taxed {
        Taxed { amount: amount.parse().unwrap(), tax_code: tax_code.into(), rate: rate.parse().unwrap() }
    }

    fn total(lines: &[Taxed], percent: &str, expenses: &[Taxed], rounding: TaxRounding) -> String {
        totals(lines, percent.parse().unwrap(), expenses, Decimal::ZERO, rounding).unwrap().total.to_string()
    }

    #[test]
    fn totals_that_real_shops_charged() {
        let per_code = TaxRounding::PerCode;
        let two = [taxed("138", "CA", "8.25"), taxed("224", "CA", "8.25")];
        assert_eq!(total(&two, "0", &[taxed("5", "EX", "0")], per_code), "396.87");
        let discounted = [taxed("69", "CA", "8.25"), taxed("224", "CA", "8.25")];
        assert_eq!(total(&discounted, "20", &[], per_code), "253.74");
        assert_eq!(total(&[taxed("22", "PL", "23")], "15", &[taxed("5", "EX", "0")], per_code), "28.00");
        let virginia = [taxed("14", "VA", "5.3"), taxed("104", "VA", "5.3")];
        assert_eq!(total(&virginia, "0", &[taxed("18.06", "EX", "0")], per_code), "142.31");
    }

    #[test]
    fn rounding_per_line_and_per_code_differ() {
        let rows = [taxed("0.50", "A", "5"), taxed("0.50", "A", "5")];
        assert_eq!(total(&rows, "0", &[], TaxRounding::PerLine), "1.06");
        assert_eq!(total(&rows, "0", &[], TaxRounding::PerCode), "1.05");
    }

    #[test]
    fn no_overflow() {
        let huge = || taxed("999999999999", "A", "1000000");
        assert_eq!(totals(&[huge()], Decimal::ZERO, &[], Decimal::ZERO, TaxRounding::PerCode), None);
        assert_eq!(totals(&[huge(), huge()], Decimal::ZERO, &[], Decimal::ZERO, TaxRounding::PerLine), None);
    }
}
