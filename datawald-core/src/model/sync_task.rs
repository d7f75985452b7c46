//! Cuts and sync tasks: how far a flow has come, and what one pull brought.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{FlowId, TxStatus};

/// How far a flow's pulls have come. The next pull starts at `cut_dt` less the overlap window, inclusively.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Cut {
    /// Everything that changed at the source before this time has been staged, but for what commits late.
    #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
    pub cut_dt: Timestamp,
    /// How many entities with exactly this time have been staged; informative, since the cut is inclusive.
    pub offset: u64,
}

/// Names a sync task. Ids sort by time.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct SyncTaskId(String);

impl SyncTaskId {
    /// A new id.
    pub fn generate() -> Self {
        Self(Uuid::now_v7().to_string())
    }

    /// An id as it was stored or given.
    pub fn from_stored(id: impl Into<String>) -> Self {
        Self(id.into())
    }

    /// As it is stored.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for SyncTaskId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a sync task stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub enum SyncStatus {
    /// Not all of its entities have an outcome.
    Processing,
    /// Every entity is S, I or X.
    Completed,
    /// At least one is F.
    Fail,
    /// None is F, but some outcome was not known after the time allowed.
    Incompleted,
}

impl SyncStatus {
    /// The word in the store and on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            SyncStatus::Processing => "Processing",
            SyncStatus::Completed => "Completed",
            SyncStatus::Fail => "Fail",
            SyncStatus::Incompleted => "Incompleted",
        }
    }

    /// The status of a word.
    pub fn from_word(word: &str) -> Option<Self> {
        [SyncStatus::Processing, SyncStatus::Completed, SyncStatus::Fail, SyncStatus::Incompleted]
            .into_iter()
            .find(|status| status.as_str() == word)
    }
}

/// How many entities of a sync task stand where.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Counts {
    /// `N`
    pub new: u64,
    /// `P`
    pub in_process: u64,
    /// `S`
    pub success: u64,
    /// `F`
    pub failed: u64,
    /// `I`, those included that this pass found unchanged
    pub ignored: u64,
    /// `X`
    pub cancelled: u64,
    /// `?`
    pub in_doubt: u64,
}

impl Counts {
    /// Adds `n` entities of a status.
    pub fn add(&mut self, status: TxStatus, n: u64) {
        *match status {
            TxStatus::New => &mut self.new,
            TxStatus::InProcess => &mut self.in_process,
            TxStatus::Success => &mut self.success,
            TxStatus::Failed => &mut self.failed,
            TxStatus::Ignored => &mut self.ignored,
            TxStatus::Cancelled => &mut self.cancelled,
            TxStatus::InDoubt => &mut self.in_doubt,
        } += n;
    }

    /// All of them.
    pub fn total(&self) -> u64 {
        self.open() + self.success + self.failed + self.ignored + self.cancelled
    }

    /// Those without an outcome.
    pub fn open(&self) -> u64 {
        self.new + self.in_process + self.in_doubt
    }

    /// The status of a sync task with these entities, where `open` ones count as not known.
    pub fn sync_status(&self) -> SyncStatus {
        if self.failed > 0 {
            SyncStatus::Fail
        } else if self.open() > 0 {
            SyncStatus::Incompleted
        } else {
            SyncStatus::Completed
        }
    }
}

/// One pull of one flow and what became of its entities.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct SyncTask {
    /// Its id.
    pub id: SyncTaskId,
    /// Its flow.
    pub flow: FlowId,
    /// Where it stands.
    pub status: SyncStatus,
    /// Why, for people.
    pub note: String,
    /// The cut that the pull started from.
    pub cut_before: Option<Cut>,
    /// The cut that the pull has reached.
    pub cut_after: Option<Cut>,
    /// Whether the pull has come to its end; a crash leaves it `false`.
    pub pulled: bool,
    /// When it has, or when the sync task was opened again since: closing waits from then on.
    #[cfg_attr(feature = "api", schema(value_type = Option<String>, format = DateTime))]
    pub pulled_at: Option<Timestamp>,
    /// When it started.
    #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
    pub started_at: Timestamp,
    /// When it was closed.
    #[cfg_attr(feature = "api", schema(value_type = Option<String>, format = DateTime))]
    pub ended_at: Option<Timestamp>,
}
