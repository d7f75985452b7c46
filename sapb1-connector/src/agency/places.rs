//! The decimals of amounts in SAP B1.

use datawald_core::model::{Money, minor_units, round_money};
use rust_decimal::Decimal;

use crate::B1Settings;

/// How many decimals amounts of a currency have in SAP B1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Places(u32);

impl Places {
    pub(super) fn of(settings: &B1Settings, currency: &str) -> Self {
        Self(settings.decimals(currency))
    }

    /// The decimals that a shop rounds to: those of the currency, or fewer where the shop or SAP B1 has fewer. Magento as it is
    /// rounds to two, whatever the currency.
    pub(super) fn of_shop(settings: &B1Settings, currency: &str) -> Self {
        Self(settings.decimals(currency).min(minor_units(currency)).min(2))
    }

    pub(super) fn round(self, amount: Money) -> Money {
        round_money(amount, self.0)
    }

    /// An amount as SAP B1 shows it.
    pub(super) fn text(self, amount: Money) -> String {
        format!("{:.*}", self.0 as usize, self.round(amount))
    }

    /// The smallest amount, as one cent.
    pub(super) fn smallest(self) -> Money {
        Decimal::new(1, self.0)
    }

    /// What an amount is off by at most once it was rounded.
    pub(super) fn half(self) -> Money {
        Decimal::new(5, self.0 + 1)
    }

    /// Whether an amount has no more decimals than these.
    pub(super) fn holds(self, amount: Money) -> bool {
        self.round(amount) == amount
    }

    /// In words.
    pub(super) fn words(self) -> String {
        match self.0 {
            0 => "without decimals".to_owned(),
            1 => "with 1 decimal".to_owned(),
            many => format!("with {many} decimals"),
        }
    }
}
