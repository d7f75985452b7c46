//! Random histories: the two stores answer alike.
#![cfg(all(feature = "sqlite", feature = "mongodb"))]
#![allow(clippy::unwrap_used, reason = "helpers of tests: a failure is a panic")]

use std::time::Duration;

use datawald_core::Now;
use datawald_core::model::{Cut, EntityKey, Fingerprint, FlowId, Intent, SyncStatus, SyncTaskId, Table, TxStatus};
use datawald_core::store::{
    Binding, Claim, Claimed, EntityFilter, Expired, NewSyncTask, Outcome, PullLease, Push, Settlement, SqliteStore,
    StageBatch, StageEntity, StagingStore, SyncTaskFilter,
};
use jiff::Timestamp;
use proptest::prelude::*;

mod servers;

const FLOWS: usize = 2;
const KEYS: usize = 5;
/// These are staged to begin with, and may take each other's names. The others keep their own: secantusd-rs, unlike mongod,
/// keeps a name that was given back from whatever is inserted.
const NAMED: usize = 3;
const TASKS: usize = 3;

/// One call of the store. Numbers choose among what there is when it is made.
#[derive(Debug, Clone)]
enum Step {
    Wait(i64),
    Acquire { flow: usize, owner: usize, seconds: i64 },
    ReleasePull { lease: usize },
    Stage { lease: usize, task: usize, entities: Vec<Staged>, cut: Option<(i64, u64)> },
    Push { flow: usize, entities: Vec<(Staged, Option<u64>)> },
    Claim { flow: usize, keys: Option<Vec<usize>>, limit: usize, lease: u64, settle_delay: u64 },
    Renew { claims: Vec<usize>, seconds: i64 },
    Bind { bindings: Vec<(usize, usize, Option<usize>)> },
    Settle { settlements: Vec<(usize, usize, i64, Option<usize>)> },
    SetCut { flow: usize, cut: Option<(i64, u64)> },
    CreateTask { flow: usize, task: usize },
    FinishPull { task: usize },
    CloseTask { task: usize, status: usize },
    DeleteTask { task: usize },
    Resync { flow: usize, key: usize },
    ResyncTask { task: usize },
    ResyncFailed { flow: usize },
    Prune { flow: usize, kept: i64, limit: usize },
    Erase { flow: usize, key: usize },
}

/// Key, name, content, source status and intent.
type Staged = (usize, usize, usize, usize, usize);

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let cut = || proptest::option::of((-3_i64..4, 0_u64..3));
    let entity = || (0..KEYS, 0_usize..10, 0_usize..3, 0_usize..2, 0_usize..6);
    let step = prop_oneof![
        4 => (1_i64..40).prop_map(Step::Wait),
        2 => (0..FLOWS, 0_usize..2, 1_i64..90)
            .prop_map(|(flow, owner, seconds)| Step::Acquire { flow, owner, seconds }),
        1 => (0_usize..9).prop_map(|lease| Step::ReleasePull { lease }),
        10 => (0_usize..9, 0..TASKS, proptest::collection::vec(entity(), 0..5), cut())
            .prop_map(|(lease, task, entities, cut)| Step::Stage { lease, task, entities, cut }),
        2 => (0..FLOWS, proptest::collection::vec((entity(), proptest::option::of(0_u64..3)), 0..4))
            .prop_map(|(flow, entities)| Step::Push { flow, entities }),
        8 => (0..FLOWS, proptest::option::of(proptest::collection::vec(0..KEYS, 0..5)), 0_usize..4, 1_u64..30, 0_u64..20)
            .prop_map(|(flow, keys, limit, lease, settle_delay)| Step::Claim { flow, keys, limit, lease, settle_delay }),
        2 => (proptest::collection::vec(0_usize..9, 0..3), 1_i64..60)
            .prop_map(|(claims, seconds)| Step::Renew { claims, seconds }),
        3 => proptest::collection::vec((0_usize..9, 0_usize..3, proptest::option::of(0_usize..2)), 0..4)
            .prop_map(|bindings| Step::Bind { bindings }),
        8 => proptest::collection::vec((0_usize..9, 0_usize..9, 0_i64..30, proptest::option::of(0_usize..3)), 0..4)
            .prop_map(|settlements| Step::Settle { settlements }),
        1 => (0..FLOWS, cut()).prop_map(|(flow, cut)| Step::SetCut { flow, cut }),
        3 => (0..FLOWS, 0..TASKS).prop_map(|(flow, task)| Step::CreateTask { flow, task }),
        1 => (0..TASKS).prop_map(|task| Step::FinishPull { task }),
        1 => (0..TASKS, 0_usize..4).prop_map(|(task, status)| Step::CloseTask { task, status }),
        1 => (0..TASKS).prop_map(|task| Step::DeleteTask { task }),
        3 => (0..FLOWS, 0..KEYS).prop_map(|(flow, key)| Step::Resync { flow, key }),
        2 => (0..TASKS).prop_map(|task| Step::ResyncTask { task }),
        1 => (0..FLOWS).prop_map(|flow| Step::ResyncFailed { flow }),
        2 => (0..FLOWS, 0..KEYS).prop_map(|(flow, key)| Step::Erase { flow, key }),
        2 => (0..FLOWS, 0_i64..60, 1_usize..4).prop_map(|(flow, kept, limit)| Step::Prune { flow, kept, limit }),
    ];
    proptest::collection::vec(step, 20..60)
}

fn flow(n: usize) -> FlowId {
    FlowId::new(Table::Orders, format!("shop {n}"))
}

fn task(n: usize) -> SyncTaskId {
    SyncTaskId::from_stored(format!("task {n}"))
}

/// Times are counted from here, in seconds.
fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_767_225_600 + seconds).unwrap()
}

/// The wall clock shows another time than the store's, so that none is taken for the other.
fn now(seconds: i64) -> Now {
    Now { wall: at(seconds + 1_000_000), store: at(seconds) }
}

fn cut(cut: Option<(i64, u64)>) -> Option<Cut> {
    cut.map(|(seconds, offset)| Cut { cut_dt: at(seconds), offset })
}

/// Mostly what it is called is its own; else another's, or nothing.
fn name(key: usize, n: usize) -> String {
    match n {
        6..=8 if key < NAMED => format!("number {}", n - 6),
        9 if key < NAMED => String::new(),
        _ => format!("number {key}"),
    }
}

fn staged((key, name_of, content, source_status, intent): Staged) -> StageEntity {
    let intent = match intent {
        0..=2 => Intent::Apply,
        3 => Intent::Cancel,
        4 => Intent::Ignore(format!("ignored {content}")),
        _ => Intent::Reject(format!("rejected {content}")),
    };
    StageEntity {
        id: format!("key {key}"),
        name: name(key, name_of),
        intent,
        source_status: format!("status {source_status}"),
        source_updated_at: (content > 0).then(|| at(content as i64)),
        fingerprint: Fingerprint::of(format!("{content} {name_of}").as_bytes()),
        doc: format!("doc {content}"),
        raw: format!("raw {content} {source_status}"),
    }
}

fn outcome(kind: usize, at: Timestamp) -> Outcome {
    let note = format!("outcome {kind}");
    match kind {
        0 | 1 => Outcome::Success { target_id: format!("target {kind}"), note },
        2 => Outcome::Cancelled { target_id: None, note },
        3 => Outcome::Ignored { note },
        4 => Outcome::Failed { note, class: "refused".into() },
        5 => Outcome::Retry { at, note },
        6 | 7 => Outcome::InDoubt { until: at, missed: kind == 7, note },
        _ => Outcome::Release,
    }
}

/// A run of one history: what the calls have given so far, which later steps choose from.
struct Run<'a> {
    store: &'a dyn StagingStore,
    seconds: i64,
    leases: Vec<PullLease>,
    claims: Vec<Claimed>,
}

impl<'a> Run<'a> {
    fn new(store: &'a dyn StagingStore) -> Self {
        Self { store, seconds: 0, leases: Vec::new(), claims: Vec::new() }
    }

    /// Makes a call and tells its answer as text.
    async fn step(&mut self, step: &Step) -> String {
        let (store, now) = (self.store, now(self.seconds));
        let recent = |n: usize, len: usize| if len == 0 { None } else { Some(len - 1 - n % len.min(4)) };
        match step.clone() {
            Step::Wait(seconds) => {
                self.seconds += seconds;
                String::new()
            }
            Step::Acquire { flow: of, owner, seconds } => {
                let until = at(self.seconds + seconds);
                let lease = store.acquire_pull(&flow(of), &format!("owner {owner}"), now.store, until).await.unwrap();
                self.leases.extend(lease.clone());
                format!("{lease:?}")
            }
            Step::ReleasePull { lease } => {
                if let Some(n) = recent(lease, self.leases.len()) {
                    store.release_pull(&self.leases[n]).await.unwrap();
                }
                String::new()
            }
            Step::Stage { lease, task: id, entities, cut: to } => {
                let Some(n) = recent(lease, self.leases.len()) else { return String::new() };
                let batch = StageBatch {
                    lease: self.leases[n].clone(),
                    lease_until: at(self.seconds + 60),
                    sync_task: NewSyncTask {
                        id: task(id),
                        flow: self.leases[n].flow.clone(),
                        cut_before: None,
                        now: now.wall,
                    },
                    entities: entities.into_iter().map(staged).collect(),
                    cut: cut(to),
                    now,
                };
                let staged = store.stage(batch).await;
                format!("{:?}", staged.map_err(|error| error.kind()))
            }
            Step::Push { flow: of, entities } => {
                let push = |(entity, if_rev)| Push { entity: staged(entity), if_rev };
                let pushed = store.push(&flow(of), entities.into_iter().map(push).collect(), now).await;
                format!("{:?}", pushed.map_err(|error| error.kind()))
            }
            Step::Claim { flow: of, keys, limit, lease, settle_delay } => {
                let keys: Option<Vec<_>> = keys.map(|keys| keys.iter().map(|key| format!("key {key}")).collect());
                let claim = Claim {
                    flow: &flow(of),
                    keys: keys.as_deref(),
                    limit,
                    owner: "worker",
                    lease: Duration::from_secs(lease),
                    settle_delay: Duration::from_secs(settle_delay),
                    now,
                };
                let claimed = store.claim(claim).await.unwrap();
                self.claims.extend(claimed.clone());
                let told: Vec<_> = claimed
                    .iter()
                    .map(|c| {
                        let more = serde_json::to_string(c).unwrap();
                        format!("{c:?} {more}")
                    })
                    .collect();
                told.join("\n")
            }
            Step::Renew { claims, seconds } => {
                let leases: Vec<_> = claims
                    .iter()
                    .filter_map(|n| recent(*n, self.claims.len()))
                    .map(|n| (self.claims[n].key.clone(), self.claims[n].token))
                    .collect();
                let until = at(self.seconds + seconds);
                format!("{:?}", store.renew(&leases, until, at(self.seconds + seconds + 5)).await.unwrap())
            }
            Step::Bind { bindings } => {
                let bindings = bindings
                    .iter()
                    .filter_map(|(n, reference, target)| {
                        let claim = &self.claims[recent(*n, self.claims.len())?];
                        Some(Binding {
                            key: claim.key.clone(),
                            token: claim.token,
                            reference: format!("reference {reference}"),
                            target_id: target.map(|n| format!("target {n}")),
                        })
                    })
                    .collect();
                format!("{:?}", store.bind(bindings).await.unwrap())
            }
            Step::Settle { settlements } => {
                let settlements = settlements
                    .iter()
                    .filter_map(|(n, kind, seconds, reference)| {
                        let claim = &self.claims[recent(*n, self.claims.len())?];
                        Some(Settlement {
                            key: claim.key.clone(),
                            token: claim.token,
                            rev: claim.rev,
                            reference: reference.map(|n| format!("reference {n}")),
                            outcome: outcome(*kind, at(self.seconds + seconds)),
                        })
                    })
                    .collect();
                format!("{:?}", store.settle(now, settlements).await.unwrap())
            }
            Step::SetCut { flow: of, cut: to } => {
                store.set_cut(&flow(of), cut(to)).await.unwrap();
                String::new()
            }
            Step::CreateTask { flow: of, task: id } => {
                let new = NewSyncTask { id: task(id), flow: flow(of), cut_before: None, now: now.wall };
                format!("{:?}", store.create_sync_task(new).await.map_err(|error| error.kind()))
            }
            Step::FinishPull { task: id } => {
                store.finish_pull(&task(id), now.wall).await.unwrap();
                String::new()
            }
            Step::CloseTask { task: id, status } => {
                let statuses =
                    [SyncStatus::Completed, SyncStatus::Fail, SyncStatus::Incompleted, SyncStatus::Processing];
                format!("{}", store.close_sync_task(&task(id), statuses[status], "closed", now.wall).await.unwrap())
            }
            Step::DeleteTask { task: id } => format!("{}", store.delete_sync_task(&task(id)).await.unwrap()),
            Step::Resync { flow: of, key } => {
                let key = EntityKey::new(&flow(of), format!("key {key}"));
                format!("{:?}", store.resync(&key, now).await.map_err(|error| error.kind()))
            }
            Step::ResyncFailed { flow: of } => format!("{}", store.resync_failed(&flow(of), None, now).await.unwrap()),
            Step::Erase { flow: of, key } => {
                let erased = store.erase(&EntityKey::new(&flow(of), format!("key {key}")), now.wall).await;
                format!("{:?}", erased.map_err(|error| error.to_string()))
            }
            Step::Prune { flow: of, kept, limit } => {
                let before = Some(at(self.seconds + 1_000_000 - kept));
                let expired = Expired { runs: before, versions: before, raw: before };
                // What counts as one thing differs; what is gone in the end does not.
                while store.prune(&flow(of), &expired, limit).await.unwrap() > 0 {}
                String::new()
            }
            Step::ResyncTask { task: id } => format!("{}", store.resync_task(&task(id), now).await.unwrap()),
        }
    }

    /// All that can be read, as text.
    async fn look(&self) -> String {
        let (store, now) = (self.store, at(self.seconds));
        let mut text = String::new();
        let mut filters: Vec<_> = (0..TASKS)
            .map(|n| EntityFilter { sync_task: Some(task(n)), limit: 3, ..EntityFilter::default() })
            .collect();
        filters.push(EntityFilter { limit: 3, ..EntityFilter::default() });
        filters.push(EntityFilter { flow: Some(flow(1)), statuses: TxStatus::ALL[..4].to_vec(), ..filters[3].clone() });
        for mut filter in filters {
            loop {
                let page = store.list(&filter).await.unwrap();
                for entity in page.items {
                    text.push_str(&serde_json::to_string(&entity).unwrap());
                    for version in store.history(&entity.key).await.unwrap() {
                        text.push_str(&serde_json::to_string(&version).unwrap());
                    }
                    text.push('\n');
                }
                let Some(next) = page.next else { break };
                filter.after = Some(next);
            }
        }
        for n in 0..FLOWS {
            let (cut, due) = (store.cut(&flow(n)).await.unwrap(), store.due(&flow(n), now, 3).await.unwrap());
            text.push_str(&format!("{cut:?} {due:?} {:?}\n", store.next_due(&flow(n)).await.unwrap()));
        }
        for (of, key) in (0..FLOWS).flat_map(|of| (0..KEYS).map(move |key| (of, key))) {
            text.push_str(&format!("{:?}\n", store.named(&flow(of), &name(key, 0)).await.unwrap()));
        }
        for n in 0..TASKS {
            let (found, counts) = (store.sync_task(&task(n)).await, store.sync_task_counts(&task(n)).await);
            text.push_str(&format!("{:?} {:?}\n", found.unwrap(), counts.unwrap()));
        }
        let tasks = store.list_sync_tasks(&SyncTaskFilter { limit: 2, ..SyncTaskFilter::default() }).await.unwrap();
        text.push_str(&format!("{:?} {}\n", tasks.items, tasks.next.is_some()));
        text
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 20, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_two_stores_answer_alike(steps in steps()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let sqlite = SqliteStore::in_memory().unwrap();
            let (mongo, _database) = servers::mongo_store().await;
            let (mut one, mut other) = (Run::new(&sqlite), Run::new(&mongo));
            // Something to begin with, so that few histories are spent on refusals.
            for run in [&mut one, &mut other] {
                for n in 0..FLOWS {
                    run.step(&Step::CreateTask { flow: n, task: n }).await;
                    run.step(&Step::Acquire { flow: n, owner: 0, seconds: 600 }).await;
                    let entities = (0..NAMED).map(|key| ((key, 0, 0, 0, 0), None)).collect();
                    run.step(&Step::Push { flow: n, entities }).await;
                }
            }
            for (n, step) in steps.iter().enumerate() {
                let (embedded, shared) = (one.step(step).await, other.step(step).await);
                prop_assert_eq!(embedded, shared, "SQLite, then MongoDB, answer to step {} {:?}", n, step);
                // Not after each, since a look is many reads.
                if n % 20 == 19 || n + 1 == steps.len() {
                    let (embedded, shared) = (one.look().await, other.look().await);
                    prop_assert_eq!(embedded, shared, "SQLite, then MongoDB, after step {} {:?}", n, step);
                }
            }
            Ok(())
        })?;
    }
}
