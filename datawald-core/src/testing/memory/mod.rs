//! A [`StagingStore`] in memory: plain, slow, and the model that the others are compared with.

mod passes;
mod state;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;

use state::State;

use crate::Result;
use crate::model::{Counts, Cut, Entity, EntityKey, FlowId, SyncStatus, SyncTask, SyncTaskId, Version};
use crate::store::paging::{after, page, page_size};
use crate::store::{
    Claim, Claimed, EntityFilter, Listing, NewSyncTask, PullLease, Push, PushedSync, Record, Settled, Settlement,
    StageBatch, Staging, StagingStore, SyncTaskFilter, check_record,
};

/// A store in memory, for tests: everything in it is gone with the last clone. It follows the contract word by word
/// and looks at every entity for every question, so keep it small.
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Mutex<State>>);

impl MemoryStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl std::fmt::Debug for MemoryStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemoryStore").finish_non_exhaustive()
    }
}

#[async_trait]
impl StagingStore for MemoryStore {
    async fn acquire_pull(
        &self,
        flow: &FlowId,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<PullLease>> {
        Ok(self.state().acquire_pull(flow, owner, now, until))
    }

    async fn release_pull(&self, lease: &PullLease) -> Result<()> {
        self.state().release_pull(lease);
        Ok(())
    }

    async fn stage(&self, batch: StageBatch) -> Result<Vec<Staging>> {
        self.state().stage(batch)
    }

    async fn push(&self, flow: &FlowId, entities: Vec<Push>, now: Timestamp) -> Result<Vec<Option<Staging>>> {
        Ok(self.state().push(flow, entities, now))
    }

    async fn record_pushed(&self, pushed: PushedSync) -> Result<()> {
        self.state().record_pushed(pushed)
    }

    async fn get(&self, key: &EntityKey) -> Result<Option<Entity>> {
        Ok(self.state().rows.get(key).map(|row| row.entity.clone()))
    }

    async fn claim(&self, claim: Claim<'_>) -> Result<Vec<Claimed>> {
        Ok(self.state().claim(&claim))
    }

    async fn due(&self, flow: &FlowId, now: Timestamp, limit: usize) -> Result<Vec<String>> {
        let mut keys = self.state().due(flow, now);
        keys.truncate(limit);
        Ok(keys.into_iter().map(|key| key.id).collect())
    }

    async fn next_due(&self, flow: &FlowId) -> Result<Option<Timestamp>> {
        let state = self.state();
        Ok(state.rows.values().filter(|row| row.entity.key.flow() == *flow).filter_map(|row| row.entity.due_at).min())
    }

    async fn renew(&self, leases: &[(EntityKey, u64)], until: Timestamp, due_at: Timestamp) -> Result<Vec<bool>> {
        let mut state = self.state();
        Ok(leases.iter().map(|(key, token)| state.renew(key, *token, until, due_at)).collect())
    }

    async fn settle(&self, now: Timestamp, settlements: Vec<Settlement>) -> Result<Vec<Settled>> {
        let mut state = self.state();
        Ok(settlements.into_iter().map(|settlement| state.settle(now, settlement)).collect())
    }

    async fn cut(&self, flow: &FlowId) -> Result<Option<Cut>> {
        Ok(self.state().cuts.get(flow).copied())
    }

    async fn set_cut(&self, flow: &FlowId, cut: Option<Cut>) -> Result<()> {
        self.state().set_cut(flow, cut);
        Ok(())
    }

    async fn create_sync_task(&self, task: NewSyncTask) -> Result<()> {
        self.state().create_sync_task(task)
    }

    async fn finish_pull(&self, id: &SyncTaskId) -> Result<()> {
        if let Some(pass) = self.state().passes.get_mut(id) {
            pass.task.pulled = true;
        }
        Ok(())
    }

    async fn sync_task(&self, id: &SyncTaskId) -> Result<Option<SyncTask>> {
        Ok(self.state().passes.get(id).map(|pass| pass.task.clone()))
    }

    async fn sync_task_counts(&self, id: &SyncTaskId) -> Result<Counts> {
        Ok(self.state().counts(id))
    }

    async fn close_sync_task(&self, id: &SyncTaskId, status: SyncStatus, note: &str, now: Timestamp) -> Result<bool> {
        let mut state = self.state();
        let Some(pass) = state.passes.get_mut(id) else { return Ok(false) };
        pass.task.status = status;
        pass.task.note = note.to_owned();
        pass.task.ended_at = Some(now);
        Ok(true)
    }

    async fn delete_sync_task(&self, id: &SyncTaskId) -> Result<bool> {
        Ok(self.state().passes.remove(id).is_some())
    }

    async fn list_sync_tasks(&self, filter: &SyncTaskFilter) -> Result<Listing<SyncTask>> {
        let place = |task: &SyncTask| (task.started_at, task.id.clone());
        let start: Option<(Timestamp, SyncTaskId)> = after(filter.after.as_deref())?;
        let mut tasks: Vec<_> = self.state().passes.values().map(|pass| pass.task.clone()).collect();
        tasks.retain(|task| filter.flow.as_ref().is_none_or(|flow| task.flow == *flow));
        tasks.retain(|task| filter.status.is_none_or(|status| task.status == status));
        tasks.retain(|task| start.as_ref().is_none_or(|start| place(task) < *start));
        tasks.sort_by_key(|task| std::cmp::Reverse(place(task)));
        page(tasks, page_size(filter.limit), place)
    }

    async fn list(&self, filter: &EntityFilter) -> Result<Listing<Entity>> {
        let place =
            |entity: &Entity| [entity.key.table.name().to_owned(), entity.key.frontend.clone(), entity.key.id.clone()];
        let start: Option<[String; 3]> = after(filter.after.as_deref())?;
        let state = self.state();
        let mut entities: Vec<_> = state.rows.values().map(|row| row.entity.clone()).collect();
        entities.retain(|entity| filter.flow.as_ref().is_none_or(|flow| entity.key.flow() == *flow));
        entities.retain(|entity| filter.statuses.is_empty() || filter.statuses.contains(&entity.status));
        entities.retain(|entity| {
            filter
                .sync_task
                .as_ref()
                .is_none_or(|id| state.passes.get(id).is_some_and(|pass| pass.members.contains_key(&entity.key)))
        });
        entities.retain(|entity| start.as_ref().is_none_or(|start| place(entity) > *start));
        entities.sort_by_key(place);
        page(entities, page_size(filter.limit), place)
    }

    async fn history(&self, key: &EntityKey) -> Result<Vec<Version>> {
        Ok(self.state().rows.get(key).map(|row| row.history.clone()).unwrap_or_default())
    }

    async fn resync(&self, key: &EntityKey, now: Timestamp) -> Result<bool> {
        Ok(self.state().resync(key, now))
    }

    async fn resync_task(&self, id: &SyncTaskId, now: Timestamp) -> Result<u64> {
        Ok(self.state().resync_task(id, now))
    }

    async fn record(&self, name: &str) -> Result<Option<Record>> {
        Ok(self.state().records.get(name).cloned())
    }

    async fn records(&self, prefix: &str) -> Result<Vec<Record>> {
        let state = self.state();
        Ok(state.records.values().filter(|record| record.name.starts_with(prefix)).cloned().collect())
    }

    async fn write_record(&self, name: &str, rev: u64, value: &str) -> Result<bool> {
        check_record(name, value)?;
        let mut state = self.state();
        let there = state.records.get(name);
        if there.map_or(0, |record| record.rev) != rev {
            return Ok(there.is_some_and(|record| record.rev == rev.saturating_add(1) && record.value == value));
        }
        let record = Record { name: name.to_owned(), rev: rev.saturating_add(1), value: value.to_owned() };
        state.records.insert(record.name.clone(), record);
        Ok(true)
    }

    async fn delete_record(&self, name: &str, rev: u64) -> Result<bool> {
        let mut state = self.state();
        if state.records.get(name).is_some_and(|record| record.rev == rev) {
            state.records.remove(name);
        }
        Ok(!state.records.contains_key(name))
    }
}
