//! How a shop is set up: what Magento calls tax, currency and FPT settings.

use rust_decimal::Decimal;

use crate::dice::Dice;

/// *Tax Calculation Method Based On*.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Algorithm {
    Unit,
    Row,
    Total,
}

/// Fixed product taxes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum FixedTax {
    None,
    /// With the same tax as the goods, or untaxed.
    Charged {
        taxed: bool,
        in_subtotal: bool,
    },
}

#[derive(Debug, Clone)]
pub(crate) struct Shop {
    pub(crate) currency: &'static str,
    /// What prices and totals are rounded to: two decimals in Magento as it is, others with an extension.
    pub(crate) precision: u32,
    pub(crate) algorithm: Algorithm,
    pub(crate) prices_include_tax: bool,
    pub(crate) shipping_includes_tax: bool,
    pub(crate) tax_after_discount: bool,
    /// *Apply Discount On Prices*: including tax.
    pub(crate) discount_on_tax: bool,
    pub(crate) fixed_tax: FixedTax,
    /// Some versions do not round what a rule takes off freight.
    pub(crate) rounds_freight_discount: bool,
}

impl Shop {
    pub(crate) fn generate(dice: &mut Dice) -> Self {
        let (currency, precision) = match dice.roll(20) {
            0..=7 => ("USD", 2),
            8..=12 => ("EUR", 2),
            13..=14 => ("KWD", 3),
            15 => ("KWD", 2),
            16..=18 => ("JPY", 0),
            _ => ("JPY", 2),
        };
        let fixed_tax = match dice.percent(12) {
            true => FixedTax::Charged { taxed: dice.percent(50), in_subtotal: dice.percent(50) },
            false => FixedTax::None,
        };
        Self {
            currency,
            precision,
            algorithm: dice.pick(&[Algorithm::Unit, Algorithm::Row, Algorithm::Total]),
            prices_include_tax: dice.percent(45),
            shipping_includes_tax: dice.percent(40),
            tax_after_discount: dice.percent(85),
            discount_on_tax: dice.percent(50),
            fixed_tax,
            rounds_freight_discount: dice.percent(90),
        }
    }

    /// The price of something that costs about so many dollars.
    pub(crate) fn price(&self, dice: &mut Dice, dollars: u64) -> Decimal {
        let (most, decimals) = match self.currency {
            "JPY" => (dollars * 100, 0),
            "KWD" => (dollars / 3 + 1, self.precision),
            _ => (dollars, 2),
        };
        dice.amount(most, decimals)
    }

    pub(crate) fn round(&self, amount: Decimal) -> Decimal {
        round(amount, self.precision)
    }
}

/// PHP's `round()`.
pub(crate) fn round(amount: Decimal, decimals: u32) -> Decimal {
    amount.round_dp_with_strategy(decimals, rust_decimal::RoundingStrategy::MidpointAwayFromZero)
}
