//! The calculators of tax: `Magento\Tax\Model\Calculation\{UnitBase, RowBase, TotalBase}Calculator`.
//!
//! All three carry what rounding took over to the next amount of the same rate: unit and row within a row, total through the
//! whole order. PHP reckons in binary floating point and this in decimals; at halves Magento adds a millionth before it
//! rounds, which is done here, too.

use std::collections::HashMap;

use rust_decimal::Decimal;

use crate::shop::{Algorithm, Shop};

/// What is taxed.
pub(crate) struct Taxable<'a> {
    /// The row that it belongs to; of freight, one more.
    pub(crate) row: usize,
    pub(crate) unit_price: Decimal,
    pub(crate) qty: Decimal,
    pub(crate) rates: &'a [Decimal],
    pub(crate) includes_tax: bool,
    pub(crate) discount: Decimal,
    pub(crate) fixed: bool,
}

#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Taxed {
    pub(crate) price: Decimal,
    pub(crate) price_incl_tax: Decimal,
    pub(crate) row_total: Decimal,
    pub(crate) row_total_incl_tax: Decimal,
    pub(crate) tax: Decimal,
    pub(crate) compensation: Decimal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum When {
    Regular,
    BeforeDiscount,
}

pub(crate) struct Calculator<'a> {
    shop: &'a Shop,
    deltas: HashMap<(When, Option<usize>, Decimal, bool), Decimal>,
}

const MILLIONTH: Decimal = Decimal::from_parts(1, 0, 0, false, 6);

impl<'a> Calculator<'a> {
    pub(crate) fn new(shop: &'a Shop) -> Self {
        Self { shop, deltas: HashMap::new() }
    }

    pub(crate) fn calculate(&mut self, item: &Taxable<'_>) -> Taxed {
        match (self.shop.algorithm, item.includes_tax) {
            (Algorithm::Unit, true) => self.unit_of_price_with_tax(item),
            (Algorithm::Unit, false) => self.unit(item),
            (_, true) => self.row_of_price_with_tax(item),
            (_, false) => self.row(item),
        }
    }

    fn delta_round(&mut self, amount: Decimal, rate: Decimal, includes: bool, when: When, row: usize) -> Decimal {
        if amount.is_zero() {
            return amount;
        }
        let row = (self.shop.algorithm != Algorithm::Total).then_some(row);
        let delta = self.deltas.entry((when, row, rate, includes)).or_insert(MILLIONTH);
        let exact = amount + *delta;
        let rounded = self.shop.round(exact);
        *delta = exact - rounded;
        rounded
    }

    fn before(&self) -> When {
        if self.shop.tax_after_discount { When::BeforeDiscount } else { When::Regular }
    }

    fn row_of_price_with_tax(&mut self, item: &Taxable<'_>) -> Taxed {
        let rate: Decimal = item.rates.iter().sum();
        let price_incl_tax = self.shop.round(item.unit_price);
        let row_total_incl_tax = price_incl_tax * item.qty;
        let exact = tax_within(row_total_incl_tax, rate);
        let mut tax = self.delta_round(exact, rate, true, self.before(), item.row);
        let row_total = row_total_incl_tax - tax;
        let price = self.shop.round(row_total / item.qty);
        let mut compensation = Decimal::ZERO;
        if self.shop.tax_after_discount {
            let exact = tax_within((row_total_incl_tax - item.discount).max(Decimal::ZERO), rate);
            let after = self.delta_round(exact, rate, true, When::Regular, item.row);
            compensation = tax - after;
            tax = after;
        }
        Taxed { price, price_incl_tax, row_total, row_total_incl_tax, tax, compensation }
    }

    fn row(&mut self, item: &Taxable<'_>) -> Taxed {
        let price = self.shop.round(item.unit_price);
        let row_total = price * item.qty;
        let (mut tax, mut before) = (Decimal::ZERO, Decimal::ZERO);
        for rate in item.rates {
            let exact = tax_on(row_total, *rate);
            let of_rate = match item.fixed {
                true => self.shop.round(exact),
                false => self.delta_round(exact, *rate, false, self.before(), item.row),
            };
            before += of_rate;
            tax += match self.shop.tax_after_discount {
                true => {
                    let exact = tax_on((row_total - item.discount).max(Decimal::ZERO), *rate);
                    self.delta_round(exact, *rate, false, When::Regular, item.row)
                }
                false => of_rate,
            };
        }
        let row_total_incl_tax = row_total + before;
        let price_incl_tax = self.shop.round(row_total_incl_tax / item.qty);
        Taxed { price, price_incl_tax, row_total, row_total_incl_tax, tax, compensation: Decimal::ZERO }
    }

    fn unit_of_price_with_tax(&mut self, item: &Taxable<'_>) -> Taxed {
        let rate: Decimal = item.rates.iter().sum();
        let price_incl_tax = self.shop.round(item.unit_price);
        let mut tax = self.shop.round(tax_within(price_incl_tax, rate));
        let price = price_incl_tax - tax;
        let mut compensation = Decimal::ZERO;
        if !item.discount.is_zero() && self.shop.tax_after_discount {
            let left = (price_incl_tax - item.discount / item.qty).max(Decimal::ZERO);
            let after = self.shop.round(tax_within(left, rate));
            compensation = (tax - after) * item.qty;
            tax = after;
        }
        Taxed {
            price,
            price_incl_tax,
            row_total: price * item.qty,
            row_total_incl_tax: price_incl_tax * item.qty,
            tax: tax * item.qty,
            compensation,
        }
    }

    fn unit(&mut self, item: &Taxable<'_>) -> Taxed {
        let price = self.shop.round(item.unit_price);
        let (mut tax, mut before) = (Decimal::ZERO, Decimal::ZERO);
        for rate in item.rates {
            let of_rate = self.delta_round(tax_on(price, *rate), *rate, false, self.before(), item.row);
            before += of_rate;
            tax += match self.shop.tax_after_discount {
                true => {
                    let left = (price - item.discount / item.qty).max(Decimal::ZERO);
                    self.delta_round(tax_on(left, *rate), *rate, false, When::Regular, item.row)
                }
                false => of_rate,
            };
        }
        Taxed {
            price,
            price_incl_tax: price + before,
            row_total: price * item.qty,
            row_total_incl_tax: (price + before) * item.qty,
            tax: tax * item.qty,
            compensation: Decimal::ZERO,
        }
    }
}

/// Tax of `rate` percent on an amount.
pub(crate) fn tax_on(amount: Decimal, rate: Decimal) -> Decimal {
    amount * rate / Decimal::ONE_HUNDRED
}

/// Tax of `rate` percent in an amount.
fn tax_within(amount: Decimal, rate: Decimal) -> Decimal {
    amount * rate / (Decimal::ONE_HUNDRED + rate)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::Dice;
    use crate::magento::rates;
    use crate::shop::FixedTax;

    fn shop(algorithm: Algorithm, prices_include_tax: bool) -> Shop {
        Shop {
            currency: "USD",
            precision: 2,
            algorithm,
            prices_include_tax,
            shipping_includes_tax: false,
            tax_after_discount: true,
            discount_on_tax: false,
            fixed_tax: FixedTax::None,
            rounds_freight_discount: true,
        }
    }

    fn of(shop: &Shop, price: &str, qty: u32, rate: &str, discount: &str) -> Taxed {
        let rates = rates(&[rate]);
        let item = Taxable {
            row: 0,
            unit_price: price.parse().unwrap(),
            qty: qty.into(),
            rates: &rates,
            includes_tax: shop.prices_include_tax,
            discount: discount.parse().unwrap(),
            fixed: false,
        };
        Calculator::new(shop).calculate(&item)
    }

    /// The rows of recorded orders.
    #[test]
    fn what_shops_have_charged() {
        let d = |text: &str| -> Decimal { text.parse().unwrap() };
        for algorithm in [Algorithm::Unit, Algorithm::Row, Algorithm::Total] {
            assert_eq!(of(&shop(algorithm, false), "29", 1, "8.25", "0").tax, d("2.39"));
            assert_eq!(of(&shop(algorithm, false), "22", 1, "23", "3.30").tax, d("4.30"));
            let with = of(&shop(algorithm, true), "123", 1, "23", "12.30");
            assert_eq!((with.row_total, with.tax, with.compensation), (d("100"), d("20.70"), d("2.30")));
        }
        assert_eq!(of(&shop(Algorithm::Row, false), "12.50", 4, "8.25", "0").tax, d("4.13"));
        assert_eq!(of(&shop(Algorithm::Unit, false), "12.50", 4, "8.25", "0").tax, d("4.12"));
        let row = of(&shop(Algorithm::Row, true), "9.99", 3, "23", "0");
        assert_eq!((row.row_total, row.tax, row.price), (d("24.37"), d("5.60"), d("8.12")));
    }

    /// Shops are of every kind.
    #[test]
    fn every_setting_comes_up() {
        let shops: Vec<Shop> = (1..=300).map(|number| Shop::generate(&mut Dice::of(number))).collect();
        for algorithm in [Algorithm::Unit, Algorithm::Row, Algorithm::Total] {
            for with in [false, true] {
                assert!(shops.iter().any(|shop| shop.algorithm == algorithm && shop.prices_include_tax == with));
            }
        }
        for currency in ["USD", "EUR", "KWD", "JPY"] {
            assert!(shops.iter().any(|shop| shop.currency == currency));
        }
    }
}
