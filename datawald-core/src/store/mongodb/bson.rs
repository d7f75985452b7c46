//! To BSON and back.

use mongodb::bson::{
    Bson, DateTime, Document, RawDocumentBuf, deserialize_from_slice, serialize_to_bson, serialize_to_document,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use jiff::Timestamp;

use crate::{Error, Result};

/// A value as BSON.
pub(super) fn bson(operation: &'static str, value: &impl Serialize) -> Result<Bson> {
    serialize_to_bson(value).map_err(|error| Error::store(operation, "could not be written as BSON").caused_by(error))
}

/// A document as BSON.
pub(super) fn document(operation: &'static str, value: &impl Serialize) -> Result<Document> {
    serialize_to_document(value)
        .map_err(|error| Error::store(operation, "could not be written as BSON").caused_by(error))
}

/// Reads a document; an error names the one that is none of this store's.
pub(super) fn read<T: DeserializeOwned>(
    operation: &'static str,
    collection: &str,
    document: &RawDocumentBuf,
) -> Result<T> {
    deserialize_from_slice(document.as_bytes()).map_err(|error| {
        let id = document.get_str("_id").unwrap_or("of another kind than this store's");
        Error::store(
            operation,
            format!(
                "the document with the _id {id} in the collection `{collection}` is none that this store can read; mend \
                 it or move it to another collection"
            ),
        )
        .caused_by(error)
    })
}

/// A time as it is stored: to the millisecond.
pub(super) fn date(at: Timestamp) -> DateTime {
    DateTime::from_millis(at.as_millisecond())
}

/// A stored time. What no clock of ours can show is as early or late as it can.
pub(super) fn time(at: DateTime) -> Timestamp {
    let millis = at.timestamp_millis();
    let edge = if millis < 0 { Timestamp::MIN } else { Timestamp::MAX };
    Timestamp::from_millisecond(millis).unwrap_or(edge)
}

/// A count as it is stored.
pub(super) fn number(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

/// A stored count.
pub(super) fn count(number: i64) -> u64 {
    u64::try_from(number).unwrap_or_default()
}
