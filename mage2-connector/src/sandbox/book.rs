//! The orders: those that are kept, and the synthetic ones, which are made when they are asked for.
//!
//! A page of synthetic orders by time or id is found by bisection, since both grow with the order's number: no order is
//! made that is not on the page, and none is kept. Orders that are put or edited lie over them. A search by anything
//! else goes through all of them, one at a time.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::ops::RangeInclusive;

use datawald_core::{Error, Result};
use serde_json::{Map, Value};

use super::answer::Answer;
use super::criteria::{Compare, Criteria, Filter, Sort};
use super::filter::{COLUMNS, compare, matches};
use super::stored::{Stored, edited};
use super::synthetic;
use crate::client::parse_time;

#[derive(Debug, Default)]
pub(super) struct Book {
    synthetic: u64,
    stored: Vec<Stored>,
    /// Synthetic orders that an order in `stored` has replaced.
    replaced: BTreeSet<u64>,
}

/// Where an order is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum At {
    Synthetic(u64),
    Stored(usize),
}

/// A page of a search.
pub(super) struct Selected {
    pub(super) rows: Vec<At>,
    pub(super) total: usize,
}

/// What a search leaves out, by fault or since it is not committed yet.
pub(super) struct Quirks {
    pub(super) ignore_sort: bool,
    pub(super) ignore_filter: bool,
    pub(super) repeat_last_page: bool,
    pub(super) hidden: BTreeSet<u64>,
}

impl Book {
    pub(super) fn with_synthetic(count: u64) -> Self {
        Self { synthetic: count, ..Self::default() }
    }

    /// Adds an order beside those that are there, whatever its ids.
    pub(super) fn add(&mut self, text: String) -> Result<()> {
        let order = Stored::parse(text)?;
        if order.entity_id <= self.synthetic {
            self.replaced.insert(order.entity_id);
        }
        self.stored.push(order);
        Ok(())
    }

    /// Puts an order in the place of the one with the same entity id and number, if there is one.
    pub(super) fn put(&mut self, text: String) -> Result<()> {
        let order = Stored::parse(text)?;
        let place = self
            .stored
            .iter_mut()
            .rfind(|old| old.entity_id == order.entity_id && old.increment_id == order.increment_id);
        match place {
            Some(place) => {
                *place = order;
                Ok(())
            }
            None => self.add(order.text),
        }
    }

    /// Changes top-level fields of an order.
    pub(super) fn edit(&mut self, entity_id: u64, changes: &Map<String, Value>) -> Result<()> {
        let at = self.find(entity_id).ok_or_else(|| {
            Error::invalid("edit order of the sandbox", "there is no such order").entity(format!("entity {entity_id}"))
        })?;
        let order = Stored::parse(edited(&self.text(at), changes)?)?;
        match at {
            At::Stored(at) => self.stored[at] = order,
            At::Synthetic(id) => {
                self.replaced.insert(id);
                self.stored.push(order);
            }
        }
        Ok(())
    }

    /// The order of an id; the last of several.
    pub(super) fn find(&self, entity_id: u64) -> Option<At> {
        if let Some(at) = self.stored.iter().rposition(|order| order.entity_id == entity_id) {
            return Some(At::Stored(at));
        }
        (1..=self.synthetic).contains(&entity_id).then_some(At::Synthetic(entity_id))
    }

    pub(super) fn entity_id(&self, at: At) -> u64 {
        match at {
            At::Synthetic(id) => id,
            At::Stored(at) => self.stored[at].entity_id,
        }
    }

    pub(super) fn text(&self, at: At) -> Cow<'_, str> {
        match at {
            At::Synthetic(id) => Cow::Owned(synthetic::order(id)),
            At::Stored(at) => Cow::Borrowed(&self.stored[at].text),
        }
    }

    /// Appends the text of an order.
    pub(super) fn write(&self, at: At, out: &mut String) {
        match at {
            At::Synthetic(id) => synthetic::write(id, out),
            At::Stored(at) => out.push_str(&self.stored[at].text),
        }
    }

    /// The page that `criteria` ask for; past the end, an empty one, or the last one again as in versions up to 2.3.
    pub(super) fn select(&self, criteria: &Criteria, quirks: &Quirks) -> std::result::Result<Selected, Answer> {
        self.check_columns(criteria)?;
        let groups: &[Vec<Filter>] = if quirks.ignore_filter { &[] } else { &criteria.groups };
        let newest_first = [Sort { field: "entity_id".to_owned(), ascending: false }];
        let sorts: &[Sort] = if quirks.ignore_sort { &newest_first } else { &criteria.sorts };

        let mut stored: Vec<usize> = (0..self.stored.len())
            .filter(|&at| !quirks.hidden.contains(&self.stored[at].entity_id))
            .filter(|&at| matches(&self.stored[at].columns, groups))
            .collect();
        stored.sort_by(|&one, &other| by_columns(&self.stored[one], &self.stored[other], sorts));

        match (self.synthetic, quick(groups, sorts, self.synthetic)) {
            (0, _) => Ok(page(stored.into_iter().map(At::Stored), None, criteria, quirks)),
            (_, Some((range, by_time))) => Ok(self.merged(&stored, range, by_time, criteria, quirks)),
            (_, None) => Ok(self.searched(stored, groups, sorts, criteria, quirks)),
        }
    }

    fn check_columns(&self, criteria: &Criteria) -> std::result::Result<(), Answer> {
        let filtered = criteria.groups.iter().flatten().map(|filter| &filter.field);
        for field in filtered.chain(criteria.sorts.iter().map(|sort| &sort.field)) {
            let known =
                COLUMNS.contains(&field.as_str()) || self.stored.iter().any(|order| order.columns.contains_key(field));
            if !known {
                return Err(Answer::internal_error());
            }
        }
        Ok(())
    }

    /// A range of synthetic orders and the stored ones, both in order, as one.
    fn merged(
        &self,
        stored: &[usize],
        range: RangeInclusive<u64>,
        by_time: bool,
        criteria: &Criteria,
        quirks: &Quirks,
    ) -> Selected {
        let absent = self.replaced.union(&quirks.hidden).filter(|id| range.contains(id)).count();
        let total = (range.end() + 1).saturating_sub(*range.start()) as usize - absent + stored.len();
        let mut made = range.filter(|id| !self.replaced.contains(id) && !quirks.hidden.contains(id)).peekable();
        let mut kept = stored.iter().copied().peekable();
        let rows = std::iter::from_fn(|| {
            let kept_first = match (made.peek(), kept.peek()) {
                (None, _) => true,
                (_, None) => false,
                (Some(&id), Some(&at)) => {
                    let order = &self.stored[at];
                    let time = |time: i64| if by_time { time } else { 0 };
                    (time(order.updated), order.entity_id) < (time(synthetic::updated_second(id)), id)
                }
            };
            if kept_first { kept.next().map(At::Stored) } else { made.next().map(At::Synthetic) }
        });
        page(rows, Some(total), criteria, quirks)
    }

    /// Goes through all synthetic orders.
    fn searched(
        &self,
        stored: Vec<usize>,
        groups: &[Vec<Filter>],
        sorts: &[Sort],
        criteria: &Criteria,
        quirks: &Quirks,
    ) -> Selected {
        let keys = |order: &Stored| -> Vec<Option<String>> {
            sorts.iter().map(|sort| order.columns.get(&sort.field).cloned()).collect()
        };
        let mut rows: Vec<(Vec<Option<String>>, At)> =
            stored.into_iter().map(|at| (keys(&self.stored[at]), At::Stored(at))).collect();
        for id in 1..=self.synthetic {
            if self.replaced.contains(&id) || quirks.hidden.contains(&id) {
                continue;
            }
            let Ok(order) = Stored::parse(synthetic::order(id)) else { continue };
            if matches(&order.columns, groups) {
                rows.push((keys(&order), At::Synthetic(id)));
            }
        }
        rows.sort_by(|(one, _), (other, _)| {
            let pairs = sorts.iter().zip(one.iter().zip(other));
            pairs
                .map(|(sort, (one, other))| by_value(one.as_deref(), other.as_deref(), sort))
                .find(|o| o.is_ne())
                .unwrap_or(Ordering::Equal)
        });
        page(rows.into_iter().map(|(_, at)| at), None, criteria, quirks)
    }
}

fn page(rows: impl Iterator<Item = At>, total: Option<usize>, criteria: &Criteria, quirks: &Quirks) -> Selected {
    match (total, criteria.page_size) {
        (Some(total), Some(size)) => {
            let last = if quirks.repeat_last_page { total.div_ceil(size).max(1) } else { usize::MAX };
            let skip = (criteria.current_page.min(last) - 1).saturating_mul(size);
            Selected { rows: rows.skip(skip).take(size).collect(), total }
        }
        (Some(total), None) => Selected { rows: rows.collect(), total },
        (None, _) => {
            let all: Vec<At> = rows.collect();
            let total = all.len();
            page(all.into_iter(), Some(total), criteria, quirks)
        }
    }
}

fn by_columns(one: &Stored, other: &Stored, sorts: &[Sort]) -> Ordering {
    for sort in sorts {
        let value = |order: &Stored| order.columns.get(&sort.field).cloned();
        let ordering = by_value(value(one).as_deref(), value(other).as_deref(), sort);
        if ordering.is_ne() {
            return ordering;
        }
    }
    Ordering::Equal
}

/// Null is the smallest, as in MySQL.
fn by_value(one: Option<&str>, other: Option<&str>, sort: &Sort) -> Ordering {
    let ordering = match (one, other) {
        (Some(one), Some(other)) => compare(one, other),
        _ => one.is_some().cmp(&other.is_some()),
    };
    if sort.ascending { ordering } else { ordering.reverse() }
}

/// The range of synthetic orders that the filters leave, and whether it is sorted by time (or else by id), if both can be
/// told without looking at an order.
fn quick(groups: &[Vec<Filter>], sorts: &[Sort], count: u64) -> Option<(RangeInclusive<u64>, bool)> {
    let sorted: Vec<(&str, bool)> = sorts.iter().map(|sort| (sort.field.as_str(), sort.ascending)).collect();
    let by_time = match sorted.as_slice() {
        [] | [("entity_id", true), ..] => false,
        [("updated_at", true)] | [("updated_at", true), ("entity_id", true), ..] => true,
        _ => return None,
    };
    let (mut low, mut high) = (1, count);
    for group in groups {
        let [filter] = group.as_slice() else { return None };
        let (from, to) = bounds(filter, count)?;
        low = low.max(from);
        high = high.min(to);
    }
    // An empty range, not one that runs backwards.
    if low > high {
        return Some((RangeInclusive::new(1, 0), by_time));
    }
    Some((low..=high, by_time))
}

/// The first and the last synthetic order that a filter leaves.
fn bounds(filter: &Filter, count: u64) -> Option<(u64, u64)> {
    // The first order whose column is at least, or above, the value; one past the last if there is none.
    let (at_least, above) = match filter.field.as_str() {
        "updated_at" => {
            let value = parse_time(&filter.value)?.as_second();
            let first = |wanted: &dyn Fn(i64) -> bool| first(count, |id| wanted(synthetic::updated_second(id)));
            (first(&|time| time >= value), first(&|time| time > value))
        }
        "entity_id" => {
            let value: u64 = filter.value.parse().ok()?;
            (first(count, |id| id >= value), first(count, |id| id > value))
        }
        _ => return None,
    };
    match filter.compare {
        Compare::Eq => Some((at_least, above - 1)),
        Compare::Gteq | Compare::From => Some((at_least, count)),
        Compare::Gt => Some((above, count)),
        Compare::Lteq | Compare::To => Some((1, above - 1)),
        Compare::Lt => Some((1, at_least - 1)),
        _ => None,
    }
}

/// The first of `1..=count` that `holds`, where all after it hold, too.
fn first(count: u64, holds: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (1, count + 1);
    while low < high {
        let middle = low + (high - low) / 2;
        if holds(middle) { high = middle } else { low = middle + 1 }
    }
    low
}
