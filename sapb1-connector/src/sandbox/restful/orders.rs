//! Inserting and cancelling orders, in the order in which the service does things.

use std::borrow::Cow;

use jiff::civil::Date;
use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde_json::value::RawValue;

use super::body::{Dict, text, write_text};
use super::contacts::{Who, cut};
use super::documents::{Details, New};
use super::faults::Faults;
use super::python::PyError;
use super::state::{State, Store};
use super::total::{Row, document_total};
use crate::sandbox::decimals;

/// Inserts `orders`, at most `most` of them; answers each as the service does.
pub(super) fn insert(state: &State, body: &[u8], faults: &Faults, most: usize) -> Result<Vec<Vec<u8>>, PyError> {
    let orders = list(body)?;
    let mut answers = Vec::with_capacity(orders.len());
    let mut guard = state.store();
    let store = &mut *guard;
    for raw in orders.iter().take(most) {
        let order = dict(raw)?;
        let (fails, fails_after) = state.order_fault(faults);
        let refused = || number_of(&order).is_ok_and(|number| faults.refuse_numbers.contains(&number));
        let result = if fails || refused() {
            Err(PyError::sap(-2035, "Internal error (-2035) occurred"))
        } else {
            insert_order(state, store, &order, raw.get().as_bytes(), faults)
        };
        let result = match result {
            Ok(_) if fails_after => Err(PyError::new("IndexError", "list index out of range")),
            other => other,
        };
        store.counters.refused += u64::from(result.is_err());
        answers.push(answer(&order, &result));
    }
    if orders.len() > most {
        return Err(PyError::new("MemoryError", ""));
    }
    Ok(answers)
}

/// Cancels orders; answers each as the service does.
pub(super) fn cancel(state: &State, body: &[u8], faults: &Faults) -> Result<Vec<Vec<u8>>, PyError> {
    let orders = list(body)?;
    let mut guard = state.store();
    let store = &mut *guard;
    let mut answers = Vec::with_capacity(orders.len());
    for raw in &orders {
        let order = dict(raw)?;
        let mut out = echo(&order, &["tx_status", "bo_order_id", "tx_note"], &[]);
        match cancel_order(state, store, &order, faults) {
            Ok(doc_entry) => finish(&mut out, &[("tx_status", "X"), ("bo_order_id", &doc_entry.to_string())]),
            Err(error) => finish(&mut out, &[("tx_status", "F"), ("tx_note", &error.traceback("cancelOrder"))]),
        }
        answers.push(out);
    }
    Ok(answers)
}

fn list(body: &[u8]) -> Result<Vec<&RawValue>, PyError> {
    serde_json::from_slice(body).map_err(|error| match error.classify() {
        serde_json::error::Category::Data => PyError::new("TypeError", "string indices must be integers, not unicode"),
        _ => PyError::new("BadRequest", "400 Bad Request: Failed to decode JSON object"),
    })
}

pub(super) fn dict(raw: &RawValue) -> Result<Dict<'_>, PyError> {
    serde_json::from_str(raw.get()).map_err(|_| PyError::new("TypeError", "object does not support item assignment"))
}

/// Where the number stands: 0 for `NumAtCard`, else a user-defined field.
fn field_of(state: &State, order: &Dict<'_>) -> Result<u16, PyError> {
    if order.get("fe_order_id_udf").is_none() {
        return Ok(0);
    }
    let name = order.text("fe_order_id_udf")?;
    let place = state.options.udfs.iter().position(|udf| udf.eq_ignore_ascii_case(&name));
    place.and_then(|place| u16::try_from(place + 1).ok()).ok_or_else(|| {
        PyError::new("com_error", "(-2147352567, 'Exception occurred.', (0, None, u'Invalid field name', None, 0, -1))")
    })
}

fn number_of(order: &Dict<'_>) -> Result<String, PyError> {
    let number = order.str_of("fe_order_id")?;
    if number.is_ascii() {
        return Ok(number.into_owned());
    }
    Err(PyError::new("UnicodeEncodeError", "'ascii' codec can't encode characters: ordinal not in range(128)"))
}

fn cancel_order(state: &State, store: &mut Store, order: &Dict<'_>, faults: &Faults) -> Result<u32, PyError> {
    let field = field_of(state, order)?;
    let number = number_of(order)?;
    let first = store.documents.under(field, &number).next();
    let Some(at) = first else { return Err(PyError::new("Exception", format!("Order {number} is not found."))) };
    let doc_entry = store.documents.doc_entry(at);
    match store.documents.get_mut(at) {
        Some(document) if !document.cancelled && !faults.refuse_cancel => {
            document.cancelled = true;
            store.counters.cancelled += 1;
            Ok(doc_entry)
        }
        // The service means to tell SAP's text and stumbles.
        _ => Err(PyError::new("AttributeError", "'SAPB1Adaptor' object has no attribute 'company'")),
    }
}

fn com_error(what: &str) -> PyError {
    PyError::new(
        "com_error",
        format!("(-2147352567, 'Exception occurred.', (0, None, u'{what}', None, 0, -2028), None)"),
    )
}

fn decimal(text: &str) -> Option<Decimal> {
    datawald_core::model::parse_decimal(text).filter(|number| number.abs() < Decimal::from(10_000_000_000_000_i64))
}

fn com_decimal(order: &Dict<'_>, key: &str) -> Result<Decimal, PyError> {
    decimal(&order.str_of(key)?).ok_or_else(|| com_error("Invalid number"))
}

fn insert_order(
    state: &State,
    store: &mut Store,
    order: &Dict<'_>,
    sent: &[u8],
    faults: &Faults,
) -> Result<u32, PyError> {
    let options = &state.options;
    let telephone = order.text("billto_telephone")?;
    let billto_address = order.text("billto_address")?;
    let shipto_address = order.text("shipto_address")?;
    let (telephone, billto, shipto) = (cut(&telephone, 20), cut(&billto_address, 100), cut(&shipto_address, 100));
    let due: Date = order.text("doc_due_date")?.parse().map_err(|_| com_error("Invalid date"))?;
    let card_code = order.text("card_code")?;
    let (first, last) = (order.text("billto_firstname")?, order.text("billto_lastname")?);
    let email = order.text("billto_email")?;
    let who = Who { card_code: &card_code, first: &first, last: &last, email: &email };
    let contact = contact_person(state, store, order, &who, &telephone, &billto)?;
    let freight = freight(state, order)?;
    let percent =
        if order.get("discount_percent").is_some() { com_decimal(order, "discount_percent")? } else { Decimal::ZERO };
    if order.get("transport_name").is_some() {
        let name = order.text("transport_name")?;
        if !options.transports.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
            return Err(PyError::no_row());
        }
    }
    let payment = order.get("payment_method").map(text).transpose()?;
    let field = field_of(state, order)?;
    let number = number_of(order)?;
    let billto_parts = parts(order, ["billto_city", "billto_country", "billto_state", "billto_zipcode"])?;
    let shipto_parts = parts(order, ["shipto_city", "shipto_country", "shipto_state", "shipto_zipcode"])?;
    let shipto_county = order.text("shipto_county")?;
    let lines = lines(order)?;

    // From here on SAP B1 itself decides.
    if payment.is_some_and(|payment| !payment.is_empty() && !options.payments.iter().any(|known| *known == payment)) {
        return Err(PyError::sap(-5002, "Enter valid payment method  [ORDR.PeyMethod]"));
    }
    if number.chars().count() > 100 {
        return Err(PyError::sap(-1004, "Value too long in property 'NumAtCard' of 'Document'"));
    }
    if faults.block_duplicates && standing(store, field, &number) {
        return Err(PyError::sap(-10, "Customer reference number already exists  [ORDR.NumAtCard]"));
    }
    if !(Decimal::ZERO..=Decimal::ONE_HUNDRED).contains(&percent) {
        return Err(PyError::sap(-5002, "Invalid discount  [ORDR.DiscPrcnt]"));
    }
    let rows = rows(state, &lines)?;
    let freight = freight.as_ref().map(|(amount, code)| rated(state, *amount, code)).transpose()?;
    let decimals = decimals::of(&options.decimals, &options.currency);
    let sums = document_total(&rows, percent, freight.as_ref(), options.rounding, decimals)
        .ok_or_else(|| PyError::sap(-5002, "Numeric overflow  [ORDR.DocTotal]"))?;
    let date = TimeZone::UTC.to_datetime(options.clock.now()).date();
    let details = || Details {
        card_name: format!("{first} {last}").chars().take(50).collect(),
        address: address(&billto, &billto_parts),
        address2: address(&shipto, &shipto_parts),
        // A slip of the service: it fills in the country.
        billto_county: billto_parts[1].to_string(),
        shipto_county: shipto_county.to_string(),
        contact,
    };
    let count = u32::try_from(lines.len()).unwrap_or(u32::MAX);
    let new = New { card_code: &card_code, lines: count, sums, dates: (date, due), sent };
    let at = store.documents.add(field, &number, &new, details, options.details);
    // The service asks for the number's first document, which need not be the new one.
    let first = store.documents.under(field, &number).next().unwrap_or(at);
    Ok(store.documents.doc_entry(first))
}

fn standing(store: &Store, field: u16, number: &str) -> bool {
    store.documents.under(field, number).any(|at| store.documents.get(at).is_some_and(|document| !document.cancelled))
}

fn contact_person(
    state: &State,
    store: &mut Store,
    order: &Dict<'_>,
    who: &Who<'_>,
    telephone: &str,
    street: &str,
) -> Result<u32, PyError> {
    if let Some(code) = store.contacts.find(who) {
        return Ok(code);
    }
    let [city, state_code, zip, country] =
        parts(order, ["billto_city", "billto_state", "billto_zipcode", "billto_country"])?;
    let known = state.options.customers.as_ref().is_none_or(|known| known.contains(who.card_code));
    if who.card_code.is_empty() || !known {
        return Err(PyError::new("AttributeError", "'SAPB1Adaptor' object has no attribute 'company'"));
    }
    let address = format!("{street}, {city}, {state_code} {zip}, {country}");
    let micros = state.options.clock.now().as_microsecond();
    Ok(store.contacts.make(who, telephone, &address, micros, state.options.details))
}

fn freight<'a>(state: &State, order: &Dict<'a>) -> Result<Option<(Decimal, Cow<'a, str>)>, PyError> {
    if order.get("expenses_freightname").is_none() {
        return Ok(None);
    }
    let name = order.text("expenses_freightname")?;
    if !state.options.expenses.iter().any(|known| known.eq_ignore_ascii_case(&name)) {
        return Err(PyError::no_row());
    }
    let amount = com_decimal(order, "expenses_linetotal")?;
    Ok(Some((amount, order.text("expenses_taxcode")?)))
}

fn parts<'a, const N: usize>(order: &Dict<'a>, keys: [&str; N]) -> Result<[Cow<'a, str>; N], PyError> {
    let mut parts = [const { Cow::Borrowed("") }; N];
    for (part, key) in parts.iter_mut().zip(keys) {
        *part = order.text(key)?;
    }
    Ok(parts)
}

/// A line as it came.
struct Line<'a> {
    item_code: Cow<'a, str>,
    quantity: Decimal,
    tax_code: Cow<'a, str>,
    total: Decimal,
}

fn lines<'a>(order: &Dict<'a>) -> Result<Vec<Line<'a>>, PyError> {
    let raw = order.need("items")?;
    let items: Vec<Dict<'a>> = serde_json::from_str(raw.get())
        .map_err(|_| PyError::new("TypeError", "string indices must be integers, not str"))?;
    let line = |item: &Dict<'a>| -> Result<Line<'a>, PyError> {
        let item_code = item.text("itemcode")?;
        let quantity = item.str_of("quantity")?;
        let quantity =
            decimal(&quantity).ok_or_else(|| PyError::new("ValueError", "could not convert string to float"))?;
        if decimal(&item.str_of("price")?).is_none() {
            return Err(PyError::new("InvalidOperation", "Invalid literal for Decimal"));
        }
        let tax_code = item.text("taxcode")?;
        Ok(Line { item_code, quantity, tax_code, total: com_decimal(item, "linetotal")? })
    };
    items.iter().map(line).collect()
}

fn rows<'a>(state: &State, lines: &'a [Line<'a>]) -> Result<Vec<Row<'a>>, PyError> {
    if lines.is_empty() {
        return Err(PyError::sap(-5002, "Cannot add document without rows  [RDR1]"));
    }
    let row = |line: &'a Line<'a>| {
        let known = state.options.items.as_ref().is_none_or(|items| items.contains(line.item_code.as_ref()));
        if line.item_code.is_empty() || line.item_code.chars().count() > 50 || !known {
            return Err(PyError::sap(-5002, "Item number is missing or unknown  [RDR1.ItemCode]"));
        }
        if line.quantity <= Decimal::ZERO {
            return Err(PyError::sap(-5002, "Quantity must be greater than zero  [RDR1.Quantity]"));
        }
        rated(state, line.total, &line.tax_code)
    };
    lines.iter().map(row).collect()
}

fn rated<'a>(state: &State, amount: Decimal, tax_code: &'a str) -> Result<Row<'a>, PyError> {
    match state.rates.get(tax_code) {
        Some(rate) => Ok(Row { amount, tax_code, rate: *rate }),
        None => Err(PyError::sap(-5002, "Invalid tax code  [RDR1.TaxCode]")),
    }
}

/// An address as SAP B1 shows it in one text; blanks and line ends as in its own.
fn address(street: &str, [city, country, state, zip]: &[Cow<'_, str>; 4]) -> String {
    format!("{street}\r\r{city} {state}  {zip}\r{country}")
}

/// The order as it came, with what was cut.
fn answer(order: &Dict<'_>, result: &Result<u32, PyError>) -> Vec<u8> {
    let cut_texts = [("billto_telephone", 20), ("billto_address", 100), ("shipto_address", 100)];
    match result {
        Ok(doc_entry) => {
            let mut out = echo(order, &["tx_status", "bo_order_id"], &cut_texts);
            finish(&mut out, &[("tx_status", "S"), ("bo_order_id", &doc_entry.to_string())]);
            out
        }
        Err(error) => {
            let mut out = echo(order, &["tx_status", "bo_order_id", "tx_note"], &cut_texts);
            let note = error.traceback("insertOrder");
            finish(&mut out, &[("tx_status", "F"), ("bo_order_id", "####"), ("tx_note", &note)]);
            out
        }
    }
}

fn echo(order: &Dict<'_>, without: &[&str], cut_texts: &[(&str, usize)]) -> Vec<u8> {
    let mut out = Vec::with_capacity(1536);
    out.push(b'{');
    for (key, value) in &order.0 {
        if without.contains(&key.as_ref()) {
            continue;
        }
        if out.len() > 1 {
            out.push(b',');
        }
        write_text(&mut out, key);
        out.push(b':');
        let limit = cut_texts.iter().find(|(name, _)| name == key).map(|(_, limit)| *limit);
        match limit.and_then(|limit| Some((limit, text(value).ok()?))) {
            Some((limit, text)) => write_text(&mut out, &cut(&text, limit)),
            None => out.extend_from_slice(value.get().as_bytes()),
        }
    }
    out
}

fn finish(out: &mut Vec<u8>, pairs: &[(&str, &str)]) {
    for (key, value) in pairs {
        if out.len() > 1 {
            out.push(b',');
        }
        write_text(out, key);
        out.push(b':');
        write_text(out, value);
    }
    out.push(b'}');
}

/// An object as it came, with one more pair.
pub(super) fn with(sent: &Dict<'_>, key: &str, value: &str) -> Vec<u8> {
    let mut out = echo(sent, &[key], &[]);
    finish(&mut out, &[(key, value)]);
    out
}
