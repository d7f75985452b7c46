//! The documents as they stand in the database.

use mongodb::bson::DateTime;
use serde::{Deserialize, Serialize};

use super::bson::{count, date, number, time};
use super::keys::{entity_id, flow_id};
use super::names::Named;
use crate::Now;
use crate::model::{
    Cut, Entity, EntityKey, Fingerprint, FlowId, Intent, SyncStatus, SyncTask, SyncTaskId, Table, TxStatus, Version,
};
use crate::store::StageEntity;
use crate::store::transition::{self, Standing};

pub(super) const FLOWS: &str = "flows";
pub(super) const ENTITIES: &str = "entities";
pub(super) const HISTORY: &str = "history";
pub(super) const SYNC_TASKS: &str = "sync_tasks";
pub(super) const SIGHTINGS: &str = "sightings";
pub(super) const RECORDS: &str = "records";
pub(super) const META: &str = "meta";

/// Where a new entity comes in the order of staging, and the right to pull under which it was staged.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    pub(super) seq: i64,
    pub(super) pull: i64,
}

/// An entity and all that belongs to it.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct EntityDoc {
    #[serde(rename = "_id")]
    pub(super) key: String,
    pub(super) flow: String,
    pub(super) table: Table,
    pub(super) frontend: String,
    pub(super) id: String,
    pub(super) name: String,
    /// Its name, if it is the one of its flow that is called so; a unique index sees to it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) held: Option<String>,
    pub(super) status: TxStatus,
    pub(super) note: String,
    /// Absent unless it has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) failure: Option<String>,
    pub(super) target_id: Option<String>,
    pub(super) reference: Option<String>,
    /// The version that the other side has or may have; null if it surely has none. Never absent, since a claim compares it.
    pub(super) written: Option<i64>,
    /// Whether a look-up has found nothing since something may have been written last.
    pub(super) missed: bool,
    pub(super) intent: IntentWord,
    pub(super) reason: String,
    pub(super) source_status: String,
    pub(super) source_updated_at: Option<DateTime>,
    pub(super) rev: i64,
    pub(super) fingerprint: Fingerprint,
    /// Of `raw`, to tell without reading it whether it has changed. Absent if there is none, so that the partial index holds what
    /// has one and nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) raw_print: Option<Fingerprint>,
    pub(super) attempts: i64,
    /// Counts the leases; the last one's holder has this number.
    pub(super) token: i64,
    /// Where it stood before it was leased, or in doubt if it was not known what became of a write.
    pub(super) was: TxStatus,
    /// `written` and `missed` as the last claim found them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) written_before: Option<i64>,
    #[serde(default)]
    pub(super) missed_before: bool,
    /// How many leases in a row ran out.
    #[serde(default)]
    pub(super) lost_leases: i64,
    pub(super) lease_owner: Option<String>,
    pub(super) lease_until: Option<DateTime>,
    /// The mark of the last claim. No other change replaces it, so that whoever claimed finds what is his.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) claim: Option<String>,
    /// Absent exactly for final statuses, so that the partial index holds what is open and nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) due_at: Option<DateTime>,
    pub(super) created_at: DateTime,
    pub(super) updated_at: DateTime,
    /// Absent unless it was erased.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) erased_at: Option<DateTime>,
    /// The place in the order of first staging within its flow.
    pub(super) seq: i64,
    /// The right to pull under which it was last staged: an older one may not change it.
    pub(super) pull: i64,
    /// The passes that brought it; see `members`.
    pub(super) passes: Vec<PassDoc>,
    /// The mark of the last change, for compare-and-set.
    pub(super) op: String,
    /// Absent where only the rest was asked for.
    #[serde(default)]
    pub(super) doc: String,
    #[serde(default)]
    pub(super) raw: String,
}

/// A pass that brought an entity.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct PassDoc {
    pub(super) task: String,
    /// The status that it keeps in this pass; absent while the entity's own is what counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) status: Option<TxStatus>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum IntentWord {
    Apply,
    Cancel,
    Ignore,
    Reject,
}

impl IntentWord {
    pub(super) fn of(intent: &Intent) -> (Self, String) {
        match intent {
            Intent::Apply => (Self::Apply, String::new()),
            Intent::Cancel => (Self::Cancel, String::new()),
            Intent::Ignore(reason) => (Self::Ignore, reason.clone()),
            Intent::Reject(reason) => (Self::Reject, reason.clone()),
        }
    }

    pub(super) fn word(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Cancel => "cancel",
            Self::Ignore => "ignore",
            Self::Reject => "reject",
        }
    }
}

/// What tells whether `raw` has changed; `None` if there is none.
pub(super) fn raw_print(raw: &str) -> Option<Fingerprint> {
    (!raw.is_empty()).then(|| Fingerprint::of(raw.as_bytes()))
}

impl EntityDoc {
    /// An entity that was not known, and what is to be done with it, seen what it is called.
    pub(super) fn new(key: &EntityKey, staged: &StageEntity, named: &Named, place: Place, now: Now, op: &str) -> Self {
        let Standing { status, note, failure, due_at } = transition::open(&named.intent, String::new(), now.store);
        let (intent, reason) = IntentWord::of(&named.intent);
        Self {
            key: entity_id(key),
            flow: flow_id(&key.flow()),
            table: key.table,
            frontend: key.frontend.clone(),
            id: key.id.clone(),
            name: staged.name.clone(),
            held: named.holds_name.then(|| staged.name.clone()),
            status,
            note,
            failure,
            target_id: None,
            reference: None,
            written: None,
            missed: false,
            intent,
            reason,
            source_status: staged.source_status.clone(),
            source_updated_at: staged.source_updated_at.map(date),
            rev: 1,
            fingerprint: staged.fingerprint.clone(),
            raw_print: raw_print(&staged.raw),
            attempts: 0,
            token: 0,
            was: TxStatus::New,
            written_before: None,
            missed_before: false,
            lost_leases: 0,
            lease_owner: None,
            lease_until: None,
            claim: None,
            due_at: due_at.map(date),
            created_at: date(now.wall),
            updated_at: date(now.wall),
            erased_at: None,
            seq: place.seq,
            pull: place.pull,
            passes: Vec::new(),
            op: op.to_owned(),
            doc: staged.doc.clone(),
            raw: staged.raw.clone(),
        }
    }

    pub(super) fn intent(&self) -> Intent {
        match self.intent {
            IntentWord::Apply => Intent::Apply,
            IntentWord::Cancel => Intent::Cancel,
            IntentWord::Ignore => Intent::Ignore(self.reason.clone()),
            IntentWord::Reject => Intent::Reject(self.reason.clone()),
        }
    }

    pub(super) fn entity_key(&self) -> EntityKey {
        EntityKey { table: self.table, frontend: self.frontend.clone(), id: self.id.clone() }
    }

    /// Whether the other side has or may have it.
    pub(super) fn may_be_there(&self) -> bool {
        self.written.is_some() || self.target_id.is_some()
    }

    /// As the outside sees it.
    pub(super) fn entity(self) -> Entity {
        Entity {
            intent: self.intent(),
            key: EntityKey { table: self.table, frontend: self.frontend, id: self.id },
            name: self.name,
            status: self.status,
            note: self.note,
            failure: self.failure,
            target_id: self.target_id,
            reference: self.reference,
            written: self.written.map(count),
            source_status: self.source_status,
            source_updated_at: self.source_updated_at.map(time),
            rev: count(self.rev),
            fingerprint: self.fingerprint,
            doc: self.doc,
            raw: self.raw,
            attempts: u32::try_from(self.attempts).unwrap_or_default(),
            due_at: self.due_at.map(time),
            lease_until: self.lease_until.map(time),
            created_at: time(self.created_at),
            updated_at: time(self.updated_at),
            erased_at: self.erased_at.map(time),
        }
    }
}

/// An earlier version of an entity.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct VersionDoc {
    #[serde(rename = "_id")]
    pub(super) id: String,
    pub(super) entity: String,
    pub(super) rev: i64,
    pub(super) status: TxStatus,
    pub(super) note: String,
    pub(super) target_id: Option<String>,
    pub(super) source_status: String,
    pub(super) doc: String,
    pub(super) raw: String,
    pub(super) replaced_at: DateTime,
}

impl VersionDoc {
    pub(super) fn version(self) -> Version {
        Version {
            rev: count(self.rev),
            status: self.status,
            note: self.note,
            target_id: self.target_id,
            source_status: self.source_status,
            doc: self.doc,
            raw: self.raw,
            replaced_at: time(self.replaced_at),
        }
    }
}

/// A flow: who may pull it, and its cut.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct FlowDoc {
    #[serde(rename = "_id")]
    pub(super) id: String,
    pub(super) table: Table,
    pub(super) frontend: String,
    /// Counts the rights to pull; the last one's holder has this number.
    pub(super) token: i64,
    pub(super) owner: Option<String>,
    pub(super) lease_until: Option<DateTime>,
    pub(super) cut: Option<CutDoc>,
    /// How many places in the order of staging are given out.
    pub(super) seq: i64,
    pub(super) op: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub(super) struct CutDoc {
    pub(super) cut_dt: DateTime,
    pub(super) offset: i64,
}

impl CutDoc {
    pub(super) fn of(cut: Cut) -> Self {
        Self { cut_dt: date(cut.cut_dt), offset: number(cut.offset) }
    }

    pub(super) fn cut(self) -> Cut {
        Cut { cut_dt: time(self.cut_dt), offset: count(self.offset) }
    }

    /// Whether it is further than `other`.
    pub(super) fn is_after(self, other: Self) -> bool {
        (self.cut_dt, self.offset) > (other.cut_dt, other.offset)
    }
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct SyncTaskDoc {
    #[serde(rename = "_id")]
    pub(super) id: String,
    pub(super) flow: String,
    pub(super) table: Table,
    pub(super) frontend: String,
    pub(super) status: SyncStatus,
    pub(super) note: String,
    pub(super) cut_before: Option<CutDoc>,
    pub(super) cut_after: Option<CutDoc>,
    pub(super) pulled: bool,
    #[serde(default)]
    pub(super) pulled_at: Option<DateTime>,
    pub(super) started_at: DateTime,
    pub(super) ended_at: Option<DateTime>,
}

impl SyncTaskDoc {
    pub(super) fn task(self) -> SyncTask {
        SyncTask {
            id: SyncTaskId::from_stored(self.id),
            flow: FlowId::new(self.table, self.frontend),
            status: self.status,
            note: self.note,
            cut_before: self.cut_before.map(CutDoc::cut),
            cut_after: self.cut_after.map(CutDoc::cut),
            pulled: self.pulled,
            pulled_at: self.pulled_at.map(time),
            started_at: time(self.started_at),
            ended_at: self.ended_at.map(time),
        }
    }
}

/// An entity's place in a pass, where the entity itself does not tell.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct SightingDoc {
    #[serde(rename = "_id")]
    pub(super) id: String,
    pub(super) task: String,
    pub(super) entity: String,
    pub(super) status: TxStatus,
}
