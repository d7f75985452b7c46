//! What Magento's collectors make of a cart, in the order in which they run: `tax_subtotal` and `tax_shipping` (prices with and
//! without tax), `discount` and `shipping_discount`, `tax` (of goods, fixed product taxes and freight, after their discounts),
//! `weee_tax` (what of these is not in the subtotal), `grand_total`.

use rust_decimal::Decimal;

use crate::calculator::{Calculator, Taxable, Taxed, tax_on};
use crate::cart::{Case, Kind};
use crate::shop::{FixedTax, round};

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
