//! Whether SAP B1 will come to what the customer was charged.

use datawald_backoffice::{NativeLine, NativeOrder, Totals};
use datawald_core::model::{Money, Order, round_cents};
use datawald_core::{Error, Result};
use rust_decimal::Decimal;
use serde_json::Value;

use super::causes::likely_cause;
use super::lines::{amount, number};
use super::tax::CENT;
use super::total::{Amounts, amounts};
use crate::settings::{PrepaidRule, ReconcileMode};
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
    let prepaid = order.giftcard_amt.abs() + order.storecredit_amt.abs();
    let charged = charged(settings, order, doc, prepaid)?;
    let entity = || format!("order {}", order.fe_order_id);
    let sums = amounts(doc, &codes.taxes, settings.rounding).map_err(|error| error.or_entity(entity))?;
    let off = sums.total() - charged;
    if !off.is_zero() {
        match settings.reconcile.mode {
            _ if off.abs() > CENT * Decimal::from(settings.reconcile.max_cents) => {
                return Err(differs(settings, order, &sums, charged));
            }
            ReconcileMode::Reject => return Err(differs(settings, order, &sums, charged)),
            ReconcileMode::Tolerance => {
                let (more, by) = (if off > Decimal::ZERO { "above" } else { "below" }, amount(off.abs()));
                add_note(doc, &format!("SAP B1's total is {by} {more} what the customer was charged"));
            }
            ReconcileMode::RoundingLine => add_rounding_line(settings, codes, order, doc, &sums, charged)?,
        }
    }
    let total = amounts(doc, &codes.taxes, settings.rounding).map_err(|error| error.or_entity(entity))?.total();
    doc.totals = Some(Totals { document: total, charged });
    Ok(())
}

/// What the document must come to.
fn charged(settings: &B1Settings, order: &Order, doc: &mut NativeOrder, prepaid: Money) -> Result<Money> {
    if prepaid.is_zero() {
        return Ok(round_cents(order.grand_total));
    }
    let (field, what) =
        if order.giftcard_amt.is_zero() { ("storecredit_amt", "store credit") } else { ("giftcard_amt", "gift card") };
    let by = amount(prepaid);
    match settings.prepaid {
        PrepaidRule::Reject => {
            let message = format!(
                "{by} {} was paid by {what}, which a SAP B1 order does not show: enter the order by hand, or set \
                 `prepaid = \"payment\"` to write the whole total and book the {what} as a payment",
                order.currency
            );
            Err(rejected(order, field, message))
        }
        PrepaidRule::Payment => {
            add_note(doc, &format!("{by} {} of it was paid by {what}: book it as a payment", order.currency));
            Ok(round_cents(order.grand_total) + round_cents(prepaid))
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

fn differs(settings: &B1Settings, order: &Order, sums: &Amounts, charged: Money) -> Error {
    let off = sums.total() - charged;
    let message = format!(
        "SAP B1 would make {} of it, the customer was charged {} {} (difference {}{}). Likely cause: {}",
        amount(sums.total()),
        amount(charged),
        order.currency,
        if off > Decimal::ZERO { "+" } else { "" },
        amount(off),
        likely_cause(settings, order, sums, off),
    );
    rejected(order, "grand_total", message)
}

/// Adds a line that makes up for the difference; the document discount is taken off it like off any other.
fn add_rounding_line(
    settings: &B1Settings,
    codes: &B1Codes,
    order: &Order,
    doc: &mut NativeOrder,
    sums: &Amounts,
    charged: Money,
) -> Result<()> {
    let (Some(item_code), Some(exempt)) = (&settings.reconcile.item_code, &settings.exempt_code) else {
        return Err(Error::config(OPERATION, "a rounding line needs `reconcile.item_code` and `exempt_code`"));
    };
    let missing = charged - sums.total();
    let kept = Decimal::ONE_HUNDRED - sums.percent;
    let grossed_up = missing.checked_mul(Decimal::ONE_HUNDRED).and_then(|it| it.checked_div(kept)).map(round_cents);
    let Some(guess) = grossed_up else { return Err(differs(settings, order, sums, charged)) };
    for line_total in [guess, guess + CENT, guess - CENT] {
        let mut line = NativeLine::default();
        line.set(fields::ITEM_CODE, item_code.as_str());
        line.set(fields::QUANTITY, "1");
        line.set(fields::UNIT_PRICE, number(line_total));
        line.set(fields::TAX_CODE, exempt.as_str());
        line.set(fields::LINE_TOTAL, amount(line_total));
        doc.lines.push(line);
        if amounts(doc, &codes.taxes, settings.rounding)?.total() == charged {
            add_note(doc, &format!("a rounding line of {} makes up for the difference in total", amount(line_total)));
            return Ok(());
        }
        doc.lines.pop();
    }
    Err(differs(settings, order, sums, charged))
}

fn add_note(doc: &mut NativeOrder, note: &str) {
    if !doc.note.is_empty() {
        doc.note.push_str("; ");
    }
    doc.note.push_str(note);
}
