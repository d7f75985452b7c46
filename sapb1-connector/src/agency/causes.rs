//! Why totals differ, by comparing the document with the order part by part.

use datawald_core::model::{Money, Order, OrderItem};
use rust_decimal::Decimal;

use super::lines::number;
use super::places::Places;
use super::total::Amounts;
use crate::B1Settings;
use crate::settings::{DiscountMode, TaxRounding};

const TAXED_BEFORE: &str = "the shop taxes before discount, and SAP B1 taxes what is left after it";

/// Freight's rate is told nowhere.
const OR_NO_CODE: &str = ", or no code has the rate on freight";

const SPREADS: &str = "the discount is on part of the lines, which are taxed differently, and SAP B1 spreads one percentage \
                       over all: set `discount = \"lines\"`";

/// Shares of a discount that differ by more than this are not those of one percentage.
const UNEVEN: Decimal = Decimal::from_parts(1, 0, 0, false, 2);

/// The likely cause of a difference, in a sentence or two, with what to do about it.
pub(super) fn likely_cause(settings: &B1Settings, order: &Order, sums: &Amounts, off: Money) -> String {
    let places = Places::of(settings, &order.currency);
    let shop = Places::of_shop(settings, &order.currency);
    let it = Compared { settings, order, sums, places, shop };
    let mut causes = it.wrong_rates();
    causes.extend(it.own_sum());
    causes.extend(it.lines());
    if causes.is_empty() {
        causes.extend(it.discount());
    }
    if causes.is_empty() {
        causes.extend(it.line_tax());
        let of_freight = it.freight(causes.is_empty());
        causes.extend(of_freight);
    }
    if causes.is_empty() {
        let few = off.abs() <= it.per_line();
        causes.push(if few {
            it.rounding()
        } else {
            "an amount that is neither line, tax, discount nor freight".into()
        });
    }
    causes.join("; ")
}

struct Compared<'a> {
    settings: &'a B1Settings,
    order: &'a Order,
    sums: &'a Amounts,
    places: Places,
    /// The decimals that the shop rounds to.
    shop: Places,
}

impl Compared<'_> {
    /// SAP B1's rate of a code is another than the table's.
    fn wrong_rates(&self) -> Vec<String> {
        let mut causes = Vec::new();
        for (code, rate) in &self.sums.codes {
            let table = self.settings.tax.iter().filter(|rule| rule.code == *code).map(|rule| rule.rate);
            let exempt = (self.settings.exempt_code.as_deref() == Some(code)).then_some(Decimal::ZERO);
            let rates: Vec<Decimal> = table.chain(exempt).collect();
            if let (Some(first), false) = (rates.first(), rates.contains(rate)) {
                let (first, rate) = (number(*first), number(*rate));
                causes.push(format!("the tax code {code} has {first} % in the settings and {rate} % in SAP B1"));
            }
        }
        causes
    }

    /// The order's own amounts do not add up.
    fn own_sum(&self) -> Option<String> {
        let (order, places) = (self.order, self.places);
        let own = sum([order.sub_total, -order.discount_amt.abs(), order.tax_amt, order.shipping_amt]);
        let charged =
            sum([order.grand_total, order.giftcard_amt.abs(), order.storecredit_amt.abs(), order.points_amt.abs()]);
        let more = places.round(charged).saturating_sub(places.round(own));
        if more.is_zero() {
            return None;
        }
        let by = places.text(more.abs());
        let what = if more > Decimal::ZERO {
            format!("it holds a fee of {by} of another kind")
        } else {
            format!("{by} was taken off by something else, as points or a credit of an extension")
        };
        Some(format!("the order's own subtotal, discount, tax and freight come to {}: {what}", places.text(own)))
    }

    fn lines(&self) -> Option<String> {
        let (order, places, sums) = (self.order, self.places, self.sums);
        let of_items = sum(order.items.iter().map(|item| item.sub_total));
        let on_lines = sum(order.items.iter().map(|item| item.discount_amt));
        let discount = order.discount_amt.abs();
        let by_line = self.settings.discount == DiscountMode::Lines;
        let differ = |one: Money, other: Money| one.saturating_sub(other).abs() >= places.smallest();
        if differ(of_items, order.sub_total) {
            let (lines, sub_total) = (number(of_items), number(order.sub_total));
            Some(format!("the order's lines come to {lines}, its subtotal is {sub_total}"))
        } else if self.freight_is_line() && !sums.percent.is_zero() {
            Some(
                "freight is a line of the document, so the document discount is taken off it too: set `discount = \
                 \"lines\"`, or charge freight as an expense"
                    .into(),
            )
        } else if by_line && differ(on_lines, discount) {
            let (all, on_lines) = (places.text(discount), places.text(on_lines));
            Some(format!("the discount is {all}, of which {on_lines} is on lines: the rest is on the whole order"))
        } else {
            self.decimals_of_lines()
        }
    }

    /// Each line is rounded in SAP B1; where the shop has more decimals in them (of quantities that are no whole numbers, say)
    /// their sum may be another.
    fn decimals_of_lines(&self) -> Option<String> {
        let (order, places) = (self.order, self.places);
        let total = |item: &OrderItem| match self.settings.discount {
            DiscountMode::Document => item.sub_total,
            DiscountMode::Lines => item.sub_total.saturating_sub(item.discount_amt),
        };
        let exact = sum(order.items.iter().map(total));
        let rounded = sum(order.items.iter().map(|item| places.round(total(item))));
        (places.round(exact) != rounded).then(|| {
            let (exact, rounded) = (number(exact), number(rounded));
            format!("the shop has lines of more decimals than SAP B1: they come to {exact}, and rounded to {rounded}")
        })
    }

    fn discount(&self) -> Option<String> {
        let charged = self.places.round(self.order.discount_amt.abs());
        let differs = self.settings.discount == DiscountMode::Document && self.sums.discount != charged;
        differs.then(|| {
            let (percent, b1) = (number(self.sums.percent), self.places.text(self.sums.discount));
            format!("{percent} % of the lines is a discount of {b1}, the order's is {}", self.places.text(charged))
        })
    }

    fn line_tax(&self) -> Option<String> {
        let (order, places) = (self.order, self.places);
        // Freight that is a line has its tax among the lines'.
        let on_freight = if self.freight_is_line() { Decimal::ZERO } else { order.shipping_tax_amt };
        let charged = order.tax_amt.saturating_sub(on_freight);
        let off = self.sums.tax.saturating_sub(charged);
        if off.is_zero() {
            return None;
        }
        let of_freight = if self.freight_is_line() { order.shipping_tax_amt } else { Decimal::ZERO };
        let of_items = sum(order.items.iter().map(|item| item.tax_amt).chain([of_freight]));
        let uneven = self.settings.discount == DiscountMode::Document && discounted_unevenly(order);
        // What fixed product tax is taxed with is told of them rounded in another way, once a piece.
        let told_otherwise = of_items.saturating_sub(charged).abs() > self.allowance();
        let why = if told_otherwise {
            format!("the lines' own taxes come to {}: the rest is tax on something that is no line", number(of_items))
        } else if self.taxed_before_discount(false) {
            TAXED_BEFORE.to_owned()
        } else if self.freight_line_taxed_before_discount() {
            format!("{TAXED_BEFORE}{OR_NO_CODE}")
        } else if uneven && self.sums.codes.len() > 1 {
            SPREADS.to_owned()
        } else if off.abs() <= self.allowance() && self.taxed_before_discount(true) {
            self.rounding_or_taxed_before()
        } else if off.abs() <= self.allowance() {
            self.rounding()
        } else if self.sums.codes.len() > 1 && off.saturating_sub(self.by_spreading()).abs() <= self.allowance() {
            SPREADS.to_owned()
        } else {
            "a line's tax is not what its code gives".to_owned()
        };
        let (b1, shop) = (places.text(self.sums.tax), number(charged));
        Some(format!("tax on the lines is {b1} in SAP B1 and {shop} in the shop: {why}"))
    }

    /// What of freight differs; `alone` if nothing else does, so that it may be rounding.
    fn freight(&self, alone: bool) -> Option<String> {
        let (order, sums, places) = (self.order, self.sums, self.places);
        if self.freight_is_line() {
            return None;
        }
        let off = sums.freight_tax - places.round(order.shipping_tax_amt);
        if sums.freight != places.round(order.shipping_amt) {
            let (b1, shop) = (places.text(sums.freight), number(order.shipping_amt));
            Some(format!("freight is {b1} in the document and {shop} in the order"))
        } else if off.is_zero() {
            None
        } else if off.abs() <= self.of_freight() {
            let discounted = !order.shipping_discount_amt.is_zero();
            alone.then(|| if discounted { self.rounding_or_taxed_before() } else { self.rounding() })
        } else {
            let (b1, shop) = (places.text(sums.freight_tax), number(order.shipping_tax_amt));
            let why = match order.shipping_discount_amt.is_zero() {
                true => "correct `freight.tax_code`".to_owned(),
                false => format!("{TAXED_BEFORE}{OR_NO_CODE}"),
            };
            Some(format!("tax on freight is {b1} in SAP B1 and {shop} in the shop: {why}"))
        }
    }

    fn freight_is_line(&self) -> bool {
        self.sums.freight.is_zero() && !self.order.shipping_amt.is_zero()
    }

    /// Whether a line's tax is that of its whole amount, and not of what is left after its discount; where it may be either,
    /// within rounding, that is answered by `can_be_either`.
    fn taxed_before_discount(&self, can_be_either: bool) -> bool {
        self.order.items.iter().any(|item| {
            let Some(percent) = item.tax_percent.filter(|percent| !percent.is_zero()) else { return false };
            let tax = |base: Money| base.saturating_mul(percent) / Decimal::ONE_HUNDRED;
            let within = |base: Money| tax(base).saturating_sub(item.tax_amt).abs() <= self.within_rounding(item);
            let after = within(item.sub_total.saturating_sub(item.discount_amt));
            item.discount_amt > Decimal::ZERO && within(item.sub_total) && (!after || can_be_either)
        })
    }

    /// Whether the tax on freight that is a line is that of freight before its discount, at a rate of the document.
    fn freight_line_taxed_before_discount(&self) -> bool {
        let order = self.order;
        let fits = |base: Money| {
            let off =
                |rate: &Decimal| (base.saturating_mul(*rate) / Decimal::ONE_HUNDRED - order.shipping_tax_amt).abs();
            self.sums.codes.values().any(|rate| off(rate) <= self.shop.smallest())
        };
        self.freight_is_line()
            && !fits(order.shipping_amt)
            && fits(order.shipping_amt.saturating_add(order.shipping_discount_amt))
    }

    /// What rounding may make of the tax on freight: twice the smallest amount where its code was found by it.
    fn of_freight(&self) -> Money {
        let smallest = self.shop.smallest();
        if self.settings.freight.tax_code.is_some() { smallest } else { smallest.saturating_add(smallest) }
    }

    /// What the tax on the lines differs by if one percentage is taken off all of them in place of each one's own discount.
    fn by_spreading(&self) -> Money {
        let of = |item: &OrderItem| {
            let spread = item.sub_total.saturating_mul(self.sums.percent) / Decimal::ONE_HUNDRED;
            let more = item.discount_amt.saturating_sub(spread);
            more.saturating_mul(item.tax_percent.unwrap_or_default()) / Decimal::ONE_HUNDRED
        };
        sum(self.order.items.iter().map(of))
    }

    /// The smallest amount for each line.
    fn per_line(&self) -> Money {
        self.shop.smallest().saturating_mul(Decimal::from(self.order.items.len().max(1)))
    }

    /// What rounding may make of a line's tax, once a row or once a piece, and twice where two rates are on it.
    fn within_rounding(&self, item: &OrderItem) -> Money {
        let once = self.shop.smallest().max(item.qty.saturating_mul(self.shop.half()));
        once.saturating_add(once)
    }

    /// What it may make of the order's, with that of freight.
    fn allowance(&self) -> Money {
        sum(self.order.items.iter().map(|item| self.within_rounding(item)).chain([self.shop.smallest()]))
    }

    fn rounding_or_taxed_before(&self) -> String {
        format!("{}; or the shop taxes before discount, which would make as little", self.rounding())
    }

    fn rounding(&self) -> String {
        let how = match self.settings.rounding {
            TaxRounding::PerCode => "once per tax code",
            TaxRounding::PerLine => "line by line",
        };
        format!(
            "rounding: SAP B1 rounds tax {how}, the shop otherwise (per piece, per line, or out of prices that include \
             tax). `reconcile.mode` can put up with that"
        )
    }
}

fn sum(amounts: impl IntoIterator<Item = Money>) -> Money {
    amounts.into_iter().fold(Decimal::ZERO, Decimal::saturating_add)
}

fn discounted_unevenly(order: &Order) -> bool {
    let share = |item: &OrderItem| item.discount_amt.checked_div(item.sub_total).unwrap_or_default();
    let mut shares = order.items.iter().filter(|item| !item.sub_total.is_zero()).map(share);
    let Some(first) = shares.next() else { return false };
    shares.any(|share| (share - first).abs() > UNEVEN)
}
