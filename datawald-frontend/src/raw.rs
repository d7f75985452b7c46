//! What a frontend gives before it is mapped.

use std::fmt;

use datawald_core::engine::Cursor;
use datawald_core::model::{Cut, Order};
use datawald_core::{Error, Result};
use jiff::Timestamp;
use serde::de::DeserializeOwned;

/// A source document, as the JSON text that came. `Debug` shows its size only.
#[derive(Clone, PartialEq, Eq)]
pub struct RawDoc(String);

impl RawDoc {
    /// A document from its JSON text. The text is not checked here: what is wrong with it shows when it is mapped.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.0
    }

    /// The text, owned.
    pub fn into_text(self) -> String {
        self.0
    }

    /// Reads the document into a type, or into a `serde_json::Value`.
    ///
    /// # Errors
    /// Of kind `Mapping`, with the place, never the content.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_str(&self.0).map_err(|error| {
            let message = format!("the document is not as expected at line {} column {}", error.line(), error.column());
            Error::mapping("read source document", message)
        })
    }
}

impl fmt::Debug for RawDoc {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RawDoc({} bytes)", self.0.len())
    }
}

/// A page of source documents.
#[derive(Debug, Default)]
pub struct RawPage {
    /// The documents.
    pub docs: Vec<RawDoc>,
    /// The next page; `None` after the last.
    pub next: Option<Cursor>,
    /// How far this page has come.
    pub reached: Option<Cut>,
    /// The source's own clock when it answered, where it tells.
    pub source_now: Option<Timestamp>,
}

/// Which entity a source document is, as far as that can be told before it is mapped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceRef {
    /// The source key: the record's own id, which no other record has, whatever number it bears (Magento: `entity_id`).
    pub id: String,
    /// What people call it (an order's number); empty if that cannot be told. An order that can be mapped is called as its
    /// canonical form is (`fe_order_id`).
    pub name: String,
    /// The source's own status.
    pub status: String,
    /// When it last changed.
    pub updated_at: Option<Timestamp>,
}

/// An order that was mapped, with the document that it came from.
#[derive(Debug)]
pub struct PulledOrder {
    /// The document.
    pub raw: RawDoc,
    /// The canonical order.
    pub order: Order,
}
