//! What the tests of store files share, and the roles of the processes that they start.
#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use datawald_core::model::{Cut, EntityKey, Fingerprint, FlowId, Intent, SyncTaskId, Table};
use datawald_core::store::{NewSyncTask, PullLease, SqliteStore, StageBatch, StageEntity, StagingStore};
use jiff::{SignedDuration, Timestamp};

/// Tells a child which role it has.
const ROLE: &str = "DATAWALD_TEST_ROLE";
/// Tells a child where the store is.
const STORE: &str = "DATAWALD_TEST_STORE";
/// Entities in a batch of a child.
pub(crate) const SIZE: usize = 5;

pub(crate) fn flow() -> FlowId {
    FlowId::new(Table::Orders, "mage2")
}

pub(crate) fn start() -> Timestamp {
    Timestamp::from_second(1_767_225_600).unwrap()
}

pub(crate) fn pass() -> SyncTaskId {
    SyncTaskId::from_stored("pass of mage2")
}

pub(crate) fn entity(id: &str, raw: &str) -> StageEntity {
    StageEntity {
        id: id.to_owned(),
        name: format!("number {id}"),
        intent: Intent::Apply,
        source_status: "processing".into(),
        source_updated_at: None,
        fingerprint: Fingerprint::of(b"v1"),
        doc: "{}".into(),
        raw: raw.into(),
    }
}

/// Takes the right to pull and records a sync task.
pub(crate) async fn begin(store: &SqliteStore, flow: &FlowId) -> PullLease {
    let until = start() + SignedDuration::from_hours(1);
    let lease = store.acquire_pull(flow, "puller", start(), until).await.unwrap().unwrap();
    let task = NewSyncTask {
        id: SyncTaskId::from_stored(format!("pass of {}", flow.frontend)),
        flow: flow.clone(),
        cut_before: None,
        now: start(),
    };
    store.create_sync_task(task).await.unwrap();
    lease
}

pub(crate) fn batch(lease: &PullLease, entities: Vec<StageEntity>) -> StageBatch {
    StageBatch {
        lease: lease.clone(),
        lease_until: start() + SignedDuration::from_hours(1),
        sync_task: NewSyncTask {
            id: SyncTaskId::from_stored(format!("pass of {}", lease.flow.frontend)),
            flow: lease.flow.clone(),
            cut_before: None,
            now: start(),
        },
        entities,
        cut: None,
        now: start().into(),
    }
}

/// This test binary again, as a process of its own with a role.
pub(crate) fn child(role: &str, store: &Path) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "common::role", "--nocapture"]).env(ROLE, role).env(STORE, store);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::inherit());
    command
}

/// What a child does; nothing in a run of the tests.
#[test]
fn role() {
    let Ok(role) = std::env::var(ROLE) else { return };
    let path = PathBuf::from(std::env::var_os(STORE).unwrap());
    tell("child begins");
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        match role.split_once(' ').unwrap_or((role.as_str(), "")) {
            ("open", _) => tell(&format!("{:?}", SqliteStore::open(&path).unwrap_err())),
            ("fill", _) => fill(&path).await,
            ("pull", frontend) => pull(&path, frontend, usize::MAX).await,
            ("pull-some", frontend) => pull(&path, frontend, 30).await,
            (role, _) => panic!("no such role: {role}"),
        }
    });
}

fn tell(line: &str) {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").unwrap();
    out.flush().unwrap();
}

/// Stages until the disk is full, then shows that nothing is lost.
async fn fill(path: &Path) {
    let store = SqliteStore::open(path).unwrap();
    let lease = begin(&store, &flow()).await;
    let mut kept = 0_usize;
    let error = loop {
        match store.stage(batch(&lease, vec![entity(&kept.to_string(), &"r".repeat(50_000))])).await {
            Ok(_) => kept += 1,
            Err(error) => break error,
        }
        assert!(kept < 1_000, "the disk is never full");
    };
    tell(&format!("{error:?}"));
    for round in 0..2 {
        let store = if round == 0 { store.clone() } else { SqliteStore::open(path).unwrap() };
        for n in 0..=kept {
            let found = store.get(&EntityKey::new(&flow(), n.to_string())).await.unwrap();
            assert_eq!(found.is_some(), n < kept);
        }
        assert_eq!(store.sync_task_counts(&pass()).await.unwrap().new as usize, kept);
    }
    assert!(kept > 0);
    tell("all that was acknowledged is there");
}

/// Stages batch after batch and tells of each once it is acknowledged.
async fn pull(path: &Path, frontend: &str, batches: usize) {
    let store = SqliteStore::open(path).unwrap();
    let flow = FlowId::new(Table::Orders, frontend);
    let lease = begin(&store, &flow).await;
    let first = store.cut(&flow).await.unwrap().map_or(0, |cut| cut.offset as usize + 1);
    for n in (first..).take(batches) {
        let entities = (0..SIZE).map(|m| entity(&format!("{n}-{m}"), &"r".repeat(3_000))).collect();
        let cut = Some(Cut { cut_dt: start(), offset: n as u64 });
        store.stage(StageBatch { cut, ..batch(&lease, entities) }).await.unwrap();
        tell(&format!("staged {n}"));
    }
}
