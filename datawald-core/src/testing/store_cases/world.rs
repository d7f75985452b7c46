//! What most cases start from: a store, a flow whose pull is held, a sync task, and a time that stands still.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Store;
use crate::model::{Counts, Entity, EntityKey, Fingerprint, FlowId, Intent, SyncTaskId, Table, TxStatus};
use crate::store::{
    Claim, Claimed, NewSyncTask, Outcome, PullLease, Settled, Settlement, StageBatch, StageEntity, Staging,
};

/// How long a claim's lease lasts here.
pub(super) const LEASE: Duration = Duration::from_secs(60);

/// How long after a lost lease a write may still be carried out here.
pub(super) const SETTLE_DELAY: Duration = Duration::from_secs(20);

/// `millis` after the start of the time of these tests.
pub(super) fn at(millis: i64) -> Timestamp {
    Timestamp::from_millisecond(1_767_225_600_000 + millis).unwrap()
}

/// `seconds` after the start of the time of these tests.
pub(super) fn sec(seconds: i64) -> Timestamp {
    at(seconds * 1_000)
}

pub(super) fn flow() -> FlowId {
    FlowId::new(Table::Orders, "mage2")
}

/// An entity with `content`, to be applied.
pub(super) fn entity(id: &str, content: &str) -> StageEntity {
    StageEntity {
        id: id.to_owned(),
        name: format!("number {id}"),
        intent: Intent::Apply,
        source_status: "processing".to_owned(),
        source_updated_at: Some(sec(-3_600)),
        fingerprint: Fingerprint::of(content.as_bytes()),
        doc: format!("{{\"doc\":\"{content}\"}}"),
        raw: format!("{{\"raw\":\"{content}\"}}"),
    }
}

pub(super) fn with_intent(id: &str, content: &str, intent: Intent) -> StageEntity {
    StageEntity { intent, ..entity(id, content) }
}

pub(super) fn success(target_id: &str) -> Outcome {
    Outcome::Success { target_id: target_id.to_owned(), note: "applied".to_owned() }
}

pub(super) fn failed(note: &str) -> Outcome {
    Outcome::Failed { note: note.to_owned(), class: "refused".into() }
}

pub(super) fn ignored(note: &str) -> Outcome {
    Outcome::Ignored { note: note.to_owned() }
}

pub(super) fn cancelled(target_id: Option<&str>) -> Outcome {
    Outcome::Cancelled { target_id: target_id.map(str::to_owned), note: "cancelled there".to_owned() }
}

pub(super) fn in_doubt(until: Timestamp) -> Outcome {
    Outcome::InDoubt { until, missed: false, note: "no answer".to_owned() }
}

pub(super) fn retry(at: Timestamp) -> Outcome {
    Outcome::Retry { at, note: "busy".to_owned() }
}

pub(super) struct World {
    pub(super) store: Store,
    pub(super) flow: FlowId,
    pub(super) lease: PullLease,
    pub(super) task: SyncTaskId,
    pub(super) now: Timestamp,
}

impl World {
    pub(super) async fn new(store: Store) -> Self {
        Self::of(store, flow(), "first-pass").await
    }

    pub(super) async fn of(store: Store, flow: FlowId, task: &str) -> Self {
        let now = sec(0);
        let lease = store.acquire_pull(&flow, "puller", now, sec(86_400)).await.unwrap().unwrap();
        let mut world = Self { store, flow, lease, task: SyncTaskId::from_stored(task), now };
        world.pass(task).await;
        world
    }

    /// Begins another pass: what is staged from here on joins its sync task.
    pub(super) async fn pass(&mut self, id: &str) {
        self.task = SyncTaskId::from_stored(id);
        self.store.create_sync_task(self.new_task()).await.unwrap();
    }

    pub(super) fn new_task(&self) -> NewSyncTask {
        NewSyncTask { id: self.task.clone(), flow: self.flow.clone(), cut_before: None, now: self.now }
    }

    pub(super) fn wait(&mut self, seconds: i64) {
        self.now += SignedDuration::from_secs(seconds);
    }

    pub(super) fn after(&self, seconds: i64) -> Timestamp {
        self.now + SignedDuration::from_secs(seconds)
    }

    pub(super) fn batch(&self, entities: Vec<StageEntity>) -> StageBatch {
        StageBatch {
            lease: self.lease.clone(),
            lease_until: sec(86_400),
            sync_task: self.new_task(),
            entities,
            cut: None,
            now: self.now.into(),
        }
    }

    pub(super) async fn stage(&self, entities: Vec<StageEntity>) -> Vec<Staging> {
        self.store.stage(self.batch(entities)).await.unwrap()
    }

    pub(super) async fn stage_one(&self, entity: StageEntity) -> Staging {
        let staged = self.stage(vec![entity]).await;
        assert_eq!(staged.len(), 1);
        staged[0]
    }

    pub(super) fn key(&self, id: &str) -> EntityKey {
        EntityKey::new(&self.flow, id)
    }

    pub(super) async fn get(&self, id: &str) -> Entity {
        self.store.get(&self.key(id)).await.unwrap().unwrap()
    }

    pub(super) async fn status(&self, id: &str) -> TxStatus {
        self.get(id).await.status
    }

    pub(super) async fn claim_with(&self, keys: Option<&[String]>, limit: usize) -> Vec<Claimed> {
        let claim = Claim {
            flow: &self.flow,
            keys,
            limit,
            owner: "worker",
            lease: LEASE,
            settle_delay: SETTLE_DELAY,
            now: self.now.into(),
        };
        self.store.claim(claim).await.unwrap()
    }

    pub(super) async fn claim(&self, limit: usize) -> Vec<Claimed> {
        self.claim_with(None, limit).await
    }

    /// Claims `id`, which must be due.
    pub(super) async fn claim_one(&self, id: &str) -> Claimed {
        let claimed = self.claim_with(Some(&[id.to_owned()]), 1).await;
        assert_eq!(claimed.len(), 1, "{id} is not due");
        claimed.into_iter().next().unwrap()
    }

    pub(super) async fn settle(&self, claimed: &Claimed, outcome: Outcome) -> Settled {
        let settlement =
            Settlement { key: claimed.key.clone(), token: claimed.token, rev: claimed.rev, reference: None, outcome };
        let settled = self.store.settle(self.now.into(), vec![settlement]).await.unwrap();
        assert_eq!(settled.len(), 1);
        settled[0]
    }

    /// Settles what the other side was told of under `reference`.
    pub(super) async fn settle_under(&self, claimed: &Claimed, reference: &str, outcome: Outcome) -> Settled {
        let settlement = Settlement {
            key: claimed.key.clone(),
            token: claimed.token,
            rev: claimed.rev,
            reference: Some(reference.to_owned()),
            outcome,
        };
        self.store.settle(self.now.into(), vec![settlement]).await.unwrap().remove(0)
    }

    /// Stages `id` and takes it to `status`.
    pub(super) async fn bring_to(&self, id: &str, status: TxStatus) {
        assert_eq!(self.stage_one(entity(id, "v1")).await, Staging::Inserted);
        if status == TxStatus::New {
            return;
        }
        let claimed = self.claim_one(id).await;
        let outcome = match status {
            TxStatus::New | TxStatus::InProcess => return,
            TxStatus::Success => success("B1-1"),
            TxStatus::Failed => failed("no such item"),
            TxStatus::Ignored => ignored("it is there"),
            TxStatus::Cancelled => cancelled(Some("B1-1")),
            TxStatus::InDoubt => in_doubt(self.after(30)),
        };
        assert_eq!(self.settle(&claimed, outcome).await, Settled::Done);
        assert_eq!(self.status(id).await, status);
    }

    pub(super) async fn counts(&self, task: &str) -> Counts {
        self.store.sync_task_counts(&SyncTaskId::from_stored(task)).await.unwrap()
    }
}

/// Counts of so many entities per status.
pub(super) fn counts(of: &[(TxStatus, u64)]) -> Counts {
    let mut counts = Counts::default();
    for (status, number) in of {
        counts.add(*status, *number);
    }
    counts
}
