//! What an engine on another machine and the core say to each other: one body per operation of the staging store.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::Now;
use crate::model::{Cut, EntityKey, FlowId, SyncStatus, SyncTaskId};
use crate::store::{Binding, Claim, EntityFilter, Expired, PullLease, Push, Settlement, SyncTaskFilter};

macro_rules! bodies {
    ($($(#[$doc:meta])* $name:ident { $($(#[$field_attr:meta])* $field:ident: $type:ty,)* })*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Serialize, Deserialize)]
        #[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
        pub(crate) struct $name {
            $($(#[$field_attr])* pub(crate) $field: $type,)*
        }
    )*};
}

bodies! {
    /// Who wants to pull a flow, and until when.
    AcquirePull {
        flow: FlowId,
        owner: String,
        #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
        now: Timestamp,
        #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
        until: Timestamp,
    }
    /// A right to pull, and until when it is prolonged.
    RenewPull {
        lease: PullLease,
        #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
        until: Timestamp,
    }
    /// A right to pull.
    OfPull { lease: PullLease, }
    /// Entities that are handed over outside a pull.
    PushBatch {
        flow: FlowId,
        entities: Vec<Push>,
        now: Now,
    }
    /// An entity.
    OfEntity { key: EntityKey, }
    /// What a worker asks for.
    ClaimBody {
        flow: FlowId,
        /// Only these source keys; null for whatever is due.
        keys: Option<Vec<String>>,
        limit: usize,
        owner: String,
        lease_ms: u64,
        settle_delay_ms: u64,
        now: Now,
    }
    /// A flow and a time.
    DueBody {
        flow: FlowId,
        #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
        now: Timestamp,
        limit: usize,
    }
    /// A flow at a time by the store's clock.
    AtTime {
        flow: FlowId,
        #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
        now: Timestamp,
    }
    /// When the first entity of a flow is due; null if nothing is open.
    NextDue {
        #[cfg_attr(feature = "api", schema(value_type = Option<String>, format = DateTime))]
        due_at: Option<Timestamp>,
    }
    /// A flow.
    OfFlow { flow: FlowId, }
    /// Nothing.
    Nothing {}
    /// An entity by what people call it.
    OfName { flow: FlowId, name: String, }
    /// The store's clock.
    StoreTime {
        #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
        now: Timestamp,
    }
    /// Leases to prolong, each with its token.
    RenewBody {
        leases: Vec<HeldLease>,
        #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
        until: Timestamp,
        #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
        due_at: Timestamp,
    }
    /// A lease that is held.
    HeldLease { key: EntityKey, token: u64, }
    /// What leased entities are known by on the other side.
    BindBody { bindings: Vec<Binding>, }
    /// Outcomes.
    SettleBody {
        now: Now,
        settlements: Vec<Settlement>,
    }
    /// A cut to set; null for none.
    SetCut { flow: FlowId, cut: Option<Cut>, }
    /// A right to pull, and the cut to set under it; null for none.
    MoveCut { lease: PullLease, cut: Option<Cut>, }
    /// A sync task.
    OfSyncTask { id: SyncTaskId, }
    /// A sync task whose pull has come to its end.
    FinishPull {
        id: SyncTaskId,
        #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
        now: Timestamp,
    }
    /// How a sync task is closed.
    CloseBody {
        id: SyncTaskId,
        status: SyncStatus,
        note: String,
        #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
        now: Timestamp,
    }
    /// Which sync tasks.
    ListSyncTasks { filter: SyncTaskFilter, }
    /// Which entities.
    ListEntities { filter: EntityFilter, }
    /// An entity to be done again.
    ResyncBody {
        key: EntityKey,
        now: Now,
    }
    /// A sync task whose failures are to be done again.
    ResyncTaskBody {
        id: SyncTaskId,
        now: Now,
    }
    /// Failures of a flow that are to be done again, of one class or all.
    ResyncFailedBody {
        flow: FlowId,
        class: Option<String>,
        now: Now,
    }
    /// What of a flow is no longer kept, and how much of it is removed at once.
    PruneBody {
        flow: FlowId,
        expired: Expired,
        limit: usize,
    }
    /// An entity whose data is to be erased.
    EraseBody {
        key: EntityKey,
        #[cfg_attr(feature = "api", schema(value_type = String, format = DateTime))]
        now: Timestamp,
    }
    /// A record.
    OfRecord { name: String, }
    /// Records by the beginning of their names.
    OfRecords { prefix: String, }
    /// A record to write, if its revision is `rev`.
    WriteRecord { name: String, rev: u64, value: String, }
    /// A record to remove, if its revision is `rev`.
    DeleteRecord { name: String, rev: u64, }
}

/// An answer.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub(crate) struct Answer<T> {
    pub(crate) answer: T,
}

impl ClaimBody {
    #[cfg(feature = "api")]
    pub(crate) fn claim(&self) -> Claim<'_> {
        Claim {
            flow: &self.flow,
            keys: self.keys.as_deref(),
            limit: self.limit,
            owner: &self.owner,
            lease: Duration::from_millis(self.lease_ms),
            settle_delay: Duration::from_millis(self.settle_delay_ms),
            now: self.now,
        }
    }

    #[cfg(feature = "client")]
    pub(crate) fn of(claim: &Claim<'_>) -> Self {
        let millis = |wait: Duration| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        Self {
            flow: claim.flow.clone(),
            keys: claim.keys.map(<[String]>::to_vec),
            limit: claim.limit,
            owner: claim.owner.to_owned(),
            lease_ms: millis(claim.lease),
            settle_delay_ms: millis(claim.settle_delay),
            now: claim.now,
        }
    }
}

/// What went wrong, as RFC 9457 (problem details) tells it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub(crate) struct ProblemBody {
    /// Names the kind of problem: a URN that ends in `kind`.
    #[serde(rename = "type")]
    pub(crate) type_uri: String,
    /// The kind in words.
    pub(crate) title: String,
    /// The HTTP status.
    pub(crate) status: u16,
    /// What is wrong and what to do.
    pub(crate) detail: String,
    /// The kind of error, as in `not_found`.
    pub(crate) kind: String,
    /// What is to be done about it: `retryable`, `uncertain`, `rejected` or `permanent`.
    pub(crate) disposition: String,
    /// After how many milliseconds to try again, if that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) retry_after_ms: Option<u64>,
    /// The entity, if one is concerned.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) entity: Option<String>,
    /// What was being done.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) operation: Option<String>,
    /// The other side's code, if it gave one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) code: Option<String>,
    /// The fields that are to blame, each by its path.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) errors: Vec<FieldError>,
}

/// A field that is to blame.
#[derive(Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "api", derive(utoipa::ToSchema))]
pub(crate) struct FieldError {
    /// Its path, as in `data.items[0].qty`.
    pub(crate) path: String,
    /// What is wrong with it.
    pub(crate) detail: String,
}
