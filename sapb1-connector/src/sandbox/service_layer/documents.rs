//! Documents: what they must have, what they come to, and what becomes of them.

use jiff::tz::TimeZone;
use rust_decimal::Decimal;
use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::base_lines::take_base_lines;
use super::decimal::number;
use super::error::Refusal;
use super::lines::{self, Money, given, text};
use super::state::{Store, Work};
use super::tables::{Key, Part};
use super::total::{Taxed, totals};
use crate::sandbox::ByHand;
use crate::sandbox::damage::{hits, take_chance};
use crate::sandbox::decimals;

/// What became of a document that was to be added.
pub(super) enum Added {
    Document(Key),
    /// An approval procedure took it.
    Draft,
}

/// Adds a document of any kind.
pub(super) fn add(work: &mut Work<'_>, set: &'static str, mut values: Map<String, Value>) -> Result<Added, Refusal> {
    let order = set == "Orders";
    let chance = if order { take_chance(&work.state.chances.orders) } else { 0 };
    if text(&values, "DocDueDate").is_empty() && order {
        return Err(Refusal::data("Enter a delivery date  [ORDR.DocDueDate]"));
    }
    let entry = work.store.tables.next(set, first_entry(work, set));
    if matches!(set, "DeliveryNotes" | "Invoices") {
        take_base_lines(work, &mut values)?;
    }
    complete(work, set, entry, &mut values)?;
    reckon(work, &mut values, entry)?;
    if order {
        notification(work, &values, chance)?;
        if hits(work.faults.approval_every, chance) || named(&values, &work.faults.approval_numbers) {
            save_draft(work, values);
            return Ok(Added::Draft);
        }
        work.orders += 1;
    }
    let key = vec![Part::Int(entry)];
    work.store.tables.put(set, key.clone(), &values);
    Ok(Added::Document(key))
}

fn first_entry(work: &Work<'_>, set: &str) -> i64 {
    if set == "Orders" { work.state.options.first_doc_entry } else { 1 }
}

/// Numbers that people see run on their own.
fn doc_num(work: &Work<'_>, set: &str, entry: i64) -> i64 {
    entry.saturating_sub(first_entry(work, set)).saturating_add(1001)
}

/// Dates a change.
pub(super) fn touch(work: &Work<'_>, values: &mut Map<String, Value>) {
    let now = TimeZone::UTC.to_datetime(work.state.options.clock.now());
    values.insert("UpdateDate".into(), json!(now.date().to_string()));
    values.insert("UpdateTime".into(), json!(now.time().strftime("%H:%M:%S").to_string()));
}

/// What a document needs of its business partner.
#[derive(Default, Deserialize)]
#[serde(default, rename_all = "PascalCase")]
struct Partner {
    card_name: String,
    contact_employees: Vec<ContactCode>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContactCode {
    internal_code: i64,
}

/// What the document must refer to rightly, and what is filled in.
fn complete(work: &Work<'_>, set: &str, entry: i64, values: &mut Map<String, Value>) -> Result<(), Refusal> {
    let tables = &work.store.tables;
    let card_code = text(values, "CardCode").to_owned();
    if card_code.is_empty() {
        return Err(Refusal::data("Customer code missing  [ORDR.CardCode]"));
    }
    let partner = tables.get("BusinessPartners", &vec![Part::Text(card_code.clone())]);
    let partner: Option<Partner> = partner.map(|row| row.read().unwrap_or_default());
    if partner.is_none() && work.state.options.customers.is_some() {
        return Err(Refusal::no_match());
    }
    let contact = values.get("ContactPersonCode").and_then(Value::as_i64).filter(|code| *code > 0);
    if let Some(contact) = contact {
        let contacts = partner.iter().flat_map(|partner| &partner.contact_employees);
        if !contacts.into_iter().any(|other| other.internal_code == contact) {
            return Err(Refusal::no_match());
        }
    }
    let shipping = values.get("TransportationCode").and_then(Value::as_i64).filter(|code| *code > 0);
    if shipping.is_some_and(|code| tables.get("ShippingTypes", &vec![Part::Int(code)]).is_none()) {
        return Err(Refusal::no_match());
    }
    let payment = text(values, "PaymentMethod");
    if !payment.is_empty() && tables.get("WizardPaymentMethods", &vec![Part::Text(payment.to_owned())]).is_none() {
        return Err(Refusal::data("Enter valid payment method  [ORDR.PeyMethod]"));
    }
    let now = TimeZone::UTC.to_datetime(work.state.options.clock.now());
    let (today, time) = (now.date().to_string(), now.time().strftime("%H:%M:%S").to_string());
    let name = partner.as_ref().map(|partner| partner.card_name.as_str()).filter(|name| !name.is_empty());
    for (key, value) in [
        ("CardName", json!(name.unwrap_or(&card_code))),
        ("DocNum", json!(doc_num(work, set, entry))),
        ("DocDate", json!(today)),
        ("DocDueDate", json!(today)),
        ("TaxDate", json!(today)),
        ("TransportationCode", json!(-1)),
        ("Series", json!(8)),
    ] {
        let slot = values.entry(key).or_insert(Value::Null);
        if slot.is_null() {
            *slot = value;
        }
    }
    let kind = match set {
        "Invoices" => "oInvoices",
        "CreditNotes" => "oCreditNotes",
        "DeliveryNotes" => "oDeliveryNotes",
        "DownPayments" => "oDownPayments",
        _ => "oOrders",
    };
    for (key, value) in [
        ("DocEntry", json!(entry)),
        ("DocObjectCode", json!(kind)),
        ("DocTime", json!(time)),
        ("CreationDate", json!(today)),
        ("DocumentStatus", json!("bost_Open")),
        ("Cancelled", json!("tNO")),
        ("CancelStatus", json!("csNo")),
        ("AuthorizationStatus", json!("dasWithout")),
    ] {
        values.insert(key.to_owned(), value);
    }
    touch(work, values);
    addresses(values);
    Ok(())
}

/// The addresses as one text each, as SAP B1 shows them.
fn addresses(values: &mut Map<String, Value>) {
    let Some(Value::Object(address)) = values.get("AddressExtension") else { return };
    let part = |name: &str| text(address, name).to_owned();
    let texts = [("BillTo", "Address"), ("ShipTo", "Address2")].map(|(side, name)| {
        let [street, city, state, zip, country] =
            ["Street", "City", "State", "ZipCode", "Country"].map(|field| part(&format!("{side}{field}")));
        (name, format!("{street}\r\r{city} {state}  {zip}\r{country}"))
    });
    for (name, text) in texts {
        let slot = values.entry(name).or_insert(Value::Null);
        if slot.is_null() {
            *slot = json!(text);
        }
    }
}

/// The document's currency and rate.
fn money(work: &Work<'_>, values: &Map<String, Value>) -> Result<Money, Refusal> {
    let options = &work.state.options;
    let currency = match text(values, "DocCurrency") {
        "" => options.currency.clone(),
        currency => currency.to_owned(),
    };
    let places = decimals::of(&options.decimals, &currency);
    let main_places = decimals::of(&options.decimals, &options.currency);
    if currency == options.currency {
        return Ok(Money { currency, rate: Decimal::ONE, foreign: false, places, main_places });
    }
    if !options.currencies.iter().any(|(code, _)| *code == currency) {
        return Err(Refusal::data("Invalid currency  [ORDR.DocCur]"));
    }
    // A rate that is sent wins over the table's.
    let given = given(values, "DocRate").filter(|rate| !rate.is_zero());
    let rate = given.or_else(|| work.store.rates.get(&currency).copied()).filter(|rate| *rate > Decimal::ZERO);
    let rate = rate.ok_or_else(|| Refusal::new(400, -4006, "Update the exchange rate  [ORDR.DocRate]"))?;
    Ok(Money { currency, rate, foreign: true, places, main_places })
}

/// Reckons lines, expenses and totals.
pub(super) fn reckon(work: &Work<'_>, values: &mut Map<String, Value>, entry: i64) -> Result<(), Refusal> {
    let money = money(work, values)?;
    let percent = given(values, "DiscountPercent").unwrap_or_default();
    if !(Decimal::ZERO..=Decimal::ONE_HUNDRED).contains(&percent) {
        return Err(Refusal::data("Invalid discount  [ORDR.DiscPrcnt]"));
    }
    let mut lines = objects(values, "DocumentLines");
    if lines.is_empty() {
        return Err(Refusal::data("Cannot add document without rows  [RDR1]"));
    }
    let mut expenses = objects(values, "DocumentAdditionalExpenses");
    let mut taxed_lines: Vec<Taxed> = Vec::with_capacity(lines.len());
    for (at, line) in lines.iter_mut().enumerate() {
        taxed_lines.push(lines::line(work, line, at, entry, &money)?);
    }
    let mut taxed_expenses: Vec<Taxed> = Vec::with_capacity(expenses.len());
    for (at, expense) in expenses.iter_mut().enumerate() {
        taxed_expenses.push(lines::expense(work, expense, at, &money)?);
    }
    let difference = match text(values, "Rounding") {
        "tYES" => given(values, "RoundingDiffAmount").unwrap_or_default(),
        _ => Decimal::ZERO,
    };
    let overflow = || Refusal::data("Numeric overflow  [ORDR.DocTotal]");
    let rounding = work.state.options.rounding;
    let totals = totals(&taxed_lines, percent, &taxed_expenses, difference, rounding, money.places);
    let totals = totals.ok_or_else(overflow)?;
    let local = |amount| money.local(amount).map(number).ok_or_else(overflow);
    for (line, tax) in lines.iter_mut().zip(&totals.line_taxes) {
        line.insert("TaxTotal".into(), local(*tax)?);
    }
    for (expense, tax) in expenses.iter_mut().zip(&totals.expense_taxes) {
        expense.insert("TaxSum".into(), local(*tax)?);
    }
    let foreign = |amount| number(if money.foreign { amount } else { Decimal::ZERO });
    let amounts = [
        ("DocTotal", local(totals.total)?),
        ("DocTotalSys", local(totals.total)?),
        ("DocTotalFc", foreign(totals.total)),
        ("VatSum", local(totals.tax)?),
        ("VatSumSys", local(totals.tax)?),
        ("VatSumFc", foreign(totals.tax)),
        ("TotalDiscount", local(totals.discount)?),
        ("TotalDiscountFC", foreign(totals.discount)),
        ("DiscountPercent", number(percent)),
        ("DocCurrency", json!(money.currency)),
        ("DocRate", number(money.rate)),
    ];
    for (name, value) in amounts {
        values.insert(name.into(), value);
    }
    values.insert("DocumentLines".into(), lines.into_iter().map(Value::Object).collect());
    values.insert("DocumentAdditionalExpenses".into(), expenses.into_iter().map(Value::Object).collect());
    Ok(())
}

/// The objects of a list, taken out.
pub(super) fn objects(values: &mut Map<String, Value>, name: &str) -> Vec<Map<String, Value>> {
    let list = match values.remove(name) {
        Some(Value::Array(list)) => list,
        _ => Vec::new(),
    };
    let objects = list.into_iter().filter_map(|value| match value {
        Value::Object(object) => Some(object),
        _ => None,
    });
    objects.collect()
}

/// Whether one of the document's numbers is among these.
fn named(values: &Map<String, Value>, numbers: &std::collections::BTreeSet<String>) -> bool {
    if numbers.is_empty() {
        return false;
    }
    let texts = values.iter().filter(|(name, _)| *name == "NumAtCard" || name.starts_with("U_"));
    texts.into_iter().any(|(_, value)| value.as_str().is_some_and(|text| numbers.contains(text)))
}

/// What the company's own rules say.
fn notification(work: &Work<'_>, values: &Map<String, Value>, chance: u64) -> Result<(), Refusal> {
    if hits(work.faults.refuse_order_every, chance) || named(values, &work.faults.refuse_numbers) {
        return Err(Refusal::new(400, work.faults.refusal_code, "(1) This order breaks a rule of the company"));
    }
    let number = text(values, "NumAtCard");
    if work.faults.block_duplicates && !number.is_empty() {
        let tables = &work.store.tables;
        let keys = tables.under("Orders", "NumAtCard", number).unwrap_or_default();
        let standing = keys.iter().filter_map(|key| tables.get("Orders", key)).any(|row| {
            let other = row.values();
            text(&other, "NumAtCard") == number
                && text(&other, "CardCode") == text(values, "CardCode")
                && text(&other, "Cancelled") != "tYES"
        });
        if standing {
            return Err(Refusal::new(400, -10, "Customer reference number already exists  [ORDR.NumAtCard]"));
        }
    }
    Ok(())
}

fn save_draft(work: &mut Work<'_>, mut values: Map<String, Value>) {
    let entry = work.store.tables.next("Drafts", 1);
    values.insert("DocEntry".into(), json!(entry));
    values.insert("AuthorizationStatus".into(), json!("dasPending"));
    work.store.tables.put("Drafts", vec![Part::Int(entry)], &values);
}

/// Makes the order of a draft; its key.
pub(super) fn approve(work: &mut Work<'_>, draft: &Key) -> Result<Key, Refusal> {
    let row = work.store.tables.get("Drafts", draft).ok_or_else(Refusal::no_match)?;
    let mut values = row.values();
    if text(&values, "DocumentStatus") == "bost_Close" {
        return Err(Refusal::unsupported());
    }
    let mut closed = values.clone();
    closed.insert("DocumentStatus".into(), json!("bost_Close"));
    closed.insert("AuthorizationStatus".into(), json!("dasGenerated"));
    work.store.tables.put("Drafts", draft.clone(), &closed);
    let entry = work.store.tables.next("Orders", first_entry(work, "Orders"));
    values.insert("DocEntry".into(), json!(entry));
    values.insert("DocNum".into(), json!(doc_num(work, "Orders", entry)));
    let mut lines = objects(&mut values, "DocumentLines");
    for line in &mut lines {
        line.insert("DocEntry".into(), json!(entry));
    }
    values.insert("DocumentLines".into(), lines.into_iter().map(Value::Object).collect());
    values.insert("AuthorizationStatus".into(), json!("dasApproved"));
    let key = vec![Part::Int(entry)];
    work.store.tables.put("Orders", key.clone(), &values);
    Ok(key)
}

/// Adds an order that somebody enters, whatever the rules; its `DocEntry`.
pub(super) fn enter(work: &mut Work<'_>, document: &ByHand) -> i64 {
    let entry = work.store.tables.next("Orders", first_entry(work, "Orders"));
    let foreign = document.currency != work.state.options.currency;
    let total = number(document.local());
    let line = json!({ "LineNum": 0, "ItemCode": "BY-HAND", "Quantity": 1, "LineTotal": total });
    let values = json!({
        "DocEntry": entry, "DocNum": doc_num(work, "Orders", entry), "DocObjectCode": "oOrders",
        "NumAtCard": document.reference, "CardCode": document.customer,
        "DocumentStatus": "bost_Open", "Cancelled": "tNO", "CancelStatus": "csNo", "AuthorizationStatus": "dasWithout",
        "DocCurrency": document.currency, "DocRate": number(document.rate), "DocTotal": total, "DocTotalSys": total,
        "DocTotalFc": number(if foreign { document.total } else { Decimal::ZERO }), "DocumentLines": [line],
    });
    let Value::Object(mut values) = values else { return entry };
    values.extend(document.fields.iter().map(|(name, value)| (name.clone(), json!(value))));
    touch(work, &mut values);
    work.store.tables.put("Orders", vec![Part::Int(entry)], &values);
    entry
}

/// Writes another number into the first order under `reference`, if there is one.
pub(super) fn overwrite_reference(store: &mut Store, reference: &str, with: &str) -> Option<()> {
    let key = store.tables.under("Orders", "NumAtCard", reference)?.into_iter().next()?;
    let mut values = store.tables.get("Orders", &key)?.values();
    values.insert("NumAtCard".into(), with.into());
    store.tables.put("Orders", key, &values);
    Some(())
}
