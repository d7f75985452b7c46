//! The rules of a document's header.

use datawald_backoffice::{Freight, NativeAddress, NativeLine, NativeOrder, OrderTerms, Reference};
use datawald_core::model::{Money, Order};
use datawald_core::{Error, Result};
use jiff::civil::Date;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use rust_decimal::{Decimal, RoundingStrategy};
use serde_json::{Map, Value, json};

use super::lines::number;
use super::places::Places;
use crate::settings::DiscountMode;
use crate::{B1Settings, Capabilities, fields};

pub(super) fn rejected(operation: &'static str, order: &Order, field: &str, message: impl Into<String>) -> Error {
    Error::invalid(operation, message).entity(format!("order {}", order.fe_order_id)).field(field)
}

/// Where the shop's number goes.
pub(super) fn reference(settings: &B1Settings, order: &Order) -> Result<Reference> {
    let operation = "make reference";
    let id = &order.fe_order_id;
    let wrong = |message: String| Err(rejected(operation, order, "fe_order_id", message));
    if id.is_empty() {
        return wrong("is missing".into());
    }
    if id.trim() != id || id.chars().any(char::is_control) {
        return wrong("has blanks at its ends or control characters, by which SAP B1 cannot find it again".into());
    }
    let prefix = settings.reference.prefix.get(&order.frontend).map(String::as_str).unwrap_or_default();
    let value = format!("{prefix}{id}");
    let length = value.chars().count();
    if length > fields::NUM_AT_CARD_LIMIT {
        return wrong(format!(
            "has {length} characters with its prefix; SAP B1 holds at most {}",
            fields::NUM_AT_CARD_LIMIT
        ));
    }
    Ok(Reference { field: settings.reference.udf.clone(), value })
}

/// Today (UTC) and the configured days.
pub(super) fn due_date(settings: &B1Settings, now: Timestamp) -> Result<Date> {
    TimeZone::UTC
        .to_datetime(now)
        .date()
        .checked_add(i64::from(settings.due_days).days())
        .map_err(|_| Error::config("compute due date", "lies beyond the calendar").field("due_days"))
}

/// The document discount in percent, to six decimals as SAP B1 holds it.
pub(super) fn discount_percent(settings: &B1Settings, order: &Order) -> Result<Decimal> {
    let operation = "compute discount";
    let discount = order.discount_amt.abs();
    if settings.discount == DiscountMode::Lines || discount.is_zero() {
        return Ok(Decimal::ZERO);
    }
    let percent = discount.checked_div(order.sub_total).and_then(|share| share.checked_mul(Decimal::ONE_HUNDRED));
    match percent {
        Some(percent) if percent >= Decimal::ZERO && percent <= Decimal::ONE_HUNDRED => {
            Ok(percent.round_dp_with_strategy(6, RoundingStrategy::MidpointAwayFromZero))
        }
        _ => {
            let places = Places::of(settings, &order.currency);
            let message = format!(
                "the discount of {} is more than the subtotal of {}; SAP B1 has no document discount above 100 %",
                places.text(discount),
                places.text(order.sub_total)
            );
            Err(rejected(operation, order, "discount_amt", message))
        }
    }
}

/// Writes the header.
pub(super) fn map_order(
    settings: &B1Settings,
    capabilities: &Capabilities,
    order: &Order,
    terms: &OrderTerms,
) -> Result<NativeOrder> {
    check_currency(settings, capabilities, order)?;
    let places = Places::of(settings, &order.currency);
    let mut doc = NativeOrder { reference: terms.reference.value.clone(), ..NativeOrder::default() };
    doc.set(fields::CARD_CODE, terms.customer_code.as_str());
    doc.set(fields::DOC_DUE_DATE, terms.due_date.to_string());
    let field = terms.reference.field.as_deref().unwrap_or(fields::NUM_AT_CARD);
    doc.set(field, terms.reference.value.as_str());
    if let Some(mark) = &settings.reference.mark {
        check_marks(capabilities)?;
        doc.set(mark, terms.mark.as_str());
    }
    doc.set(fields::DOC_CURRENCY, order.currency.as_str());
    if !terms.discount_percent.is_zero() {
        doc.set(fields::DISCOUNT_PERCENT, number(terms.discount_percent));
    }
    if let Some(transport) = &terms.transport {
        doc.set(fields::TRANSPORTATION_CODE, transport.as_str());
    }
    if let Some(payment) = &terms.payment {
        doc.set(fields::PAYMENT_METHOD, payment.as_str());
    }
    match &terms.freight {
        Freight::None => {}
        Freight::Expense { name, amount: freight, tax } => {
            let expense = json!({
                fields::EXPENSE_CODE: name,
                fields::LINE_TOTAL: places.text(*freight),
                fields::TAX_CODE: tax.code,
            });
            doc.set(fields::EXPENSES, Value::Array(vec![expense]));
        }
        Freight::Item { item_code, amount: freight, tax } => {
            doc.lines.push(freight_line(item_code, *freight, &tax.code, places));
        }
    }
    set_addresses(&mut doc, &terms.billto, &terms.shipto);
    doc.note = cut_note(capabilities, terms);
    Ok(doc)
}

/// Writes both addresses, and who stands in them.
pub(super) fn set_addresses(doc: &mut NativeOrder, billto: &NativeAddress, shipto: &NativeAddress) {
    let mut extension = Map::new();
    for (side, address) in [("BillTo", billto), ("ShipTo", shipto)] {
        let values =
            [&address.street, &address.city, &address.county, &address.state, &address.zipcode, &address.country];
        for (part, value) in fields::ADDRESS_PARTS.iter().zip(values) {
            extension.insert(format!("{side}{part}"), value.as_str().into());
        }
    }
    doc.set(fields::ADDRESS_EXTENSION, extension);
    doc.set(fields::CONTACT_PERSON, person(billto));
    doc.set(fields::SHIP_TO_PERSON, person(shipto));
}

fn check_marks(capabilities: &Capabilities) -> Result<()> {
    if capabilities.marks {
        return Ok(());
    }
    let message = format!(
        "{} writes no user-defined field beside the number: leave it out, or connect through the Service Layer",
        capabilities.name
    );
    Err(Error::config("map order", message).field("reference.mark"))
}

/// Whether the way in can make a document in the order's currency.
pub(super) fn check_currency(settings: &B1Settings, capabilities: &Capabilities, order: &Order) -> Result<()> {
    if order.currency.is_empty() {
        return Err(rejected("map order", order, "currency", "is missing"));
    }
    if capabilities.foreign_currency || order.currency == settings.company_currency {
        return Ok(());
    }
    let message = format!(
        "is {}, and {} makes documents in the company's main currency {} only: enter the order by hand, convert it in \
         an agent, or connect through the Service Layer",
        order.currency, capabilities.name, settings.company_currency
    );
    Err(rejected("map order", order, "currency", message))
}

fn freight_line(item_code: &str, freight: Money, tax_code: &str, places: Places) -> NativeLine {
    let mut line = NativeLine::default();
    line.set(fields::ITEM_CODE, item_code);
    line.set(fields::QUANTITY, "1");
    line.set(fields::UNIT_PRICE, number(freight));
    line.set(fields::TAX_CODE, tax_code);
    line.set(fields::LINE_TOTAL, places.text(freight));
    line
}

fn person(address: &NativeAddress) -> Value {
    json!({
        "FirstName": address.firstname,
        "LastName": address.lastname,
        "E_Mail": address.email,
        "Phone1": address.telephone,
        "Company": address.company,
    })
}

/// Which texts the way in cuts; their names, not their content.
fn cut_note(capabilities: &Capabilities, terms: &OrderTerms) -> String {
    let Some(limits) = capabilities.text_limits else { return String::new() };
    let name = format!("{} {}", terms.billto.firstname, terms.billto.lastname);
    let texts = [
        ("the bill-to telephone", &terms.billto.telephone, limits.telephone),
        ("the bill-to street", &terms.billto.street, limits.street),
        ("the ship-to street", &terms.shipto.street, limits.street),
        ("the bill-to name", &name, limits.name),
    ];
    let cut: Vec<String> = texts
        .into_iter()
        .filter(|(_, text, limit)| text.chars().count() > *limit)
        .map(|(what, _, limit)| format!("{what} (over {limit} characters)"))
        .collect();
    if cut.is_empty() { String::new() } else { format!("{} cuts {}", capabilities.name, cut.join(" and ")) }
}
