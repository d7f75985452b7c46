//! What SAP B1 makes of a document, computed from the document alone.

use std::collections::BTreeMap;

use datawald_backoffice::NativeOrder;
use datawald_core::model::Money;
use datawald_core::{Error, Result};
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::places::Places;
use crate::settings::TaxRounding;
use crate::{B1Settings, fields};

const OPERATION: &str = "compute document total";

/// The amounts of a document.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Amounts {
    /// The sum of the lines.
    pub(super) lines: Money,
    /// The discount percentage.
    pub(super) percent: Decimal,
    /// The document discount.
    pub(super) discount: Money,
    /// Tax on the lines.
    pub(super) tax: Money,
    /// Expenses before tax.
    pub(super) freight: Money,
    /// Tax on expenses.
    pub(super) freight_tax: Money,
    /// The codes of the lines that are taxed.
    pub(super) codes: BTreeMap<String, Decimal>,
}

impl Amounts {
    /// All tax.
    pub(super) fn all_tax(&self) -> Money {
        self.tax + self.freight_tax
    }

    /// The document's total.
    pub(super) fn total(&self) -> Money {
        self.lines - self.discount + self.freight + self.all_tax()
    }
}

/// Computes a document's amounts with `rates` by tax code, each rounded to the decimals of its currency.
///
/// # Errors
/// Rejected for values that are no numbers, or that are too large, and for tax codes that SAP B1 does not have.
pub(super) fn amounts(settings: &B1Settings, doc: &NativeOrder, rates: &BTreeMap<String, Decimal>) -> Result<Amounts> {
    let currency = doc.get(fields::DOC_CURRENCY).and_then(Value::as_str).unwrap_or(&settings.company_currency);
    let places = Places::of(settings, currency);
    let mut sums = Amounts { percent: optional(&doc.header, "", fields::DISCOUNT_PERCENT)?, ..Amounts::default() };
    let mut by_code: BTreeMap<String, Money> = BTreeMap::new();
    let mut by_line: Vec<(Money, Decimal)> = Vec::with_capacity(doc.lines.len());
    for (i, line) in doc.lines.iter().enumerate() {
        let path = format!("DocumentLines[{i}].");
        let total = match line.get(fields::LINE_TOTAL) {
            Some(_) => required(&line.fields, &path, fields::LINE_TOTAL)?,
            None => {
                let quantity = required(&line.fields, &path, fields::QUANTITY)?;
                let price = required(&line.fields, &path, fields::UNIT_PRICE)?;
                quantity.checked_mul(price).ok_or_else(|| too_large(&path))?
            }
        };
        let total = places.round(total);
        let (code, rate) = rate_of(&line.fields, &path, rates)?;
        sums.lines = sums.lines.checked_add(total).ok_or_else(|| too_large(&path))?;
        *by_code.entry(code.clone()).or_default() += total;
        by_line.push((total, rate));
        sums.codes.insert(code, rate);
    }
    sums.discount = places.round(share(sums.lines, sums.percent)?);
    let kept = Decimal::ONE_HUNDRED - sums.percent;
    match settings.rounding {
        TaxRounding::PerCode => {
            for (code, total) in &by_code {
                sums.tax += places.round(tax(*total, kept, sums.codes.get(code).copied().unwrap_or_default())?);
            }
        }
        TaxRounding::PerLine => {
            for (total, rate) in by_line {
                sums.tax += places.round(tax(total, kept, rate)?);
            }
        }
    }
    if let Some(Value::Array(expenses)) = doc.get(fields::EXPENSES) {
        for (i, expense) in expenses.iter().enumerate() {
            let path = format!("DocumentAdditionalExpenses[{i}].");
            let Some(parts) = expense.as_object() else { return Err(no_number(&path)) };
            let freight = places.round(required(parts, &path, fields::LINE_TOTAL)?);
            let (_, rate) = rate_of(parts, &path, rates)?;
            sums.freight += freight;
            sums.freight_tax += places.round(tax(freight, Decimal::ONE_HUNDRED, rate)?);
        }
    }
    Ok(sums)
}

/// `percent` of `amount`.
fn share(amount: Money, percent: Decimal) -> Result<Money> {
    amount.checked_mul(percent).map(|it| it / Decimal::ONE_HUNDRED).ok_or_else(|| too_large(""))
}

/// Tax of `rate` on `kept` percent of `total`, unrounded.
fn tax(total: Money, kept: Decimal, rate: Decimal) -> Result<Money> {
    share(share(total, kept)?, rate)
}

fn rate_of(parts: &Map<String, Value>, path: &str, rates: &BTreeMap<String, Decimal>) -> Result<(String, Decimal)> {
    let field = || format!("{path}{}", fields::TAX_CODE);
    let code = parts.get(fields::TAX_CODE).and_then(Value::as_str).unwrap_or_default();
    if code.is_empty() {
        return Err(Error::invalid(OPERATION, "is missing; SAP B1 needs a tax code").field(field()));
    }
    match rates.get(code) {
        Some(rate) => Ok((code.to_owned(), *rate)),
        None => {
            let message = format!("SAP B1 has no tax code `{code}`: set it up there, or correct it in the settings");
            Err(Error::invalid(OPERATION, message).field(field()))
        }
    }
}

fn required(parts: &Map<String, Value>, path: &str, name: &str) -> Result<Decimal> {
    match parts.get(name) {
        Some(value) => decimal(value).ok_or_else(|| no_number(&format!("{path}{name}"))),
        None => Err(Error::invalid(OPERATION, "is missing").field(format!("{path}{name}"))),
    }
}

fn optional(parts: &Map<String, Value>, path: &str, name: &str) -> Result<Decimal> {
    if parts.contains_key(name) { required(parts, path, name) } else { Ok(Decimal::ZERO) }
}

fn decimal(value: &Value) -> Option<Decimal> {
    // Beyond this no sum of a document overflows, and SAP B1 holds 13 digits before the point.
    crate::number::decimal(value).filter(|number| number.abs() < Decimal::from(10_000_000_000_000_i64))
}

fn no_number(path: &str) -> Error {
    Error::invalid(OPERATION, "is no number that SAP B1 can hold").field(path)
}

fn too_large(path: &str) -> Error {
    Error::invalid(OPERATION, "is too large").field(path.trim_end_matches('.'))
}
