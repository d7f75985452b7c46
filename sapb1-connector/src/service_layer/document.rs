//! An order as the Service Layer takes it: names become codes, persons become contacts, text becomes numbers.

use datawald_backoffice::{NativeOrder, Reference};
use datawald_core::model::round_money;
use datawald_core::{Error, Result};
use rust_decimal::Decimal;
use serde_json::{Map, Value};

use super::codes::Codes;
use super::{ServiceLayerSettings, TaxTable};
use crate::fields;
use crate::number::{decimal, number};

const OPERATION: &str = "translate order for the Service Layer";

/// The fields that hold amounts, quantities and percentages.
const NUMBERS: [&str; 8] = [
    fields::DISCOUNT_PERCENT,
    fields::DOC_RATE,
    fields::QUANTITY,
    fields::UNIT_PRICE,
    fields::LINE_TOTAL,
    "Price",
    "RowTotalFC",
    "LineGross",
];

/// A document, ready but for its contact person.
pub(super) struct Translated {
    pub(super) reference: Reference,
    pub(super) card_code: String,
    /// Who ordered.
    pub(super) person: Option<Person>,
    json: Map<String, Value>,
    foreign: Option<String>,
}

/// How many decimals amounts have.
#[derive(Debug, Clone, Copy)]
pub(super) struct Decimals {
    /// Of the main currency.
    pub(super) main: u32,
    /// Of the document's.
    pub(super) document: u32,
}

/// The header of a document.
pub(super) struct Header {
    pub(super) json: Map<String, Value>,
    person: Option<Person>,
    /// The company's code of the currency, if it is not the main one.
    foreign: Option<String>,
}

/// Who ordered or receives.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Person {
    pub(super) first_name: String,
    pub(super) last_name: String,
    pub(super) email: String,
    pub(super) phone: String,
    pub(super) company: String,
}

/// How many decimals SAP B1 keeps of a rate of exchange at most (its field holds six).
const RATE_DECIMALS: u32 = 6;

impl Person {
    /// First and last name in one.
    pub(super) fn name(&self) -> String {
        format!("{} {}", self.first_name.trim(), self.last_name.trim()).trim().to_owned()
    }
}

impl Header {
    /// Translates the fields of the header. Those that are not known here go as they are: the Service Layer knows its own.
    ///
    /// # Errors
    /// Rejected if a field is of the wrong type or names what SAP B1 does not have.
    pub(super) fn new(doc: &NativeOrder, settings: &ServiceLayerSettings, codes: &Codes) -> Result<Self> {
        let mut made = Self { json: Map::with_capacity(doc.header.len() + 1), person: None, foreign: None };
        let mut receiver = None;
        for (name, value) in &doc.header {
            let value = match name.as_str() {
                fields::CONTACT_PERSON => {
                    made.person = Some(person(name, value)?);
                    continue;
                }
                fields::SHIP_TO_PERSON => {
                    receiver = Some(person(name, value)?);
                    continue;
                }
                fields::DOC_CURRENCY => {
                    let currency = value.as_str().ok_or_else(|| wrong_type(name, "text"))?;
                    let code = currency_code(currency, codes)?;
                    made.foreign = (currency != settings.main_currency).then(|| code.to_owned());
                    code.into()
                }
                fields::TRANSPORTATION_CODE => code(name, value, &codes.transports)?,
                fields::EXPENSES => expenses(value, settings, codes)?,
                fields::ADDRESS_EXTENSION => object(name, value)?.clone().into(),
                _ => plain(name, value, name)?,
            };
            made.json.insert(name.clone(), value);
        }
        made.name_persons(receiver.as_ref());
        Ok(made)
    }

    /// The names of persons and companies stand in the addresses too, where a delivery note has them.
    fn name_persons(&mut self, receiver: Option<&Person>) {
        let Some(Value::Object(parts)) = self.json.get_mut(fields::ADDRESS_EXTENSION) else { return };
        for (side, person) in [("BillTo", self.person.as_ref()), ("ShipTo", receiver)] {
            let Some(person) = person else { continue };
            for (name, text) in [("Address2", person.name()), ("Address3", person.company.trim().to_owned())] {
                parts.entry(format!("{side}{name}")).or_insert_with(|| text.into());
            }
        }
    }
}

impl Translated {
    /// Translates a document.
    ///
    /// # Errors
    /// As [`Header::new`], and rejected if a field is missing.
    pub(super) fn new(doc: &NativeOrder, settings: &ServiceLayerSettings, codes: &Codes) -> Result<Self> {
        let reference = reference(doc, settings.mark.as_deref())?;
        let Header { mut json, person, foreign } = Header::new(doc, settings, codes)?;
        let card_code = json.get(fields::CARD_CODE).and_then(Value::as_str).unwrap_or_default().to_owned();
        // What is empty stays as the customer has it.
        if let Some(Value::Object(parts)) = json.get_mut(fields::ADDRESS_EXTENSION) {
            parts.retain(|_, part| part.as_str() != Some(""));
        }
        let lines = doc.lines.iter().enumerate();
        let lines: Vec<Value> =
            lines.map(|(i, it)| line(i, &it.fields, settings, foreign.as_deref())).collect::<Result<_>>()?;
        let needed = [
            (fields::CARD_CODE, card_code.is_empty()),
            (fields::DOC_DUE_DATE, !json.contains_key(fields::DOC_DUE_DATE)),
            ("DocumentLines", lines.is_empty()),
        ];
        if let Some((name, _)) = needed.into_iter().find(|(_, missing)| *missing) {
            return Err(Error::invalid(OPERATION, "is missing; SAP B1 makes no order without it").field(name));
        }
        json.insert("DocumentLines".into(), lines.into());
        Ok(Self { reference, card_code, person, json, foreign })
    }

    /// The company's code of the document's currency, if that is not the main one and there are expenses: their amounts
    /// are written in the main currency, so its rate is needed.
    pub(super) fn converted(&self) -> Option<&str> {
        self.foreign.as_deref().filter(|_| self.json.contains_key(fields::EXPENSES))
    }

    /// The rate of exchange that an agent has given the document.
    pub(super) fn rate(&self) -> Option<Decimal> {
        let rate = decimal(self.json.get(fields::DOC_RATE)?)?;
        (rate > Decimal::ZERO).then_some(rate)
    }

    /// Writes the amounts of expenses in the main currency, by `rate`, which becomes the document's: SAP B1 might take
    /// another, as of its own day, or corrected meanwhile, and make another amount of them.
    ///
    /// # Errors
    /// Rejected for an amount that would not come out as it was charged.
    pub(super) fn convert(&mut self, rate: Decimal, decimals: Decimals) -> Result<()> {
        let rate = round_money(rate, RATE_DECIMALS);
        let written = number(rate).ok_or_else(|| too_many_digits(fields::DOC_RATE))?;
        self.json.insert(fields::DOC_RATE.into(), Value::Number(written));
        let Some(Value::Array(expenses)) = self.json.get_mut(fields::EXPENSES) else { return Ok(()) };
        for (i, expense) in expenses.iter_mut().enumerate() {
            let Some(total) = expense.get_mut(fields::LINE_TOTAL) else { continue };
            let Some(amount) = decimal(total) else { continue };
            let local = amount.checked_mul(rate).map(|local| round_money(local, decimals.main));
            let back = local.and_then(|local| local.checked_div(rate)).map(|back| round_money(back, decimals.document));
            match local.and_then(number) {
                Some(local) if back == Some(round_money(amount, decimals.document)) => *total = Value::Number(local),
                _ => {
                    let message = "cannot be written: SAP B1 holds the amount of an expense in the main currency, rounded, \
                                   which does not give the amount in the document's: charge freight as a line \
                                   (`freight.item_code`)";
                    let field = format!("{}[{i}].{}", fields::EXPENSES, fields::LINE_TOTAL);
                    return Err(Error::invalid(OPERATION, message).field(field));
                }
            }
        }
        Ok(())
    }

    /// The item codes of its lines, each with the line's place.
    pub(super) fn items(&self) -> impl Iterator<Item = (usize, &str)> {
        let lines = self.json.get("DocumentLines").and_then(Value::as_array).into_iter().flatten().enumerate();
        lines.filter_map(|(i, line)| Some((i, line.get(fields::ITEM_CODE)?.as_str()?)))
    }

    /// With the code of its contact person.
    pub(super) fn set_contact(&mut self, code: i64) {
        self.json.insert("ContactPersonCode".into(), code.into());
    }

    /// The document as JSON.
    pub(super) fn body(&self) -> String {
        Value::Object(self.json.clone()).to_string()
    }
}

/// What the document is looked up by: the user-defined field that holds the number, or `NumAtCard`.
fn reference(doc: &NativeOrder, mark: Option<&str>) -> Result<Reference> {
    let holds = |name: &str| doc.get(name).and_then(Value::as_str) == Some(doc.reference.as_str());
    let field = if holds(fields::NUM_AT_CARD) {
        None
    } else {
        let udf = doc.header.keys().find(|name| fields::is_udf(name) && Some(name.as_str()) != mark && holds(name));
        Some(udf.ok_or_else(|| {
            Error::invalid(OPERATION, "is missing; SAP B1 makes no order that cannot be found again")
                .field(fields::NUM_AT_CARD)
        })?)
    };
    if doc.reference.is_empty() {
        return Err(Error::invalid(OPERATION, "is empty").field(fields::NUM_AT_CARD));
    }
    Ok(Reference { field: field.cloned(), value: doc.reference.clone() })
}

fn currency_code<'a>(currency: &str, codes: &'a Codes) -> Result<&'a str> {
    codes.currencies.get(currency).map(String::as_str).ok_or_else(|| {
        let message =
            format!("SAP B1 has no currency `{currency}`: set it up there, or name its code in `currency_codes`");
        Error::invalid(OPERATION, message).field(fields::DOC_CURRENCY)
    })
}

fn expenses(value: &Value, settings: &ServiceLayerSettings, codes: &Codes) -> Result<Value> {
    let Value::Array(list) = value else { return Err(wrong_type(fields::EXPENSES, "a list")) };
    let one = |(i, expense): (usize, &Value)| {
        let path = format!("{}[{i}]", fields::EXPENSES);
        let mut made = Map::new();
        for (name, value) in object(&path, expense)? {
            let at = format!("{path}.{name}");
            match name.as_str() {
                fields::EXPENSE_CODE => made.insert(name.clone(), code(&at, value, &codes.expenses)?),
                fields::TAX_CODE => made.insert(tax_field(settings).into(), value.clone()),
                _ => made.insert(name.clone(), plain(name, value, &at)?),
            };
        }
        Ok(Value::Object(made))
    };
    list.iter().enumerate().map(one).collect::<Result<Vec<_>>>().map(Value::Array)
}

/// A line. In a document of another currency `LineTotal` is in the main one, so the amount goes into `RowTotalFC`.
fn line(
    i: usize,
    fields: &Map<String, Value>,
    settings: &ServiceLayerSettings,
    foreign: Option<&str>,
) -> Result<Value> {
    let mut made = Map::with_capacity(fields.len() + 1);
    for (name, value) in fields {
        let at = format!("DocumentLines[{i}].{name}");
        match name.as_str() {
            fields::TAX_CODE => made.insert(tax_field(settings).into(), value.clone()),
            fields::LINE_TOTAL if foreign.is_some() => made.insert("RowTotalFC".into(), plain(name, value, &at)?),
            _ => made.insert(name.clone(), plain(name, value, &at)?),
        };
    }
    if let Some(currency) = foreign {
        made.entry("Currency").or_insert_with(|| currency.into());
    }
    Ok(made.into())
}

fn tax_field(settings: &ServiceLayerSettings) -> &'static str {
    match settings.tax_table {
        TaxTable::SalesTaxCodes => fields::TAX_CODE,
        TaxTable::VatGroups => "VatGroup",
    }
}

/// A value as it is, but numbers as numbers: every server takes those.
fn plain(name: &str, value: &Value, path: &str) -> Result<Value> {
    match value {
        Value::String(_) if NUMBERS.contains(&name) => {
            let amount = decimal(value).ok_or_else(|| wrong_type(path, "a number"))?;
            number(amount).map(Value::Number).ok_or_else(|| too_many_digits(path))
        }
        _ => Ok(value.clone()),
    }
}

/// The code that a name stands for; a number is a code already.
fn code(path: &str, value: &Value, codes: &std::collections::BTreeMap<String, i64>) -> Result<Value> {
    match value {
        Value::Number(_) => Ok(value.clone()),
        Value::String(name) => codes.get(name).map(|code| (*code).into()).ok_or_else(|| {
            let message =
                format!("SAP B1 does not know `{name}`: set it up there, or correct the name in the settings");
            Error::invalid(OPERATION, message).field(path)
        }),
        _ => Err(wrong_type(path, "a name or a code")),
    }
}

fn person(path: &str, value: &Value) -> Result<Person> {
    let parts = object(path, value)?;
    let text = |name: &str| parts.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Person {
        first_name: text("FirstName"),
        last_name: text("LastName"),
        email: text("E_Mail"),
        phone: text("Phone1"),
        company: text("Company"),
    })
}

fn object<'a>(path: &str, value: &'a Value) -> Result<&'a Map<String, Value>> {
    value.as_object().ok_or_else(|| wrong_type(path, "an object"))
}

fn wrong_type(path: &str, wanted: &str) -> Error {
    Error::invalid(OPERATION, format!("must be {wanted}")).field(path)
}

fn too_many_digits(path: &str) -> Error {
    Error::invalid(
        OPERATION,
        "has more digits than the Service Layer's numbers hold (fifteen): have the agent round it",
    )
    .field(path)
}
