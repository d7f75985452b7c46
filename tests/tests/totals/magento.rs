//! What Magento's collectors make of a cart, in the order in which they run: `tax_subtotal` and `tax_shipping` (prices with and
//! without tax), `discount` and `shipping_discount`, `tax` (of goods, fixed product taxes and freight, after their discounts),
//! `weee_tax`, `grand_total`.
//!
//! The calculators are `Magento\Tax\Model\Calculation\{UnitBase, RowBase, TotalBase}Calculator`. All three carry what rounding took
//! over to the next amount of the same rate: unit and row within a row, total through the whole order. PHP reckons in binary
//! floating point and this in decimals; at halves Magento adds a millionth before it rounds, which is done here, too.

use std::collections::HashMap;

use rust_decimal::Decimal;

use crate::cart::{Case, Kind};
use crate::shop::{Algorithm, FixedTax, Shop, round};

/// What a row comes to.
#[derive(Debug, Clone, Default)]
pub(crate) struct RowTotals {
    pub(crate) price: Decimal,
    pub(crate) price_incl_tax: Decimal,
    pub(crate) row_total: Decimal,
    pub(crate) row_total_incl_tax: Decimal,
    pub(crate) tax: Decimal,
    pub(crate) discount: Decimal,
    /// The tax that the discount includes.
    pub(crate) compensation: Decimal,
    pub(crate) fixed: Decimal,
    pub(crate) fixed_incl_tax: Decimal,
}

/// What an order comes to.
#[derive(Debug, Clone, Default)]
pub(crate) struct Totals {
    /// By the place of the row; of a bundle that is priced by its parts, their sum.
    pub(crate) rows: Vec<RowTotals>,
    pub(crate) subtotal: Decimal,
    pub(crate) discount: Decimal,
    pub(crate) compensation: Decimal,
    pub(crate) shipping: Decimal,
    pub(crate) shipping_incl_tax: Decimal,
    pub(crate) shipping_tax: Decimal,
    pub(crate) shipping_discount: Decimal,
    pub(crate) shipping_compensation: Decimal,
    pub(crate) tax: Decimal,
    pub(crate) grand_total: Decimal,
}

/// What is taxed.
struct Taxable<'a> {
    /// The row that it belongs to; of freight, one more.
    row: usize,
    unit_price: Decimal,
    qty: Decimal,
    rates: &'a [Decimal],
    includes_tax: bool,
    discount: Decimal,
    fixed: bool,
}

#[derive(Debug, Clone, Copy, Default)]
struct Taxed {
    price: Decimal,
    price_incl_tax: Decimal,
    row_total: Decimal,
    row_total_incl_tax: Decimal,
    tax: Decimal,
    compensation: Decimal,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum When {
    Regular,
    BeforeDiscount,
}

struct Calculator<'a> {
    shop: &'a Shop,
    deltas: HashMap<(When, Option<usize>, Decimal, bool), Decimal>,
}

const MILLIONTH: Decimal = Decimal::from_parts(1, 0, 0, false, 6);

impl<'a> Calculator<'a> {
    fn new(shop: &'a Shop) -> Self {
        Self { shop, deltas: HashMap::new() }
    }

    fn calculate(&mut self, item: &Taxable<'_>) -> Taxed {
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
fn tax_on(amount: Decimal, rate: Decimal) -> Decimal {
    amount * rate / Decimal::ONE_HUNDRED
}

/// Tax of `rate` percent in an amount.
fn tax_within(amount: Decimal, rate: Decimal) -> Decimal {
    amount * rate / (Decimal::ONE_HUNDRED + rate)
}

pub(crate) fn rates(names: &[&str]) -> Vec<Decimal> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

/// Runs the collectors.
pub(crate) fn collect(case: &Case) -> Totals {
    let shop = &case.shop;
    let mut totals = Totals { rows: vec![RowTotals::default(); case.rows.len()], ..Totals::default() };

    // tax_subtotal, tax_shipping: the prices that the rule is on.
    let priced = goods(case, &mut Calculator::new(shop), &totals.rows);
    let freight_rates = rates(case.shipping_rates);
    let mut freight = Taxable {
        row: case.rows.len(),
        unit_price: case.shipping,
        qty: Decimal::ONE,
        rates: &freight_rates,
        includes_tax: shop.shipping_includes_tax,
        discount: Decimal::ZERO,
        fixed: false,
    };
    let shipped = Calculator::new(shop).calculate(&freight);

    // discount, shipping_discount
    if let Some(rule) = case.rule {
        let mut delta = Decimal::ZERO;
        for (at, row) in case.counted().filter(|(_, row)| row.discounted) {
            let Some(priced) = priced.iter().find(|(place, fixed, _)| *place == at && !fixed) else { continue };
            let price = if shop.discount_on_tax { priced.2.price_incl_tax } else { priced.2.price };
            let full = price * row.qty;
            let discount = match rule.percent {
                Some(percent) => {
                    let exact = tax_on(full, percent) + delta;
                    let rounded = shop.round(exact);
                    delta = exact - rounded;
                    rounded
                }
                None => shop.round(rule.fixed * row.qty),
            };
            totals.rows[at].discount = discount.min(full);
        }
        if rule.on_shipping && !case.shipping.is_zero() {
            let full = if shop.discount_on_tax { shipped.row_total_incl_tax } else { shipped.row_total };
            let off = rule.percent.map_or(rule.fixed, |percent| tax_on(full, percent)).min(full);
            totals.shipping_discount = if shop.rounds_freight_discount { shop.round(off) } else { off };
        }
    }

    // tax
    let mut calculator = Calculator::new(shop);
    for (at, fixed, taxed) in goods(case, &mut calculator, &totals.rows) {
        let row = &mut totals.rows[at];
        totals.tax += taxed.tax;
        if fixed {
            (row.fixed, row.fixed_incl_tax) = (taxed.row_total, taxed.row_total_incl_tax);
            continue;
        }
        (row.price, row.price_incl_tax) = (taxed.price, taxed.price_incl_tax);
        (row.row_total, row.row_total_incl_tax) = (taxed.row_total, taxed.row_total_incl_tax);
        (row.tax, row.compensation) = (taxed.tax, taxed.compensation);
        totals.subtotal += taxed.row_total;
        totals.compensation += taxed.compensation;
        totals.discount += row.discount;
    }
    freight.discount = totals.shipping_discount;
    let shipped = calculator.calculate(&freight);
    totals.shipping = shipped.row_total;
    totals.shipping_incl_tax = shipped.row_total_incl_tax;
    totals.shipping_tax = shipped.tax;
    totals.shipping_compensation = shipped.compensation;
    totals.tax += shipped.tax;
    totals.discount += totals.shipping_discount;

    // weee_tax
    let mut beside = Decimal::ZERO;
    if let FixedTax::Charged { taxed, in_subtotal } = shop.fixed_tax {
        for (at, row) in case.counted().filter(|(_, row)| !row.fixed_tax.is_zero()) {
            if !taxed {
                totals.rows[at].fixed = shop.round(row.fixed_tax * row.qty);
                totals.rows[at].fixed_incl_tax = totals.rows[at].fixed;
            }
            *(if in_subtotal { &mut totals.subtotal } else { &mut beside }) += totals.rows[at].fixed;
        }
    }
    sum_bundles(case, &mut totals.rows);
    totals.grand_total = round(
        totals.subtotal - totals.discount
            + totals.compensation
            + totals.shipping_compensation
            + totals.shipping
            + totals.tax
            + beside,
        4,
    );
    totals
}

/// The goods through a calculator, each with its fixed product tax behind it if that is taxed.
fn goods(case: &Case, calculator: &mut Calculator<'_>, so_far: &[RowTotals]) -> Vec<(usize, bool, Taxed)> {
    let fixed_is_taxed = matches!(case.shop.fixed_tax, FixedTax::Charged { taxed: true, .. });
    let mut all = Vec::new();
    for (at, row) in case.counted() {
        let rates = rates(row.rates);
        let mut item = Taxable {
            row: at,
            unit_price: row.price,
            qty: row.qty,
            rates: &rates,
            includes_tax: case.shop.prices_include_tax,
            discount: so_far[at].discount,
            fixed: false,
        };
        all.push((at, false, calculator.calculate(&item)));
        if fixed_is_taxed && !row.fixed_tax.is_zero() {
            item = Taxable {
                unit_price: row.fixed_tax,
                includes_tax: false,
                discount: Decimal::ZERO,
                fixed: true,
                ..item
            };
            all.push((at, true, calculator.calculate(&item)));
        }
    }
    all
}

/// The amounts of a bundle that is priced by its parts are their sum.
fn sum_bundles(case: &Case, rows: &mut [RowTotals]) {
    for (at, row) in case.rows.iter().enumerate() {
        let Kind::DynamicBundle(parts) = row.kind else { continue };
        let mut sum = RowTotals::default();
        for part in &rows[at + 1..=at + parts] {
            sum.row_total += part.row_total;
            sum.row_total_incl_tax += part.row_total_incl_tax;
            sum.tax += part.tax;
        }
        sum.price = case.shop.round(sum.row_total / row.qty);
        sum.price_incl_tax = case.shop.round(sum.row_total_incl_tax / row.qty);
        rows[at] = sum;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dice::Dice;

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
