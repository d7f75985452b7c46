//! What SAP B1 makes of an order. Written from SAP B1's rules, and knowing nothing of the agency's own reckoning, so
//! that the two can be compared.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::decimal::amount;
use super::options::TaxRounding;

/// A taxed amount, in the document's currency and rounded to its decimals.
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

/// Lines less the document's discount, plus tax on what is left of each line, plus expenses and their tax, plus the rounding
/// difference; each rounded to so many `places`. The tax of the document is the sum of its lines' and expenses'. `None` for
/// amounts that no document can have.
pub(super) fn totals(
    lines: &[Taxed],
    discount_percent: Decimal,
    expenses: &[Taxed],
    rounding_difference: Decimal,
    rounding: TaxRounding,
    places: u32,
) -> Option<Totals> {
    let rounded = |sum: Option<Decimal>| amount(sum, places);
    let left = (Decimal::ONE_HUNDRED - discount_percent) / Decimal::ONE_HUNDRED;
    let (mut net, mut tax) = (Decimal::ZERO, Decimal::ZERO);
    let mut of_codes: BTreeMap<&str, OfCode> = BTreeMap::new();
    let mut line_taxes = Vec::with_capacity(lines.len());
    for line in lines {
        net = rounded(net.checked_add(line.amount))?;
        let exact = line.amount.checked_mul(left)?.checked_mul(line.rate)? / Decimal::ONE_HUNDRED;
        let of_line = match rounding {
            TaxRounding::PerLine => rounded(Some(exact))?,
            // A line has what it adds to the rounded tax of its code.
            TaxRounding::PerCode => {
                let of_code = of_codes.entry(&line.tax_code).or_default();
                of_code.exact = of_code.exact.checked_add(exact)?;
                let before = of_code.rounded;
                of_code.rounded = rounded(Some(of_code.exact))?;
                of_code.rounded - before
            }
        };
        tax = rounded(tax.checked_add(of_line))?;
        line_taxes.push(of_line);
    }
    let discount = rounded(net.checked_mul(discount_percent).map(|product| product / Decimal::ONE_HUNDRED))?;
    let mut total = rounded((net - discount).checked_add(tax))?;
    let mut expense_taxes = Vec::with_capacity(expenses.len());
    for expense in expenses {
        let of_expense =
            rounded(expense.amount.checked_mul(expense.rate).map(|product| product / Decimal::ONE_HUNDRED))?;
        total = rounded(total.checked_add(expense.amount + of_expense))?;
        tax = rounded(tax.checked_add(of_expense))?;
        expense_taxes.push(of_expense);
    }
    let total = rounded(total.checked_add(rounding_difference))?;
    Some(Totals { discount, tax, total, line_taxes, expense_taxes })
}

/// The tax of a code so far.
#[derive(Default)]
struct OfCode {
    exact: Decimal,
    rounded: Decimal,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taxed(amount: &str, tax_code: &str, rate: &str) -> Taxed {
        Taxed { amount: amount.parse().unwrap(), tax_code: tax_code.into(), rate: rate.parse().unwrap() }
    }

    fn total(lines: &[Taxed], percent: &str, expenses: &[Taxed], rounding: TaxRounding) -> String {
        totals(lines, percent.parse().unwrap(), expenses, Decimal::ZERO, rounding, 2).unwrap().total.to_string()
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
    fn a_documents_tax_is_the_sum_of_its_lines() {
        // Three times 0.025 are 0.075: no line has half a cent, and the third makes up for two.
        let rows: Vec<_> = ["0.50"; 3].iter().map(|of| taxed(of, "A", "5")).collect();
        let freight = [taxed("1", "A", "5")];
        for (rounding, taxes, all) in
            [(TaxRounding::PerCode, ["0.03", "0.02", "0.03"], "0.13"), (TaxRounding::PerLine, ["0.03"; 3], "0.14")]
        {
            let totals = totals(&rows, Decimal::ZERO, &freight, Decimal::ZERO, rounding, 2).unwrap();
            assert_eq!(totals.line_taxes.iter().map(ToString::to_string).collect::<Vec<_>>(), taxes);
            assert_eq!(totals.tax.to_string(), all);
            assert_eq!(totals.tax, totals.line_taxes.iter().chain(&totals.expense_taxes).sum());
        }
    }

    #[test]
    fn other_decimals() {
        let rows = [taxed("9.125", "A", "5")];
        let of = |places| totals(&rows, Decimal::ZERO, &[], Decimal::ZERO, TaxRounding::PerLine, places).unwrap();
        assert_eq!(of(3).total.to_string(), "9.581");
        assert_eq!(of(2).tax.to_string(), "0.46");
    }

    #[test]
    fn no_overflow() {
        let huge = || taxed("999999999999", "A", "1000000");
        assert_eq!(totals(&[huge()], Decimal::ZERO, &[], Decimal::ZERO, TaxRounding::PerCode, 2), None);
        assert_eq!(totals(&[huge(), huge()], Decimal::ZERO, &[], Decimal::ZERO, TaxRounding::PerLine, 2), None);
    }
}
