//! Everything that reads requests, by name, for tests that feed it anything.

use serde_json::Value;

use super::check::Names;
use super::envelope;
use super::error::Version;
use super::filter_parser;
use super::path::Target;
use super::schema::schema;

/// What reads a part of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parser {
    /// A filter of documents.
    Filter,
    /// A path below the root, with its key.
    Path,
    /// A batch whose boundary is `b`.
    Batch,
    /// A document.
    Body,
}

impl Parser {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Filter, Self::Path, Self::Batch, Self::Body];

    /// Reads `bytes`; answers whether they were understood.
    pub fn reads(self, bytes: &[u8]) -> bool {
        let Some(document) = schema().type_named("Document") else { return false };
        let names = Names { user_fields: &[] };
        match self {
            Self::Filter => {
                let filter = filter_parser::parse(&String::from_utf8_lossy(bytes), document, &names);
                filter.is_ok_and(|filter| filter.passes(&|_| Value::Null, true).is_none_or(|_| true))
            }
            Self::Path => {
                let target = Target::parse(&String::from_utf8_lossy(bytes));
                target.is_ok_and(|target| target.key(document).map_or(true, |key| !key.is_empty()))
            }
            Self::Batch => envelope::read("multipart/mixed;boundary=b", bytes, Version::V1).is_ok(),
            Self::Body => {
                let body = serde_json::from_slice::<Value>(bytes);
                body.is_ok_and(|body| names.read(document, body).is_ok())
            }
        }
    }
}
