//! The shipped store in memory, as seen by one process: it takes its time and fails, with nothing done or with all done.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use datawald_core::Now;
use datawald_core::model::{Counts, Cut, Entity, EntityKey, FlowId, SyncStatus, SyncTask, SyncTaskId, Version};
use datawald_core::store::{
    Binding, Bound, Claim, Claimed, EntityFilter, Expired, Listing, NewSyncTask, Overview, PullLease, Push, PushedSync,
    Record, Settled, Settlement, SqliteStore, StageBatch, Staging, StagingStore, SyncTaskFilter,
};
use datawald_core::{Error, Result};
use jiff::Timestamp;

use super::judge::Watch;
use super::process::{ANY, Process};
use super::schedule::Group;

pub(crate) struct FaultyStore {
    pub(crate) inner: SqliteStore,
    pub(crate) process: Arc<Process>,
    pub(crate) watch: Arc<Watch>,
    /// How much longer it takes over the record of its clock.
    pub(crate) clock_takes: Duration,
}

impl FaultyStore {
    pub(crate) fn new(inner: SqliteStore, process: &Arc<Process>) -> Self {
        let watch = Arc::new(Watch::new(process.story.clone()));
        Self { inner, process: process.clone(), watch, clock_takes: Duration::ZERO }
    }

    async fn before(&self, call: &'static str) -> Result<()> {
        self.process.gate(call, ANY).await;
        // To look whether all is done is no hurry; so a run that waits looks a few times, not thousands of times.
        let (least, most) = match call {
            "next due" => (1_500, 3_000),
            "acquire pull" => (200, 1_500),
            _ => (1, 30),
        };
        let takes = self.process.chance.dice(call, self.process.id).millis(least, most);
        tokio::time::sleep(takes).await;
        if matches!(call, "record" | "write record") {
            tokio::time::sleep(self.clock_takes).await;
        }
        if self.process.chance.strikes(Group::StoreErrors, call, self.process.id, 12).is_some() {
            self.process.tell(format!("store: {call} fails, with nothing done"));
            return Err(Error::store(call, "the database is away"));
        }
        Ok(())
    }

    async fn after(&self, call: &'static str) -> Result<()> {
        tokio::time::sleep(Duration::from_millis(1)).await;
        if self.process.chance.strikes(Group::StoreErrors, "answer of the store", self.process.id, 8).is_some() {
            self.process.tell(format!("store: {call} fails, with all done"));
            return Err(Error::store(call, "the connection broke"));
        }
        self.process.gate("after a store's answer", ANY).await;
        Ok(())
    }
}

macro_rules! forward {
    ($($call:literal $name:ident($($argument:ident: $kind:ty),*) -> $answer:ty;)*) => {
        #[async_trait]
        impl StagingStore for FaultyStore {
            $(async fn $name(&self, $($argument: $kind),*) -> Result<$answer> {
                self.before($call).await?;
                let answer = self.inner.$name($($argument),*).await;
                self.after($call).await?;
                answer
            })*

            async fn stage(&self, batch: StageBatch) -> Result<Vec<Staging>> {
                self.before("stage").await?;
                let task = batch.sync_task.id.clone();
                let answer = self.inner.stage(batch).await;
                if answer.is_ok() {
                    self.watch.page_joined(&self.inner, &task).await;
                }
                self.after("stage").await?;
                answer
            }

            async fn claim(&self, claim: Claim<'_>) -> Result<Vec<Claimed>> {
                self.before("claim").await?;
                let answer = self.inner.claim(claim).await;
                if let Ok(claimed) = &answer {
                    for claimed in claimed {
                        self.process.tell(format!("takes up {} (was {})", claimed.key.id, claimed.was));
                    }
                }
                self.after("claim").await?;
                answer
            }

            async fn settle(&self, now: Now, settlements: Vec<Settlement>) -> Result<Vec<Settled>> {
                self.before("settle").await?;
                let said: Vec<_> = settlements.iter().map(|one| format!("{} {:?}", one.key.id, one.outcome)).collect();
                let answer = self.inner.settle(now, settlements).await;
                if let Ok(settled) = &answer {
                    for (said, settled) in said.iter().zip(settled) {
                        self.process.tell(format!("settles {said}: {settled:?}"));
                    }
                }
                self.after("settle").await?;
                answer
            }

            async fn close_sync_task(
                &self,
                id: &SyncTaskId,
                status: SyncStatus,
                note: &str,
                now: Timestamp,
            ) -> Result<bool> {
                self.before("close").await?;
                let answer = self.inner.close_sync_task(id, status, note, now).await;
                self.watch.closed(&self.inner, id, &self.process.name).await;
                self.after("close").await?;
                answer
            }
        }
    };
}

forward! {
    "acquire pull" acquire_pull(flow: &FlowId, owner: &str, now: Timestamp, until: Timestamp) -> Option<PullLease>;
    "renew pull" renew_pull(lease: &PullLease, until: Timestamp) -> bool;
    "release pull" release_pull(lease: &PullLease) -> ();
    "push" push(flow: &FlowId, entities: Vec<Push>, now: Now) -> Vec<Option<Staging>>;
    "record pushed" record_pushed(pushed: PushedSync) -> ();
    "named" named(flow: &FlowId, name: &str) -> Option<EntityKey>;
    "get" get(key: &EntityKey) -> Option<Entity>;
    "due" due(flow: &FlowId, now: Timestamp, limit: usize) -> Vec<String>;
    "next due" next_due(flow: &FlowId) -> Option<Timestamp>;
    "overview" overview(flow: &FlowId, now: Timestamp) -> Overview;
    "renew" renew(leases: &[(EntityKey, u64)], until: Timestamp, due_at: Timestamp) -> Vec<bool>;
    "bind" bind(bindings: Vec<Binding>) -> Vec<Bound>;
    "cut" cut(flow: &FlowId) -> Option<Cut>;
    "set cut" set_cut(flow: &FlowId, cut: Option<Cut>) -> ();
    "move cut" move_cut(lease: &PullLease, cut: Option<Cut>) -> ();
    "create sync task" create_sync_task(task: NewSyncTask) -> ();
    "finish pull" finish_pull(id: &SyncTaskId, now: Timestamp) -> ();
    "sync task" sync_task(id: &SyncTaskId) -> Option<SyncTask>;
    "count" sync_task_counts(id: &SyncTaskId) -> Counts;
    "delete sync task" delete_sync_task(id: &SyncTaskId) -> bool;
    "list sync tasks" list_sync_tasks(filter: &SyncTaskFilter) -> Listing<SyncTask>;
    "list" list(filter: &EntityFilter) -> Listing<Entity>;
    "history" history(key: &EntityKey) -> Vec<Version>;
    "resync" resync(key: &EntityKey, now: Now) -> bool;
    "resync task" resync_task(id: &SyncTaskId, now: Now) -> u64;
    "resync failed" resync_failed(flow: &FlowId, class: Option<&str>, now: Now) -> u64;
    "prune" prune(flow: &FlowId, expired: &Expired, limit: usize) -> u64;
    "erase" erase(key: &EntityKey, now: Timestamp) -> bool;
    "failures" failures(flow: &FlowId) -> std::collections::BTreeMap<String, u64>;
    "record" record(name: &str) -> Option<Record>;
    "records" records(prefix: &str) -> Vec<Record>;
    "write record" write_record(name: &str, rev: u64, value: &str) -> bool;
    "delete record" delete_record(name: &str, rev: u64) -> bool;
}
