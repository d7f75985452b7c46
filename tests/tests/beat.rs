//! Three hosts of the scheduler, their clocks two seconds ahead, right and two seconds behind; the leader is killed with
//! `kill -9` eight times. Every tick has one run, done once, or is counted as missed by the run that made up for it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use datawald_core::SystemClock;
use datawald_core::model::SyncStatus;
use datawald_core::schedule::{Run, RunOutcome, ScheduleControl, ScheduleState};
use datawald_core::store::{MongoSettings, MongoStore, SqliteStore, StagingStore, SyncTaskFilter};
use datawald_tests::servers::{in_database, shared_mongodb_uri};
use rustix::process::{Pid, Signal, kill_process};

const PERIOD_MS: i64 = 200;
const JOB_MS: i64 = 60;
const KILLS: u64 = 8;
const RUNS: u64 = 80;
/// How far the hosts' clocks are ahead, in milliseconds.
const CLOCKS: [i64; 3] = [2_000, 0, -2_000];
/// The whole run ends within this. It takes half a minute where processes start at once.
const LIMIT: Duration = Duration::from_secs(480);

/// A host; killed when dropped. What it tells goes to a file.
struct Host {
    child: Child,
    ahead_ms: i64,
}

impl Host {
    fn start(folder: &Path, store: &str, ahead_ms: i64) -> Self {
        let log = File::options().create(true).append(true).open(folder.join(format!("log{ahead_ms}"))).unwrap();
        let child = Command::new(env!("CARGO_BIN_EXE_beat"))
            .args(["--store", store, "--ahead-ms", &ahead_ms.to_string()])
            .args(["--period-ms", &PERIOD_MS.to_string(), "--job-ms", &JOB_MS.to_string()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        Self { child, ahead_ms }
    }

    fn is_alive(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

struct World {
    folder: tempfile::TempDir,
    uri: String,
    store: Arc<dyn StagingStore>,
    control: ScheduleControl,
    started: Instant,
}

impl World {
    fn new(folder: tempfile::TempDir, uri: String, store: Arc<dyn StagingStore>) -> Self {
        let control = ScheduleControl::new(store.clone(), Arc::new(SystemClock));
        Self { folder, uri, store, control, started: Instant::now() }
    }

    fn host(&self, ahead_ms: i64) -> Host {
        Host::start(self.folder.path(), &self.uri, ahead_ms)
    }

    fn logs(&self) -> String {
        let log = |ahead: i64| std::fs::read_to_string(self.folder.path().join(format!("log{ahead}")));
        CLOCKS.iter().map(|ahead| log(*ahead).unwrap_or_default()).collect::<Vec<_>>().join("\n---\n")
    }

    async fn until(&self, what: &str, is: impl Fn(&ScheduleState) -> bool) -> ScheduleState {
        loop {
            let state = self.control.get("beat").await.ok();
            if let Some(state) = state.as_ref().filter(|state| is(state)) {
                return state.clone();
            }
            assert!(self.started.elapsed() < LIMIT, "not within {LIMIT:?}: {what}: {state:?}\n{}", self.logs());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Which of the hosts leads.
    async fn leader(&self, hosts: &mut [Host]) -> usize {
        loop {
            if let Some(leader) = self.control.leader().await.unwrap() {
                let is = |host: &mut Host| leader.owner.starts_with(&format!("{}-", host.child.id()));
                if let Some(at) = hosts.iter_mut().position(is) {
                    return at;
                }
            }
            assert!(self.started.elapsed() < LIMIT, "nobody leads within {LIMIT:?}:\n{}", self.logs());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    async fn run(&self) {
        let mut hosts: Vec<Host> = CLOCKS.iter().map(|ahead| self.host(*ahead)).collect();
        let mut ended = 0;
        for kill in 0..KILLS {
            // The leader has led for some runs; every second time, it is in the midst of one.
            let before = ended;
            let led = self.until("a leader runs", |state| {
                let ended = state.runs - u64::from(state.running.is_some());
                ended >= before + 3 && (kill % 2 == 0 || state.running.is_some())
            });
            ended = led.await.runs;
            for host in &mut hosts {
                assert!(host.is_alive(), "a host died of its own:\n{}", self.logs());
            }
            let leader = self.leader(&mut hosts).await;
            let mut killed = hosts.remove(leader);
            killed.child.kill().unwrap();
            killed.child.wait().unwrap();
            hosts.push(self.host(killed.ahead_ms));
        }
        let killing = self.started.elapsed();
        self.until("the last runs", |state| state.runs >= RUNS.max(ended + 5)).await;
        for host in &hosts {
            kill_process(Pid::from_child(&host.child), Signal::TERM).unwrap();
        }
        for host in &mut hosts {
            assert!(host.child.wait().unwrap().success(), "{}", self.logs());
        }
        self.check(killing).await;
    }

    /// Every tick is accounted for, exactly once.
    async fn check(&self, killing: Duration) {
        let wrong = self.store.records("beat/wrong/").await.unwrap();
        assert!(wrong.is_empty(), "{:?}", wrong.iter().map(|record| &record.value).collect::<Vec<_>>());
        let state = self.control.get("beat").await.unwrap();
        assert_eq!(state.running, None, "a run was left: {}", self.logs());
        let leader = self.control.leader().await.unwrap().unwrap();
        assert!(leader.term > KILLS, "{leader:?}");
        assert!(state.last_runs.iter().all(|run| run.outcome == RunOutcome::Done), "{state:?}");

        let mut tasks = Vec::new();
        let mut filter = SyncTaskFilter { limit: 1_000, ..SyncTaskFilter::default() };
        loop {
            let page = self.store.list_sync_tasks(&filter).await.unwrap();
            tasks.extend(page.items);
            match page.next {
                Some(next) => filter.after = Some(next),
                None => break,
            }
        }
        tasks.reverse();
        assert_eq!(tasks.len() as u64, state.runs, "sync tasks and runs");
        let mut missed = 0;
        let mut before: Option<i64> = None;
        for task in &tasks {
            let tick = task.started_at.as_millisecond();
            assert_eq!(tick % PERIOD_MS, 0, "{task:?}");
            assert_eq!(task.id, Run::of("beat", task.started_at).id);
            assert_eq!((task.status, task.pulled), (SyncStatus::Completed, true), "{task:?}");
            let made_up: i64 = task.note.strip_prefix("missed ").unwrap().parse().unwrap();
            if let Some(before) = before {
                assert_eq!(tick - before, (made_up + 1) * PERIOD_MS, "ticks before {task:?}");
            }
            missed += u64::try_from(made_up).unwrap();
            before = Some(tick);
        }
        let last = tasks.last().unwrap().started_at;
        assert_eq!((state.missed, state.last_tick, state.accounted_to), (missed, Some(last), last));
        let begun = self.store.records("beat/begun/").await.unwrap().len();
        assert!(begun > tasks.len(), "no run was taken up: {begun} attempts");
        println!(
            "{} ticks: {} runs in {begun} attempts, {missed} made up for; {KILLS} leaders killed within {killing:?}, all in {:?}",
            state.runs + missed,
            state.runs,
            self.started.elapsed()
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_tick_is_run_once_over_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("staging.db");
    let store = Arc::new(SqliteStore::open(&path).unwrap());
    World::new(folder, format!("sqlite:{}", path.display()), store).run().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_tick_is_run_once_over_mongodb() {
    let name = format!("beat-{}", uuid::Uuid::now_v7().simple());
    let uri = in_database(&shared_mongodb_uri().unwrap(), &name);
    let store = Arc::new(MongoStore::connect(MongoSettings::new(&uri)).await.unwrap());
    World::new(tempfile::tempdir().unwrap(), uri, store).run().await;
}
