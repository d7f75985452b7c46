//! Lines and expenses of a document: what they must have, and their amounts.

use rust_decimal::Decimal;
use serde_json::{Map, Value, json};

use super::decimal::{self, decimal, number, round};
use super::error::Refusal;
use super::state::Work;
use super::tables::Part;
use super::total::Taxed;

/// The currency of a document.
pub(super) struct Money {
    pub(super) currency: String,
    /// What one of it is worth in the company's main currency.
    pub(super) rate: Decimal,
    pub(super) foreign: bool,
    /// The decimals of its amounts.
    pub(super) places: u32,
    /// The decimals of amounts in the main currency.
    pub(super) main_places: u32,
}

impl Money {
    /// An amount in the company's main currency.
    pub(super) fn local(&self, amount: Decimal) -> Option<Decimal> {
        decimal::amount(amount.checked_mul(self.rate), self.main_places)
    }

    /// An amount of the main currency in the document's.
    fn foreign(&self, amount: Decimal) -> Option<Decimal> {
        self.own(amount.checked_div(self.rate))
    }

    /// An amount in the document's currency.
    fn own(&self, amount: Option<Decimal>) -> Option<Decimal> {
        decimal::amount(amount, self.places)
    }
}

/// A number of a line, if it has one.
pub(super) fn given(values: &Map<String, Value>, name: &str) -> Option<Decimal> {
    values.get(name).and_then(decimal)
}

pub(super) fn text<'a>(values: &'a Map<String, Value>, name: &str) -> &'a str {
    values.get(name).and_then(Value::as_str).unwrap_or_default()
}

fn overflow() -> Refusal {
    Refusal::data("Numeric overflow  [RDR1.LineTotal]")
}

/// Completes a line; answers its net amount in the document's currency.
pub(super) fn line(
    work: &Work<'_>,
    line: &mut Map<String, Value>,
    at: usize,
    doc_entry: i64,
    money: &Money,
) -> Result<Taxed, Refusal> {
    let options = &work.state.options;
    let item = text(line, "ItemCode").to_owned();
    if item.is_empty() {
        return Err(Refusal::data(format!("Item number is missing  [RDR1.ItemCode][line: {}]", at + 1)));
    }
    let known = work.store.tables.get("Items", &vec![Part::Text(item.clone())]);
    if known.is_none() && options.items.is_some() {
        return Err(Refusal::no_match());
    }
    let quantity = given(line, "Quantity").unwrap_or(Decimal::ONE);
    if quantity <= Decimal::ZERO {
        return Err(Refusal::data(format!("Quantity must be greater than zero  [RDR1.Quantity][line: {}]", at + 1)));
    }
    let discount = given(line, "DiscountPercent").unwrap_or_default();
    if discount > Decimal::ONE_HUNDRED || discount < -Decimal::ONE_HUNDRED {
        return Err(Refusal::data(format!("Invalid discount  [RDR1.DiscPrcnt][line: {}]", at + 1)));
    }
    let left = (Decimal::ONE_HUNDRED - discount) / Decimal::ONE_HUNDRED;

    // A total that is given wins over a price; in a foreign document the one in its own currency does.
    let foreign_total = given(line, "RowTotalFC").filter(|_| money.foreign);
    let total = match (foreign_total, given(line, "LineTotal")) {
        (Some(total), _) => Some(money.own(Some(total)).ok_or_else(overflow)?),
        (None, Some(total)) if money.foreign => Some(money.foreign(total).ok_or_else(overflow)?),
        (None, Some(total)) => Some(money.own(Some(total)).ok_or_else(overflow)?),
        (None, None) => None,
    };
    let unit_price = given(line, "UnitPrice").or_else(|| given(line, "Price"));
    let (amount, unit_price) = match total {
        Some(total) => {
            let price = total.checked_div(quantity).and_then(|price| price.checked_div(left));
            (total, round(price.unwrap_or_default(), 6))
        }
        None => {
            let price = unit_price.unwrap_or_default();
            // Both are below 10^12.
            (
                money.own(price.checked_mul(quantity).and_then(|full| full.checked_mul(left))).ok_or_else(overflow)?,
                price,
            )
        }
    };
    let tax_code = match text(line, "TaxCode") {
        "" => text(line, "VatGroup").to_owned(),
        code => code.to_owned(),
    };
    let rate = match (tax_code.as_str(), text(line, "TaxLiable")) {
        (_, "tNO") | ("", _) => Decimal::ZERO,
        (code, _) => rate(work, code, &format!("[RDR1.TaxCode][line: {}]", at + 1))?,
    };
    let local = money.local(amount).ok_or_else(overflow)?;
    let name = known.map(|row| row.values().remove("ItemName").unwrap_or_default());
    let name = name.filter(|name| !name.is_null()).unwrap_or_else(|| item.clone().into());
    line.entry("RemainingOpenQuantity").or_insert_with(|| number(quantity));
    line.entry("LineNum").or_insert_with(|| json!(at));
    line.entry("ItemDescription").or_insert(name);
    line.entry("WarehouseCode").or_insert_with(|| json!("01"));
    line.entry("LineStatus").or_insert_with(|| json!("bost_Open"));
    for (name, value) in [
        ("Quantity", number(quantity)),
        ("UnitPrice", number(unit_price)),
        ("Price", number(round(unit_price * left, 6))),
        ("LineTotal", number(local)),
        ("RowTotalFC", number(if money.foreign { amount } else { Decimal::ZERO })),
        ("Currency", json!(money.currency)),
        ("Rate", number(if money.foreign { money.rate } else { Decimal::ZERO })),
        ("TaxPercentagePerRow", number(rate)),
        ("DocEntry", json!(doc_entry)),
        ("VisualOrder", json!(at)),
    ] {
        line.insert(name.to_owned(), value);
    }
    Ok(Taxed { amount, tax_code, rate })
}

/// Completes an expense; answers its net amount in the document's currency.
pub(super) fn expense(
    work: &Work<'_>,
    expense: &mut Map<String, Value>,
    at: usize,
    money: &Money,
) -> Result<Taxed, Refusal> {
    let code = expense.get("ExpenseCode").and_then(Value::as_i64);
    let code = code.ok_or_else(|| Refusal::data("Freight code is missing  [RDR3.ExpnsCode]"))?;
    if work.store.tables.get("AdditionalExpenses", &vec![Part::Int(code)]).is_none() {
        return Err(Refusal::no_match());
    }
    let overflow = || Refusal::data("Numeric overflow  [RDR3.LineTotal]");
    let given = given(expense, "LineTotal").unwrap_or_default();
    let local = decimal::amount(Some(given), money.main_places).ok_or_else(overflow)?;
    // In an expense only the amount in the main currency can be written.
    let amount = if money.foreign { money.foreign(local).ok_or_else(overflow)? } else { local };
    let tax_code = match text(expense, "TaxCode") {
        "" => text(expense, "VatGroup").to_owned(),
        code => code.to_owned(),
    };
    let rate = match (tax_code.as_str(), text(expense, "TaxLiable")) {
        (_, "tNO") | ("", _) => Decimal::ZERO,
        (code, _) => rate(work, code, "[RDR3.TaxCode]")?,
    };
    expense.entry("LineNum").or_insert_with(|| json!(at));
    for (name, value) in [
        ("LineTotal", number(local)),
        ("LineTotalFC", number(if money.foreign { amount } else { Decimal::ZERO })),
        ("TaxPercent", number(rate)),
    ] {
        expense.insert(name.to_owned(), value);
    }
    Ok(Taxed { amount, tax_code, rate })
}

fn rate(work: &Work<'_>, code: &str, place: &str) -> Result<Decimal, Refusal> {
    let rate = work.state.tax_rates.get(code).copied();
    rate.ok_or_else(|| Refusal::data(format!("Invalid tax code '{code}'  {place}")))
}
