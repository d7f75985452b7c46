//! The store and the queue that the command line names.

use datawald_core::queue::RabbitSettings;
use datawald_core::store::MongoSettings;
use datawald_core::{Error, Result};
use datawald_examples::{Backends, QueueAt, StoreAt};

use crate::args::Args;

/// Opens both.
pub(crate) async fn open(args: &Args) -> Result<Backends> {
    Backends::open(store(args.store.as_deref())?, queue(args)?).await
}

fn queue(args: &Args) -> Result<QueueAt> {
    match args.queue.as_deref() {
        None => Ok(QueueAt::InProcess),
        Some(uri) if uri.starts_with("amqp://") || uri.starts_with("amqps://") => {
            // A task for each worker that the engine has, and one to spare.
            let prefetch = u16::try_from(args.engine().concurrency + 3).unwrap_or(u16::MAX);
            Ok(QueueAt::Rabbitmq(RabbitSettings { prefetch, ..RabbitSettings::new(uri) }))
        }
        Some(_) => Err(wrong("--queue", "a queue is written as amqp://host or amqps://host")),
    }
}

fn store(uri: Option<&str>) -> Result<StoreAt> {
    match uri {
        Some(uri) if uri.starts_with("mongodb://") || uri.starts_with("mongodb+srv://") => {
            Ok(StoreAt::Mongodb(MongoSettings::new(uri)))
        }
        Some(uri) => match uri.strip_prefix("sqlite:") {
            Some(path) => Ok(StoreAt::Sqlite(path.into())),
            None => Err(wrong("--store", "a store is written as sqlite:PATH or mongodb://host/database")),
        },
        None => {
            let folder = tempfile::Builder::new().prefix("datawald-").tempdir().map_err(|error| {
                Error::config("make staging store", "the folder for temporary files cannot be written; use --store")
                    .caused_by(error)
            })?;
            Ok(StoreAt::Sqlite(folder.keep().join("orders_sync.db")))
        }
    }
}

fn wrong(field: &'static str, text: &str) -> Error {
    Error::config("read command line", text.to_owned()).field(field)
}
