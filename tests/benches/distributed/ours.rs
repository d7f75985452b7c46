//! Our side: `orders_sync` as processes, a frontend and workers, or one process that is both.

use std::path::Path;
use std::process::Stdio;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use datawald_tests::example;
use mongodb::bson::{Document, doc};
use rustix::process::{Pid, Signal, kill_process};
use sapb1_connector::sandbox::LOGIN;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::Failure;
use crate::figures::Turn;
use crate::proc;
use crate::sandboxes::{MAGENTO_TOKEN, Sandboxes};
use crate::servers::{Servers, number};

/// After so long a run has failed.
const LIMIT: Duration = Duration::from_secs(180);

/// How it is run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Plan {
    /// Worker processes beside the frontend; none means one process for everything.
    pub(crate) workers: usize,
    /// Orders per insert into SAP B1, and requests to it at the same time, if not the defaults.
    pub(crate) batch_and_concurrency: Option<(usize, usize)>,
}

/// What came of it, and the database that it used.
pub(crate) struct Run {
    pub(crate) turn: Turn,
    pub(crate) database: String,
    pub(crate) shop: String,
}

/// Runs it once, on a database of its own, and checks every outcome.
pub(crate) async fn run(servers: &Servers, sandboxes: &Sandboxes, plan: Plan) -> Result<Run, Failure> {
    static RUNS: AtomicU32 = AtomicU32::new(1);
    let name = format!("bench_{}", RUNS.fetch_add(1, Ordering::Relaxed));
    let folder = tempfile::tempdir()?;
    let setting = Setting { servers, sandboxes, plan, name: &name, folder: folder.path() };
    let turn = tokio::time::timeout(LIMIT, setting.run());
    let turn = turn.await.map_err(|_| format!("orders_sync has not ended after {LIMIT:?}"))??;
    Ok(Run { turn, database: name.clone(), shop: name })
}

struct Setting<'a> {
    servers: &'a Servers,
    sandboxes: &'a Sandboxes,
    plan: Plan,
    /// Of the database and of the shop, by which queues are named.
    name: &'a str,
    folder: &'a Path,
}

impl Setting<'_> {
    async fn run(&self) -> Result<Turn, Failure> {
        let mut workers = Vec::new();
        for number in 1..=self.plan.workers {
            workers.push(self.worker(&format!("worker-{number}.json")).await?);
        }
        let role = if workers.is_empty() { "all" } else { "frontend" };
        let (operations, requests) = (self.servers.operations().await?, self.sandboxes.b1_requests().await?);
        let watch = self.servers.watch(Some(self.sandboxes));
        let mut frontend = self.command(role, "frontend.json").stdout(Stdio::null()).spawn()?;
        let pids = workers.iter().chain([&frontend]).filter_map(Child::id).collect();
        let memory = proc::watch_memory(pids);
        let ended = frontend.wait().await?;
        let (load, looks) = watch.end()?;
        let memory = memory.end()?;
        if !ended.success() {
            return Err(format!("orders_sync --role {role} failed ({ended})").into());
        }
        let operations = self.servers.operations().await? - operations;
        for worker in &mut workers {
            stop(worker).await?;
        }
        let reports = std::iter::once("frontend.json".to_owned());
        let reports = reports.chain((1..=self.plan.workers).map(|number| format!("worker-{number}.json")));
        let reports = reports.map(|file| self.report(&file)).collect::<Result<Vec<_>, _>>()?;
        let sum = |name: &str| reports.iter().filter_map(|report| report["run"][name].as_f64()).sum::<f64>();
        let frontend = reports.first().ok_or("there is no report")?;
        self.check(frontend).await?;
        let stored = self.stored().await?;
        Ok(Turn {
            orders: self.sandboxes.orders(),
            seconds: frontend["run"]["seconds"].as_f64().unwrap_or(f64::NAN),
            applied_seconds: Some(stored.seconds()),
            cpu_seconds: sum("cpu_seconds"),
            memory_kib: memory,
            operations,
            commands: Some(sum("store_commands")),
            document_writes: Some(stored.document_writes),
            b1_requests: self.sandboxes.b1_requests().await? - requests,
            load,
            applying: looks.within(stored.from, stored.to),
        })
    }

    fn command(&self, role: &str, report: &str) -> Command {
        let mut command = Command::new(example("orders_sync"));
        let (user, password) = LOGIN;
        command.env("DATAWALD_STORE", format!("{}/{}", self.servers.mongodb_uri(), self.name));
        command.env("DATAWALD_QUEUE", self.servers.amqp_url());
        command.args(["--role", role, "--shop", self.name, "--report"]).arg(self.folder.join(report));
        if role != "worker" {
            command.args(["--magento", self.sandboxes.magento(), "--magento-token", MAGENTO_TOKEN]);
        }
        if role != "frontend" {
            command.env("B1_PASSWORD", password).args(["--b1", self.sandboxes.b1(), "--b1-user", user]);
        }
        if let Some((batch, concurrency)) = self.plan.batch_and_concurrency {
            command.args(["--batch", &batch.to_string(), "--concurrency", &concurrency.to_string()]);
        }
        command.stdin(Stdio::null()).kill_on_drop(true);
        command
    }

    /// A worker that is at work.
    async fn worker(&self, report: &str) -> Result<Child, Failure> {
        let mut worker = self.command("worker", report).stdout(Stdio::piped()).spawn()?;
        let output = worker.stdout.take().ok_or("a worker has no output")?;
        let mut lines = BufReader::new(output).lines();
        while let Some(line) = lines.next_line().await? {
            if line.starts_with("working") {
                // What it prints in the end must not meet a closed pipe.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Ok(worker);
            }
        }
        Err("a worker ended before it was at work".into())
    }

    fn report(&self, file: &str) -> Result<Value, Failure> {
        let text = std::fs::read(self.folder.join(file)).map_err(|error| format!("the report {file}: {error}"))?;
        Ok(serde_json::from_slice(&text)?)
    }

    /// That every order is applied, once.
    async fn check(&self, report: &Value) -> Result<(), Failure> {
        let orders = report["orders"].as_array().map(Vec::as_slice).unwrap_or_default();
        if let Some(other) = orders.iter().find(|order| order["tx_status"] != "S") {
            return Err(format!("an order did not go through: {other}").into());
        }
        if orders.len() as u64 != self.sandboxes.orders() {
            return Err(format!("{} of {} orders were staged", orders.len(), self.sandboxes.orders()).into());
        }
        self.sandboxes.check_documents().await
    }

    /// What the database tells of the run.
    async fn stored(&self) -> Result<Stored, Failure> {
        let database = self.servers.database(self.name);
        let group = doc! {
            "$group": { "_id": null, "entities": { "$sum": 1 }, "leases": { "$sum": "$token" }, "last": { "$max": "$updated_at" } },
        };
        let mut sums = database.collection::<Document>("entities").aggregate([group]).await?;
        let task = database.collection::<Document>("sync_tasks").find_one(doc! {}).await?;
        let task = task.ok_or("no sync task was recorded")?;
        if !sums.advance().await? {
            return Err("nothing was staged".into());
        }
        let sums = sums.deserialize_current()?;
        let sum = |name: &str| sums.get(name).map_or(0.0, number);
        Ok(Stored {
            document_writes: sum("entities") + 2.0 * sum("leases"),
            from: task.get_datetime("started_at")?.timestamp_millis(),
            to: sums.get_datetime("last")?.timestamp_millis(),
        })
    }
}

/// What the database tells of a run.
struct Stored {
    /// How often documents of entities were written: each once to stage it, and per lease (which `token` counts) once for that
    /// and once for its outcome.
    document_writes: f64,
    /// When the pull started, and when the last outcome was stored; in milliseconds since 1970.
    from: i64,
    to: i64,
}

impl Stored {
    fn seconds(&self) -> f64 {
        f64::from(u32::try_from(self.to - self.from).unwrap_or_default()) / 1_000.0
    }
}

/// Tells a worker to stop and waits until it has.
async fn stop(worker: &mut Child) -> Result<(), Failure> {
    if let Some(pid) = worker.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?)) {
        kill_process(pid, Signal::TERM)?;
    }
    let ended = worker.wait().await?;
    if ended.success() { Ok(()) } else { Err(format!("a worker failed ({ended})").into()) }
}
