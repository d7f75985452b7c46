//! An order in the words of SAP B1 RESTful, translated from SAP's own field names.

use std::borrow::Cow;

use datawald_backoffice::{NativeLine, NativeOrder};
use datawald_core::model::parse_decimal;
use datawald_core::{Error, Result};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::fields;

const OPERATION: &str = "translate order for SAP B1 RESTful";

type Text<'a> = Cow<'a, str>;

/// An order as `orders/insert` takes it. Every value is text.
#[derive(Clone, Default, Serialize)]
pub(super) struct WireOrder<'a> {
    pub(super) fe_order_id: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) fe_order_id_udf: Option<Text<'a>>,
    doc_due_date: Text<'a>,
    pub(super) card_code: Text<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    discount_percent: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) transport_name: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    payment_method: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) expenses_freightname: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expenses_linetotal: Option<Text<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    expenses_taxcode: Option<Text<'a>>,
    billto_firstname: Text<'a>,
    billto_lastname: Text<'a>,
    billto_email: Text<'a>,
    billto_companyname: Text<'a>,
    billto_telephone: Text<'a>,
    billto_address: Text<'a>,
    billto_city: Text<'a>,
    billto_county: Text<'a>,
    billto_state: Text<'a>,
    billto_zipcode: Text<'a>,
    billto_country: Text<'a>,
    shipto_firstname: Text<'a>,
    shipto_lastname: Text<'a>,
    shipto_companyname: Text<'a>,
    shipto_telephone: Text<'a>,
    shipto_address: Text<'a>,
    shipto_city: Text<'a>,
    shipto_county: Text<'a>,
    shipto_state: Text<'a>,
    shipto_zipcode: Text<'a>,
    shipto_country: Text<'a>,
    items: Vec<WireLine<'a>>,
}

/// A line of [`WireOrder`].
#[derive(Clone, Default, Serialize)]
struct WireLine<'a> {
    itemcode: Text<'a>,
    quantity: Text<'a>,
    price: Text<'a>,
    taxcode: Text<'a>,
    linetotal: Text<'a>,
}

/// SAP's name of a key, for errors.
pub(super) fn native_name(key: &str) -> Option<&'static str> {
    Some(match key {
        "doc_due_date" => "DocDueDate",
        "card_code" => "CardCode",
        "fe_order_id" => "NumAtCard",
        "expenses_linetotal" => "DocumentAdditionalExpenses[0].LineTotal",
        "expenses_taxcode" => "DocumentAdditionalExpenses[0].TaxCode",
        "billto_firstname" => "ContactPerson.FirstName",
        "billto_lastname" => "ContactPerson.LastName",
        "billto_email" => "ContactPerson.E_Mail",
        "billto_telephone" => "ContactPerson.Phone1",
        "billto_address" => "AddressExtension.BillToStreet",
        "billto_city" => "AddressExtension.BillToCity",
        "billto_state" => "AddressExtension.BillToState",
        "billto_zipcode" => "AddressExtension.BillToZipCode",
        "billto_country" => "AddressExtension.BillToCountry",
        "shipto_address" => "AddressExtension.ShipToStreet",
        "shipto_city" => "AddressExtension.ShipToCity",
        "shipto_county" => "AddressExtension.ShipToCounty",
        "shipto_state" => "AddressExtension.ShipToState",
        "shipto_zipcode" => "AddressExtension.ShipToZipCode",
        "shipto_country" => "AddressExtension.ShipToCountry",
        "items" => "DocumentLines",
        "itemcode" => "DocumentLines.ItemCode",
        "quantity" => "DocumentLines.Quantity",
        "price" => "DocumentLines.UnitPrice",
        "taxcode" => "DocumentLines.TaxCode",
        "linetotal" => "DocumentLines.LineTotal",
        _ => return None,
    })
}

impl<'a> WireOrder<'a> {
    /// Translates a document.
    ///
    /// # Errors
    /// Rejected, naming the field, if one is missing, of the wrong type, or none that this way in can carry: an agent must
    /// have set it, perhaps for this order alone. It is refused rather than dropped in silence, and other orders go.
    pub(super) fn translate(doc: &'a NativeOrder, main_currency: &str) -> Result<Self> {
        let mut wire = Self { fe_order_id: Cow::Borrowed(&doc.reference), ..Self::default() };
        let mut referred = false;
        for (name, value) in &doc.header {
            match name.as_str() {
                fields::CARD_CODE => wire.card_code = text(name, value)?,
                fields::DOC_DUE_DATE => wire.doc_due_date = text(name, value)?,
                fields::TRANSPORTATION_CODE => wire.transport_name = Some(name_text(name, value)?),
                fields::PAYMENT_METHOD => wire.payment_method = Some(text(name, value)?),
                fields::DISCOUNT_PERCENT => wire.discount_percent = Some(text(name, value)?).filter(|it| !is_zero(it)),
                fields::DOC_CURRENCY if text(name, value)? == main_currency => {}
                fields::DOC_CURRENCY => {
                    let message = format!("SAP B1 RESTful makes documents in the main currency {main_currency} only");
                    return Err(Error::invalid(OPERATION, message).field(name));
                }
                fields::EXPENSES => wire.expense(value)?,
                fields::ADDRESS_EXTENSION => wire.addresses(value)?,
                fields::CONTACT_PERSON => {
                    let Self {
                        billto_firstname,
                        billto_lastname,
                        billto_email,
                        billto_companyname,
                        billto_telephone,
                        ..
                    } = &mut wire;
                    let [first, last, email, company, phone] = person(name, value)?;
                    (*billto_firstname, *billto_lastname, *billto_email) = (first, last, email);
                    (*billto_companyname, *billto_telephone) = (company, phone);
                }
                fields::SHIP_TO_PERSON => {
                    let [first, last, _, company, phone] = person(name, value)?;
                    (wire.shipto_firstname, wire.shipto_lastname) = (first, last);
                    (wire.shipto_companyname, wire.shipto_telephone) = (company, phone);
                }
                _ if !referred && text(name, value).is_ok_and(|it| it == doc.reference) => {
                    if fields::is_udf(name) {
                        wire.fe_order_id_udf = Some(Cow::Borrowed(name));
                    } else if name != fields::NUM_AT_CARD {
                        return Err(cannot_carry(name));
                    }
                    referred = true;
                }
                _ => return Err(cannot_carry(name)),
            }
        }
        let needed = [
            (fields::CARD_CODE, wire.card_code.is_empty()),
            (fields::DOC_DUE_DATE, wire.doc_due_date.is_empty()),
            (fields::NUM_AT_CARD, !referred || doc.reference.is_empty()),
            (fields::ADDRESS_EXTENSION, !doc.header.contains_key(fields::ADDRESS_EXTENSION)),
            (fields::CONTACT_PERSON, !doc.header.contains_key(fields::CONTACT_PERSON)),
            ("DocumentLines", doc.lines.is_empty()),
        ];
        if let Some((name, _)) = needed.into_iter().find(|(_, missing)| *missing) {
            return Err(Error::invalid(OPERATION, "is missing; SAP B1 makes no order without it").field(name));
        }
        if !doc.reference.is_ascii() {
            let message = "holds characters beyond ASCII, which SAP B1 RESTful cannot write";
            return Err(Error::invalid(OPERATION, message).field(fields::NUM_AT_CARD));
        }
        wire.items = doc.lines.iter().enumerate().map(|(i, line)| wire_line(i, line)).collect::<Result<_>>()?;
        Ok(wire)
    }

    /// The values that no text for people may hold.
    pub(super) fn personal(&self) -> Vec<&str> {
        [
            &self.billto_firstname,
            &self.billto_lastname,
            &self.billto_email,
            &self.billto_companyname,
            &self.billto_telephone,
            &self.billto_address,
            &self.shipto_firstname,
            &self.shipto_lastname,
            &self.shipto_companyname,
            &self.shipto_telephone,
            &self.shipto_address,
        ]
        .into_iter()
        .map(AsRef::as_ref)
        .collect()
    }

    fn expense(&mut self, value: &'a Value) -> Result<()> {
        let Value::Array(list) = value else { return Err(wrong_type(fields::EXPENSES, "a list")) };
        let Some(expense) = list.first() else { return Ok(()) };
        if list.len() > 1 {
            let message = "has several expenses; SAP B1 RESTful carries one: put the others into lines";
            return Err(Error::invalid(OPERATION, message).field(fields::EXPENSES));
        }
        let path = "DocumentAdditionalExpenses[0]";
        let Value::Object(parts) = expense else { return Err(wrong_type(path, "an object")) };
        for (name, value) in parts {
            let path = format!("{path}.{name}");
            match name.as_str() {
                fields::EXPENSE_CODE => self.expenses_freightname = Some(name_text(&path, value)?),
                fields::LINE_TOTAL => self.expenses_linetotal = Some(text(&path, value)?),
                fields::TAX_CODE => self.expenses_taxcode = Some(text(&path, value)?),
                _ => return Err(cannot_carry(&path)),
            }
        }
        for (name, part) in [
            (fields::EXPENSE_CODE, &self.expenses_freightname),
            (fields::LINE_TOTAL, &self.expenses_linetotal),
            (fields::TAX_CODE, &self.expenses_taxcode),
        ] {
            if part.is_none() {
                let message = "is missing; SAP B1 RESTful takes no expense without it";
                return Err(Error::invalid(OPERATION, message).field(format!("{path}.{name}")));
            }
        }
        Ok(())
    }

    fn addresses(&mut self, value: &'a Value) -> Result<()> {
        for (name, value) in object(fields::ADDRESS_EXTENSION, value)? {
            let path = || format!("{}.{name}", fields::ADDRESS_EXTENSION);
            let slot = match name.as_str() {
                "BillToStreet" => &mut self.billto_address,
                "BillToCity" => &mut self.billto_city,
                "BillToCounty" => &mut self.billto_county,
                "BillToState" => &mut self.billto_state,
                "BillToZipCode" => &mut self.billto_zipcode,
                "BillToCountry" => &mut self.billto_country,
                "ShipToStreet" => &mut self.shipto_address,
                "ShipToCity" => &mut self.shipto_city,
                "ShipToCounty" => &mut self.shipto_county,
                "ShipToState" => &mut self.shipto_state,
                "ShipToZipCode" => &mut self.shipto_zipcode,
                "ShipToCountry" => &mut self.shipto_country,
                _ => return Err(cannot_carry(&path())),
            };
            *slot = text(&path(), value)?;
        }
        Ok(())
    }
}

/// First name, last name, email, company and telephone.
fn person<'a>(name: &str, value: &'a Value) -> Result<[Text<'a>; 5]> {
    let mut parts: [Text<'a>; 5] = Default::default();
    for (part, value) in object(name, value)? {
        let path = format!("{name}.{part}");
        let i = match part.as_str() {
            "FirstName" => 0,
            "LastName" => 1,
            "E_Mail" => 2,
            "Company" => 3,
            "Phone1" => 4,
            _ => return Err(cannot_carry(&path)),
        };
        parts[i] = text(&path, value)?;
    }
    Ok(parts)
}

fn wire_line<'a>(i: usize, line: &'a NativeLine) -> Result<WireLine<'a>> {
    let mut wire = WireLine::default();
    for (name, value) in &line.fields {
        let path = || format!("DocumentLines[{i}].{name}");
        let slot = match name.as_str() {
            fields::ITEM_CODE => &mut wire.itemcode,
            fields::QUANTITY => &mut wire.quantity,
            fields::UNIT_PRICE => &mut wire.price,
            fields::TAX_CODE => &mut wire.taxcode,
            fields::LINE_TOTAL => &mut wire.linetotal,
            _ => return Err(cannot_carry(&path())),
        };
        *slot = text(&path(), value)?;
    }
    for (name, part) in [
        (fields::ITEM_CODE, &wire.itemcode),
        (fields::QUANTITY, &wire.quantity),
        (fields::UNIT_PRICE, &wire.price),
        (fields::TAX_CODE, &wire.taxcode),
        (fields::LINE_TOTAL, &wire.linetotal),
    ] {
        if part.is_empty() {
            let message = "is missing; SAP B1 RESTful takes no line without it";
            return Err(Error::invalid(OPERATION, message).field(format!("DocumentLines[{i}].{name}")));
        }
    }
    Ok(wire)
}

fn text<'a>(path: &str, value: &'a Value) -> Result<Text<'a>> {
    match value {
        Value::String(text) => Ok(Cow::Borrowed(text)),
        Value::Number(number) => Ok(Cow::Owned(number.to_string())),
        _ => Err(wrong_type(path, "text or a number")),
    }
}

/// A name where SAP has a numeric code: SAP B1 RESTful looks names up.
fn name_text<'a>(path: &str, value: &'a Value) -> Result<Text<'a>> {
    match value {
        Value::String(text) => Ok(Cow::Borrowed(text)),
        _ => {
            Err(Error::invalid(OPERATION, "must be the name, as text: SAP B1 RESTful takes no codes here").field(path))
        }
    }
}

fn object<'a>(path: &str, value: &'a Value) -> Result<&'a Map<String, Value>> {
    value.as_object().ok_or_else(|| wrong_type(path, "an object"))
}

fn is_zero(text: &str) -> bool {
    parse_decimal(text).is_some_and(|number| number.is_zero())
}

fn wrong_type(path: &str, wanted: &str) -> Error {
    Error::invalid(OPERATION, format!("must be {wanted}")).field(path)
}

fn cannot_carry(path: &str) -> Error {
    let message =
        "SAP B1 RESTful cannot carry this field: take it out of the agent, or connect through the Service Layer";
    Error::invalid(OPERATION, message).field(path)
}
