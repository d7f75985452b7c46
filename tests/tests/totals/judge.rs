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
    ("and SAP B1 taxes what is left after it", BEFORE, tax_before_discount),
    ("SAP B1 spreads one percentage", "discounts on part of several rates", |case| {
        let share = |(at, _): (usize, &Row)| {
            let row = &case.totals.rows[at];
            (row.discount - row.compensation).checked_div(row.row_total).unwrap_or_default()
        };
        let mut shares: Vec<Decimal> = case.counted().map(share).collect();
        shares.extend(has_fixed_tax(case).then_some(Decimal::ZERO));
        let uneven = shares.iter().any(|one| (*one - shares[0]).abs() > Decimal::new(1, 2));
        case.books.document_discount && (uneven || spreads(case))
    }),
    ("or no code has the rate on freight", OR_NO_CODE, |case| {
        tax_before_discount(case) || case.shipping_rates == RATES[RATES.len() - 1]
    }),
    ("which would make as little", EITHER, |case| is_rounding(case) || tax_before_discount(case)),
    ("rounding: SAP B1 rounds", ROUNDING, is_rounding),
    ("SAP B1 holds the amount of an expense", "freight that the main currency cannot hold", |case| {
        let Some(rate) = case.books.rate.map(|rate| round(rate, 6)) else { return false };
        let freight = round(of_shop(case).freight, case.books.decimals);
        round(round(freight * rate, 2) / rate, case.books.decimals) != freight
    }),
];

/// Where it cannot be told which of the two it is.
const EITHER: &str = "rounding of tax, or tax before discount";

/// The rate on freight is told nowhere.
const OR_NO_CODE: &str = "tax of freight before discount, or of a rate that no code has";

/// Whether all that is told is true.
fn are_true(causes: &[&Cause], case: &Case) -> bool {
    let hedged = causes.iter().any(|(_, name, _)| *name == OR_NO_CODE);
    causes.iter().all(|(_, name, is_true)| hedged && *name == BEFORE || is_true(case))
}

/// Whether one percentage off all lines makes another tax than each one's own discount.
fn spreads(case: &Case) -> bool {
    let off = |(at, row): (usize, &Row)| {
        let of = &case.totals.rows[at];
        let rate: Decimal = rates(row.rates).iter().sum();
        let spread = of.row_total * expected::percent(case) / Decimal::ONE_HUNDRED;
        (of.discount - of.compensation - spread) * rate / Decimal::ONE_HUNDRED
    };
    case.counted().map(off).sum::<Decimal>().abs() > Decimal::new(1, case.books.decimals)
}

const BEFORE: &str = "tax before discount";
const ROUNDING: &str = "rounding of tax";

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
    rounds_from(case, false) || tax_before_discount(case) && rounds_from(case, true)
}

/// The same, of what is taxed before its discount or after it.
fn rounds_from(case: &Case, before_discount: bool) -> bool {
    let shop = of_shop(case);
    let last = Decimal::new(1, case.books.decimals.min(case.shop.precision));
    let freight = if before_discount { case.totals.shipping } else { shop.freight };
    let mut exact = freight * rates(case.shipping_rates).iter().sum::<Decimal>() / Decimal::ONE_HUNDRED;
    let mut allowed = last * Decimal::TWO;
    for (at, row) in case.counted() {
        let of = &case.totals.rows[at];
        let rate: Decimal = rates(row.rates).iter().sum();
        let fixed = matches!(case.shop.fixed_tax, FixedTax::Charged { taxed: true, .. });
        let off = if before_discount { Decimal::ZERO } else { of.discount - of.compensation };
        let base = (of.row_total - off).max(Decimal::ZERO) + if fixed { of.fixed } else { Decimal::ZERO };
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
                } else if !are_true(&causes, case) {
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

    /// Fails if an outcome was wrong.
    pub(crate) fn check_outcomes(&self) {
        let first: Vec<String> =
            self.wrongs.iter().map(|(kind, all)| format!("{} times {kind}\n{}", all.len(), some(all))).collect();
        assert!(first.is_empty(), "{}", first.join("\n"));
    }

    /// Fails if an outcome was wrong, or if nothing much was looked at.
    pub(crate) fn check(&self, count: u64) {
        self.check_outcomes();
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

/// The first of many, and of some others who they are.
fn some(all: &[String]) -> String {
    let others: Vec<&str> = all.iter().skip(1).take(20).filter_map(|text| text.split(':').next()).collect();
    format!("{}\n  also {}", all[0], others.join(", "))
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
