//! Which tax code gives the tax that the customer was charged.

use datawald_backoffice::{Freight, LineTax};
use datawald_core::model::{Money, Order, OrderItem};
use datawald_core::{Error, Result};
use rust_decimal::Decimal;

use super::lines::{number, path};
use super::places::Places;
use crate::B1Settings;
use crate::settings::{TaxAddress, TaxArea, TaxRule};

/// What a tax was charged on.
struct Taxed<'a> {
    /// The amounts that the shop may have computed the tax on; the likeliest first.
    bases: &'a [Money],
    /// How many pieces the tax may have been rounded on.
    pieces: Decimal,
    /// The tax.
    tax: Money,
    /// The rate, where the shop tells it.
    percent: Option<Decimal>,
    /// The rates that the shop tells of other lines, one of which is likely.
    others: &'a [Decimal],
    /// The decimals that the shop rounds to.
    shop: Places,
}

impl Taxed<'_> {
    /// How far the tax is from what a rule makes of the likeliest amount. A rule of another rate than the one that the shop tells
    /// has to give it on the first.
    fn off(&self, rule: &TaxRule) -> Option<Money> {
        let distance =
            |base: &Money| base.checked_mul(rule.rate).map(|it| (it / Decimal::ONE_HUNDRED - self.tax).abs());
        let another = self.percent.is_some_and(|told| !told.is_zero() && told != rule.rate);
        self.bases.iter().take(if another { 1 } else { self.bases.len() }).filter_map(distance).min()
    }
}

/// The tax of a line.
///
/// The shop computed it on the line less the line's own discount; SAP B1 will on the line less its share of the document
/// discount. Where the two differ either may tell the rate, as may the undiscounted line (shops can tax before
/// discount); whether the document then comes to the right total is for reconciliation to say.
pub(super) fn line_tax(settings: &B1Settings, order: &Order, item: &OrderItem) -> Result<LineTax> {
    let total = item.sub_total;
    let share = if order.sub_total.is_zero() {
        Decimal::ZERO
    } else {
        total * order.discount_amt.abs().checked_div(order.sub_total).unwrap_or_default()
    };
    let shop = Places::of_shop(settings, &order.currency);
    let bases = [total - item.discount_amt, total - share, total];
    let taxed =
        Taxed { bases: &bases, pieces: item.qty, tax: item.tax_amt, percent: item.tax_percent, others: &[], shop };
    choose(settings, order, &taxed, || format!("{}.tax_amt", path(order, item)))
}

/// Freight and its tax.
pub(super) fn freight(settings: &B1Settings, order: &Order) -> Result<Freight> {
    let operation = "map freight";
    let (amt, tax_amt) = (order.shipping_amt, order.shipping_tax_amt);
    if amt.is_zero() && tax_amt.is_zero() {
        return Ok(Freight::None);
    }
    let rule = &settings.freight;
    let places = Places::of(settings, &order.currency);
    let by_table = || {
        // No field tells the rate on freight.
        let others = told_rates(order);
        let of = |base: Money| {
            let bases = [base];
            choose(settings, order, &of_freight(settings, order, &bases, &others), || "shipping_tax_amt".to_owned())
        };
        let discount = order.shipping_discount_amt;
        // A shop may tax freight before its discount; whether SAP B1 comes to the same is for reconciliation to say.
        of(amt).or_else(|error| {
            if discount.is_zero() { Err(error) } else { of(amt.saturating_add(discount)).map_err(|_| error) }
        })
    };
    let tax = match &rule.tax_code {
        Some(code) if !tax_amt.is_zero() => {
            let rate = settings.tax.iter().find(|rule| rule.code == *code).map(|rule| rule.rate);
            LineTax { code: code.clone(), rate: rate.unwrap_or_default() }
        }
        _ => by_table()?,
    };
    match (&rule.expense_name, &rule.item_code) {
        (Some(name), _) => Ok(Freight::Expense { name: name.clone(), amount: amt, tax }),
        (None, Some(item_code)) => Ok(Freight::Item { item_code: item_code.clone(), amount: amt, tax }),
        (None, None) => {
            let message = format!(
                "is {}, and the settings do not say how SAP B1 charges freight: add `freight.expense_name` or \
                 `freight.item_code`",
                places.text(amt)
            );
            Err(Error::invalid(operation, message).entity(format!("order {}", order.fe_order_id)).field("shipping_amt"))
        }
    }
}

/// The codes that give the tax on freight within rounding, likeliest first.
pub(super) fn freight_codes<'a>(settings: &'a B1Settings, order: &Order) -> Vec<&'a str> {
    if settings.freight.tax_code.is_some() || order.shipping_tax_amt.is_zero() {
        return Vec::new();
    }
    let others = told_rates(order);
    let bases = [order.shipping_amt];
    let taxed = of_freight(settings, order, &bases, &others);
    let rules = by_likelihood(&settings.tax, area(settings, order), &taxed);
    rules.into_iter().map(|rule| rule.code.as_str()).collect()
}

/// The code of the rate that the shop tells of a line that is so little that it has no tax.
pub(super) fn told_code<'a>(settings: &'a B1Settings, order: &Order, item: &OrderItem) -> Option<&'a str> {
    let told = item.tax_percent.filter(|told| !told.is_zero() && item.tax_amt.is_zero())?;
    let area = area(settings, order);
    settings.tax.iter().find(|rule| rule.rate == told && rule.holds(area)).map(|rule| rule.code.as_str())
}

/// The rates that the shop tells of the lines.
fn told_rates(order: &Order) -> Vec<Decimal> {
    order.items.iter().filter_map(|item| item.tax_percent).collect()
}

fn of_freight<'a>(settings: &B1Settings, order: &Order, bases: &'a [Money], others: &'a [Decimal]) -> Taxed<'a> {
    let shop = Places::of_shop(settings, &order.currency);
    Taxed { bases, pieces: Decimal::ONE, tax: order.shipping_tax_amt, percent: None, others, shop }
}

/// Where the tax of an order is.
fn area<'a>(settings: &B1Settings, order: &'a Order) -> TaxArea<'a> {
    let address = match settings.tax_address {
        TaxAddress::ShipTo => &order.addresses.shipto,
        TaxAddress::BillTo => &order.addresses.billto,
    };
    TaxArea { country: &address.country, region: &address.region, postcode: &address.postcode }
}

fn choose(settings: &B1Settings, order: &Order, taxed: &Taxed<'_>, field: impl Fn() -> String) -> Result<LineTax> {
    let area = area(settings, order);
    if let Some(rule) = fitting(&settings.tax, area, taxed) {
        return Ok(LineTax { code: rule.code.clone(), rate: rule.rate });
    }
    let wrong = |message: String| {
        Error::invalid("find tax code", message).entity(format!("order {}", order.fe_order_id)).field(field())
    };
    if taxed.tax.is_zero() {
        return match &settings.exempt_code {
            Some(code) => Ok(LineTax { code: code.clone(), rate: Decimal::ZERO }),
            None => Err(wrong("there is no tax, and the settings have no `exempt_code` for that".into())),
        };
    }
    let area_text: Vec<&str> =
        [area.country, area.region, area.postcode].into_iter().map(str::trim).filter(|text| !text.is_empty()).collect();
    let base = taxed.bases.first().copied().unwrap_or_default();
    let rate = taxed.percent.filter(|percent| !percent.is_zero()).map(number).or_else(|| {
        let rate = taxed.tax.checked_div(base)?.checked_mul(Decimal::ONE_HUNDRED)?;
        Some(format!("about {}", number(rate.round_dp(2))))
    });
    let rate = rate.map_or_else(|| "a fitting rate".to_owned(), |rate| format!("a rate of {rate} %"));
    let there: Vec<String> = settings
        .tax
        .iter()
        .filter(|rule| rule.holds(area))
        .map(|rule| format!("{} {} %", rule.code, number(rule.rate)))
        .collect();
    let there = if there.is_empty() { "none".to_owned() } else { there.join(", ") };
    Err(wrong(format!(
        "no tax code gives the tax of {} on {} in {} (the table has for there: {there}): add one with {rate} to the tax \
         table",
        number(taxed.tax),
        number(base),
        if area_text.is_empty() { "an unknown area".to_owned() } else { area_text.join(" ") },
    )))
}

/// The rule that fits best.
fn fitting<'a>(rules: &'a [TaxRule], area: TaxArea<'_>, taxed: &Taxed<'_>) -> Option<&'a TaxRule> {
    if taxed.tax.is_zero() {
        // No tax: a rate of zero, or the told rate on so little that nothing comes of it.
        let told = taxed.percent.unwrap_or_default();
        // Of less than nothing SAP B1 would take tax off, and no shop does.
        if taxed.bases.first().is_some_and(|base| *base < Decimal::ZERO) {
            return None;
        }
        return rules.iter().find(|rule| {
            rule.rate == told && rule.holds(area) && taxed.off(rule).is_some_and(|off| taxed.shop.round(off).is_zero())
        });
    }
    by_likelihood(rules, area, taxed).into_iter().next()
}

/// The rules that give a tax within rounding: first the one with the rate that the shop tells; else one that gives the tax to
/// the cent, and among such one with a rate that another line has; else the one that comes nearest; of several alike the
/// first in the table.
fn by_likelihood<'a>(rules: &'a [TaxRule], area: TaxArea<'_>, taxed: &Taxed<'_>) -> Vec<&'a TaxRule> {
    // The tax was rounded once a row or once a piece, and with it the base that the tax is compared with, if that was taken
    // out of a price that includes tax; and where a shop rounds by order, a row makes up for what the ones before it lost.
    let smallest = taxed.shop.smallest();
    let rounded = smallest.max(taxed.pieces.checked_mul(taxed.shop.half()).unwrap_or(smallest));
    let tolerance = rounded.checked_mul(Decimal::TWO).unwrap_or(rounded);
    let mut fitting: Vec<(&TaxRule, Money)> = rules
        .iter()
        .filter(|rule| !rule.rate.is_zero() && rule.holds(area))
        .filter_map(|rule| Some((rule, taxed.off(rule).filter(|off| *off <= tolerance)?)))
        .collect();
    fitting.sort_by_key(|(rule, off)| {
        let rounds_to_it = *off <= taxed.shop.half();
        (taxed.percent != Some(rule.rate), !rounds_to_it, !taxed.others.contains(&rule.rate), *off)
    });
    fitting.into_iter().map(|(rule, _)| rule).collect()
}
