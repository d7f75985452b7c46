//! Orders without end, each made from its number alone, the same every time.
//!
//! * `draft`: what order `n` is: its shape, lines, tax, totals;
//! * `write`: its JSON text, built without a tree of values;
//! * `words`: names, places and goods.
//!
//! Times grow with the number, and every fourth order shares its second with the one before.

mod draft;
mod words;
mod write;

pub(super) use write::write;

/// 2025-01-01 00:00:00 UTC.
const BEGINNING: i64 = 1_735_689_600;

/// `updated_at` of an order, in seconds; it never goes back as `id` grows.
pub(super) fn updated_second(id: u64) -> i64 {
    let before = id.saturating_sub(1);
    let slot = before - before / 4;
    BEGINNING + i64::try_from(slot).unwrap_or(i64::MAX / 8) * 7
}

/// The text of an order.
pub(super) fn order(id: u64) -> String {
    let mut text = String::with_capacity(6000);
    write(id, &mut text);
    text
}
