//! Where orders are staged and how tasks travel, as the command line names them.

use std::path::PathBuf;
use std::sync::Arc;

use datawald_core::queue::{InProcessQueue, RabbitQueue, RabbitSettings, TaskQueue};
use datawald_core::store::{MongoSettings, MongoStore, SqliteStore, StagingStore};
use datawald_core::{Disposition, Error, Result};

use crate::args::Args;

/// The store and the queue.
pub(crate) struct Backends {
    /// Where orders are staged.
    pub(crate) store: Arc<dyn StagingStore>,
    /// How tasks travel.
    pub(crate) queue: Arc<dyn TaskQueue>,
    /// Where the store is, for people.
    pub(crate) place: String,
    mongodb: Option<MongoStore>,
    rabbitmq: Option<RabbitQueue>,
}

impl Backends {
    /// Opens both.
    pub(crate) async fn open(args: &Args) -> Result<Self> {
        let (store, place, mongodb) = store(args.store.as_deref()).await?;
        let rabbitmq = match args.queue.as_deref() {
            None => None,
            Some(uri) if uri.starts_with("amqp://") || uri.starts_with("amqps://") => Some(rabbitmq(uri, args).await?),
            Some(_) => return Err(wrong("--queue", "a queue is written as amqp://host or amqps://host")),
        };
        let queue: Arc<dyn TaskQueue> = match &rabbitmq {
            Some(queue) => Arc::new(queue.clone()),
            None => Arc::new(InProcessQueue::default()),
        };
        Ok(Self { store, queue, place, mongodb, rabbitmq })
    }

    /// Commands that this process has sent to MongoDB, if that is the store.
    pub(crate) fn store_commands(&self) -> Option<u64> {
        self.mongodb.as_ref().map(MongoStore::commands_sent)
    }

    /// Gives back what the queue still holds of deliveries, and ends the connections.
    pub(crate) async fn close(&self) {
        if let Some(queue) = &self.rabbitmq {
            queue.close().await;
        }
        if let Some(store) = &self.mongodb {
            store.close().await;
        }
    }
}

/// A queue at a broker, which may be away: orders are applied all the same, by way of the store.
async fn rabbitmq(uri: &str, args: &Args) -> Result<RabbitQueue> {
    // A task for each worker that the engine has, and one to spare.
    let prefetch = u16::try_from(args.engine().concurrency + 3).unwrap_or(u16::MAX);
    let queue = RabbitQueue::new(RabbitSettings { prefetch, ..RabbitSettings::new(uri) })?;
    match queue.reach().await {
        Err(error) if matches!(error.disposition(), Disposition::Retryable { .. }) => {
            tracing::warn!(%error, "tasks wait in the store until RabbitMQ is there");
            Ok(queue)
        }
        reached => reached.map(|()| queue),
    }
}

async fn store(uri: Option<&str>) -> Result<(Arc<dyn StagingStore>, String, Option<MongoStore>)> {
    match uri {
        Some(uri) if uri.starts_with("mongodb://") || uri.starts_with("mongodb+srv://") => {
            let store = MongoStore::connect(MongoSettings::new(uri)).await?;
            let place = store.place();
            Ok((Arc::new(store.clone()), place, Some(store)))
        }
        Some(uri) => match uri.strip_prefix("sqlite:") {
            Some(path) => sqlite(path.into()),
            None => Err(wrong("--store", "a store is written as sqlite:PATH or mongodb://host/database")),
        },
        None => {
            let folder = tempfile::Builder::new().prefix("datawald-").tempdir().map_err(|error| {
                Error::config("make staging store", "the folder for temporary files cannot be written; use --store")
                    .caused_by(error)
            })?;
            sqlite(folder.keep().join("orders_sync.db"))
        }
    }
}

fn sqlite(path: PathBuf) -> Result<(Arc<dyn StagingStore>, String, Option<MongoStore>)> {
    let place = format!("{} (any SQLite tool opens it)", path.display());
    Ok((Arc::new(SqliteStore::open(&path)?), place, None))
}

fn wrong(field: &'static str, text: &str) -> Error {
    Error::config("read command line", text.to_owned()).field(field)
}
