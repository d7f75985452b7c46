//! What goes into the staging store and what comes out.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Now;
use crate::model::{Cut, EntityKey, Fingerprint, FlowId, Intent, SyncStatus, SyncTaskId, TxStatus};

/// The exclusive right to pull one flow.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct PullLease {
    /// The flow.
    pub flow: FlowId,
    /// Who holds it.
    pub owner: String,
    /// Fences earlier holders.
    pub token: u64,
}

/// An entity as a pull stages it. `Debug` leaves the documents out.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct StageEntity {
    /// The source key.
    pub id: String,
    /// What people call it, and what the other side is to call it by; one entity of a flow has it. Empty if it has none.
    pub name: String,
    /// What is to be done with it.
    pub intent: Intent,
    /// The source's own status.
    pub source_status: String,
    /// When it last changed at the source.
    #[cfg_attr(feature = "api", schema(value_type = Option<String>, format = DateTime))]
    pub source_updated_at: Option<Timestamp>,
    /// Fingerprint of the content.
    pub fingerprint: Fingerprint,
    /// The canonical document, as JSON text; empty if it could not be mapped.
    pub doc: String,
    /// The source's document, as it came.
    pub raw: String,
}

impl fmt::Debug for StageEntity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StageEntity").field("id", &self.id).field("intent", &self.intent).finish_non_exhaustive()
    }
}

/// A page of a pull.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct StageBatch {
    /// The right to pull.
    pub lease: PullLease,
    /// Until when the right is renewed, by the store's clock.
    #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
    pub lease_until: Timestamp,
    /// The sync task that the entities join; recorded with the first page that brings something, unless it is there.
    pub sync_task: NewSyncTask,
    /// The entities.
    pub entities: Vec<StageEntity>,
    /// The cut that these entities complete, if any.
    pub cut: Option<Cut>,
    /// The time.
    pub now: Now,
}

/// What staging an entity did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub enum Staging {
    /// It was not known.
    Inserted,
    /// Its content, source status or intent is new.
    Restaged,
    /// Nothing is new, but it had failed and was handed over again: it is tried again.
    Retried,
    /// Nothing is new, and it stays failed.
    StillFailed,
    /// Nothing is new.
    Unchanged,
}

impl Staging {
    /// Whether there is something new: to be done, or to be told.
    pub fn is_news(self) -> bool {
        matches!(self, Staging::Inserted | Staging::Restaged | Staging::Retried)
    }
}

/// What a worker asks for.
#[derive(Debug, Clone)]
pub struct Claim<'a> {
    /// The flow.
    pub flow: &'a FlowId,
    /// Only these source keys; `None` for whatever is due.
    pub keys: Option<&'a [String]>,
    /// At most so many.
    pub limit: usize,
    /// Who asks, for operators to read.
    pub owner: &'a str,
    /// How long the lease lasts.
    pub lease: Duration,
    /// How long after a lost lease the other side may still be carrying out a write.
    pub settle_delay: Duration,
    /// The time.
    pub now: Now,
}

/// A leased entity. `Debug` leaves the document out.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Claimed {
    /// Its key.
    pub key: EntityKey,
    /// What people call it, as it was when it was taken up and may have been written.
    pub name: String,
    /// Fences earlier holders.
    pub token: u64,
    /// The version that was claimed.
    pub rev: u64,
    /// What is to be done with it.
    pub intent: Intent,
    /// The canonical document, as JSON text.
    pub doc: String,
    /// The key on the other side, if one is known.
    pub target_id: Option<String>,
    /// Under what the other side was told of it, if it may have been.
    pub reference: Option<String>,
    /// The version that the other side has or may have; `None` if it surely has none.
    pub written: Option<u64>,
    /// Whether a look-up has found nothing since something may have been written last.
    pub missed: bool,
    /// The canonical documents of the versions from [`Claimed::written`] to the one before the claimed one, the newest first,
    /// if it is in doubt whether something was written: what is found may be what one of these makes. The engine adds them to
    /// what a store answers.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub written_docs: Vec<String>,
    /// The number of this attempt, from 1.
    pub attempts: u32,
    /// How many leases of it ran out in a row before this one: whoever held it did not come back.
    pub lost_leases: u32,
    /// Where it stood before: N, `?`, or P for a lease that ran out. Also `?` if it came to an end, or was opened again,
    /// before it was known what became of an earlier write.
    pub was: TxStatus,
    /// When the lease ends, by the store's clock.
    #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
    pub lease_until: Timestamp,
}

impl Claimed {
    /// Whether an earlier write of it may have been carried out.
    pub fn in_doubt(&self) -> bool {
        matches!(self.was, TxStatus::InDoubt | TxStatus::InProcess)
    }

    /// Whether "not there" may be believed. What was sent before may wait in front of a side that stalls, and be carried
    /// out once that side goes on: so of an entity in doubt the first "not there" only shows that the other side answers
    /// again. Nothing is written before a second one, a whole settle delay later.
    pub fn may_be_missing(&self) -> bool {
        self.missed || !self.in_doubt()
    }

    /// Whether the other side has, or may have, an earlier version than the claimed one.
    pub fn is_newer(&self) -> bool {
        self.written.is_some_and(|written| written < self.rev)
    }
}

impl fmt::Debug for Claimed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Claimed")
            .field("key", &self.key)
            .field("token", &self.token)
            .field("rev", &self.rev)
            .field("was", &self.was)
            .finish_non_exhaustive()
    }
}

/// What became of a leased entity.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub enum Outcome {
    /// S: it is on the other side.
    Success {
        /// Its key there.
        target_id: String,
        /// A remark for people.
        note: String,
    },
    /// X: it is cancelled on the other side.
    Cancelled {
        /// Its key there.
        target_id: Option<String>,
        /// A remark for people.
        note: String,
    },
    /// I: there was nothing to do.
    Ignored {
        /// Why.
        note: String,
    },
    /// F: it was refused.
    Failed {
        /// The reason, for people.
        note: String,
        /// What kind of failure it is, in a word ([`crate::ErrorKind::as_str`]).
        class: String,
    },
    /// N: nothing happened on the other side; again at `at`.
    Retry {
        /// When, by the store's clock.
        #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
        at: Timestamp,
        /// Why.
        note: String,
    },
    /// `?`: a write was sent and its outcome is not known; to be looked up no sooner than `until`.
    InDoubt {
        /// When, by the store's clock.
        #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
        until: Timestamp,
        /// Whether a look-up has found nothing since.
        missed: bool,
        /// Why.
        note: String,
    },
    /// N, or `?` if it was in doubt when it was claimed: handed back untouched; due now.
    Release,
}

/// An outcome and the right to write it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Settlement {
    /// The entity.
    pub key: EntityKey,
    /// The token of the claim.
    pub token: u64,
    /// The version that was claimed.
    pub rev: u64,
    /// Under what the other side was told of it, if it may have been. The first that is stored stays.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// The outcome.
    pub outcome: Outcome,
}

/// What settling did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub enum Settled {
    /// The outcome stands.
    Done,
    /// Newer content had been staged: the entity is open again.
    Superseded,
    /// The document is another entity's, as far as is recorded: this one is F, with a note that names the other.
    Taken,
    /// The lease had passed to a successor: nothing was written.
    Fenced,
}

/// A sync task to record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct NewSyncTask {
    /// Its id.
    pub id: SyncTaskId,
    /// Its flow.
    pub flow: FlowId,
    /// The cut that the pull starts from.
    pub cut_before: Option<Cut>,
    /// The time.
    #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
    pub now: Timestamp,
}

/// What of a flow is no longer kept: what is older than these times. `None` keeps it for ever.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Expired {
    /// Sync tasks that were closed before, with what tells which entities they brought.
    #[cfg_attr(feature = "api", schema(value_type = Option<String>, format = DateTime))]
    pub runs: Option<Timestamp>,
    /// Earlier versions of entities that were replaced before.
    #[cfg_attr(feature = "api", schema(value_type = Option<String>, format = DateTime))]
    pub versions: Option<Timestamp>,
    /// The source's documents of entities that came to their end before.
    #[cfg_attr(feature = "api", schema(value_type = Option<String>, format = DateTime))]
    pub raw: Option<Timestamp>,
}

/// An entity as it is pushed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Push {
    /// The entity.
    pub entity: StageEntity,
    /// Only if this is its version (`rev`) now; 0 if it is not to be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub if_rev: Option<u64>,
}

/// A sync task of entities that were pushed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct PushedSync {
    /// The sync task.
    pub task: NewSyncTask,
    /// Its entities.
    pub members: Vec<Member>,
    /// The cut that they complete, if any.
    pub cut: Option<Cut>,
}

/// An entity that joins a sync task.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Member {
    /// The source key.
    pub id: String,
    /// Whether pushing it found nothing new.
    pub unchanged: bool,
}

/// A small named text with a revision: what hosts agree on (who leads, what is scheduled, which tokens there are).
/// `Debug` leaves the text out.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Record {
    /// Its name.
    pub name: String,
    /// Counts its changes, from 1.
    pub rev: u64,
    /// The text.
    pub value: String,
}

impl fmt::Debug for Record {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Record").field("name", &self.name).field("rev", &self.rev).finish_non_exhaustive()
    }
}

/// What of a flow has no outcome yet, by what it waits for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Overview {
    /// Due, and not taken up.
    pub waiting: Open,
    /// Tried, and not yet due again.
    pub backing_off: Open,
    /// In the hands of a worker.
    pub in_process: Open,
    /// It is not known what became of a write.
    pub in_doubt: Open,
}

/// How many there are of a kind, and since when the oldest is owed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Open {
    /// How many.
    pub count: u64,
    /// The earliest of the times at which each was first staged, or changed at the source if that was later.
    #[cfg_attr(feature = "api", schema(value_type = Option<String>, format = DateTime))]
    pub since: Option<Timestamp>,
}

#[cfg(any(feature = "sqlite", feature = "mongodb"))]
impl Overview {
    /// Adds `count` entities of a status, due by now or not.
    pub(crate) fn add(&mut self, status: TxStatus, due: bool, count: u64, since: Option<Timestamp>) {
        let open = match (status, due) {
            (TxStatus::InDoubt, _) => &mut self.in_doubt,
            (_, true) => &mut self.waiting,
            (TxStatus::InProcess, false) => &mut self.in_process,
            (_, false) => &mut self.backing_off,
        };
        open.count = open.count.saturating_add(count);
        open.since = open.since.into_iter().chain(since).min();
    }
}

/// Which entities to list.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct EntityFilter {
    /// Of this flow only.
    pub flow: Option<FlowId>,
    /// With one of these statuses; all if empty.
    pub statuses: Vec<TxStatus>,
    /// Failed in this way only ([`crate::ErrorKind::as_str`]).
    pub failure: Option<String>,
    /// Of this sync task only.
    pub sync_task: Option<SyncTaskId>,
    /// After this cursor of an earlier page.
    pub after: Option<String>,
    /// At most so many (1 to 1,000; 0 means 100).
    pub limit: usize,
}

/// Which sync tasks to list.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct SyncTaskFilter {
    /// Of this flow only.
    pub flow: Option<FlowId>,
    /// With this status only.
    pub status: Option<SyncStatus>,
    /// After this cursor of an earlier page.
    pub after: Option<String>,
    /// At most so many (1 to 1,000; 0 means 100).
    pub limit: usize,
}

/// A page of a list.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub struct Listing<T> {
    /// The page.
    pub items: Vec<T>,
    /// Where the next page starts; `None` after the last.
    pub next: Option<String>,
}
