//! A staged entity: the durable record that everything else follows from.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::{FlowId, Table};

/// Names one entity: one backoffice document per key, whatever happens.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct EntityKey {
    /// The table.
    pub table: Table,
    /// The frontend's name.
    pub frontend: String,
    /// The source key: names one record of the source, whatever number it bears (Magento: an order's `entity_id`).
    pub id: String,
}

impl EntityKey {
    /// The key of `id` in `flow`.
    pub fn new(flow: &FlowId, id: impl Into<String>) -> Self {
        Self { table: flow.table, frontend: flow.frontend.clone(), id: id.into() }
    }

    /// The flow that the entity belongs to.
    pub fn flow(&self) -> FlowId {
        FlowId::new(self.table, self.frontend.clone())
    }
}

impl fmt::Display for EntityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} of {}", self.table.singular(), self.id, self.frontend)
    }
}

/// Where an entity stands; one letter on the wire and in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub enum TxStatus {
    /// `N`: new, waiting.
    #[serde(rename = "N")]
    New,
    /// `P`: leased by a worker.
    #[serde(rename = "P")]
    InProcess,
    /// `S`: applied.
    #[serde(rename = "S")]
    Success,
    /// `F`: failed, with a reason in the note.
    #[serde(rename = "F")]
    Failed,
    /// `I`: nothing to do.
    #[serde(rename = "I")]
    Ignored,
    /// `X`: cancelled.
    #[serde(rename = "X")]
    Cancelled,
    /// `?`: a write was sent and its outcome is not known yet.
    #[serde(rename = "?")]
    InDoubt,
}

impl TxStatus {
    /// Every status.
    pub const ALL: [TxStatus; 7] = [
        TxStatus::New,
        TxStatus::InProcess,
        TxStatus::Success,
        TxStatus::Failed,
        TxStatus::Ignored,
        TxStatus::Cancelled,
        TxStatus::InDoubt,
    ];

    /// The letter.
    pub fn letter(self) -> &'static str {
        match self {
            TxStatus::New => "N",
            TxStatus::InProcess => "P",
            TxStatus::Success => "S",
            TxStatus::Failed => "F",
            TxStatus::Ignored => "I",
            TxStatus::Cancelled => "X",
            TxStatus::InDoubt => "?",
        }
    }

    /// The status of a letter.
    pub fn from_letter(letter: &str) -> Option<TxStatus> {
        TxStatus::ALL.into_iter().find(|status| status.letter() == letter)
    }

    /// Whether it is final: S, F, I or X.
    pub fn is_final(self) -> bool {
        matches!(self, TxStatus::Success | TxStatus::Failed | TxStatus::Ignored | TxStatus::Cancelled)
    }
}

impl fmt::Display for TxStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.letter())
    }
}

/// What is to be done with an entity on the other side, decided when it is pulled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub enum Intent {
    /// Insert it, or update it if it is there.
    Apply,
    /// Cancel it if it is there.
    Cancel,
    /// Nothing, with the reason (its frontend status is not one that inserts).
    Ignore(String),
    /// Nothing, since it cannot be mapped or is not valid, with the reason.
    Reject(String),
}

impl Intent {
    /// Whether there is something to be done on the other side.
    pub fn is_to_be_done(&self) -> bool {
        matches!(self, Intent::Apply | Intent::Cancel)
    }
}

/// A hash of an entity's content. Two pulls of the same content have the same fingerprint.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Fingerprint(String);

impl Fingerprint {
    /// The fingerprint of `content` (SHA-256; the first 16 bytes, in hex).
    pub fn of(content: &[u8]) -> Self {
        let digest = Sha256::digest(content);
        Self(digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect())
    }

    /// A fingerprint as it was stored.
    pub fn from_stored(hex: String) -> Self {
        Self(hex)
    }

    /// As it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// A staged entity as the store holds it. `Debug` leaves the documents out.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Entity {
    /// Its key.
    pub key: EntityKey,
    /// What people call it (an order's number, `fe_order_id`).
    pub name: String,
    /// Where it stands.
    pub status: TxStatus,
    /// Why, for people.
    pub note: String,
    /// What kind of failure it is, in a word ([`crate::ErrorKind::as_str`]); of a failed one only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failure: Option<String>,
    /// The key on the other side (`bo_order_id`), once known.
    pub target_id: Option<String>,
    /// Under what the other side was told of it, once it was; used for it ever after.
    pub reference: Option<String>,
    /// The version that the other side has or may have; `None` if it surely has none.
    pub written: Option<u64>,
    /// What is to be done with it.
    pub intent: Intent,
    /// The source's own status.
    pub source_status: String,
    /// When it last changed at the source.
    #[cfg_attr(feature = "api", schema(value_type = Option<String>, format = DateTime))]
    pub source_updated_at: Option<Timestamp>,
    /// Counts versions of the content, from 1.
    pub rev: u64,
    /// Fingerprint of the content.
    pub fingerprint: Fingerprint,
    /// The canonical document, as JSON text.
    pub doc: String,
    /// The source's document, as it came.
    pub raw: String,
    /// How often a worker has taken this version up.
    pub attempts: u32,
    /// When it may be taken up, by the store's clock ([`crate::Now`]); `None` for a final status.
    #[cfg_attr(feature = "api", schema(value_type = Option<String>, format = DateTime))]
    pub due_at: Option<Timestamp>,
    /// When its lease ends, by the store's clock, while it is leased.
    #[cfg_attr(feature = "api", schema(value_type = Option<String>, format = DateTime))]
    pub lease_until: Option<Timestamp>,
    /// When it was first staged.
    #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
    /// When it last changed here.
    #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
    pub updated_at: Timestamp,
    /// When its data was erased ([`crate::store::StagingStore::erase`]), if nothing has come from the source since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "api", schema(value_type = Option<String>, format = DateTime))]
    pub erased_at: Option<Timestamp>,
}

impl fmt::Debug for Entity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entity")
            .field("key", &self.key)
            .field("status", &self.status)
            .field("failure", &self.failure)
            .field("target_id", &self.target_id)
            .field("rev", &self.rev)
            .field("attempts", &self.attempts)
            .field("due_at", &self.due_at)
            .finish_non_exhaustive()
    }
}

/// An earlier version of an entity. `Debug` leaves the documents out.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Version {
    /// Which version.
    pub rev: u64,
    /// Where it stood when it was replaced.
    pub status: TxStatus,
    /// Why.
    pub note: String,
    /// The key on the other side then.
    pub target_id: Option<String>,
    /// The source's own status then.
    pub source_status: String,
    /// The canonical document, as JSON text.
    pub doc: String,
    /// The source's document, as it came.
    pub raw: String,
    /// When it was replaced.
    #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
    pub replaced_at: Timestamp,
}

impl fmt::Debug for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Version").field("rev", &self.rev).field("status", &self.status).finish_non_exhaustive()
    }
}
