//! Pages of lists: their size, and the cursors that lead from one to the next.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::Listing;
use crate::{Error, Result};

/// The page size that a filter asks for: 1 to 1,000; 0 means 100.
pub(crate) fn page_size(limit: usize) -> usize {
    if limit == 0 { 100 } else { limit.min(1_000) }
}

/// A cursor out of the sort key of the last item of a page.
pub(crate) fn cursor(key: &impl Serialize) -> Result<String> {
    serde_json::to_string(key).map_err(|error| Error::store("list", "the cursor could not be written").caused_by(error))
}

/// The sort key of a cursor.
pub(crate) fn after<K: DeserializeOwned>(cursor: Option<&str>) -> Result<Option<K>> {
    cursor
        .map(|text| {
            serde_json::from_str(text).map_err(|_| {
                Error::invalid("list", "is not a cursor of this list; give `next` of the page before, unchanged")
                    .field("after")
            })
        })
        .transpose()
}

/// A page out of `items`, of which one more than `size` was asked for if there are more.
pub(crate) fn page<T, K: Serialize>(mut items: Vec<T>, size: usize, key: impl Fn(&T) -> K) -> Result<Listing<T>> {
    let more = items.len() > size;
    items.truncate(size);
    let next = if more { items.last().map(|last| cursor(&key(last))).transpose()? } else { None };
    Ok(Listing { items, next })
}
