//! The staging store: the one truth of what was pulled, where it stands and how far the pulls have come.

mod binding;
#[cfg(any(feature = "sqlite", feature = "mongodb", feature = "testing"))]
pub(crate) mod paging;
#[cfg(any(feature = "sqlite", feature = "mongodb"))]
mod transition;
mod types;

use std::collections::BTreeMap;

use async_trait::async_trait;
use jiff::Timestamp;

pub use binding::{Binding, Bound};
pub use types::{
    Claim, Claimed, EntityFilter, Expired, Listing, Member, NewSyncTask, Open, Outcome, Overview, PullLease, Push,
    PushedSync, Record, Settled, Settlement, StageBatch, StageEntity, Staging, SyncTaskFilter,
};

use crate::model::{Counts, Cut, Entity, EntityKey, FlowId, SyncStatus, SyncTask, SyncTaskId, Version};
use crate::{Now, Result};

#[cfg(feature = "mongodb")]
mod mongodb;
#[cfg(feature = "mongodb")]
pub use self::mongodb::{MongoSettings, MongoStore};
#[cfg(feature = "sqlite")]
mod sqlite;
#[cfg(feature = "sqlite")]
pub use sqlite::{SqliteSettings, SqliteStore};

/// How many earlier versions of an entity a store keeps.
pub const HISTORY_LIMIT: u32 = 20;

/// The longest name of a record, in bytes.
pub const RECORD_NAME_LIMIT: usize = 200;

/// The longest text of a record, in bytes.
pub const RECORD_LIMIT: usize = 64 * 1_024;

/// Refuses a record whose name or text no store would take.
#[cfg(any(feature = "sqlite", feature = "mongodb", feature = "testing"))]
pub(crate) fn check_record(name: &str, value: &str) -> Result<()> {
    let wrong = |field: &str, message: String| Err(crate::Error::invalid("write record", message).field(field));
    if name.is_empty() || name.len() > RECORD_NAME_LIMIT {
        return wrong("name", format!("is to be 1 to {RECORD_NAME_LIMIT} bytes"));
    }
    if value.len() > RECORD_LIMIT {
        return wrong("value", format!("is longer than {RECORD_LIMIT} bytes"));
    }
    Ok(())
}

/// A durable store of staged entities, cuts and sync tasks.
///
/// Every method that changes something is one atomic, durable step: once it has returned, neither a crash of the
/// process nor of the machine takes it back; if it fails, nothing of it has happened or all of it has (a lost
/// connection), and calling it again with the same arguments is safe. An implementation whose database cannot promise as
/// much for a page says in its docs what it promises instead. Times are given by the caller (`now`), never
/// taken from a clock of the store's own: for what is due by the clock that all processes of the store share ([`Now`]), for
/// what people read by the caller's wall clock. What is finer than a millisecond may be cut off.
///
/// A note goes with the status that it explains: it is emptied when an entity is put back to N by staging or by doing
/// it again, and stays through a claim.
///
/// Implementations are tested by [`crate::testing::staging_store_conformance`].
#[async_trait]
pub trait StagingStore: Send + Sync {
    /// The time by the store's clock, from whoever keeps it elsewhere; `None` if the engine is to keep it in a record of this
    /// store.
    async fn time(&self) -> Result<Option<Timestamp>> {
        Ok(None)
    }

    /// Takes the exclusive right to pull a flow, until `until`. Both times are by the store's clock.
    ///
    /// # Behavior
    /// `None` if another owner's lease lasts beyond `now`. The same owner gets a new token. A new token fences all
    /// earlier ones of the flow.
    async fn acquire_pull(
        &self,
        flow: &FlowId,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<PullLease>>;

    /// Prolongs the right until `until`, by the store's clock; `false` if its token is no longer current. Also after it ran out,
    /// as long as nobody else has taken it.
    async fn renew_pull(&self, lease: &PullLease, until: Timestamp) -> Result<bool>;

    /// Gives the right back: nothing can be staged under it any more. A token that is no longer current is not an
    /// error.
    async fn release_pull(&self, lease: &PullLease) -> Result<()>;

    /// Stages a page of entities, joins them to the sync task and advances the cut, all in one step.
    ///
    /// # Behavior
    /// Answers one [`Staging`] per entity, in order. The pull lease is renewed until `batch.lease_until`; if its token
    /// is no longer current, nothing is staged and the error is of kind `Fenced`; if the sync task is another flow's, likewise of
    /// kind `Invalid`. One that is not there is recorded if the page brings something: new content, or what is still open. Until
    /// then nothing joins it, so that an idle flow leaves no trace. The cut never moves backwards (a later time is
    /// further; of two equal times, the greater offset); where it stands afterwards is the sync task's `cut_after`.
    /// Without a `cut` neither changes.
    ///
    /// Per entity, by its key:
    /// - called as another of its flow that came first ([`StageEntity::name`]), with an intent of `Apply` or `Cancel`: taken as
    ///   if its intent were `Reject`, with a reason that names both. What the other side has or may have keeps its name; called
    ///   otherwise, it is done under its reference, or rejected with a reason if it has none. Else a name may change. An empty
    ///   name is none;
    /// - unknown: `Inserted`; status N and due now for `Apply` and `Cancel`, I for `Ignore`, F for `Reject`;
    /// - another fingerprint, source status or intent: `Restaged`; `rev` + 1, the old version goes into the history,
    ///   attempts 0, status as above. While it is leased, it stays P with its lease, and the settlement of that lease
    ///   makes it N (see [`StagingStore::settle`]). While it is in doubt, it stays `?` and due when it was: the new
    ///   content is applied when the doubt is resolved. The target id stays;
    /// - the same, and erased: see [`StagingStore::erase`];
    /// - the same, and F: `StillFailed`; where the cut happens to be is no reason to try it again;
    /// - the same otherwise: `Unchanged`.
    ///
    /// Of the same nothing changes but the source's time and, unless there is none any more, `raw`, and in this pass it counts as I: this pass has brought
    /// nothing of it, and the pass that it failed in tells that it is F. If it is still open, or this pass has brought it before,
    /// it counts as what it is.
    ///
    /// Two entities with one key in a batch are taken in order. Text is kept exactly as it came. A sync task that was closed
    /// is open again, without a note: whoever closed it, or noted that it was cut off, took the pull for dead.
    async fn stage(&self, batch: StageBatch) -> Result<Vec<Staging>>;

    /// Stages entities outside a pull: what a source hands over by itself.
    ///
    /// # Behavior
    /// Per entity as [`StagingStore::stage`], but it needs no right to pull, joins no sync task and moves no cut; and since
    /// somebody hands it over, the same, F with an intent of `Apply` or `Cancel`, is `Retried`: status N, due now, attempts 0.
    /// Of a push and a pull of the same entity, the later stands. `None` for one of which another version is there than it
    /// asks for: it is left alone.
    async fn push(&self, flow: &FlowId, entities: Vec<Push>, now: Now) -> Result<Vec<Option<Staging>>>;

    /// Records a sync task of entities that were pushed, its pull come to its end, and moves the cut on, as one step.
    ///
    /// # Behavior
    /// An entity counts in it as what it is, from now on; as I if it is said to be unchanged, each time that it is named,
    /// and stands at its end. The cut and the sync task's `cut_after` are as after [`StagingStore::stage`]. If an entity is
    /// not staged, the error is of kind `NotFound` and names it, and neither task nor cut are touched; if the task is another
    /// flow's, it is of kind `Invalid`. Recording again joins what has not joined, and changes nothing else.
    async fn record_pushed(&self, pushed: PushedSync) -> Result<()>;

    /// The key of the entity of a flow that has a name.
    async fn named(&self, flow: &FlowId, name: &str) -> Result<Option<EntityKey>>;

    /// Reads one entity.
    async fn get(&self, key: &EntityKey) -> Result<Option<Entity>>;

    /// Leases due entities of a flow to a worker.
    ///
    /// # Behavior
    /// Due is what has a `due_at` at or before `claim.now`: N that is not backing off; `?` whose settle delay is over; P
    /// whose lease ran out and whose settle delay after that is over. Each is given to one caller only, becomes P with
    /// a token greater than every earlier one of that entity, `lease_until = now + lease`,
    /// `due_at = lease_until + settle_delay`, `attempts` + 1. `lost_leases` counts one more if it was P, and stays
    /// otherwise; settling (but by `Release`), new content and doing it again set it to 0. With `keys`, only those are looked at, else the longest
    /// due first (of those due at the same time, the one first staged). `written` and `missed` tell what was known before; from
    /// the claim on, the claimed version may be on the other side unless an earlier one may be, and `missed` is forgotten. One
    /// that came to its end while it was in doubt is in doubt again (`was`). At most `limit`; the answer may be shorter or
    /// empty. One that was `?` or P may have an intent of `Ignore` or `Reject` by now: all there is left to do is to find
    /// out what became of the write.
    async fn claim(&self, claim: Claim<'_>) -> Result<Vec<Claimed>>;

    /// Keys that are due, the longest due first, without leasing them; for dispatching again.
    async fn due(&self, flow: &FlowId, now: Timestamp, limit: usize) -> Result<Vec<String>>;

    /// The earliest `due_at` of a flow, if anything of it is open.
    async fn next_due(&self, flow: &FlowId) -> Result<Option<Timestamp>>;

    /// What of a flow has no outcome yet, by what it waits for at `now` by the store's clock. Each entity that has a `due_at`
    /// is counted once: `?` as in doubt, else what is due as waiting, else P as in process and N as backing off.
    async fn overview(&self, flow: &FlowId, now: Timestamp) -> Result<Overview>;

    /// Prolongs leases; answers for each whether it was still held (also after it ran out, as long as nobody else has
    /// claimed it). What is no longer held stays as it is.
    async fn renew(&self, leases: &[(EntityKey, u64)], until: Timestamp, due_at: Timestamp) -> Result<Vec<bool>>;

    /// Records what leased entities are known by on the other side: before it is told of them, and when their documents are
    /// found there.
    ///
    /// # Behavior
    /// Answers one [`Bound`] per binding, in order. Only the holder of the current token of an entity that is P may bind it;
    /// else `Fenced`, and nothing changes. The first reference stays. Of the entities of a table, whatever their frontends,
    /// one has a target id under a reference: `Taken`, and nothing of the binding is stored, if another has it. To bind again
    /// changes nothing.
    async fn bind(&self, bindings: Vec<Binding>) -> Result<Vec<Bound>>;

    /// Writes outcomes.
    ///
    /// # Behavior
    /// Answers one [`Settled`] per settlement, in order. Only the holder of the current token of an entity that is P may
    /// settle it (also after the lease ran out, as long as nobody else has claimed it); else `Fenced`, and nothing
    /// changes. If newer content was staged since the claim (`rev` differs), the outcome's target id and note are kept,
    /// but the status becomes N, due now (for an [`Outcome::InDoubt`]: `?`, due at its time); `Superseded`. An
    /// `Outcome` without a target id leaves the one that is there, and the first reference stays, as long as something may be
    /// known under it: it goes once `written` is none and no target id is known. If another entity of the table has the target id
    /// under the same reference, the outcome becomes F with a note that names that one, and as little is known of what was
    /// written as after `InDoubt`; `Taken`. After a success, `written` is the
    /// claimed version; after `Ignored`, and `Cancelled` without a target id, none if no target id is known; after `Failed`,
    /// `Retry` and `Release` likewise, unless it was in doubt; otherwise it stays. `Release` gives the attempt back, and what was in
    /// doubt when it was claimed (`?`, or P whose lease ran out) is in doubt again. A success of a version that is not to be
    /// written (its intent is `Ignore` or `Reject`) only says that an earlier one is there: the status is I or F, and `written`
    /// stays. What would become N with an intent of
    /// `Ignore` or `Reject` becomes I or F instead, with the intent's reason as its note.
    async fn settle(&self, now: Now, settlements: Vec<Settlement>) -> Result<Vec<Settled>>;

    /// The cut of a flow.
    async fn cut(&self, flow: &FlowId) -> Result<Option<Cut>>;

    /// Sets the cut of a flow, backwards too; for an operator who wants to pull again. Waits for nobody: a pull that
    /// is running is fenced off, and its lease is over.
    async fn set_cut(&self, flow: &FlowId, cut: Option<Cut>) -> Result<()>;

    /// Sets the cut under a right to pull, backwards too, and keeps the right; for a pull that finds its cut not to be
    /// believed.
    ///
    /// # Behavior
    /// If the right has passed on, or somebody has set the cut since it was taken, the error is of kind `Fenced` and nothing
    /// changes.
    async fn move_cut(&self, lease: &PullLease, cut: Option<Cut>) -> Result<()>;

    /// Records a new sync task, `Processing`. One that is there already stays as it is; if it is another flow's, the
    /// error is of kind `Invalid`.
    async fn create_sync_task(&self, task: NewSyncTask) -> Result<()>;

    /// Marks the pull of a sync task as come to its end; the first time stands. A deleted one is not an error.
    async fn finish_pull(&self, id: &SyncTaskId, now: Timestamp) -> Result<()>;

    /// Reads a sync task.
    async fn sync_task(&self, id: &SyncTaskId) -> Result<Option<SyncTask>>;

    /// Counts the entities of a sync task by where they stand in that pass; all zero if there is none.
    ///
    /// # Behavior
    /// An entity counts as what it is now. When a later pass takes it up (restages or retries it) after it came to its
    /// end, it keeps, in the passes before, the status that it had then.
    async fn sync_task_counts(&self, id: &SyncTaskId) -> Result<Counts>;

    /// Closes a sync task. Closing again replaces status, note and time; `Processing` opens it. `false` if there is none.
    async fn close_sync_task(&self, id: &SyncTaskId, status: SyncStatus, note: &str, now: Timestamp) -> Result<bool>;

    /// Removes a sync task, not its entities. `false` if there is none.
    async fn delete_sync_task(&self, id: &SyncTaskId) -> Result<bool>;

    /// Lists sync tasks, newest first. A cursor that is none is an error of kind `Invalid`.
    async fn list_sync_tasks(&self, filter: &SyncTaskFilter) -> Result<Listing<SyncTask>>;

    /// Lists entities by key (name of the table, frontend, id), each by its present status. A cursor that is none is an
    /// error of kind `Invalid`.
    async fn list(&self, filter: &EntityFilter) -> Result<Listing<Entity>>;

    /// The earlier versions of an entity, newest first, at most [`HISTORY_LIMIT`].
    async fn history(&self, key: &EntityKey) -> Result<Vec<Version>>;

    /// Has an entity done again: a final one with an intent of `Apply` or `Cancel` becomes N, due now, attempts 0, its
    /// target id kept, and in the sync tasks that it is part of it counts as what it was; one that waits becomes due now, but one in doubt no sooner than it was. A leased one is left
    /// alone. `false` if nothing changed.
    async fn resync(&self, key: &EntityKey, now: Now) -> Result<bool>;

    /// Has the entities that failed in a sync task, and still stand at F, done again as [`StagingStore::resync`] does,
    /// and opens the task (`Processing`, no note, not ended, `pulled_at` now) if there were any. They count in it as what they are again.
    /// Answers how many.
    async fn resync_task(&self, id: &SyncTaskId, now: Now) -> Result<u64>;

    /// Has all entities of a flow that stand at F, with this class of failure or with any, and have an intent of `Apply` or `Cancel`, done
    /// again as [`StagingStore::resync`] does; in the sync tasks that they are part of they count as failed. Answers how many.
    async fn resync_failed(&self, flow: &FlowId, class: Option<&str>, now: Now) -> Result<u64>;

    /// How many entities of a flow stand at F, by the class of the failure.
    async fn failures(&self, flow: &FlowId) -> Result<BTreeMap<String, u64>>;

    /// Removes what of a flow is no longer kept, the oldest first and some `limit` things at once, so that nobody else waits
    /// for long. Answers how many; 0 once there is nothing left.
    ///
    /// # Behavior
    /// Sync tasks go with all that tells which entities they brought, not with these; only those that are closed, and the newest
    /// of the flow stays. Earlier versions and `raw` are removed of entities that are S, I or X: what is open or in doubt may still
    /// need them, and whoever mends an F. A version that is no earlier than [`Claimed::written`] stays: by it a document may be
    /// found. Of an entity without its `raw`, or its earlier versions, everything else stays as it was, and a pull that meets it
    /// unchanged changes nothing: its `raw` comes again with new content only.
    async fn prune(&self, flow: &FlowId, expired: &Expired, limit: usize) -> Result<u64>;

    /// Erases what an entity tells of a person: its documents, its notes and reasons, and those of its earlier versions. `now` is
    /// for people to read.
    ///
    /// # Behavior
    /// What it is accountable by stays: key, name, fingerprint, the source's status and time, status, class of a failure, target
    /// id, reference, times, and its place in sync tasks. [`Entity::erased_at`], its note and the notes of its earlier versions tell
    /// that and when it was erased. It is not applied again: [`StagingStore::resync`] is an error of kind `Invalid`, the other two leave
    /// it out, and [`StagingStore::failures`] does not count it. Staged or pushed with the same content and source status, it is
    /// `Unchanged`, whatever the intent; anything else is new data, `Restaged` as always, and it is erased no more.
    ///
    /// One that is open or in doubt, or came to its end while in doubt, is an error of kind `Invalid` that tells what to do first.
    /// Of one that is erased, the first time stands. `false` if there is none.
    async fn erase(&self, key: &EntityKey, now: Timestamp) -> Result<bool>;

    /// Reads a record.
    async fn record(&self, name: &str) -> Result<Option<Record>>;

    /// The records whose names begin with `prefix`, in the order of their names' bytes.
    async fn records(&self, prefix: &str) -> Result<Vec<Record>>;

    /// Writes a record if its revision is `rev` (0: if there is none).
    ///
    /// # Behavior
    /// `true` if it stands as `rev` + 1 with this text, also because an earlier call with the same arguments has written it;
    /// `false` if another stands there. A name that is empty or longer than [`RECORD_NAME_LIMIT`], or a text longer than
    /// [`RECORD_LIMIT`], is an error of kind `Invalid`.
    async fn write_record(&self, name: &str, rev: u64, value: &str) -> Result<bool>;

    /// Removes a record if its revision is `rev`. `true` if there is none of that name then.
    async fn delete_record(&self, name: &str, rev: u64) -> Result<bool>;
}
