//! Where entities are staged and how tasks travel.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use datawald_core::client::{ClientSettings, CoreQueue, RemoteCore};
use datawald_core::queue::{InProcessQueue, RabbitQueue, RabbitSettings, TaskQueue};
use datawald_core::store::{MongoSettings, MongoStore, SqliteStore, StagingStore};
use datawald_core::{Disposition, Result};

/// Which store.
#[derive(Debug, Clone)]
pub enum StoreAt {
    /// The embedded one, in this file.
    Sqlite(PathBuf),
    /// MongoDB.
    Mongodb(MongoSettings),
    /// That of a core on another machine.
    Core(ClientSettings),
}

/// Which queue.
#[derive(Debug, Clone)]
pub enum QueueAt {
    /// Within this process.
    InProcess,
    /// The core's, which dispatches by itself what is staged.
    Core,
    /// RabbitMQ.
    Rabbitmq(RabbitSettings),
}

/// The store and the queue of a process.
pub struct Backends {
    store: Arc<dyn StagingStore>,
    queue: Arc<dyn TaskQueue>,
    place: String,
    mongodb: Option<MongoStore>,
    rabbitmq: Option<RabbitQueue>,
}

impl Backends {
    /// Opens both.
    ///
    /// # Errors
    /// Of the store; of the queue only what waiting does not mend: a broker that is away delays, and the log says so.
    pub async fn open(store: StoreAt, queue: QueueAt) -> Result<Self> {
        let (store, place, mongodb): (Arc<dyn StagingStore>, _, _) = match store {
            StoreAt::Sqlite(path) => {
                let place = format!("{} (any SQLite tool opens it)", path.display());
                (Arc::new(SqliteStore::open(&path)?), place, None)
            }
            StoreAt::Core(settings) => {
                let place = settings.url.clone();
                (Arc::new(RemoteCore::new(settings)?), place, None)
            }
            StoreAt::Mongodb(settings) => {
                let store = MongoStore::connect(settings).await?;
                let place = store.place();
                (Arc::new(store.clone()), place, Some(store))
            }
        };
        let by_core = matches!(queue, QueueAt::Core);
        let rabbitmq = match queue {
            QueueAt::InProcess | QueueAt::Core => None,
            QueueAt::Rabbitmq(settings) => Some(rabbitmq(settings).await?),
        };
        let queue: Arc<dyn TaskQueue> = match &rabbitmq {
            Some(queue) => Arc::new(queue.clone()),
            None if by_core => Arc::new(CoreQueue),
            None => Arc::new(InProcessQueue::default()),
        };
        Ok(Self { store, queue, place, mongodb, rabbitmq })
    }

    /// The store.
    pub fn store(&self) -> &Arc<dyn StagingStore> {
        &self.store
    }

    /// The queue.
    pub fn queue(&self) -> &Arc<dyn TaskQueue> {
        &self.queue
    }

    /// Where the store is, for people.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Commands that this process has sent to MongoDB, if that is the store.
    pub fn store_commands(&self) -> Option<u64> {
        self.mongodb.as_ref().map(MongoStore::commands_sent)
    }

    /// Whether the queue can be reached; one within this process always can.
    ///
    /// # Errors
    /// Why not.
    pub async fn reach_queue(&self) -> Result<()> {
        match &self.rabbitmq {
            Some(queue) => queue.reach().await,
            None => Ok(()),
        }
    }

    /// Gives back what the queue still holds of deliveries, and ends the connections.
    pub async fn close(&self) {
        if let Some(queue) = &self.rabbitmq {
            queue.close().await;
        }
        if let Some(store) = &self.mongodb {
            store.close().await;
        }
    }
}

impl fmt::Debug for Backends {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backends").field("place", &self.place).finish_non_exhaustive()
    }
}

/// A queue at a broker, which may be away: entities are applied all the same, by way of the store.
async fn rabbitmq(settings: RabbitSettings) -> Result<RabbitQueue> {
    let queue = RabbitQueue::new(settings)?;
    match queue.reach().await {
        Err(error) if matches!(error.disposition(), Disposition::Retryable { .. }) => {
            tracing::warn!(%error, "tasks wait in the store until RabbitMQ is there");
            Ok(queue)
        }
        reached => reached.map(|()| queue),
    }
}
