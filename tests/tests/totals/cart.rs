//! What is bought, and how it is booked: one case of the test.

use rust_decimal::Decimal;

use crate::books::Books;
use crate::dice::Dice;
use crate::magento::{self, Totals};
use crate::shop::{FixedTax, Shop};

/// Rates in percent that apply one beside the other. The last of these is in no table of SAP B1's.
pub(crate) const RATES: [&[&str]; 7] = [&["8.25"], &["23"], &["7"], &[], &["19.6"], &["6.25", "1.5"], &["13.37"]];

/// What kind of product a row is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Simple,
    Configurable,
    /// Priced by itself.
    FixedBundle,
    /// Priced by its parts, which this many of the following rows are.
    DynamicBundle(usize),
    /// A part of the bundle before it.
    Part,
}

/// A row of the cart that is priced; and of a bundle that is priced by its parts, the bundle.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) kind: Kind,
    pub(crate) qty: Decimal,
    pub(crate) price: Decimal,
    pub(crate) rates: &'static [&'static str],
    /// Fixed product tax apiece.
    pub(crate) fixed_tax: Decimal,
    /// Whether the cart rule is on it.
    pub(crate) discounted: bool,
}

/// A cart rule.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Rule {
    pub(crate) percent: Option<Decimal>,
    /// So much off each piece.
    pub(crate) fixed: Decimal,
    pub(crate) on_shipping: bool,
}

/// Whatever else lowers or raises what is to be paid.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Other {
    pub(crate) gift_card: Decimal,
    pub(crate) store_credit: Decimal,
    pub(crate) points: Decimal,
    /// A fee of an extension that no field tells, or less than nothing for a credit.
    pub(crate) unknown: Decimal,
}

#[derive(Debug, Clone)]
pub(crate) struct Case {
    pub(crate) number: u64,
    pub(crate) shop: Shop,
    pub(crate) rows: Vec<Row>,
    pub(crate) shipping: Decimal,
    pub(crate) shipping_rates: &'static [&'static str],
    pub(crate) rule: Option<Rule>,
    pub(crate) other: Other,
    /// Refunded in part before it is seen first.
    pub(crate) refunded: bool,
    pub(crate) totals: Totals,
    pub(crate) books: Books,
}

impl Case {
    pub(crate) fn generate(number: u64) -> Self {
        let dice = &mut Dice::of(number);
        let shop = Shop::generate(dice);
        let taxed = !dice.percent(12);
        let rates = |dice: &mut Dice| match dice.roll(100) {
            _ if !taxed => RATES[3],
            0 => RATES[6],
            1..=55 => RATES[0],
            roll => RATES[1 + (roll as usize) % 5],
        };
        let one_rate = rates(dice);
        let mixed = dice.percent(35);
        let everywhere = dice.percent(60);
        let decimal_quantities = dice.percent(12);
        let mut rows = Vec::new();
        for _ in 0..=dice.roll(4) {
            let row = |kind: Kind, qty: Decimal, dice: &mut Dice| Row {
                kind,
                qty,
                price: shop.price(dice, 200),
                rates: if mixed { rates(dice) } else { one_rate },
                fixed_tax: match shop.fixed_tax {
                    FixedTax::Charged { .. } if dice.percent(50) => shop.price(dice, 5),
                    _ => Decimal::ZERO,
                },
                discounted: everywhere || dice.percent(50),
            };
            let qty = match decimal_quantities {
                true => {
                    let decimals = 1 + dice.roll(4) as u32;
                    dice.amount(8, decimals)
                }
                false => {
                    let most = if dice.percent(10) { 60 } else { 4 };
                    Decimal::from(1 + dice.roll(most))
                }
            };
            match dice.roll(8) {
                0 => rows.push(row(Kind::Configurable, qty, dice)),
                1 => rows.push(row(Kind::FixedBundle, qty, dice)),
                2 => {
                    let parts = 1 + dice.roll(3) as usize;
                    let bundle = Kind::DynamicBundle(parts);
                    rows.push(Row { fixed_tax: Decimal::ZERO, ..row(bundle, qty, dice) });
                    for _ in 0..parts {
                        let qty = qty * Decimal::from(1 + dice.roll(2));
                        rows.push(row(Kind::Part, qty, dice));
                    }
                }
                _ => rows.push(row(Kind::Simple, qty, dice)),
            }
        }
        let rule = dice.percent(45).then(|| Rule {
            percent: dice.percent(75).then(|| match dice.roll(10) {
                0 => Decimal::ONE_HUNDRED,
                1 => dice.amount(60, 2),
                _ => Decimal::from(5 * (1 + dice.roll(10))),
            }),
            fixed: shop.price(dice, 15),
            on_shipping: dice.percent(50),
        });
        let shipping = if dice.percent(20) { Decimal::ZERO } else { shop.price(dice, 20) };
        let shipping_rates = if dice.percent(60) { one_rate } else { RATES[3] };
        let mut case = Self {
            number,
            rows,
            shipping,
            shipping_rates,
            rule,
            other: Other::default(),
            refunded: dice.percent(10),
            totals: Totals::default(),
            books: Books::generate(&shop, dice),
            shop,
        };
        case.totals = magento::collect(&case);
        case.pay(dice);
        case
    }

    /// Gift card, store credit and points, in the order in which Magento takes them; or something that it does not know.
    fn pay(&mut self, dice: &mut Dice) {
        let mut left = self.totals.grand_total;
        // A fixed amount off freight may be more than there is to pay.
        if left <= Decimal::ZERO {
            return;
        }
        if dice.percent(15) {
            let mut take = |often: u64| {
                let most = if dice.percent(often) { self.shop.price(dice, 60) } else { Decimal::ZERO };
                let taken = most.min(left);
                left -= taken;
                taken
            };
            (self.other.gift_card, self.other.store_credit, self.other.points) = (take(50), take(40), take(40));
        } else if dice.percent(2) {
            let amount = self.shop.price(dice, 9);
            self.other.unknown = if dice.percent(50) || amount > left { amount } else { -amount };
            left += self.other.unknown;
        }
        self.totals.grand_total = left;
    }

    /// The rows that the totals are made of, with their place.
    pub(crate) fn counted(&self) -> impl Iterator<Item = (usize, &Row)> {
        self.rows.iter().enumerate().filter(|(_, row)| !matches!(row.kind, Kind::DynamicBundle(_)))
    }

    pub(crate) fn id(&self) -> String {
        format!("T{:09}", self.number)
    }
}
