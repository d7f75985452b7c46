//! What the API shows and takes: the shapes of entities, outcomes, cuts and sync tasks in JSON.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use super::ijson;
use crate::model::{Counts, Cut, Entity, Intent, SyncStatus, SyncTask, Table, TxStatus, Version};

/// What stands for the target key of a failed write.
pub(super) const NO_TARGET: &str = "####";

/// An entity as it is handed over.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EntityBody {
    /// The frontend's name (`mage2`).
    pub(super) frontend: String,
    /// The source's own status (`processing`); of an order, `data.fe_order_status` if it is absent.
    pub(super) status: Option<String>,
    /// When it last changed at the source (UTC); of an order, `data.fe_order_update_date` if it is absent.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) updated_at: Option<Timestamp>,
    /// What is to be done with it: `apply` (if absent), `cancel`, `ignore` or `reject`.
    #[serde(default)]
    pub(super) intent: IntentWord,
    /// Why it is to be ignored or rejected.
    pub(super) reason: Option<String>,
    /// The canonical document, amounts as decimal text.
    #[schema(value_type = Object)]
    pub(super) data: Box<RawValue>,
    /// The source's document as it came: a JSON object.
    #[schema(value_type = Option<Object>)]
    pub(super) raw: Option<Box<RawValue>>,
}

/// One of several entities that are handed over at once.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchBody {
    /// The entities. Each is staged or refused on its own.
    pub(super) entities: Vec<BatchEntity>,
}

/// One of several.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct BatchEntity {
    /// Its key.
    pub(super) id: String,
    /// The entity.
    pub(super) entity: EntityBody,
}

/// What is to be done with an entity.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum IntentWord {
    /// Insert or update it.
    #[default]
    Apply,
    /// Cancel it.
    Cancel,
    /// Nothing: its status is not one that inserts.
    Ignore,
    /// Nothing: it is not valid.
    Reject,
}

/// What handing an entity over did.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Staged {
    /// Its key.
    pub(super) id: String,
    /// `inserted`, `restaged`, `retried`, `unchanged`, or `refused`.
    pub(super) staging: &'static str,
    /// Where it stands: N if a worker will take it up, I if nothing changed.
    pub(super) tx_status: TxStatus,
    /// Why it was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) problem: Option<String>,
}

/// What handing several over did, in their order.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct StagedBatch {
    /// One per entity.
    pub(super) results: Vec<Staged>,
}

/// An entity. Beside these fields, it has its keys under their own names (of an order `fe_order_id` and `bo_order_id`).
#[derive(Serialize, ToSchema)]
pub(super) struct EntityView {
    /// The table.
    pub(super) table: Table,
    /// The frontend's name.
    pub(super) frontend: String,
    /// The source key: names one record of the source, whatever number it bears.
    pub(super) id: String,
    /// The keys under their own names; `####` for the target key of a failed one that has none.
    #[serde(flatten)]
    pub(super) keys: BTreeMap<&'static str, Option<String>>,
    /// Where it stands.
    pub(super) tx_status: TxStatus,
    /// Why.
    pub(super) tx_note: String,
    /// What kind of failure it is, in a word; absent unless it has failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failure: Option<String>,
    /// What is to be done with it.
    pub(super) intent: Intent,
    /// The source's own status.
    pub(super) status: String,
    /// When it last changed at the source.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) updated_at_source: Option<Timestamp>,
    /// Counts its versions, from 1.
    pub(super) rev: u64,
    /// How often a worker has taken this version up.
    pub(super) attempts: u32,
    /// When it may be taken up.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) due_at: Option<Timestamp>,
    /// When its lease ends.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) lease_until: Option<Timestamp>,
    /// When it was first staged.
    #[schema(value_type = String, format = DateTime)]
    pub(super) created_at: Timestamp,
    /// When it last changed here.
    #[schema(value_type = String, format = DateTime)]
    pub(super) updated_at: Timestamp,
    /// When its data was erased; absent unless it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) erased_at: Option<Timestamp>,
    /// The canonical document; absent from lists, unless `documents=true` asks for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub(super) data: Option<Box<RawValue>>,
    /// The source's document; as `data`. One that a pull has brought and that is no I-JSON comes as a text.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Value>)]
    pub(super) raw: Option<Box<RawValue>>,
}

impl EntityView {
    pub(super) fn of(entity: Entity, documents: bool) -> Self {
        Self {
            keys: keys(&entity),
            table: entity.key.table,
            frontend: entity.key.frontend,
            id: entity.key.id,
            tx_status: entity.status,
            tx_note: entity.note,
            failure: entity.failure,
            intent: entity.intent,
            status: entity.source_status,
            updated_at_source: entity.source_updated_at,
            rev: entity.rev,
            attempts: entity.attempts,
            due_at: entity.due_at,
            lease_until: entity.lease_until,
            created_at: entity.created_at,
            updated_at: entity.updated_at,
            erased_at: entity.erased_at,
            data: documents.then(|| json(entity.doc)).flatten(),
            raw: documents.then(|| json(entity.raw)).flatten(),
        }
    }
}

/// The keys of an entity under their own names.
pub(super) fn keys(entity: &Entity) -> BTreeMap<&'static str, Option<String>> {
    let no_target = (entity.status == TxStatus::Failed).then(|| NO_TARGET.to_owned());
    let target = entity.target_id.clone().or(no_target);
    let table = entity.key.table;
    let source = if entity.name.is_empty() { &entity.key.id } else { &entity.name };
    BTreeMap::from([(table.source_key(), Some(source.clone())), (table.target_key(), target)])
}

/// A stored document as it is; as a text if it is no JSON, or none that every reader takes alike: a pull takes what a shop
/// has.
fn json(text: String) -> Option<Box<RawValue>> {
    if text.is_empty() {
        return None;
    }
    let is_json = ijson::check(text.as_bytes()).is_ok();
    let as_it_is = if is_json { RawValue::from_string(text.clone()).ok() } else { None };
    as_it_is.or_else(|| serde_json::value::to_raw_value(&text).ok())
}

/// An earlier version of an entity.
#[derive(Serialize, ToSchema)]
pub(super) struct VersionView {
    /// Which version.
    pub(super) rev: u64,
    /// Where it stood when it was replaced.
    pub(super) tx_status: TxStatus,
    /// Why.
    pub(super) tx_note: String,
    /// The key on the other side then.
    pub(super) target_id: Option<String>,
    /// The source's own status then.
    pub(super) status: String,
    /// When it was replaced.
    #[schema(value_type = String, format = DateTime)]
    pub(super) replaced_at: Timestamp,
    /// The canonical document.
    #[schema(value_type = Option<Object>)]
    pub(super) data: Option<Box<RawValue>>,
    /// The source's document; a text if it is no I-JSON.
    #[schema(value_type = Option<Value>)]
    pub(super) raw: Option<Box<RawValue>>,
}

impl From<Version> for VersionView {
    fn from(version: Version) -> Self {
        Self {
            rev: version.rev,
            tx_status: version.status,
            tx_note: version.note,
            target_id: version.target_id,
            status: version.source_status,
            replaced_at: version.replaced_at,
            data: json(version.doc),
            raw: json(version.raw),
        }
    }
}

/// The outcome of an entity. Its keys stand under their own names: of an order `fe_order_id` and `bo_order_id`.
#[derive(Deserialize, ToSchema)]
pub(super) struct OutcomeBody {
    /// The frontend's name.
    pub(super) frontend: String,
    /// S, F, I or X.
    pub(super) tx_status: TxStatus,
    /// The reason, for people.
    #[serde(default)]
    pub(super) tx_note: String,
    /// The token of the lease, if it was claimed; without one, the entity is leased for the moment.
    pub(super) token: Option<u64>,
    /// The version that the outcome is of; needed beside a token.
    pub(super) rev: Option<u64>,
    /// The keys.
    #[serde(flatten)]
    pub(super) keys: BTreeMap<String, Value>,
}

/// Where an entity's task has come.
#[derive(Serialize, ToSchema)]
pub(super) struct TaskStatus {
    /// Whether it has an outcome.
    pub(super) ready: bool,
    /// Where it stands.
    pub(super) tx_status: TxStatus,
}

/// What came of an entity's task. Beside these fields, it has its keys under their own names.
#[derive(Serialize, ToSchema)]
pub(super) struct TaskResult {
    /// Whether it has an outcome.
    pub(super) ready: bool,
    /// Where it stands.
    pub(super) tx_status: TxStatus,
    /// Why.
    pub(super) tx_note: String,
    /// The keys under their own names.
    #[serde(flatten)]
    pub(super) keys: BTreeMap<&'static str, Option<String>>,
    /// How often a worker has taken it up.
    pub(super) attempts: u32,
    /// When it may be taken up next.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) due_at: Option<Timestamp>,
}

/// A cut; both fields are null before the first.
#[derive(Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct CutView {
    /// Everything that changed at the source before has been staged.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) cut_dt: Option<Timestamp>,
    /// How many with exactly this time were staged.
    #[serde(default)]
    pub(super) offset: u64,
}

impl CutView {
    pub(super) fn cut(&self) -> Option<Cut> {
        self.cut_dt.map(|cut_dt| Cut { cut_dt, offset: self.offset })
    }
}

impl From<Option<Cut>> for CutView {
    fn from(cut: Option<Cut>) -> Self {
        Self { cut_dt: cut.map(|cut| cut.cut_dt), offset: cut.map_or(0, |cut| cut.offset) }
    }
}

/// A sync task to record, of entities that were handed over.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SyncControlBody {
    /// Its id, so that sending it again records it once; a new one is made if it is absent.
    pub(super) id: Option<String>,
    /// Everything that changed at the source before has been handed over; no later than now.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) cut_dt: Option<Timestamp>,
    /// How many with exactly this time were handed over.
    #[serde(default)]
    pub(super) offset: u64,
    /// The entities that were handed over.
    #[serde(default)]
    pub(super) entities: Vec<SyncControlEntity>,
}

/// An entity of a sync task.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SyncControlEntity {
    /// Its source key.
    pub(super) id: String,
    /// What handing it over answered; I counts it as unchanged.
    pub(super) tx_status: Option<TxStatus>,
}

/// A sync task that was recorded.
#[derive(Serialize, ToSchema)]
pub(super) struct Recorded {
    /// Its id.
    pub(super) id: String,
}

/// A sync task.
#[derive(Serialize, ToSchema)]
pub(super) struct SyncTaskView {
    /// Its id.
    pub(super) id: String,
    /// The table.
    pub(super) table: Table,
    /// The frontend's name.
    pub(super) frontend: String,
    /// The task that pulls it.
    pub(super) task: &'static str,
    /// Where it stands.
    pub(super) sync_status: SyncStatus,
    /// Why.
    pub(super) sync_note: String,
    /// Where its pull started.
    pub(super) cut_before: CutView,
    /// How far its pull has come.
    pub(super) cut_after: CutView,
    /// Whether its pull has come to its end.
    pub(super) pulled: bool,
    /// When it started.
    #[schema(value_type = String, format = DateTime)]
    pub(super) started_at: Timestamp,
    /// When it was closed.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) ended_at: Option<Timestamp>,
    /// How many entities stand where; absent from lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) counts: Option<Counts>,
}

impl SyncTaskView {
    pub(super) fn of(task: SyncTask, counts: Option<Counts>) -> Self {
        Self {
            id: task.id.as_str().to_owned(),
            table: task.flow.table,
            task: task.flow.table.task(),
            frontend: task.flow.frontend,
            sync_status: task.status,
            sync_note: task.note,
            cut_before: task.cut_before.into(),
            cut_after: task.cut_after.into(),
            pulled: task.pulled,
            started_at: task.started_at,
            ended_at: task.ended_at,
            counts,
        }
    }
}

/// A page of a list.
#[derive(Serialize, ToSchema)]
pub(super) struct Page<T> {
    /// The page.
    pub(super) items: Vec<T>,
    /// Give this as `after` for the next page; null after the last.
    pub(super) next: Option<String>,
}

/// How much is done again.
#[derive(Serialize, ToSchema)]
pub(super) struct Again {
    /// The number of entities.
    pub(super) entities: u64,
}
