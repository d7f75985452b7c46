//! What a synthetic order is, in cents.
//!
//! Taxed rows are multiples of 4.00 after their discount, of which 8.25 % and 7.25 % are whole cents. So tax is the same
//! whether it is rounded by piece, by row or by document, and every total adds up exactly.

use super::words::{COLOURS, GOODS, PLACES, Place, SIZES};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Simple,
    Configurable,
    Virtual,
    BundleParent,
}

/// A row of `items`.
#[derive(Debug)]
pub(super) struct Row {
    pub(super) kind: Kind,
    pub(super) sku: String,
    pub(super) name: String,
    pub(super) qty: i64,
    pub(super) price: i64,
    pub(super) discount: i64,
    pub(super) tax: i64,
    /// Which row it belongs to, by position, if it tells.
    pub(super) parent: Option<usize>,
    /// A variant has a SKU and nothing else.
    pub(super) variant: bool,
}

impl Row {
    pub(super) fn total(&self) -> i64 {
        self.qty * self.price
    }
}

pub(super) struct Draft {
    pub(super) id: u64,
    /// Seven random bits of its own for whoever asks.
    pub(super) dice: Dice,
    pub(super) place: &'static Place,
    pub(super) guest: bool,
    pub(super) is_virtual: bool,
    pub(super) coupon: bool,
    pub(super) rows: Vec<Row>,
    pub(super) shipping: i64,
}

impl Draft {
    /// The rows that the totals are made of.
    fn counted(&self) -> impl Iterator<Item = &Row> {
        self.rows.iter().filter(|row| row.kind != Kind::BundleParent && !row.variant)
    }

    pub(super) fn subtotal(&self) -> i64 {
        self.counted().map(Row::total).sum()
    }

    pub(super) fn discount(&self) -> i64 {
        self.counted().map(|row| row.discount).sum()
    }

    pub(super) fn tax(&self) -> i64 {
        self.counted().map(|row| row.tax).sum()
    }

    pub(super) fn grand_total(&self) -> i64 {
        self.subtotal() - self.discount() + self.tax() + self.shipping
    }

    pub(super) fn qty(&self) -> i64 {
        self.rows.iter().filter(|row| row.parent.is_none()).map(|row| row.qty).sum()
    }
}

/// Numbers that look random and depend on the order's number alone (SplitMix64).
#[derive(Debug, Clone, Copy)]
pub(super) struct Dice(u64);

impl Dice {
    fn of(id: u64) -> Self {
        Self(id.wrapping_mul(0x9E37_79B9_7F4A_7C15))
    }

    /// A number below `sides`.
    pub(super) fn roll(&mut self, sides: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        usize::try_from((z ^ (z >> 31)) % sides.max(1) as u64).unwrap_or(0)
    }

    pub(super) fn pick<T>(&mut self, list: &'static [T]) -> &'static T {
        &list[self.roll(list.len())]
    }
}

/// Makes order `id`.
pub(super) fn draft(id: u64) -> Draft {
    let mut dice = Dice::of(id);
    let place = dice.pick(PLACES);
    let mut rows = Vec::with_capacity(4);
    let (mut is_virtual, mut coupon) = (false, false);
    match id % 8 {
        0 => configurable(&mut rows, &mut dice, true),
        1 => configurable(&mut rows, &mut dice, false),
        2 => bundle(&mut rows, &mut dice),
        3 => {
            is_virtual = true;
            let mut row = simple(&mut dice, 1);
            row.kind = Kind::Virtual;
            row.sku.push_str("-PDF");
            rows.push(row);
        }
        4 => {
            coupon = true;
            // A fifth off: prices of 20.00 and its multiples.
            for _ in 0..=dice.roll(2) {
                let row = simple(&mut dice, 5);
                rows.push(Row { discount: row.total() / 5, ..row });
            }
        }
        _ => {
            for _ in 0..=dice.roll(3) {
                rows.push(simple(&mut dice, 1));
            }
        }
    }
    for row in &mut rows {
        if row.kind != Kind::BundleParent && !row.variant {
            row.tax = (row.total() - row.discount) * place.rate / 10_000;
        }
    }
    let shipping = if is_virtual { 0 } else { *dice.pick(&[500, 0, 1500]) };
    Draft { id, guest: id.is_multiple_of(5), place, is_virtual, coupon, rows, shipping, dice }
}

/// A row that costs a multiple of `step` times 4.00 apiece.
fn simple(dice: &mut Dice, step: i64) -> Row {
    let (sku, name) = dice.pick(GOODS);
    let price = 400 * step * (1 + dice.roll(30) as i64);
    Row {
        kind: Kind::Simple,
        sku: format!("{sku}-{}", dice.roll(90) + 10),
        name: (*name).to_owned(),
        qty: 1 + dice.roll(3) as i64,
        price,
        discount: 0,
        tax: 0,
        parent: None,
        variant: false,
    }
}

/// A configurable and its variant, which may not tell whose it is.
fn configurable(rows: &mut Vec<Row>, dice: &mut Dice, linked: bool) {
    let mut parent = simple(dice, 1);
    let (size, colour) = (dice.pick(SIZES), dice.pick(COLOURS));
    parent.kind = Kind::Configurable;
    parent.sku = format!("{}-{size}-{colour}", parent.sku);
    let variant = Row {
        kind: Kind::Simple,
        sku: parent.sku.clone(),
        name: format!("{}-{size}-{colour}", parent.name),
        qty: parent.qty,
        price: 0,
        discount: 0,
        tax: 0,
        parent: linked.then_some(0),
        variant: true,
    };
    rows.push(parent);
    rows.push(variant);
}

/// A bundle that is priced by its two parts.
fn bundle(rows: &mut Vec<Row>, dice: &mut Dice) {
    let (mut one, mut other) = (simple(dice, 1), simple(dice, 1));
    let qty = one.qty;
    other.qty = qty;
    (one.parent, other.parent) = (Some(0), Some(0));
    rows.push(Row {
        kind: Kind::BundleParent,
        sku: format!("DW-SET-{}", dice.roll(90) + 10),
        name: "Starter Set".to_owned(),
        qty,
        price: one.price + other.price,
        discount: 0,
        tax: 0,
        parent: None,
        variant: false,
    });
    rows.push(one);
    rows.push(other);
}
