//! Documents, as tests look at them.

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::decimal::decimal;
use super::lines::{given, text};

/// A document, as a test looks at it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DocumentRecord {
    /// `DocEntry`, the key.
    pub doc_entry: i64,
    /// `DocNum`, the number that people see.
    pub doc_num: i64,
    /// `NumAtCard`, if it has one.
    pub num_at_card: Option<String>,
    /// `CardCode`.
    pub card_code: String,
    /// `DocCurrency`.
    pub currency: String,
    /// What it comes to in its own currency.
    pub total: Decimal,
    /// Whether it is cancelled.
    pub cancelled: bool,
    /// Whether it is closed; a cancelled one is.
    pub closed: bool,
    /// All of it that is not at its default.
    pub body: Value,
}

impl DocumentRecord {
    pub(super) fn new(body: Map<String, Value>) -> Self {
        let int = |name: &str| body.get(name).and_then(Value::as_i64).unwrap_or_default();
        let foreign = body.get("DocTotalFc").and_then(decimal).filter(|total| !total.is_zero());
        Self {
            doc_entry: int("DocEntry"),
            doc_num: int("DocNum"),
            num_at_card: body.get("NumAtCard").and_then(Value::as_str).map(str::to_owned),
            card_code: text(&body, "CardCode").to_owned(),
            currency: text(&body, "DocCurrency").to_owned(),
            total: foreign.or_else(|| given(&body, "DocTotal")).unwrap_or_default(),
            cancelled: text(&body, "Cancelled") == "tYES",
            closed: text(&body, "DocumentStatus") == "bost_Close",
            body: Value::Object(body),
        }
    }

    /// Discount, tax, and expenses before tax, in its own currency.
    pub(in crate::sandbox) fn parts(&self) -> [Decimal; 3] {
        let amount = |value: Option<&Value>| value.and_then(decimal).unwrap_or_default();
        // Any of them: what has everything taken off it comes to nothing, and its discount is still in its own currency.
        let own = ["DocTotalFc", "TotalDiscountFC", "VatSumFc"];
        let foreign = own.iter().any(|name| !amount(self.body.get(*name)).is_zero());
        let either = |own: &str, local: &str| amount(self.body.get(if foreign { own } else { local }));
        let expenses = self.body.get("DocumentAdditionalExpenses").and_then(Value::as_array).into_iter().flatten();
        let name = if foreign { "LineTotalFC" } else { "LineTotal" };
        let freight = expenses.map(|expense| amount(expense.get(name))).sum();
        [either("TotalDiscountFC", "TotalDiscount"), either("VatSumFc", "VatSum"), freight]
    }
}
