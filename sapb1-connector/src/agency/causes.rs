//! Why totals differ, by comparing the document with the order part by part.

use datawald_core::model::{Money, Order, round_cents};
use rust_decimal::Decimal;

use super::lines::{amount, number};
use super::tax::CENT;
use super::total::Amounts;
use crate::B1Settings;
use crate::settings::{DiscountMode, TaxRounding};

/// The likely cause of a difference, in a sentence or two, with what to do about it.
pub(super) fn likely_cause(settings: &B1Settings, order: &Order, sums: &Amounts, off: Money) -> String {
    let mut causes = Vec::new();
    wrong_rates(settings, sums, &mut causes);
    own_sum(order, &mut causes);
    lines(settings, order, sums, &mut causes);
    discount(settings, order, sums, &mut causes);
    line_tax(settings, order, sums, &mut causes);
    freight(order, sums, &mut causes);
    if causes.is_empty() {
        let few = off.abs() <= CENT * Decimal::from(order.items.len().max(1));
        causes.push(if few {
            rounding(settings)
        } else {
            "an amount that is neither line, tax, discount nor freight".into()
        });
    }
    causes.join("; ")
}

/// SAP B1's rate of a code is another than the table's.
fn wrong_rates(settings: &B1Settings, sums: &Amounts, causes: &mut Vec<String>) {
    for (code, rate) in &sums.codes {
        let table = settings.tax.iter().filter(|rule| rule.code == *code).map(|rule| rule.rate);
        let exempt = (settings.exempt_code.as_deref() == Some(code)).then_some(Decimal::ZERO);
        let rates: Vec<Decimal> = table.chain(exempt).collect();
        if let (Some(first), false) = (rates.first(), rates.contains(rate)) {
            let (first, rate) = (number(*first), number(*rate));
            causes.push(format!("the tax code {code} has {first} % in the settings and {rate} % in SAP B1"));
        }
    }
}

/// The order's own amounts do not add up.
fn own_sum(order: &Order, causes: &mut Vec<String>) {
    let own = order.sub_total - order.discount_amt.abs() + order.tax_amt + order.shipping_amt;
    let charged = order.grand_total + order.giftcard_amt.abs() + order.storecredit_amt.abs();
    if round_cents(own) != round_cents(charged) {
        causes.push(format!(
            "the order's own subtotal, discount, tax and freight come to {}: it holds a fee or credit of {} of another kind",
            amount(own),
            amount(charged - own)
        ));
    }
}

fn lines(settings: &B1Settings, order: &Order, sums: &Amounts, causes: &mut Vec<String>) {
    let of_items: Money = order.items.iter().map(|item| item.sub_total).sum();
    if round_cents(of_items) != round_cents(order.sub_total) {
        let (lines, sub_total) = (amount(of_items), amount(order.sub_total));
        causes.push(format!("the order's lines come to {lines}, its subtotal is {sub_total}"));
    } else if sums.freight.is_zero() && !order.shipping_amt.is_zero() && !sums.percent.is_zero() {
        causes.push(
            "freight is a line of the document, so the document discount is taken off it too: set `discount = \"lines\"`, \
             or charge freight as an expense"
                .into(),
        );
    } else if settings.discount == DiscountMode::Lines {
        let on_lines: Money = order.items.iter().map(|item| item.discount_amt.abs()).sum();
        if round_cents(on_lines) != round_cents(order.discount_amt.abs()) {
            causes.push(format!(
                "the discount is {}, of which {} is on lines: the rest is on freight or the whole order",
                amount(order.discount_amt.abs()),
                amount(on_lines)
            ));
        }
    }
}

fn discount(settings: &B1Settings, order: &Order, sums: &Amounts, causes: &mut Vec<String>) {
    let charged = round_cents(order.discount_amt.abs());
    let plain = settings.discount == DiscountMode::Document && causes.is_empty();
    if plain && sums.discount != charged {
        causes.push(format!(
            "{} % of the lines is a discount of {}, the order's is {}",
            number(sums.percent),
            amount(sums.discount),
            amount(charged)
        ));
    }
}

fn line_tax(settings: &B1Settings, order: &Order, sums: &Amounts, causes: &mut Vec<String>) {
    // Freight that is a line has its tax among the lines'.
    let freight_is_line = sums.freight.is_zero() && !order.shipping_amt.is_zero();
    let on_freight = if freight_is_line { Decimal::ZERO } else { order.shipping_tax_amt };
    let charged = order.tax_amt - on_freight;
    let off = sums.tax - charged;
    if off.is_zero() || !causes.is_empty() {
        return;
    }
    let (b1, shop) = (amount(sums.tax), amount(charged));
    let uneven = settings.discount == DiscountMode::Document && discounted_unevenly(order);
    let few = off.abs() <= CENT * Decimal::from(order.items.len().max(1));
    let why = if uneven && sums.codes.len() > 1 {
        "the discount is on part of the lines, which are taxed differently, and SAP B1 spreads one percentage over all: \
         set `discount = \"lines\"`"
            .to_owned()
    } else if few {
        rounding(settings)
    } else if !order.discount_amt.is_zero() {
        "the shop taxes before discount or discounts freight, and SAP B1 taxes the lines after discount".to_owned()
    } else {
        let of_items: Money = order.items.iter().map(|item| item.tax_amt).sum();
        if round_cents(of_items) == round_cents(charged) {
            "a line's tax is not what its code gives".to_owned()
        } else {
            format!("the lines' own taxes come to {}: the rest is tax on something that is no line", amount(of_items))
        }
    };
    causes.push(format!("tax on the lines is {b1} in SAP B1 and {shop} in the shop: {why}"));
}

fn freight(order: &Order, sums: &Amounts, causes: &mut Vec<String>) {
    if sums.freight.is_zero() || !causes.is_empty() {
        return;
    }
    if sums.freight != round_cents(order.shipping_amt) {
        let (b1, shop) = (amount(sums.freight), amount(order.shipping_amt));
        causes.push(format!("freight is {b1} in the document and {shop} in the order"));
    } else if sums.freight_tax != round_cents(order.shipping_tax_amt) {
        let (b1, shop) = (amount(sums.freight_tax), amount(order.shipping_tax_amt));
        causes.push(format!("tax on freight is {b1} in SAP B1 and {shop} in the shop: correct `freight.tax_code`"));
    }
}

fn discounted_unevenly(order: &Order) -> bool {
    let share = |item: &datawald_core::model::OrderItem| {
        item.discount_amt.abs().checked_div(item.sub_total).unwrap_or_default()
    };
    let mut shares = order.items.iter().filter(|item| !item.sub_total.is_zero()).map(share);
    let Some(first) = shares.next() else { return false };
    shares.any(|share| (share - first).abs() > CENT)
}

fn rounding(settings: &B1Settings) -> String {
    let how = match settings.rounding {
        TaxRounding::PerCode => "once per tax code",
        TaxRounding::PerLine => "line by line",
    };
    format!(
        "rounding: SAP B1 rounds tax {how}, the shop otherwise (per piece, per line, or out of prices that include tax). \
         `reconcile.mode` can put up with that"
    )
}
