//! One MongoDB server and one RabbitMQ node for everything that is measured, and what they and the machine do meanwhile.

use std::path::Path;
use std::time::Instant;

use datawald_tests::servers::{MongoServer, RabbitNode};
use mongodb::bson::{Bson, doc};
use mongodb::{Client, Database};

use crate::Failure;
use crate::proc::{self, Looks, Sampler};
use crate::sandboxes::Sandboxes;

/// The servers. They end when this is dropped.
pub(crate) struct Servers {
    mongodb: MongoServer,
    rabbitmq: RabbitNode,
    client: Client,
    mongodb_pid: u32,
    rabbitmq_pid: u32,
}

impl Servers {
    /// Starts both.
    pub(crate) async fn start() -> Result<Self, Failure> {
        let (mongodb, rabbitmq) = tokio::try_join!(MongoServer::start(), RabbitNode::start())?;
        let client = Client::with_uri_str(mongodb.uri()).await?;
        let (mongodb_pid, rabbitmq_pid) = (pid(mongodb.folder())?, pid(rabbitmq.folder())?);
        Ok(Self { mongodb, rabbitmq, client, mongodb_pid, rabbitmq_pid })
    }

    /// The program that is the MongoDB server.
    pub(crate) fn program(&self) -> &'static str {
        self.mongodb.program()
    }

    /// Where the MongoDB server is.
    pub(crate) fn mongodb_uri(&self) -> &str {
        self.mongodb.uri()
    }

    /// Where the RabbitMQ node is.
    pub(crate) fn amqp_url(&self) -> &str {
        self.rabbitmq.uri()
    }

    /// A database.
    pub(crate) fn database(&self, name: &str) -> Database {
        self.client.database(name)
    }

    /// The reads and writes that the MongoDB server has counted since it was started.
    pub(crate) async fn operations(&self) -> Result<f64, Failure> {
        let status = self.database("admin").run_command(doc! { "serverStatus": 1 }).await?;
        let counters = status.get_document("opcounters")?;
        let kinds = ["insert", "query", "update", "delete", "getmore"];
        Ok(kinds.iter().filter_map(|kind| counters.get(kind)).map(number).sum())
    }

    /// Whether the server counts the documents of an insert one by one, as mongod does, or the commands that bring them.
    pub(crate) async fn counts_documents(&self) -> Result<bool, Failure> {
        let database = self.database("bench_counters");
        let before = self.operations().await?;
        database.run_command(doc! { "insert": "two", "documents": [{ "_id": 1 }, { "_id": 2 }] }).await?;
        let counted = self.operations().await? - before;
        database.drop().await?;
        Ok(counted > 1.5)
    }

    /// Begins to measure what the servers do; the sandboxes too, where there are some.
    pub(crate) fn watch<'a>(&'a self, sandboxes: Option<&'a Sandboxes>) -> Watch<'a> {
        let looks = proc::watch(self.mongodb_pid);
        Watch { servers: self, sandboxes, begun: Instant::now(), before: self.so_far(sandboxes), looks }
    }

    fn so_far(&self, sandboxes: Option<&Sandboxes>) -> Times {
        let (machine, capacity) = proc::machine();
        let pids = sandboxes.map(Sandboxes::pids).unwrap_or_default();
        Times {
            mongodb: proc::cpu_seconds(self.mongodb_pid),
            rabbitmq: proc::cpu_seconds_of_tree(self.rabbitmq_pid),
            sandboxes: pids.into_iter().map(proc::cpu_seconds).sum(),
            machine,
            capacity,
        }
    }
}

/// The processor times until now.
struct Times {
    mongodb: f64,
    rabbitmq: f64,
    sandboxes: f64,
    machine: f64,
    capacity: f64,
}

/// A measurement that goes on.
pub(crate) struct Watch<'a> {
    servers: &'a Servers,
    sandboxes: Option<&'a Sandboxes>,
    begun: Instant,
    before: Times,
    looks: Sampler<Looks>,
}

/// What the servers and the machine did in a span of time.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Load {
    /// Its length in seconds.
    pub(crate) seconds: f64,
    /// Processor seconds of the MongoDB server.
    pub(crate) mongodb: f64,
    /// Processor seconds of the RabbitMQ node.
    pub(crate) rabbitmq: f64,
    /// Processor seconds of the sandboxes.
    pub(crate) sandboxes: f64,
    /// Processor seconds of everything on the machine.
    pub(crate) machine: f64,
    /// Processor seconds that the machine had to give.
    pub(crate) capacity: f64,
}

impl Watch<'_> {
    /// Ends it: what everything did, and the MongoDB server from moment to moment.
    pub(crate) fn end(self) -> Result<(Load, Looks), Failure> {
        let (now, before) = (self.servers.so_far(self.sandboxes), self.before);
        let seconds = self.begun.elapsed().as_secs_f64();
        let load = Load {
            seconds,
            mongodb: now.mongodb - before.mongodb,
            rabbitmq: now.rabbitmq - before.rabbitmq,
            sandboxes: now.sandboxes - before.sandboxes,
            machine: now.machine - before.machine,
            capacity: now.capacity - before.capacity,
        };
        Ok((load, self.looks.end()?))
    }
}

/// The process that a server's folder names.
fn pid(folder: &Path) -> Result<u32, Failure> {
    let file = folder.join("pid");
    let text = std::fs::read_to_string(&file).map_err(|error| format!("{}: {error}", file.display()))?;
    text.trim().parse().map_err(|_| format!("{} names no process", file.display()).into())
}

/// A count, however the server writes it.
pub(crate) fn number(value: &Bson) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "a count of what happens in minutes")]
    match value {
        Bson::Int32(n) => f64::from(*n),
        Bson::Int64(n) => *n as f64,
        Bson::Double(n) => *n,
        _ => 0.0,
    }
}
