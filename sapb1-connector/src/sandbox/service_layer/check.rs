//! Whether a body is what the metadata says, and what of it is kept.

use serde_json::{Map, Value};

use super::decimal::{decimal, number};
use super::error::Refusal;
use super::options::UserField;
use super::schema::{Kind, Type, schema};

/// How deep lists and complex types may be nested; the metadata's own go three deep.
const DEPTH: usize = 8;

/// The longest texts, in characters, of properties that a shop fills.
const LENGTHS: &[(&str, &str, usize)] = &[
    ("Document", "NumAtCard", 100),
    ("Document", "CardCode", 50),
    ("Document", "CardName", 100),
    ("Document", "Comments", 254),
    ("Document", "JournalMemo", 50),
    ("Document", "PaymentMethod", 15),
    ("Document", "DocCurrency", 3),
    ("DocumentLine", "ItemCode", 50),
    ("DocumentLine", "ItemDescription", 200),
    ("DocumentLine", "TaxCode", 8),
    ("DocumentLine", "WarehouseCode", 8),
    ("DocumentAdditionalExpense", "TaxCode", 8),
    ("AddressExtension", "ShipToStreet", 100),
    ("AddressExtension", "BillToStreet", 100),
    ("AddressExtension", "ShipToCity", 100),
    ("AddressExtension", "BillToCity", 100),
    ("AddressExtension", "ShipToZipCode", 20),
    ("AddressExtension", "BillToZipCode", 20),
    ("AddressExtension", "ShipToCounty", 100),
    ("AddressExtension", "BillToCounty", 100),
    ("AddressExtension", "ShipToState", 3),
    ("AddressExtension", "BillToState", 3),
    ("AddressExtension", "ShipToCountry", 3),
    ("AddressExtension", "BillToCountry", 3),
    ("BusinessPartner", "CardCode", 50),
    ("BusinessPartner", "CardName", 100),
    ("BusinessPartner", "EmailAddress", 100),
    ("BusinessPartner", "Phone1", 20),
    ("ContactEmployee", "Name", 50),
    ("ContactEmployee", "Phone1", 20),
    ("ContactEmployee", "E_Mail", 100),
    ("Item", "ItemCode", 50),
    ("Item", "ItemName", 200),
];

/// The names there are: those of the metadata, and user-defined fields.
#[derive(Clone, Copy)]
pub(super) struct Names<'a> {
    pub(super) user_fields: &'a [UserField],
}

/// What is known of a property.
pub(super) struct Known {
    pub(super) kind: Kind,
    pub(super) list: bool,
    pub(super) read_only: bool,
    most: Option<usize>,
}

/// The table whose user-defined fields a type has.
pub(super) fn user_table(name: &str) -> &'static str {
    match name {
        "Document" => "ORDR",
        "DocumentLine" => "RDR1",
        "BusinessPartner" => "OCRD",
        "ContactEmployee" => "OCPR",
        "Item" => "OITM",
        _ => "",
    }
}

impl Names<'_> {
    pub(super) fn property(&self, of: &Type, name: &str) -> Option<Known> {
        if let Some(user) = name.strip_prefix("U_") {
            let table = user_table(of.name);
            let field = self.user_fields.iter().find(|field| field.name == user && field.table == table)?;
            return Some(Known { kind: Kind::Text, list: false, read_only: false, most: Some(field.size) });
        }
        let property = of.property(name)?;
        let most = LENGTHS.iter().find(|(kind, property, _)| (*kind, *property) == (of.name, name));
        Some(Known {
            kind: property.kind,
            list: property.list,
            read_only: property.read_only,
            most: most.map(|(_, _, most)| *most),
        })
    }

    /// What is kept of a body.
    pub(super) fn read(&self, of: &Type, body: Value) -> Result<Map<String, Value>, Refusal> {
        self.object(of, body, DEPTH)
    }

    fn object(&self, of: &Type, body: Value, depth: usize) -> Result<Map<String, Value>, Refusal> {
        let (Value::Object(body), Some(depth)) = (body, depth.checked_sub(1)) else {
            return Err(Refusal::malformed(format!("An object of type '{}' is expected", of.name)));
        };
        let mut kept = Map::new();
        for (name, value) in body {
            if name.starts_with("odata.") || name.contains("@odata.") {
                continue;
            }
            let known = self.property(of, &name).ok_or_else(|| Refusal::unknown_property(&name, of.name))?;
            let value = self.value(of, &name, &known, value, depth)?;
            if !known.read_only {
                kept.insert(name, value);
            }
        }
        Ok(kept)
    }

    fn value(&self, of: &Type, name: &str, known: &Known, value: Value, depth: usize) -> Result<Value, Refusal> {
        if value.is_null() {
            return Ok(Value::Null);
        }
        let wrong = || Refusal::malformed(format!("Invalid value for property '{name}' of '{}'", of.name));
        if known.list {
            let Value::Array(values) = value else { return Err(wrong()) };
            let single = Known { list: false, ..*known };
            let values = values.into_iter().map(|value| match value {
                Value::Null => Err(wrong()),
                value => self.value(of, name, &single, value, depth),
            });
            return Ok(Value::Array(values.collect::<Result<_, _>>()?));
        }
        let kept = match (known.kind, value) {
            (Kind::Int, value) => int(&value).map(Value::from),
            (Kind::Num, value) => decimal(&value).map(number),
            (Kind::Text, Value::String(text)) => {
                if known.most.is_some_and(|most| text.chars().count() > most) {
                    let text = format!("Value too long in property '{name}' of '{}'", of.name);
                    return Err(Refusal::new(400, -1004, text));
                }
                Some(Value::String(text))
            }
            (Kind::Date, Value::String(text)) => date(&text).map(Value::String),
            (Kind::Time, Value::String(text)) => time(&text).map(Value::String),
            (Kind::Named(kind), value) => match (schema().enumeration(kind), schema().type_named(kind)) {
                (Some(names), _) => value.as_str().and_then(|text| names.name_of(text)).map(Value::from),
                (None, Some(of)) => Some(Value::Object(self.object(of, value, depth)?)),
                (None, None) => None,
            },
            _ => None,
        };
        kept.ok_or_else(wrong)
    }
}

/// A whole number of 32 bits, or a text that is one.
fn int(value: &Value) -> Option<i32> {
    match value {
        Value::Number(number) => number.as_i64().and_then(|number| i32::try_from(number).ok()),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// `2014-04-23`, `20140423`, either with a time, which is cut off; as `2014-04-23`.
pub(super) fn date(text: &str) -> Option<String> {
    let day = text.split(['T', ' ']).next()?;
    let parsed: jiff::civil::Date = match day.len() {
        8 => jiff::civil::Date::strptime("%Y%m%d", day).ok()?,
        _ => day.parse().ok()?,
    };
    Some(parsed.to_string())
}

/// `18:38`, `18:38:00`, `1838`, `183800`; as `18:38:00`.
pub(super) fn time(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(|c| *c != ':').collect();
    if !matches!(digits.len(), 4 | 6) || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let part = |at: usize| digits.get(at..at + 2).unwrap_or("00");
    let (hour, minute, second) = (part(0), part(2), part(4));
    (hour < "24" && minute < "60" && second < "60").then(|| format!("{hour}:{minute}:{second}"))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(of: &str, body: Value) -> Result<Value, Refusal> {
        let user_fields = [UserField { table: "ORDR".into(), name: "Web".into(), size: 3 }];
        let names = Names { user_fields: &user_fields };
        names.read(schema().type_named(of).unwrap(), body).map(Value::Object)
    }

    #[test]
    fn what_is_kept() {
        let body = json!({
            "DocEntry": 7, "odata.etag": "x", "DocDate": "20260203", "CardCode": "c1", "DocType": "I", "U_Web": "abc",
            "VatSum": 3, "DocTime": "1838", "NumAtCard": null,
            "DocumentLines": [{ "Quantity": "2.50", "UnitPrice": 1e1, "TaxTotal": "1" }],
        });
        let kept = json!({
            "DocDate": "2026-02-03", "CardCode": "c1", "DocType": "dDocument_Items", "U_Web": "abc",
            "DocTime": "18:38:00", "NumAtCard": null,
            "DocumentLines": [{ "Quantity": 2.5, "UnitPrice": 10, "TaxTotal": 1 }],
        });
        assert_eq!(read("Document", body).unwrap(), kept);
    }

    #[test]
    fn what_is_refused() {
        let refused = |of: &str, body: Value| read(of, body).unwrap_err();
        let unknown = refused("Document", json!({ "DocStatus": "O" }));
        assert_eq!(unknown, Refusal::malformed("Property 'DocStatus' of 'Document' is invalid"));
        assert_eq!(refused("Document", json!({ "DocumentLines": [{ "Sku": "x" }] })).code, -1000);
        for body in [
            json!({ "CardCode": 1 }),
            json!({ "DocDate": "01.02.2026" }),
            json!({ "DocDate": "2026-02-30" }),
            json!({ "DocTime": "25:00" }),
            json!({ "DocTotal": "1,5" }),
            json!({ "Confirmed": true }),
            json!({ "DocumentLines": {} }),
            json!({ "DocumentLines": [null] }),
            json!({ "AddressExtension": [] }),
            json!({ "TransportationCode": 1.5 }),
            json!({ "TransportationCode": 3_000_000_000_u64 }),
            json!([]),
        ] {
            assert_eq!(refused("Document", body.clone()).code, -1000, "{body}");
        }
        assert_eq!(refused("Document", json!({ "U_Web": "abcd" })).code, -1004);
        assert_eq!(refused("Document", json!({ "U_Other": "a" })).code, -1000);
    }
}
