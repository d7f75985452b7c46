//! The operations of the staging store, for engines on other machines: one route each.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::routing::post;
use jiff::Timestamp;

use super::Routes;
use crate::Now;
use crate::api::Shared;
use crate::api::input::Body;
use crate::api::problem::Problem;
use crate::api::tokens::{PREFIX, Scope};
use crate::clock::{later, millis_between};
use crate::engine::source_clock;
use crate::model::{Counts, Cut, Entity, EntityKey, SyncTask, Version};
use crate::store::{
    Bound, Claim, Claimed, Listing, NewSyncTask, Overview, PullLease, PushedSync, Record, Settled, StageBatch, Staging,
};
use crate::wire::{
    AcquirePull, Answer, AtTime, BindBody, ClaimBody, CloseBody, DeleteRecord, DueBody, EraseBody, FinishPull,
    ListEntities, ListSyncTasks, MoveCut, NextDue, Nothing, OfEntity, OfFlow, OfName, OfPull, OfRecord, OfRecords,
    OfSyncTask, PruneBody, PushBatch, RenewBody, RenewPull, ResyncBody, ResyncFailedBody, ResyncTaskBody, SetCut,
    SettleBody, StoreTime, WriteRecord,
};

const OPERATION: &str = "carry out operation";

macro_rules! operations {
    ($($(#[doc = $doc:literal])* $scope:ident $name:ident $path:literal ($body:ty) -> $answer:ty
        = |$shared:ident, $given:ident| $work:expr;)*) => {
        $(
            $(#[doc = $doc])*
            #[utoipa::path(
                post, path = $path, tag = "engine", operation_id = concat!("engine_", stringify!($name)), request_body = $body,
                responses((status = 200, body = Answer<$answer>), (status = 404, description = "There is no such thing"), (status = 409, description = "A lease has passed on")),
            )]
            pub(crate) async fn $name(
                State($shared): State<Arc<Shared>>,
                Body($given): Body<$body>,
            ) -> Result<Json<Answer<$answer>>, Problem> {
                let answer: $answer = $work;
                Ok(Json(Answer { answer }))
            }
        )*

        /// Path, scope and handler of each.
        pub(super) fn routes() -> Vec<(&'static str, Scope, Routes)> {
            vec![$(($path, Scope::$scope, post($name))),*]
        }
    };
}

operations! {
    /// Takes the right to pull a flow.
    Stage acquire_pull "/engine/acquire_pull" (AcquirePull) -> Option<PullLease> = |shared, body| {
        shared.check_flow("flow", &body.flow)?;
        shared.on_store_time("now", body.now).await?;
        shared.leased("until", body.until).await?;
        shared.engine.store().acquire_pull(&body.flow, &body.owner, body.now, body.until).await?
    };
    /// Prolongs the right to pull.
    Stage renew_pull "/engine/renew_pull" (RenewPull) -> bool = |shared, body| {
        shared.leased("until", body.until).await?;
        shared.engine.store().renew_pull(&body.lease, body.until).await?
    };
    /// Gives the right to pull back.
    Stage release_pull "/engine/release_pull" (OfPull) -> bool = |shared, body| {
        shared.engine.store().release_pull(&body.lease).await?;
        true
    };
    /// Stages a page of a pull and dispatches its tasks.
    Stage stage_page "/engine/stage" (StageBatch) -> Vec<Staging> = |shared, body| {
        shared.check_flow("lease.flow", &body.lease.flow)?;
        let now = shared.on_time(body.now).await?;
        shared.leased("lease_until", body.lease_until).await?;
        shared.bounded("entities", body.entities.len())?;
        shared.engine.stage_page(StageBatch { now, ..body }).await?
    };
    /// Stages entities outside a pull and dispatches their tasks.
    Stage push "/engine/push" (PushBatch) -> Vec<Option<Staging>> = |shared, body| {
        shared.check_flow("flow", &body.flow)?;
        let now = shared.on_time(body.now).await?;
        shared.bounded("entities", body.entities.len())?;
        shared.engine.push_at(&body.flow, body.entities, now).await?
    };
    /// Records a sync task of entities that were pushed, and dispatches their tasks.
    Stage record_pushed "/engine/record_pushed" (PushedSync) -> bool = |shared, body| {
        shared.check_flow("task.flow", &body.task.flow)?;
        shared.not_ahead("cut", body.cut.map(|cut| cut.cut_dt))?;
        shared.bounded("members", body.members.len())?;
        let task = NewSyncTask { now: shared.wall(body.task.now), ..body.task };
        shared.engine.record_pushed(PushedSync { task, ..body }).await?;
        true
    };
    /// The store's clock.
    Read store_now "/engine/now" (Nothing) -> StoreTime = |shared, _body| {
        StoreTime { now: shared.engine.now().await?.store }
    };
    /// The key of the entity that has a name.
    Read named "/engine/named" (OfName) -> Option<EntityKey> = |shared, body| {
        shared.engine.store().named(&body.flow, &body.name).await?
    };
    /// Reads an entity.
    Read get_entity "/engine/get" (OfEntity) -> Option<Entity> = |shared, body| {
        shared.engine.store().get(&body.key).await?
    };
    /// Leases due entities to a worker.
    Operate claim "/engine/claim" (ClaimBody) -> Vec<Claimed> = |shared, body| {
        let now = shared.on_time(body.now).await?;
        shared.bounded("limit", body.limit)?;
        shared.bounded("keys", body.keys.as_ref().map_or(0, Vec::len))?;
        let claim = Claim { now, ..body.claim() };
        shared.leased("lease_ms", later(claim.now.store, claim.lease)).await?;
        shared.leased("settle_delay_ms", later(claim.now.store, claim.settle_delay)).await?;
        shared.engine.store().claim(claim).await?
    };
    /// Keys that are due.
    Read due "/engine/due" (DueBody) -> Vec<String> = |shared, body| {
        shared.engine.store().due(&body.flow, body.now, body.limit.min(LONGEST_DUE)).await?
    };
    /// When the first of a flow is due.
    Read next_due "/engine/next_due" (OfFlow) -> NextDue = |shared, body| {
        NextDue { due_at: shared.engine.store().next_due(&body.flow).await? }
    };
    /// What of a flow has no outcome yet.
    Read overview "/engine/overview" (AtTime) -> Overview = |shared, body| {
        shared.engine.store().overview(&body.flow, body.now).await?
    };
    /// Prolongs leases.
    Operate renew "/engine/renew" (RenewBody) -> Vec<bool> = |shared, body| {
        shared.leased("until", body.until).await?;
        shared.leased("due_at", body.due_at).await?;
        shared.bounded("leases", body.leases.len())?;
        let leases: Vec<_> = body.leases.into_iter().map(|lease| (lease.key, lease.token)).collect();
        shared.engine.store().renew(&leases, body.until, body.due_at).await?
    };
    /// Records what leased entities are known by on the other side.
    Operate bind "/engine/bind" (BindBody) -> Vec<Bound> = |shared, body| {
        shared.bounded("bindings", body.bindings.len())?;
        shared.engine.store().bind(body.bindings).await?
    };
    /// Writes outcomes.
    Operate settle "/engine/settle" (SettleBody) -> Vec<Settled> = |shared, body| {
        let now = shared.on_time(body.now).await?;
        shared.bounded("settlements", body.settlements.len())?;
        shared.engine.store().settle(now, body.settlements).await?
    };
    /// The cut of a flow.
    Read cut "/engine/cut" (OfFlow) -> Option<Cut> = |shared, body| {
        shared.engine.store().cut(&body.flow).await?
    };
    /// Sets the cut of a flow.
    Operate set_cut "/engine/set_cut" (SetCut) -> bool = |shared, body| {
        shared.not_ahead("cut.cut_dt", body.cut.map(|cut| cut.cut_dt))?;
        shared.engine.store().set_cut(&body.flow, body.cut).await?;
        true
    };
    /// Sets the cut of a flow for the pull that has the right to, which keeps it.
    Stage move_cut "/engine/move_cut" (MoveCut) -> bool = |shared, body| {
        shared.not_ahead("cut.cut_dt", body.cut.map(|cut| cut.cut_dt))?;
        shared.engine.store().move_cut(&body.lease, body.cut).await?;
        true
    };
    /// Records a sync task.
    Stage create_sync_task "/engine/create_sync_task" (NewSyncTask) -> bool = |shared, body| {
        shared.check_flow("flow", &body.flow)?;
        shared.engine.store().create_sync_task(NewSyncTask { now: shared.wall(body.now), ..body }).await?;
        true
    };
    /// Marks the pull of a sync task as come to its end.
    Stage finish_pull "/engine/finish_pull" (FinishPull) -> bool = |shared, body| {
        let now = shared.wall(body.now);
        shared.engine.store().finish_pull(&body.id, now).await?;
        true
    };
    /// Reads a sync task.
    Read sync_task "/engine/sync_task" (OfSyncTask) -> Option<SyncTask> = |shared, body| {
        shared.engine.store().sync_task(&body.id).await?
    };
    /// Counts the entities of a sync task.
    Read sync_task_counts "/engine/sync_task_counts" (OfSyncTask) -> Counts = |shared, body| {
        shared.engine.store().sync_task_counts(&body.id).await?
    };
    /// Closes a sync task.
    Stage close_sync_task "/engine/close_sync_task" (CloseBody) -> bool = |shared, body| {
        shared.engine.store().close_sync_task(&body.id, body.status, &body.note, shared.wall(body.now)).await?
    };
    /// Removes a sync task.
    Operate delete_sync_task "/engine/delete_sync_task" (OfSyncTask) -> bool = |shared, body| {
        shared.engine.store().delete_sync_task(&body.id).await?
    };
    /// Lists sync tasks.
    Read list_sync_tasks "/engine/list_sync_tasks" (ListSyncTasks) -> Listing<SyncTask> = |shared, body| {
        shared.engine.store().list_sync_tasks(&body.filter).await?
    };
    /// Lists entities, with their documents.
    Read list_entities "/engine/list" (ListEntities) -> Listing<Entity> = |shared, body| {
        shared.engine.store().list(&body.filter).await?
    };
    /// The earlier versions of an entity.
    Read history "/engine/history" (OfEntity) -> Vec<Version> = |shared, body| {
        shared.engine.store().history(&body.key).await?
    };
    /// Has an entity done again.
    Operate resync "/engine/resync" (ResyncBody) -> bool = |shared, body| {
        let now = shared.on_time(body.now).await?;
        shared.engine.resync_at(&body.key, now).await?
    };
    /// Has the failed entities of a sync task done again.
    Operate resync_task "/engine/resync_task" (ResyncTaskBody) -> u64 = |shared, body| {
        let now = shared.on_time(body.now).await?;
        shared.engine.store().resync_task(&body.id, now).await?
    };
    /// Has the failures of a flow done again, of one class or all.
    Operate resync_failed "/engine/resync_failed" (ResyncFailedBody) -> u64 = |shared, body| {
        let now = shared.on_time(body.now).await?;
        shared.engine.store().resync_failed(&body.flow, body.class.as_deref(), now).await?
    };
    /// Counts failures by class.
    Read failures "/engine/failures" (OfFlow) -> BTreeMap<String, u64> = |shared, body| {
        shared.engine.store().failures(&body.flow).await?
    };
    /// Removes what of a flow is no longer kept.
    Operate prune "/engine/prune" (PruneBody) -> u64 = |shared, body| {
        let limit = body.limit.min(shared.settings.max_batch);
        shared.engine.store().prune(&body.flow, &body.expired, limit).await?
    };
    /// Erases what an entity tells of a person.
    Operate erase "/engine/erase" (EraseBody) -> bool = |shared, body| {
        shared.engine.store().erase(&body.key, shared.wall(body.now)).await?
    };
    /// Reads a record.
    Read record "/engine/record" (OfRecord) -> Option<Record> = |shared, body| {
        not_a_token(&body.name)?;
        shared.engine.store().record(&body.name).await?
    };
    /// Reads records by the beginning of their names.
    Read records "/engine/records" (OfRecords) -> Vec<Record> = |shared, body| {
        let records = shared.engine.store().records(&body.prefix).await?;
        records.into_iter().filter(|record| not_a_token(&record.name).is_ok()).collect()
    };
    /// Writes a record if its revision is as it is said to be.
    Operate write_record "/engine/write_record" (WriteRecord) -> bool = |shared, body| {
        not_a_token(&body.name)?;
        shared.engine.store().write_record(&body.name, body.rev, &body.value).await?
    };
    /// Writes down what a pull has found the clocks to show, as `/engine/write_record` writes other records.
    Stage note_clock "/engine/note_clock" (WriteRecord) -> bool = |shared, body| {
        of_a_clock(&body.name)?;
        shared.engine.store().write_record(&body.name, body.rev, &body.value).await?
    };
    /// Removes a record if its revision is as it is said to be.
    Operate delete_record "/engine/delete_record" (DeleteRecord) -> bool = |shared, body| {
        not_a_token(&body.name)?;
        shared.engine.store().delete_record(&body.name, body.rev).await?
    };
}

/// The longest lease, in milliseconds: a day.
const LONGEST_LEASE_MS: u64 = 24 * 60 * 60 * 1_000;

/// Keys that are told at once.
const LONGEST_DUE: usize = 10_000;

/// Whoever could write a token would have every scope.
fn not_a_token(name: &str) -> Result<(), Problem> {
    match name.starts_with(PREFIX) {
        false => Ok(()),
        true => Err(Problem::field(OPERATION, "name", "is a token's; tokens are made and revoked on the host")),
    }
}

/// Whoever may stage writes these records, and no other ones.
fn of_a_clock(name: &str) -> Result<(), Problem> {
    match name.starts_with(source_clock::PREFIX) {
        true => Ok(()),
        false => Err(Problem::field(OPERATION, "name", "is not that of what clocks show; see `/engine/write_record`")),
    }
}

impl Shared {
    /// What is due is told by the store's clock, which callers ask for: whoever is far off it has not asked for long.
    async fn on_time(&self, now: Now) -> Result<Now, Problem> {
        self.on_store_time("now.store", now.store).await?;
        Ok(Now { wall: self.wall(now.wall), ..now })
    }

    /// What people read is written down in the caller's time. A wall clock that is wrong stops nothing: where the caller's is
    /// far off, it is this host's.
    fn wall(&self, callers: Timestamp) -> Timestamp {
        let own = self.engine.clock().now();
        if millis_between(callers, own) <= self.settings.max_clock_skew_ms { callers } else { own }
    }

    async fn on_store_time(&self, field: &str, now: Timestamp) -> Result<(), Problem> {
        match millis_between(now, self.engine.now().await?.store) <= self.settings.max_clock_skew_ms {
            true => Ok(()),
            false => {
                let message =
                    "is not the time by the store's clock; ask for it with `/engine/now`, and again every second";
                Err(Problem::field(OPERATION, field, message))
            }
        }
    }

    /// A lease ends by this time of the store's clock: one that is far back would hand over what the caller still holds, and
    /// one that is far ahead would keep it from all others.
    async fn leased(&self, field: &str, until: Timestamp) -> Result<(), Problem> {
        let (now, skew) = (self.engine.now().await?.store, self.settings.max_clock_skew_ms);
        let longest = if until < now { skew } else { LONGEST_LEASE_MS.saturating_add(skew) };
        match millis_between(until, now) <= longest {
            true => Ok(()),
            false => Err(Problem::field(
                OPERATION,
                field,
                "is to be from now to a day ahead by the store's clock; ask for its time with `/engine/now`",
            )),
        }
    }

    /// A cut that lies ahead would leave out what changes until then.
    pub(super) fn not_ahead(&self, field: &str, cut_dt: Option<Timestamp>) -> Result<(), Problem> {
        let (now, skew) = (self.engine.clock().now(), self.settings.max_clock_skew_ms);
        match cut_dt.is_none_or(|cut_dt| cut_dt <= now || millis_between(cut_dt, now) <= skew) {
            true => Ok(()),
            false => Err(Problem::field(
                OPERATION,
                field,
                "lies ahead, and what changes until then would be left out; give it in UTC, and no later than now",
            )),
        }
    }

    fn bounded(&self, field: &str, many: usize) -> Result<(), Problem> {
        match many <= self.settings.max_batch {
            true => Ok(()),
            false => Err(Problem::field(OPERATION, field, format!("more than {} at once", self.settings.max_batch))),
        }
    }
}
