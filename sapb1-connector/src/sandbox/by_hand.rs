//! Documents that people enter.

use rust_decimal::Decimal;

/// An order that somebody enters in SAP B1, past every way in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ByHand {
    /// What is entered as the customer's reference (`NumAtCard`).
    pub reference: String,
    /// The customer's code.
    pub customer: String,
    /// The currency.
    pub currency: String,
    /// What one of the currency is worth in the main one; 1 for that itself.
    pub rate: Decimal,
    /// What it comes to, in its currency.
    pub total: Decimal,
    /// What stands in user-defined fields, by name.
    pub fields: Vec<(String, String)>,
}

impl ByHand {
    /// An order of so much under a reference, in US dollars for the customer `C20000`.
    pub fn new(reference: impl Into<String>, total: Decimal) -> Self {
        Self {
            reference: reference.into(),
            customer: "C20000".into(),
            currency: "USD".into(),
            rate: Decimal::ONE,
            total,
            fields: Vec::new(),
        }
    }

    /// What it comes to in the main currency.
    pub(super) fn local(&self) -> Decimal {
        (self.total * self.rate).round_dp(2)
    }
}
