//! What SAP B1 would make of an order if every code and amount were the right one, reckoned from the model alone.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use crate::cart::Case;
use crate::magento::rates;
use crate::shop::{FixedTax, round};

/// The parts of an order or a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parts {
    /// The lines before discount and tax, with fixed product taxes.
    pub(crate) goods: Decimal,
    /// The discount on them.
    pub(crate) discount: Decimal,
    pub(crate) freight: Decimal,
    pub(crate) tax: Decimal,
    /// With what was paid by gift card, store credit and points.
    pub(crate) total: Decimal,
}

/// The parts as the shop has them.
pub(crate) fn of_shop(case: &Case) -> Parts {
    let totals = &case.totals;
    let rows = || case.counted().map(|(at, _)| &totals.rows[at]);
    let other = &case.other;
    Parts {
        goods: rows().map(|row| row.row_total + row.fixed).sum(),
        discount: rows().map(|row| row.discount - row.compensation).sum(),
        freight: totals.shipping - (totals.shipping_discount - totals.shipping_compensation),
        tax: totals.tax,
        total: totals.grand_total + other.gift_card + other.store_credit + other.points,
    }
}

/// A line, an expense or freight as a line: its amount, the rate on it, and the fixed product tax of it apart.
fn lines(case: &Case) -> Vec<(Decimal, Decimal)> {
    let mut lines = Vec::new();
    for (at, row) in case.counted() {
        let of = &case.totals.rows[at];
        let rate: Decimal = rates(row.rates).iter().sum();
        // The shop tells four decimals.
        let (total, net_discount) = (round(of.row_total, 4), round(of.discount, 4) - round(of.compensation, 4));
        let off = if case.books.document_discount { Decimal::ZERO } else { net_discount };
        // No shop taxes less than nothing.
        lines.push((total - off, if net_discount > total { Decimal::ZERO } else { rate }));
        if !of.fixed.is_zero() {
            // That one is taxed is told by its tax alone, of which rounding may leave nothing.
            let taxed = matches!(case.shop.fixed_tax, FixedTax::Charged { taxed: true, .. });
            let taxed = taxed && of.fixed_incl_tax != of.fixed;
            lines.push((round(of.fixed, 4), if taxed { rate } else { Decimal::ZERO }));
        }
    }
    lines
}

/// The discount in percent that the document would have.
pub(crate) fn percent(case: &Case) -> Decimal {
    let shop = of_shop(case);
    if !case.books.document_discount || shop.goods.is_zero() {
        return Decimal::ZERO;
    }
    round(shop.discount / shop.goods * Decimal::ONE_HUNDRED, 6)
}

/// The parts as SAP B1 would have them. Goods are less their discounts, unless the document has it.
pub(crate) fn of_document(case: &Case) -> Parts {
    let shop = of_shop(case);
    let decimals = case.books.decimals;
    let freight_rate: Decimal = rates(case.shipping_rates).iter().sum();
    let mut lines = lines(case);
    let mut freight = round(shop.freight, decimals);
    let mut tax = round(freight * freight_rate / Decimal::ONE_HUNDRED, decimals);
    if case.books.freight_line {
        lines.push((shop.freight, freight_rate));
        (freight, tax) = (Decimal::ZERO, Decimal::ZERO);
    }
    let percent = percent(case);
    let mut goods = Decimal::ZERO;
    let mut by_rate: BTreeMap<Decimal, Decimal> = BTreeMap::new();
    for (amount, rate) in lines {
        let amount = round(amount, decimals);
        goods += amount;
        let exact = amount * (Decimal::ONE_HUNDRED - percent) / Decimal::ONE_HUNDRED * rate / Decimal::ONE_HUNDRED;
        match case.books.tax_per_line {
            true => tax += round(exact, decimals),
            false => *by_rate.entry(rate).or_default() += exact,
        }
    }
    tax += by_rate.into_values().map(|exact| round(exact, decimals)).sum::<Decimal>();
    let discount = round(goods * percent / Decimal::ONE_HUNDRED, decimals);
    Parts { goods, discount, freight, tax, total: goods - discount + freight + tax }
}

/// Whether parts of a document are those of the shop: nothing is off by one in the last decimal, and the total by nothing.
pub(crate) fn differences(case: &Case, document: &Parts) -> Vec<&'static str> {
    let shop = of_shop(case);
    let last = Decimal::new(1, case.books.decimals);
    let same = |a: Decimal, b: Decimal| (a - b).abs() < last;
    let mut off = Vec::new();
    if document.total != shop.total {
        off.push("total");
    }
    if !same(document.tax, shop.tax) {
        off.push("tax");
    }
    let (freight, mut goods, mut discount) = (shop.freight, shop.goods, shop.discount);
    let line = if case.books.freight_line { freight } else { Decimal::ZERO };
    if !same(document.freight, freight - line) {
        off.push("freight");
    }
    if !case.books.document_discount {
        (goods, discount) = (goods - discount, Decimal::ZERO);
    }
    if !same(document.discount, discount) {
        off.push("discount");
    }
    if !same(document.goods, goods + line) {
        off.push("goods");
    }
    off
}
