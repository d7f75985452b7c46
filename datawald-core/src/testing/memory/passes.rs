//! Sync tasks, and having things done again.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::state::{Pass, State};
use crate::model::{Counts, EntityKey, SyncStatus, SyncTask, SyncTaskId, TxStatus};
use crate::store::NewSyncTask;
use crate::{Error, Result};

impl State {
    pub(super) fn create_sync_task(&mut self, new: NewSyncTask) -> Result<()> {
        if let Some(pass) = self.passes.get(&new.id) {
            let same = pass.task.flow == new.flow;
            return if same { Ok(()) } else { Err(Error::invalid("record sync task", "another flow's id")) };
        }
        let task = SyncTask {
            id: new.id.clone(),
            flow: new.flow,
            status: SyncStatus::Processing,
            note: String::new(),
            cut_before: new.cut_before,
            cut_after: None,
            pulled: false,
            started_at: new.now,
            ended_at: None,
        };
        self.passes.insert(new.id, Pass { task, members: BTreeMap::new() });
        Ok(())
    }

    pub(super) fn counts(&self, id: &SyncTaskId) -> Counts {
        let mut counts = Counts::default();
        for (key, status) in self.passes.get(id).into_iter().flat_map(|pass| &pass.members) {
            if let Some(row) = self.rows.get(key) {
                counts.add(status.unwrap_or(row.entity.status), 1);
            }
        }
        counts
    }

    pub(super) fn resync(&mut self, key: &EntityKey, now: Timestamp) -> bool {
        let Some(row) = self.rows.get_mut(key) else { return false };
        match row.entity.status {
            TxStatus::New if row.entity.due_at.is_some_and(|at| at <= now) => false,
            TxStatus::New => {
                row.entity.due_at = Some(now);
                row.entity.updated_at = now;
                true
            }
            TxStatus::InProcess | TxStatus::InDoubt => false,
            TxStatus::Success | TxStatus::Failed | TxStatus::Ignored | TxStatus::Cancelled => {
                let done = row.entity.intent.is_to_be_done();
                if done {
                    row.do_again(now);
                }
                done
            }
        }
    }

    pub(super) fn resync_task(&mut self, id: &SyncTaskId, now: Timestamp) -> u64 {
        let Some(pass) = self.passes.get_mut(id) else { return 0 };
        let mut again = 0;
        for (key, status) in &mut pass.members {
            let Some(row) = self.rows.get_mut(key) else { continue };
            let failed = status.is_none_or(|status| status == TxStatus::Failed);
            if failed && row.entity.status == TxStatus::Failed && row.entity.intent.is_to_be_done() {
                row.do_again(now);
                *status = None;
                again += 1;
            }
        }
        if again > 0 {
            pass.task.status = SyncStatus::Processing;
            pass.task.note = String::new();
            pass.task.ended_at = None;
        }
        again
    }
}
