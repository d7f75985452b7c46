//! Whether SAP B1 will come to what the customer was charged.

use datawald_backoffice::{NativeLine, NativeOrder, Totals};
use datawald_core::model::{Money, Order};
use datawald_core::{Error, Result};
use rust_decimal::Decimal;
use serde_json::Value;

use super::causes::likely_cause;
use super::lines::number;
use super::places::Places;
use super::prepaid;
use super::tax;
use super::total::{Amounts, amounts};
use crate::settings::{DiscountMode, ReconcileMode};
use crate::{B1Codes, B1Settings, Capabilities, fields};

const OPERATION: &str = "reconcile order";

fn rejected(order: &Order, field: &str, message: impl Into<String>) -> Error {
    Error::invalid(OPERATION, message).entity(format!("order {}", order.fe_order_id)).field(field)
}

/// Sets the document's totals, or tells why it cannot be sent.
pub(super) fn reconcile(
    settings: &B1Settings,
    capabilities: &Capabilities,
    codes: &B1Codes,
    order: &Order,
    doc: &mut NativeOrder,
) -> Result<()> {
    if doc.lines.is_empty() {
        return Err(rejected(order, "items", "there are none; SAP B1 makes no order without lines"));
    }
    check_currency(settings, capabilities, codes, order, doc)?;
    check_names(codes, order, doc)?;
    let places = Places::of(settings, &order.currency);
    check_decimals(order, places)?;
    let charged = prepaid::charged(settings, order, doc)?;
    let entity = || format!("order {}", order.fe_order_id);
    let mut sums = amounts(settings, doc, &codes.taxes).map_err(|error| error.or_entity(entity))?;
    let differences =
        |sums: &Amounts| Differences { total: sums.total() - charged, part: part(settings, order, sums, places) };
    let mut off = differences(&sums);
    if !off.largest().is_zero() {
        for other in with_other_codes(settings, order, doc) {
            let Ok(others) = amounts(settings, &other, &codes.taxes) else { continue };
            if differences(&others).largest().is_zero() {
                (*doc, off, sums) = (other, differences(&others), others);
                break;
            }
        }
    }
    if !off.largest().is_zero() {
        let most = places.smallest() * Decimal::from(settings.reconcile.max_cents);
        match settings.reconcile.mode {
            _ if off.largest() > most => return Err(differs(settings, order, &sums, charged, &off)),
            ReconcileMode::Reject => return Err(differs(settings, order, &sums, charged, &off)),
            ReconcileMode::Tolerance if !off.total.is_zero() => {
                let more = if off.total > Decimal::ZERO { "above" } else { "below" };
                let by = places.text(off.total.abs());
                add_note(doc, &format!("SAP B1's total is {by} {more} what the customer was charged"));
            }
            ReconcileMode::RoundingLine if !off.total.is_zero() => {
                add_rounding_line(settings, codes, order, doc, &sums, charged, &off)?;
            }
            // The total is right, and the difference in a part of it is one that is put up with.
            ReconcileMode::Tolerance | ReconcileMode::RoundingLine => {}
        }
    }
    let total = amounts(settings, doc, &codes.taxes).map_err(|error| error.or_entity(entity))?.total();
    doc.totals = Some(Totals { document: total, charged });
    Ok(())
}

/// The document with other tax codes where rounding leaves more than one: no field tells the rate on freight, and a line that is so
/// little that the shop has no tax on it may be exempt or of the rate that is told of it.
fn with_other_codes(settings: &B1Settings, order: &Order, doc: &NativeOrder) -> Vec<NativeOrder> {
    let mut told = doc.clone();
    let lines = doc.lines.len().saturating_sub(order.items.len());
    for (line, item) in told.lines.iter_mut().skip(lines).zip(&order.items) {
        let same = line.get(fields::ITEM_CODE).and_then(Value::as_str) == Some(item.sku.as_str());
        if let Some(code) =
            tax::told_code(settings, order, item).filter(|_| same && item.discount_amt <= item.sub_total)
        {
            line.set(fields::TAX_CODE, code);
        }
    }
    let codes = tax::freight_codes(settings, order);
    let with_codes = |doc: &NativeOrder| -> Vec<NativeOrder> {
        codes.iter().filter_map(|code| with_freight_code(settings, doc, code)).collect()
    };
    let mut others = with_codes(doc);
    if told != *doc {
        others.push(told.clone());
        others.extend(with_codes(&told));
    }
    others
}

/// The document with another tax code of freight, which is an expense or the first line; `None` if there is no freight.
fn with_freight_code(settings: &B1Settings, doc: &NativeOrder, code: &str) -> Option<NativeOrder> {
    let mut doc = doc.clone();
    if let Some(expense) = doc.header.get_mut(fields::EXPENSES).and_then(|expenses| expenses.get_mut(0)) {
        expense.as_object_mut()?.insert(fields::TAX_CODE.into(), code.into());
        return Some(doc);
    }
    let item_code = settings.freight.item_code.as_deref()?;
    let line = doc.lines.first_mut()?;
    if line.get(fields::ITEM_CODE).and_then(Value::as_str) != Some(item_code) {
        return None;
    }
    line.set(fields::TAX_CODE, code);
    Some(doc)
}

/// What SAP B1 would come to, less what the shop has.
struct Differences {
    total: Money,
    /// A part that differs: its field, SAP B1's amount and the shop's.
    part: Option<(&'static str, Money, Money)>,
}

impl Differences {
    fn largest(&self) -> Money {
        let part = self.part.map(|(_, b1, shop)| b1.saturating_sub(shop).abs()).unwrap_or_default();
        self.total.abs().max(part)
    }
}

/// The first part that differs by one in the last decimal or more; the shop may have more decimals in it than SAP B1.
fn part(settings: &B1Settings, order: &Order, sums: &Amounts, places: Places) -> Option<(&'static str, Money, Money)> {
    let tax = ("tax_amt", sums.all_tax(), order.tax_amt);
    let discount = (settings.discount == DiscountMode::Document)
        .then(|| ("discount_amt", sums.discount, order.discount_amt.abs()));
    let by_line = settings.discount == DiscountMode::Lines;
    let off_lines = if by_line { order.discount_amt.abs() } else { Decimal::ZERO };
    let freight = if sums.freight.is_zero() { order.shipping_amt } else { Decimal::ZERO };
    let goods = ("sub_total", sums.lines, order.sub_total.saturating_sub(off_lines).saturating_add(freight));
    let differs = |b1: Money, shop: Money| b1.saturating_sub(shop).abs() >= places.smallest();
    [Some(tax), discount, Some(goods)].into_iter().flatten().find(|(_, b1, shop)| differs(*b1, *shop))
}

/// What was charged or paid must be an amount that SAP B1 can hold: to round it would make another of it.
fn check_decimals(order: &Order, places: Places) -> Result<()> {
    let amounts = [
        ("grand_total", order.grand_total),
        ("giftcard_amt", order.giftcard_amt),
        ("storecredit_amt", order.storecredit_amt),
        ("points_amt", order.points_amt),
    ];
    match amounts.into_iter().find(|(_, amount)| !places.holds(*amount)) {
        None => Ok(()),
        Some((field, amount)) => {
            let message = format!(
                "is {} {currency}, and SAP B1 has amounts in {currency} {}: correct the amount in the shop, or if the \
                 company has more decimals, tell how many in `currency_decimals`",
                number(amount),
                places.words(),
                currency = order.currency
            );
            Err(rejected(order, field, message))
        }
    }
}

fn check_currency(
    settings: &B1Settings,
    capabilities: &Capabilities,
    codes: &B1Codes,
    order: &Order,
    doc: &NativeOrder,
) -> Result<()> {
    let currency = doc.get(fields::DOC_CURRENCY).and_then(Value::as_str).unwrap_or(&settings.company_currency);
    if let Some(known) = codes.currencies.as_ref().filter(|known| !known.iter().any(|code| code == currency)) {
        let message = format!(
            "is {currency}, which SAP B1 has no currency for (it has: {}): set it up there, or name its code in \
             `currency_codes`",
            known.join(", ")
        );
        return Err(rejected(order, fields::DOC_CURRENCY, message));
    }
    if capabilities.foreign_currency || currency == settings.company_currency {
        return Ok(());
    }
    let message = format!(
        "is {currency}, and {} makes documents in the company's main currency {} only",
        capabilities.name, settings.company_currency
    );
    Err(rejected(order, fields::DOC_CURRENCY, message))
}

/// Names that SAP B1 does not have would fail the order there, with less to go by.
fn check_names(codes: &B1Codes, order: &Order, doc: &NativeOrder) -> Result<()> {
    let freight = doc.get(fields::EXPENSES).and_then(|expenses| expenses.get(0)?.get(fields::EXPENSE_CODE));
    let checks = [
        ("DocumentAdditionalExpenses[0].ExpenseCode", freight, &codes.expenses, "freight", "freight.expense_name"),
        (
            fields::TRANSPORTATION_CODE,
            doc.get(fields::TRANSPORTATION_CODE),
            &codes.transports,
            "way of transport",
            "transport",
        ),
        (fields::PAYMENT_METHOD, doc.get(fields::PAYMENT_METHOD), &codes.payments, "way of payment", "payment"),
    ];
    for (field, value, known, what, key) in checks {
        let Some(Value::String(name)) = value else { continue };
        if !known.contains(name) {
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            let message = format!(
                "SAP B1 has no {what} `{name}` (it has: {known}): set it up there, or correct `{key}` in the settings"
            );
            return Err(rejected(order, field, message));
        }
    }
    Ok(())
}

fn differs(settings: &B1Settings, order: &Order, sums: &Amounts, charged: Money, off: &Differences) -> Error {
    let places = Places::of(settings, &order.currency);
    let cause = likely_cause(settings, order, sums, off.total);
    let difference = |off: Money| format!("{}{}", if off > Decimal::ZERO { "+" } else { "" }, places.text(off));
    match off.part {
        Some((field, b1, shop)) if off.total.is_zero() => {
            let message = format!(
                "SAP B1 would make {} of it, the shop has {} {} (difference {}), though the totals are equal. Likely cause: \
                 {cause}",
                places.text(b1),
                number(shop),
                order.currency,
                difference(b1.saturating_sub(shop)),
            );
            rejected(order, field, message)
        }
        _ => {
            let paid = order.paid_amt.filter(|paid| !paid.is_zero());
            let paid = paid.map(|paid| format!(", of which {} {} was paid", number(paid), order.currency));
            let message = format!(
                "SAP B1 would make {} of it, the customer was charged {} {}{} (difference {}). Likely cause: {cause}",
                places.text(sums.total()),
                places.text(charged),
                order.currency,
                paid.unwrap_or_default(),
                difference(off.total),
            );
            rejected(order, "grand_total", message)
        }
    }
}

/// Adds a line that makes up for the difference; the document discount is taken off it like off any other.
fn add_rounding_line(
    settings: &B1Settings,
    codes: &B1Codes,
    order: &Order,
    doc: &mut NativeOrder,
    sums: &Amounts,
    charged: Money,
    off: &Differences,
) -> Result<()> {
    let places = Places::of(settings, &order.currency);
    let (Some(item_code), Some(exempt)) = (&settings.reconcile.item_code, &settings.exempt_code) else {
        return Err(Error::config(OPERATION, "a rounding line needs `reconcile.item_code` and `exempt_code`"));
    };
    let missing = charged - sums.total();
    let kept = Decimal::ONE_HUNDRED - sums.percent;
    let grossed_up =
        missing.checked_mul(Decimal::ONE_HUNDRED).and_then(|it| it.checked_div(kept)).map(|it| places.round(it));
    let Some(guess) = grossed_up else { return Err(differs(settings, order, sums, charged, off)) };
    for line_total in [guess, guess + places.smallest(), guess - places.smallest()] {
        let mut line = NativeLine::default();
        line.set(fields::ITEM_CODE, item_code.as_str());
        line.set(fields::QUANTITY, "1");
        line.set(fields::UNIT_PRICE, number(line_total));
        line.set(fields::TAX_CODE, exempt.as_str());
        line.set(fields::LINE_TOTAL, places.text(line_total));
        doc.lines.push(line);
        if amounts(settings, doc, &codes.taxes)?.total() == charged {
            add_note(
                doc,
                &format!("a rounding line of {} makes up for the difference in total", places.text(line_total)),
            );
            return Ok(());
        }
        doc.lines.pop();
    }
    Err(differs(settings, order, sums, charged, off))
}

pub(super) fn add_note(doc: &mut NativeOrder, note: &str) {
    if !doc.note.is_empty() {
        doc.note.push_str("; ");
    }
    doc.note.push_str(note);
}
