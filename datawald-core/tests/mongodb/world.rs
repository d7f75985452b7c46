//! A flow, a right to pull it, and shorthands.

use std::time::Duration;

use datawald_core::Result;
use datawald_core::model::{EntityKey, Fingerprint, FlowId, Intent, SyncTaskId, Table};
use datawald_core::store::{
    Claim, Claimed, MongoStore, NewSyncTask, Outcome, PullLease, Settlement, StageBatch, StageEntity, StagingStore,
};
use jiff::Timestamp;

pub(crate) fn sec(seconds: i64) -> Timestamp {
    Timestamp::from_second(seconds).unwrap()
}

pub(crate) fn flow() -> FlowId {
    FlowId::new(Table::Orders, "mage2")
}

pub(crate) fn key(id: &str) -> EntityKey {
    EntityKey::new(&flow(), id)
}

pub(crate) fn entity(id: &str, content: &str) -> StageEntity {
    StageEntity {
        id: id.to_owned(),
        name: format!("number {id}"),
        intent: Intent::Apply,
        source_status: "pending".to_owned(),
        source_updated_at: Some(sec(0)),
        fingerprint: Fingerprint::of(content.as_bytes()),
        doc: format!("{{\"order\":\"{content}\"}}"),
        raw: format!("{{\"raw\":\"{content}\"}}"),
    }
}

/// The right to pull, and the pass `task`.
pub(crate) async fn pull(store: &MongoStore, task: &str) -> (PullLease, SyncTaskId) {
    let lease = store.acquire_pull(&flow(), "puller", sec(0), sec(60)).await.unwrap().unwrap();
    let id = SyncTaskId::from_stored(task);
    let new = NewSyncTask { id: id.clone(), flow: flow(), cut_before: None, now: sec(0) };
    store.create_sync_task(new).await.unwrap();
    (lease, id)
}

pub(crate) fn batch(of: &(PullLease, SyncTaskId), entities: Vec<StageEntity>) -> StageBatch {
    StageBatch {
        lease: of.0.clone(),
        lease_until: sec(60),
        sync_task: NewSyncTask { id: of.1.clone(), flow: flow(), cut_before: None, now: sec(0) },
        entities,
        cut: None,
        now: sec(0).into(),
    }
}

pub(crate) async fn claim(store: &MongoStore, keys: Option<&[String]>) -> Result<Vec<Claimed>> {
    let claim = Claim {
        flow: &flow(),
        keys,
        limit: 100,
        owner: "worker",
        lease: Duration::from_secs(60),
        settle_delay: Duration::from_secs(20),
        now: sec(0).into(),
    };
    store.claim(claim).await
}

pub(crate) fn applied(claimed: &Claimed) -> Settlement {
    Settlement {
        key: claimed.key.clone(),
        token: claimed.token,
        rev: claimed.rev,
        reference: None,
        outcome: Outcome::Success { target_id: format!("for {}", claimed.key.id), note: String::new() },
    }
}
