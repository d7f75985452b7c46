//! The store and the queue that the command line names.

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
        Some(uri) if uri.starts_with("amqp://") || uri.starts_with("amqps://") => rabbitmq(uri, args),
        Some(_) => Err(wrong("--queue", "a queue is written as amqp://host or amqps://host")),
    }
}

fn store(uri: Option<&str>) -> Result<StoreAt> {
    match uri {
        Some(uri) if uri.starts_with("mongodb://") || uri.starts_with("mongodb+srv://") => mongodb(uri),
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

#[cfg(feature = "rabbitmq")]
fn rabbitmq(uri: &str, args: &Args) -> Result<QueueAt> {
    use datawald_core::queue::RabbitSettings;
    // A task for each worker that the engine has, and one to spare.
    let prefetch = u16::try_from(args.engine().concurrency + 3).unwrap_or(u16::MAX);
    Ok(QueueAt::Rabbitmq(RabbitSettings { prefetch, ..RabbitSettings::new(uri) }))
}

#[cfg(not(feature = "rabbitmq"))]
fn rabbitmq(_: &str, _: &Args) -> Result<QueueAt> {
    Err(wrong("--queue", "this program was built without RabbitMQ: build it with `--features rabbitmq`"))
}

#[cfg(feature = "mongodb")]
fn mongodb(uri: &str) -> Result<StoreAt> {
    Ok(StoreAt::Mongodb(datawald_core::store::MongoSettings::new(uri)))
}

#[cfg(not(feature = "mongodb"))]
fn mongodb(_: &str) -> Result<StoreAt> {
    Err(wrong("--store", "this program was built without MongoDB: build it with `--features mongodb`"))
}

fn wrong(field: &'static str, text: &str) -> Error {
    Error::config("read command line", text.to_owned()).field(field)
}
