//! Where entities are staged and how tasks travel.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use datawald_core::Result;
#[cfg(feature = "host")]
use datawald_core::client::{ClientSettings, CoreQueue, RemoteCore};
use datawald_core::queue::{InProcessQueue, TaskQueue};
#[cfg(feature = "rabbitmq")]
use datawald_core::queue::{RabbitQueue, RabbitSettings};
#[cfg(feature = "mongodb")]
use datawald_core::store::{MongoSettings, MongoStore};
use datawald_core::store::{SqliteStore, StagingStore};

/// Which store.
#[derive(Debug, Clone)]
pub enum StoreAt {
    /// The embedded one, in this file.
    Sqlite(PathBuf),
    /// MongoDB.
    #[cfg(feature = "mongodb")]
    Mongodb(MongoSettings),
    /// That of a core on another machine.
    #[cfg(feature = "host")]
    Core(ClientSettings),
}

/// Which queue.
#[derive(Debug, Clone)]
pub enum QueueAt {
    /// Within this process.
    InProcess,
    /// The core's, which dispatches by itself what is staged.
    #[cfg(feature = "host")]
    Core,
    /// RabbitMQ.
    #[cfg(feature = "rabbitmq")]
    Rabbitmq(RabbitSettings),
}

/// The store and the queue of a process.
pub struct Backends {
    store: Arc<dyn StagingStore>,
    queue: Arc<dyn TaskQueue>,
    place: String,
    #[cfg(feature = "mongodb")]
    mongodb: Option<MongoStore>,
    #[cfg(feature = "rabbitmq")]
    rabbitmq: Option<RabbitQueue>,
}

impl Backends {
    /// Opens both.
    ///
    /// # Errors
    /// Of the store; of the queue only what waiting does not mend: a broker that is away delays, and the log says so.
    pub async fn open(store: StoreAt, queue: QueueAt) -> Result<Self> {
        #[cfg(feature = "mongodb")]
        let mut mongodb = None;
        let (store, place): (Arc<dyn StagingStore>, _) = match store {
            StoreAt::Sqlite(path) => {
                let place = format!("{} (any SQLite tool opens it)", path.display());
                (Arc::new(SqliteStore::open(&path)?), place)
            }
            #[cfg(feature = "host")]
            StoreAt::Core(settings) => {
                let place = settings.url.clone();
                (Arc::new(RemoteCore::new(settings)?), place)
            }
            #[cfg(feature = "mongodb")]
            StoreAt::Mongodb(settings) => {
                let store = mongodb.insert(MongoStore::connect(settings).await?);
                (Arc::new(store.clone()), store.place())
            }
        };
        #[cfg(feature = "rabbitmq")]
        let mut rabbitmq = None;
        let queue: Arc<dyn TaskQueue> = match queue {
            QueueAt::InProcess => Arc::new(InProcessQueue::default()),
            #[cfg(feature = "host")]
            QueueAt::Core => Arc::new(CoreQueue),
            #[cfg(feature = "rabbitmq")]
            QueueAt::Rabbitmq(settings) => Arc::new(rabbitmq.insert(reached(settings).await?).clone()),
        };
        Ok(Self {
            store,
            queue,
            place,
            #[cfg(feature = "mongodb")]
            mongodb,
            #[cfg(feature = "rabbitmq")]
            rabbitmq,
        })
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
        #[cfg(feature = "mongodb")]
        return self.mongodb.as_ref().map(MongoStore::commands_sent);
        #[cfg(not(feature = "mongodb"))]
        None
    }

    /// Whether the queue can be reached; one within this process always can.
    ///
    /// # Errors
    /// Why not.
    pub async fn reach_queue(&self) -> Result<()> {
        #[cfg(feature = "rabbitmq")]
        if let Some(queue) = &self.rabbitmq {
            queue.reach().await?;
        }
        Ok(())
    }

    /// Gives back what the queue still holds of deliveries, and ends the connections.
    pub async fn close(&self) {
        #[cfg(feature = "rabbitmq")]
        if let Some(queue) = &self.rabbitmq {
            queue.close().await;
        }
        #[cfg(feature = "mongodb")]
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
#[cfg(feature = "rabbitmq")]
async fn reached(settings: RabbitSettings) -> Result<RabbitQueue> {
    let queue = RabbitQueue::new(settings)?;
    match queue.reach().await {
        Err(error) if matches!(error.disposition(), datawald_core::Disposition::Retryable { .. }) => {
            tracing::warn!(%error, "tasks wait in the store until RabbitMQ is there");
            Ok(queue)
        }
        reached => reached.map(|()| queue),
    }
}
