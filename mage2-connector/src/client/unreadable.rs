//! Orders that Magento cannot give. One whose data it cannot serialise makes it answer every page that holds the order with
//! HTTP 500 (or with text that is no JSON), and with it the orders beside it.
//!
//! Such a page is halved, down to single orders. The one that cannot be read is found, a document that says so stands in for
//! it, which is staged as failed, and the pull goes on behind it: its id is left out of the searches that follow in the same
//! pull. It is asked for by itself after a minute, then ever more seldom, at last once an hour, as long as this process lives, so
//! that it is taken when somebody has mended it in Magento's database, where its `updated_at` does not change. After a new
//! start it is taken when it changes, or when an operator moves the cut back.
//!
//! That Magento fails over everything is not taken for this: only where another order can be read at the same time.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use datawald_core::clock::later;
use datawald_core::http::HttpResponse;
use datawald_core::{Disposition, Error, ErrorKind, Result};
use datawald_frontend::{RawDoc, RawPage};
use jiff::Timestamp;
use serde_json::{Map, Value, json};

use super::connection::Mage2Client;
use super::criteria::{Condition, Direction, SearchCriteria};
use super::paging::Position;
use super::rows::rows;

const FIND: &str = "find the order that cannot be read";

/// What stands in for an order has this key, with the reason.
const REASON: &str = "datawald_unreadable";

/// What is asked of an order to find out which it is: often it is another field that cannot be serialised.
const HEAD: &str = "items[entity_id,increment_id,store_id,status,created_at,updated_at],total_count";

/// After how long an order that could not be read is asked for again; twice as long each time.
const AGAIN_AFTER: Duration = Duration::from_secs(60);
const AGAIN_AFTER_AT_MOST: Duration = Duration::from_secs(3600);

/// How many are asked for again at a time, and how many are kept in mind.
const AT_A_TIME: usize = 20;
const MOST_KNOWN: usize = 1000;

/// The most orders that one pull leaves out: their ids are part of an address.
const MOST_LEFT_OUT: usize = 200;

/// The largest id of an order: the column is an unsigned integer.
const LARGEST_ID: u64 = u32::MAX as u64;

/// Orders that could not be read once, by id.
#[derive(Debug, Default)]
pub(super) struct Known(Mutex<BTreeMap<u64, Tried>>);

/// An order that was asked for by itself.
#[derive(Debug)]
struct Tried {
    times: u32,
    /// When it is asked for again.
    due: Timestamp,
    /// What was read of it, which is told each time.
    head: Map<String, Value>,
}

impl Known {
    fn with<T>(&self, change: impl FnOnce(&mut BTreeMap<u64, Tried>) -> T) -> T {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Notes that an order was asked for; whether it was for the first time.
    fn tried(&self, id: u64, now: Timestamp, head: &Map<String, Value>) -> bool {
        self.with(|known| {
            if known.len() >= MOST_KNOWN && !known.contains_key(&id) {
                return true;
            }
            let tried = known.entry(id).or_insert_with(|| Tried { times: 0, due: now, head: head.clone() });
            let wait = AGAIN_AFTER.saturating_mul(2_u32.saturating_pow(tried.times)).min(AGAIN_AFTER_AT_MOST);
            tried.times = tried.times.saturating_add(1);
            tried.due = later(now, wait);
            tried.times == 1
        })
    }

    fn head(&self, id: u64) -> Map<String, Value> {
        self.with(|known| known.get(&id).map(|tried| tried.head.clone()).unwrap_or_default())
    }

    fn forget(&self, id: u64) {
        self.with(|known| known.remove(&id));
    }

    fn due(&self, now: Timestamp) -> Vec<u64> {
        self.with(|known| {
            let due = known.iter().filter(|(_, tried)| tried.due <= now).map(|(id, _)| *id);
            due.take(AT_A_TIME).collect()
        })
    }

    fn all(&self) -> Vec<u64> {
        self.with(|known| known.keys().copied().collect())
    }
}

/// Whether an answer may have failed over one of the rows that were asked for.
pub(super) fn may_be_a_row(error: &Error) -> bool {
    matches!(error.disposition(), Disposition::Retryable { .. })
        && (error.code_text() == Some("500") || matches!(error.kind(), ErrorKind::Protocol | ErrorKind::TooLarge))
}

/// The error for the document that stands in for an order; nothing for any other.
///
/// # Errors
/// Of kind `Refused`, rejected.
pub(crate) fn check(text: &str) -> Result<()> {
    if !text.contains(REASON) {
        return Ok(());
    }
    let Ok(doc) = serde_json::from_str::<Map<String, Value>>(text) else { return Ok(()) };
    let Some(reason) = doc.get(REASON).and_then(Value::as_str) else { return Ok(()) };
    let message = format!(
        "Magento cannot give this order: {reason}. Look into Magento's var/log/exception.log and mend the order there; it is asked \
         for again by itself, at last once an hour, and taken as soon as it can be read"
    );
    Err(Error::refused("map order", message))
}

impl Mage2Client {
    /// Orders that could not be read and are to be asked for again now; those that can be read are given.
    pub(crate) async fn read_again(&self) -> Vec<RawDoc> {
        let mut docs = Vec::new();
        for id in self.unreadable().due(self.steady()) {
            match self.order(id).await {
                Ok(doc) => docs.push(doc),
                Err(error) if error.kind() == ErrorKind::NotFound => {
                    self.unreadable().forget(id);
                    continue;
                }
                Err(error) if may_be_a_row(&error) => {}
                // It is not about this order.
                Err(_) => break,
            }
            // One that can be read now is asked for again, too: what is given here may not come to be staged.
            self.unreadable().tried(id, self.steady(), &Map::new());
        }
        docs
    }

    /// Where a page of several orders could not be read: the page without those that could not be read before, if there are any
    /// that `position` does not leave out yet.
    ///
    /// # Errors
    /// Of whatever is not about one order.
    pub(super) async fn without_known(&self, position: &Position, alive: Alive) -> Result<Option<RawPage>> {
        let room = MOST_LEFT_OUT.saturating_sub(position.without.len());
        let ids: Vec<u64> =
            self.unreadable().all().into_iter().filter(|id| !position.without.contains(id)).take(room).collect();
        if ids.is_empty() {
            return Ok(None);
        }
        let mut docs = Vec::with_capacity(ids.len());
        for id in &ids {
            docs.extend(self.by_itself(*id, self.unreadable().head(*id)).await?);
        }
        passed(position, docs, &ids, alive).map(Some)
    }

    /// Where a page of a single order could not be read: the page that goes on behind it, with the order, if it can be read by
    /// itself, or with what stands in for it.
    ///
    /// # Errors
    /// `failed`, if the order cannot be told.
    pub(super) async fn pass(&self, position: &Position, alive: Alive, failed: &Error) -> Result<RawPage> {
        let head = self.head(position).await?;
        let id = match id_of(&head) {
            Some(id) => id,
            None => self.search_id(position, alive.largest).await?,
        };
        if position.without.contains(&id) || position.without.len() >= MOST_LEFT_OUT {
            return Err(failed.clone());
        }
        let doc = self.by_itself(id, head).await?.ok_or_else(|| failed.clone())?;
        passed(position, vec![doc], &[id], alive)
    }

    /// Makes sure that it is not everything that fails: the newest order can be read, or the oldest, or the one before the newest.
    ///
    /// # Errors
    /// `failed`, if none can.
    pub(super) async fn another(&self, failed: &Error) -> Result<Alive> {
        for (direction, page) in [(Direction::Descending, 1), (Direction::Ascending, 1), (Direction::Descending, 2)] {
            let criteria = SearchCriteria::new().sort("entity_id", direction).page_size(1).current_page(page);
            let Ok(response) = self.search(FIND, "orders", &criteria.fields("items[entity_id]")).await else {
                continue;
            };
            let Some(id) = first(&response).as_ref().and_then(id_of) else { continue };
            let is_newest = (direction, page) == (Direction::Descending, 1);
            let largest = if is_newest { id } else { LARGEST_ID };
            return Ok(Alive { largest, source_now: response.server_time() });
        }
        Err(failed.clone())
    }

    /// What can be read of the first order after `position`: nothing, if that fails, too.
    async fn head(&self, position: &Position) -> Result<Map<String, Value>> {
        let criteria = self.of_stores(position.criteria(1)).fields(HEAD);
        match self.search(FIND, "orders", &criteria).await {
            Ok(response) => Ok(first(&response).unwrap_or_default()),
            Err(error) if may_be_a_row(&error) => Ok(Map::new()),
            Err(error) => Err(error),
        }
    }

    /// The id of an order that cannot be read, by bisection: the smallest up to which the search still fails.
    async fn search_id(&self, position: &Position, largest: u64) -> Result<u64> {
        let (mut read, mut failing) = (0, largest);
        while failing - read > 1 {
            let middle = read + (failing - read) / 2;
            let criteria = self.of_stores(position.criteria(1)).and("entity_id", Condition::Lteq, middle.to_string());
            match self.search(FIND, "orders", &criteria).await.and_then(|response| rows(&response).map(drop)) {
                Ok(()) => read = middle,
                Err(error) if may_be_a_row(&error) => failing = middle,
                Err(error) => return Err(error),
            }
        }
        Ok(failing)
    }

    /// An order asked for by itself: its document, or what stands in for it; nothing if it is not there any more.
    async fn by_itself(&self, id: u64, mut head: Map<String, Value>) -> Result<Option<RawDoc>> {
        let error = match self.order(id).await {
            Ok(doc) => return Ok(Some(doc)),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                self.unreadable().forget(id);
                return Ok(None);
            }
            Err(error) if may_be_a_row(&error) => error,
            Err(error) => return Err(error),
        };
        if self.unreadable().tried(id, self.steady(), &head) {
            tracing::warn!(entity_id = id, %error, "Magento cannot give an order; it fails, and the pull goes on behind it");
        }
        // Always in the same words: Magento's have a number that is another one each time.
        let reason = match error.kind() {
            ErrorKind::Protocol => "what it answers is no valid JSON",
            ErrorKind::TooLarge => "its answer is larger than `max_body` allows",
            _ => "it answers with HTTP 500",
        };
        head.insert("entity_id".to_owned(), json!(id));
        head.insert(REASON.to_owned(), json!(reason));
        Ok(Some(RawDoc::new(Value::Object(head).to_string())))
    }
}

/// That Magento gives another order, its largest id, and its clock.
#[derive(Debug, Clone, Copy)]
pub(super) struct Alive {
    largest: u64,
    source_now: Option<Timestamp>,
}

/// A page of `docs` alone; the next one begins at the same place, without `ids`.
fn passed(position: &Position, docs: Vec<RawDoc>, ids: &[u64], alive: Alive) -> Result<RawPage> {
    let next = Some(position.leaving_out(ids).cursor()?);
    Ok(RawPage { docs, next, reached: None, source_now: alive.source_now })
}

/// The first row of an answer.
fn first(response: &HttpResponse) -> Option<Map<String, Value>> {
    let rows = rows(response).ok()?.0;
    serde_json::from_str(rows.first()?.get()).ok()
}

fn id_of(row: &Map<String, Value>) -> Option<u64> {
    let id = row.get("entity_id")?;
    id.as_u64().or_else(|| id.as_str()?.parse().ok())
}
