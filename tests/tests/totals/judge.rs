//! Whether outcomes are right: a document that is equal, or a cause that is true.

use std::collections::BTreeMap;

use rust_decimal::Decimal;
use sapb1_connector::sandbox::{Document, Way};

use crate::cart::{Case, RATES, Row};
use crate::expected::{self, Parts, differences, of_document, of_shop};
use crate::magento::rates;
use crate::shop::{Algorithm, FixedTax, round};

/// A cause that an operator is told: how it is known, what it is called here, and when it is true.
type Cause = (&'static str, &'static str, fn(&Case) -> bool);

const CAUSES: &[Cause] = &[
    ("for which no item is configured", "fixed product tax without an item", |case| {
        !case.books.fixed_taxes && case.shop.fixed_tax != FixedTax::None && has_fixed_tax(case)
    }),
    ("fee or gift wrapping", "an unknown fee", |case| case.other.unknown > Decimal::ZERO),
    ("it holds a fee of", "an unknown fee", |case| case.other.unknown > Decimal::ZERO),
    ("was taken off by something", "an unknown credit", |case| case.other.unknown < Decimal::ZERO),
    ("than freight costs before tax", "more off freight than it costs", |case| of_shop(case).freight < Decimal::ZERO),
    ("is more than the subtotal", "more off the goods than they cost", |case| {
        let shop = of_shop(case);
        shop.discount > shop.goods
    }),
    ("and SAP B1 has amounts in", "more decimals than the company has", more_decimals),
    ("which a SAP B1 order does not show", "paid by gift card, credit or points", |case| {
        let other = &case.other;
        !case.books.prepaid && !(other.gift_card + other.store_credit + other.points).is_zero()
    }),
    ("no tax code gives the tax", "a rate that no code has", |case| {
        let of_rows = case.counted().map(|(_, row)| row.rates);
        of_rows.chain([case.shipping_rates]).any(|names| names == RATES[RATES.len() - 1])
    }),
    ("of more decimals than SAP B1", "lines of more decimals", |case| {
        case.counted().any(|(at, _)| {
            let row = &case.totals.rows[at];
            let amounts = [row.row_total, row.fixed, row.discount - row.compensation];
            amounts.iter().any(|amount| round(*amount, case.books.decimals) != *amount)
        })
    }),
    ("% of the lines is a discount of", "a percentage that does not give the discount", |case| {
        let discount = of_document(case).discount;
        discount != round(of_shop(case).discount, case.books.decimals)
    }),
    ("and SAP B1 taxes what is left after it", "tax before discount", tax_before_discount),
    ("SAP B1 spreads one percentage", "discounts on part of several rates", |case| {
        let share = |(at, _): (usize, &Row)| {
            let row = &case.totals.rows[at];
            (row.discount - row.compensation).checked_div(row.row_total).unwrap_or_default()
        };
        let mut shares: Vec<Decimal> = case.counted().map(share).collect();
        shares.extend(has_fixed_tax(case).then_some(Decimal::ZERO));
        let uneven = shares.iter().any(|one| (*one - shares[0]).abs() > Decimal::new(1, 2));
        case.books.document_discount && uneven
    }),
    ("which would make as little", EITHER, |case| is_rounding(case) || tax_before_discount(case)),
    ("rounding: SAP B1 rounds", "rounding of tax", is_rounding),
    ("SAP B1 holds the amount of an expense", "freight that the main currency cannot hold", |case| {
        let Some(rate) = case.books.rate else { return false };
        let freight = round(of_shop(case).freight, case.books.decimals);
        round(round(freight * rate, 2) / rate, case.books.decimals) != freight
    }),
];

/// Where it cannot be told which of the two it is.
const EITHER: &str = "rounding of tax, or tax before discount";

fn tax_before_discount(case: &Case) -> bool {
    let totals = &case.totals;
    let discounted = case.counted().any(|(at, _)| !totals.rows[at].discount.is_zero());
    !case.shop.tax_after_discount && (discounted || !totals.shipping_discount.is_zero())
}

fn has_fixed_tax(case: &Case) -> bool {
    case.counted().any(|(at, _)| !case.totals.rows[at].fixed.is_zero())
}

fn more_decimals(case: &Case) -> bool {
    let other = &case.other;
    let amounts = [case.totals.grand_total, other.gift_card, other.store_credit, other.points];
    amounts.iter().any(|amount| round(round(*amount, 4), case.books.decimals) != round(*amount, 4))
}

/// Whether the shop's tax is the exact one but for what it rounds, and SAP B1.
fn is_rounding(case: &Case) -> bool {
    let shop = of_shop(case);
    let last = Decimal::new(1, case.books.decimals.min(case.shop.precision));
    let mut exact = shop.freight * rates(case.shipping_rates).iter().sum::<Decimal>() / Decimal::ONE_HUNDRED;
    let mut allowed = last * Decimal::TWO;
    for (at, row) in case.counted() {
        let of = &case.totals.rows[at];
        let rate: Decimal = rates(row.rates).iter().sum();
        let fixed = matches!(case.shop.fixed_tax, FixedTax::Charged { taxed: true, .. });
        let base = of.row_total - (of.discount - of.compensation) + if fixed { of.fixed } else { Decimal::ZERO };
        let base = base.max(Decimal::ZERO);
        exact += base * rate / Decimal::ONE_HUNDRED;
        let pieces = if case.shop.algorithm == Algorithm::Unit { row.qty.max(Decimal::ONE) } else { Decimal::ONE };
        // A rounding of each rate, of the shop's and of SAP B1's, and again of what a fixed product tax is taxed with.
        allowed += last * pieces * Decimal::from(row.rates.len().max(1) as u64) * Decimal::TWO;
    }
    (exact - shop.tax).abs() <= allowed
}

/// What came of all.
#[derive(Default)]
pub(crate) struct Tally {
    equal: BTreeMap<WayName, u64>,
    failed: BTreeMap<(WayName, &'static str), u64>,
    wrongs: BTreeMap<String, Vec<String>>,
}

type WayName = &'static str;

impl Tally {
    pub(crate) fn judge(&mut self, case: &Case, way: Way, outcome: Result<Document, String>) {
        let way = way.name();
        let mut told = "";
        let wrong = match outcome {
            Ok(document) => {
                *self.equal.entry(way).or_default() += 1;
                let goods = document.total - document.tax - document.freight + document.discount;
                let (discount, freight) = (document.discount, document.freight);
                let parts = Parts { goods, discount, freight, tax: document.tax, total: document.total };
                let off = differences(case, &parts);
                (!off.is_empty()).then(|| format!("S, but {} differ: {parts:?}", off.join(", ")))
            }
            Err(note) => {
                let mut causes: Vec<&Cause> = CAUSES.iter().filter(|(told, ..)| note.contains(told)).collect();
                if let Some(either) = causes.iter().find(|(_, name, _)| *name == EITHER) {
                    causes = vec![*either];
                }
                if let Some((_, name, _)) = causes.first() {
                    told = name;
                    *self.failed.entry((way, name)).or_default() += 1;
                }
                if causes.is_empty() {
                    Some(format!("F for a cause that should not come up: {note}"))
                } else if !causes.iter().all(|(_, _, is_true)| is_true(case)) {
                    Some(format!("F for a cause that is not true: {note}"))
                } else {
                    can_be_booked(case).then(|| format!("F, and could be S: {note}"))
                }
            }
        };
        if let Some(wrong) = wrong {
            let kind = wrong.split(':').next().unwrap_or_default().to_owned() + ": " + told;
            let shop = of_shop(case);
            let text =
                format!("{} over {way}: {wrong}\n  shop {shop:?}\n  b1 {:?}\n  {case:?}", case.id(), of_document(case));
            self.wrongs.entry(kind).or_default().push(text);
        }
    }

    pub(crate) fn tell(&self, count: u64) {
        println!("{count} orders");
        for (way, equal) in &self.equal {
            let failed: u64 = self.failed.iter().filter(|((of, _), _)| of == way).map(|(_, count)| count).sum();
            println!("{way}: {equal} S, all parts equal; {failed} F");
            let mut causes: Vec<_> = self.failed.iter().filter(|((of, _), _)| of == way).collect();
            causes.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
            for ((_, cause), count) in causes {
                println!("  {count:>7} {cause}");
            }
        }
    }

    /// Fails if an order is S upon a document that differs from it.
    pub(crate) fn check_documents(&self) {
        let differ: Vec<_> = self.wrongs.iter().filter(|(kind, _)| kind.starts_with("S, but")).collect();
        assert!(differ.is_empty(), "{differ:?}");
    }

    /// Fails if an outcome was wrong, or if nothing much was looked at.
    pub(crate) fn check(&self, count: u64) {
        let first: Vec<String> =
            self.wrongs.iter().map(|(kind, all)| format!("{} times {kind}\n{}", all.len(), all[0])).collect();
        assert!(first.is_empty(), "wrong of {count}:\n{}", first.join("\n"));
        for way in [Way::Restful, Way::ServiceLayer] {
            let equal = self.equal.get(way.name()).copied().unwrap_or_default();
            assert!(equal > count / 3, "only {equal} of {count} are S over {}", way.name());
        }
        if count >= 1_000 {
            let seen: Vec<_> = self.failed.keys().map(|(_, cause)| *cause).collect();
            let unseen: Vec<_> = CAUSES.iter().map(|(_, name, _)| *name).filter(|name| !seen.contains(name)).collect();
            assert!(unseen.len() <= 3, "never came up: {unseen:?}");
        }
    }
}

/// Whether there is a document that is the order's in all parts.
fn can_be_booked(case: &Case) -> bool {
    let true_cause = |name: &str| CAUSES.iter().any(|(_, of, is_true)| *of == name && is_true(case));
    let prevented = [
        "fixed product tax without an item",
        "an unknown fee",
        "an unknown credit",
        "more off freight than it costs",
        "more off the goods than they cost",
        "more decimals than the company has",
        "paid by gift card, credit or points",
        "a rate that no code has",
    ];
    let foreign = !case.books.freight_line && true_cause("freight that the main currency cannot hold");
    !prevented.into_iter().any(true_cause) && !foreign && {
        let document = expected::of_document(case);
        differences(case, &document).is_empty()
    }
}
