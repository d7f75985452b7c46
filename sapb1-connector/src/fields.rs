//! The names of a document's fields, as SAP's Service Layer spells them.
//!
//! Amounts and quantities are text (`"12.50"`), so that they stay decimal whatever carries them; SAP's own samples send
//! them so. A client translates the names to what its way in wants.

use datawald_core::{Error, Result};

/// The customer's code.
pub const CARD_CODE: &str = "CardCode";
/// When the order is due (`2026-01-31`).
pub const DOC_DUE_DATE: &str = "DocDueDate";
/// The customer's reference; the frontend's number unless a user-defined field is configured for it.
pub const NUM_AT_CARD: &str = "NumAtCard";
/// ISO 4217 code of the amounts.
pub const DOC_CURRENCY: &str = "DocCurrency";
/// What one of the document's currency is worth in the company's main one. Without it SAP B1 takes its own of the day; a client
/// sends the one that it has converted amounts with.
pub const DOC_RATE: &str = "DocRate";
/// The document discount in percent of the lines.
pub const DISCOUNT_PERCENT: &str = "DiscountPercent";
/// The way of transport: its name (text); a client that needs the code looks it up.
pub const TRANSPORTATION_CODE: &str = "TransportationCode";
/// The code of the way of payment.
pub const PAYMENT_METHOD: &str = "PaymentMethod";
/// The expenses of the document: a list of objects with [`EXPENSE_CODE`], [`LINE_TOTAL`] and [`TAX_CODE`].
pub const EXPENSES: &str = "DocumentAdditionalExpenses";
/// The expense: its name (text); a client that needs the code looks it up.
pub const EXPENSE_CODE: &str = "ExpenseCode";
/// Both addresses: an object with `BillTo` or `ShipTo` before each of [`ADDRESS_PARTS`].
pub const ADDRESS_EXTENSION: &str = "AddressExtension";
/// What an address consists of in [`ADDRESS_EXTENSION`].
pub const ADDRESS_PARTS: &[&str] = &["Street", "City", "County", "State", "ZipCode", "Country"];
/// Who ordered: an object with `FirstName`, `LastName`, `E_Mail`, `Phone1` and `Company`. A client makes or finds the
/// contact person of it (SAP's own `ContactPersonCode` is a number).
pub const CONTACT_PERSON: &str = "ContactPerson";
/// Who receives: as [`CONTACT_PERSON`].
pub const SHIP_TO_PERSON: &str = "ShipToPerson";

/// The item of a line.
pub const ITEM_CODE: &str = "ItemCode";
/// The quantity of a line.
pub const QUANTITY: &str = "Quantity";
/// The unit price of a line.
pub const UNIT_PRICE: &str = "UnitPrice";
/// The tax code of a line or an expense.
pub const TAX_CODE: &str = "TaxCode";
/// The amount of a line or an expense before tax and document discount; it decides over [`UNIT_PRICE`].
pub const LINE_TOTAL: &str = "LineTotal";

/// The longest item code that SAP B1 holds (`OITM.ItemCode`).
pub const ITEM_CODE_LIMIT: usize = 50;
/// The longest customer's code (`OCRD.CardCode`).
pub const CARD_CODE_LIMIT: usize = 15;
/// The longest customer's reference that SAP B1 holds (`ORDR.NumAtCard`).
pub const NUM_AT_CARD_LIMIT: usize = 100;

/// Checks that `name` is that of a user-defined field, for a call that puts it into a query.
pub(crate) fn udf(operation: &'static str, name: &str) -> Result<()> {
    if is_udf(name) {
        return Ok(());
    }
    let message = format!("`{name}` is no user-defined field (`U_` and letters, digits, underscores)");
    Err(Error::config(operation, message))
}

/// Whether `name` is that of a user-defined field: `U_` and letters, digits or underscores. Nothing else may stand
/// where a column's name is put into SQL.
pub fn is_udf(name: &str) -> bool {
    name.strip_prefix("U_").is_some_and(|rest| {
        !rest.is_empty() && rest.len() <= 50 && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    })
}
