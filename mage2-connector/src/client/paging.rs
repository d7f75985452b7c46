//! Orders in the order of their last change, page by page, while the shop goes on selling.
//!
//! **Why not by page number.** `currentPage` counts rows from the beginning. An order that changes between two requests
//! moves to the end; everything behind it moves up by one, and one order slips from the next page to one that was read
//! already: it is missed. And Magento answers with its last page again past the end. So progress is made by *keyset*: the
//! next page begins at the last `updated_at` that was read, and `currentPage` is always 1.
//!
//! **Why inclusively.** Magento's times have whole seconds, so that many orders share one. `updated_at gt T` would lose
//! those of the second `T` that were not on the page; `gteq T` brings them, and the ones that were read already are
//! dropped by their ids, which the cursor carries. If a whole page is of one second there is no progress that way; then
//! the rest of that second is read by id (`updated_at eq T`, `entity_id gt last`), and after it `updated_at gt T`.
//!
//! An order that changes while it is being paged moves to a later time and is read again there. One that is saved with a
//! time before what was read already (a transaction that commits late) is the business of the engine's overlap window.

use datawald_core::engine::{Cursor, FetchQuery};
use datawald_core::model::Cut;
use datawald_core::{Disposition, Error, ErrorKind, Result};
use datawald_frontend::{RawDoc, RawPage};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::connection::Mage2Client;
use super::criteria::{Condition, Direction, SearchCriteria};
use super::time::{format_time, parse_time, whole_second};
use crate::agency::leaf;

const OPERATION: &str = "fetch orders";

/// How the next page begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
enum Begin {
    /// At `at`, inclusively, less what was seen.
    At,
    /// Within the second `at`, behind the id `last`.
    Within,
    /// After `at`.
    After,
}

/// Where a pull stands; the content of its cursor.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Position {
    begin: Begin,
    /// The last time that was read, in seconds; `None` before the first page of everything.
    at: Option<i64>,
    /// The last id that was read.
    last: u64,
    /// The ids that were read at `at`, as far as the next page brings them again.
    seen: Vec<u64>,
    /// How many were read at `at`.
    count: u64,
}

type Key = (i64, u64);

struct Row<'a> {
    raw: &'a RawValue,
    /// Its time and id; `None` for an item that lacks either and cannot be paged by.
    key: Option<Key>,
}

#[derive(Deserialize)]
struct Page<'a> {
    #[serde(borrow)]
    items: Option<Vec<&'a RawValue>>,
    #[serde(default, borrow)]
    total_count: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RowKey<'a> {
    #[serde(borrow)]
    updated_at: Option<&'a RawValue>,
    #[serde(borrow)]
    entity_id: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct RowStore<'a> {
    #[serde(borrow)]
    store_id: Option<&'a RawValue>,
}

impl Mage2Client {
    /// A page of orders, by their last change; see [`datawald_frontend::Frontend::fetch_orders`]. Each document is the
    /// order's text exactly as it came, whatever is wrong with it.
    ///
    /// # Errors
    /// As [`Mage2Client::search`]. A server that leaves out the filter or the sort order, where it matters: permanent, and
    /// says which.
    pub async fn orders_page(&self, query: &FetchQuery) -> Result<RawPage> {
        let position = match &query.after {
            Some(cursor) => Position::read(cursor)?,
            None => Position::start(query.from),
        };
        let size = query.page_size.clamp(1, self.settings().page_size);
        let response = self.search(OPERATION, "orders", &self.of_stores(position.criteria(size))).await?;
        let page: Page<'_> = serde_json::from_slice(&response.body).map_err(|error| response.not_json(&error))?;
        // Older versions give null where nothing matches.
        let rows = page.items.unwrap_or_default().into_iter().map(Row::new).collect();
        let total = page.total_count.and_then(|raw| leaf::unsigned(Some(raw)));
        let mut page = position.advance(rows, total, size)?;
        self.leave_others_out(&mut page.docs);
        page.source_now = response.server_time();
        Ok(page)
    }
}

impl Mage2Client {
    /// Of the configured stores only.
    pub(super) fn of_stores(&self, criteria: SearchCriteria) -> SearchCriteria {
        match self.settings().orders.store_ids() {
            None => criteria,
            Some(stores) => criteria.and("store_id", Condition::In, stores.join(",")),
        }
    }

    /// Leaves out what is of other stores: where something on the way has changed the query, it comes all the same.
    fn leave_others_out(&self, docs: &mut Vec<RawDoc>) {
        let Some(stores) = self.settings().orders.store_ids() else { return };
        let is_other = |doc: &RawDoc| {
            let store = serde_json::from_str::<RowStore<'_>>(doc.text()).ok();
            let store = store.and_then(|row| leaf::unsigned(row.store_id)).map(|store| store.to_string());
            store.is_some_and(|store| !stores.contains(&store.as_str()))
        };
        docs.retain(|doc| !is_other(doc));
    }
}

impl<'a> Row<'a> {
    fn new(raw: &'a RawValue) -> Self {
        let key = serde_json::from_str::<RowKey<'_>>(raw.get()).ok().and_then(|key| {
            let time = parse_time(&leaf::text(key.updated_at, "").ok()??)?;
            Some((time.as_second(), leaf::unsigned(key.entity_id)?))
        });
        Self { raw, key }
    }
}

impl Position {
    fn start(from: Option<Timestamp>) -> Self {
        let at = from.map(|from| whole_second(from).as_second());
        Self { begin: Begin::At, at, last: 0, seen: Vec::new(), count: 0 }
    }

    fn read(cursor: &Cursor) -> Result<Self> {
        serde_json::from_str(&cursor.0)
            .map_err(|_| Error::config(OPERATION, "the cursor is not one that this connector has made"))
    }

    fn cursor(&self) -> Result<Cursor> {
        serde_json::to_string(self)
            .map(Cursor)
            .map_err(|error| Error::config(OPERATION, "the cursor cannot be written").caused_by(error))
    }

    fn criteria(&self, size: usize) -> SearchCriteria {
        let mut criteria = SearchCriteria::new();
        if let Some(at) = self.at.and_then(time) {
            let at = format_time(at);
            criteria = match self.begin {
                Begin::At => criteria.and("updated_at", Condition::Gteq, at),
                Begin::After => criteria.and("updated_at", Condition::Gt, at),
                Begin::Within => {
                    criteria.and("updated_at", Condition::Eq, at).and("entity_id", Condition::Gt, self.last.to_string())
                }
            };
        }
        criteria
            .sort("updated_at", Direction::Ascending)
            .sort("entity_id", Direction::Ascending)
            .page_size(size)
            .current_page(1)
    }

    /// Whether a row is one that was asked for.
    fn asked_for(&self, key: Key) -> bool {
        let Some(at) = self.at else { return true };
        match self.begin {
            Begin::At => key.0 >= at,
            Begin::After => key.0 > at,
            Begin::Within => key.0 == at && key.1 > self.last,
        }
    }

    fn filter(&self) -> &'static str {
        match self.begin {
            Begin::At => "the filter `updated_at gteq`",
            Begin::After => "the filter `updated_at gt`",
            Begin::Within => "the filters `updated_at eq` and `entity_id gt`",
        }
    }

    /// Makes the page and the cursor of the next out of the rows that came.
    fn advance(&self, mut rows: Vec<Row<'_>>, total: Option<u64>, size: usize) -> Result<RawPage> {
        let came = rows.len() as u64;
        let complete = rows.len() < size && total.is_none_or(|total| total <= came);
        if complete {
            // All there is has come: it can be put in order here, whatever the server left undone.
            rows.retain(|row| row.key.is_none_or(|key| self.asked_for(key)));
            rows.sort_by_key(|row| row.key.unwrap_or((i64::MAX, u64::MAX)));
        } else {
            self.check(&rows, total)?;
        }

        let keys: Vec<Key> = rows.iter().filter_map(|row| row.key).collect();
        let is_new = |key: Key| !(Some(key.0) == self.at && self.seen.contains(&key.1));
        let docs = rows.iter().filter(|row| row.key.is_none_or(is_new)).map(|row| RawDoc::new(row.raw.get())).collect();

        let next = self.next(&keys, is_new);
        let reached = match (next.at.and_then(time), next.count) {
            (Some(cut_dt), offset) if offset > 0 => Some(Cut { cut_dt, offset }),
            _ => None,
        };
        let next = match (complete, self.begin) {
            (false, _) => Some(next.cursor()?),
            // The second is read to its end; what changed after it is still to come.
            (true, Begin::Within) => Some(Position { begin: Begin::After, seen: Vec::new(), ..next }.cursor()?),
            (true, _) => None,
        };
        Ok(RawPage { docs, next, reached, source_now: None })
    }

    /// Where the pull stands after rows with these keys, in order, of a page that is not the last.
    fn next(&self, keys: &[Key], is_new: impl Fn(Key) -> bool) -> Position {
        let (Some(&first), Some(&(at, last))) = (keys.first(), keys.last()) else { return self.clone() };
        let at_end = keys.iter().filter(|key| key.0 == at);
        let before = if self.at == Some(at) { self.count } else { 0 };
        let count = before + at_end.clone().filter(|key| is_new(**key)).count() as u64;
        let (begin, seen) = if self.begin == Begin::Within || first.0 == at {
            (Begin::Within, Vec::new())
        } else {
            (Begin::At, at_end.map(|key| key.1).collect())
        };
        Position { begin, at: Some(at), last, seen, count }
    }

    /// Checks that a page that is not the last is one to go on from.
    fn check(&self, rows: &[Row<'_>], total: Option<u64>) -> Result<()> {
        let ignored = |what: &str| {
            let message = format!(
                "Magento has ignored {what}, so that a page cannot be told from the next: does a module, a proxy or a \
                 cache change the query? Until then a page size above the number of orders helps"
            );
            Err(Error::new(ErrorKind::Protocol, Disposition::Permanent, OPERATION, message))
        };
        let keys = || rows.iter().filter_map(|row| row.key);
        if keys().any(|key| !self.asked_for(key)) {
            return ignored(self.filter());
        }
        if keys().zip(keys().skip(1)).any(|(one, next)| next < one) {
            return ignored("the sort order `updated_at ASC, entity_id ASC`");
        }
        if rows.is_empty() {
            let message = format!("Magento says that {} orders match and gives none", total.unwrap_or(0));
            return Err(Error::unknown_outcome(ErrorKind::Protocol, datawald_core::Effect::Read, OPERATION, message));
        }
        if keys().next().is_none() {
            let message = "no order of the page has `updated_at` and `entity_id`, so that there is no telling where the \
                           next page begins: may the integration read orders in full?";
            return Err(Error::new(ErrorKind::Protocol, Disposition::Permanent, OPERATION, message));
        }
        Ok(())
    }
}

fn time(seconds: i64) -> Option<Timestamp> {
    Timestamp::from_second(seconds).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ORDER: &str = r#"{"entity_id":"7","updated_at":"2026-01-31 10:00:00"}"#;

    fn rows(texts: &[&str]) -> Vec<Box<RawValue>> {
        texts.iter().map(|text| RawValue::from_string((*text).to_owned()).unwrap()).collect()
    }

    fn advance(texts: &[&str], total: Option<u64>, size: usize) -> Result<RawPage> {
        let raws = rows(texts);
        Position::start(None).advance(raws.iter().map(|raw| Row::new(raw)).collect(), total, size)
    }

    /// What is wrong with one item spoils neither the page nor the item.
    #[test]
    fn items_of_any_kind_come_through() {
        let odd = ["5", "null", r#""x""#, "[]", r#"{"entity_id":1}"#, r#"{"entity_id":[],"updated_at":{}}"#];
        let texts: Vec<&str> = odd.iter().copied().chain([ORDER]).collect();
        let page = advance(&texts, Some(7), 10).unwrap();
        let mut came: Vec<&str> = page.docs.iter().map(RawDoc::text).collect();
        let mut sent = texts.clone();
        came.sort_unstable();
        sent.sort_unstable();
        assert_eq!(came, sent);
        assert!(page.next.is_none());
        assert_eq!(page.reached.map(|cut| cut.offset), Some(1));
        // On a page that is not the last, too.
        let page = advance(&texts, Some(70), 7).unwrap();
        assert_eq!((page.docs.len(), page.next.is_some()), (7, true));
    }

    #[test]
    fn a_full_page_without_times_cannot_be_gone_on_from() {
        let error = advance(&["5", "6"], Some(9), 2).unwrap_err();
        assert_eq!(error.disposition(), Disposition::Permanent);
        assert!(error.to_string().contains("updated_at"), "{error}");
    }

    #[test]
    fn a_short_page_with_more_to_come_is_not_the_last() {
        let page = advance(&[ORDER], Some(3), 10).unwrap();
        assert!(page.next.is_some(), "the server gives smaller pages than were asked for");
        let error = advance(&[], Some(3), 10).unwrap_err();
        assert_eq!(error.disposition(), Disposition::Retryable { after: None });
        assert!(advance(&[], Some(0), 10).unwrap().next.is_none());
        assert!(advance(&[], None, 10).unwrap().reached.is_none());
    }
}
