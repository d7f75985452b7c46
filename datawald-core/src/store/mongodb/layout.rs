//! The layout of the database: its version, and the indexes beside those on `_id`.

use futures::future::BoxFuture;
use mongodb::bson::{Document, doc};

use super::commands::Commands;
use super::documents::{ENTITIES, FLOWS, HISTORY, META, RECORDS, SIGHTINGS, SYNC_TASKS};
use crate::{Error, Result};

const OPERATION: &str = "open store";

/// The version of the layout that this library writes.
const VERSION: i32 = 1;

/// From a version to the next. A step may be carried out again, and by several processes at once.
type Step = for<'a> fn(&'a Commands) -> BoxFuture<'a, Result<()>>;

/// The step from version 1 to 2 comes first.
const STEPS: &[Step] = &[];

/// Sees to it that the database is one of this library's, of this version, with its indexes.
pub(super) async fn prepare(commands: &Commands) -> Result<()> {
    let version = match version(commands).await? {
        Some(version) => version,
        None => found(commands).await?,
    };
    migrate(commands, version, VERSION, STEPS).await?;
    indexes(commands).await
}

async fn version(commands: &Commands) -> Result<Option<i32>> {
    let Some(found) = commands.find_one(OPERATION, META, doc! { "_id": "layout" }).await? else { return Ok(None) };
    match found.get_i32("version") {
        Ok(version) if version > 0 => Ok(Some(version)),
        _ => Err(foreign(commands, META)),
    }
}

/// Makes a store in a database that has none, and leaves alone what is another's.
async fn found(commands: &Commands) -> Result<i32> {
    for collection in [META, FLOWS, ENTITIES, HISTORY, SYNC_TASKS, SIGHTINGS, RECORDS] {
        if commands.find_one(OPERATION, collection, doc! {}).await?.is_some() {
            // Another process may have made the store just now.
            return match version(commands).await? {
                Some(version) => Ok(version),
                None => Err(foreign(commands, collection)),
            };
        }
    }
    commands.insert(OPERATION, META, vec![doc! { "_id": "layout", "version": VERSION }]).await?;
    // Another process may have been quicker, with another version.
    Ok(version(commands).await?.unwrap_or(VERSION))
}

fn foreign(commands: &Commands, collection: &str) -> Error {
    Error::config(
        OPERATION,
        format!(
            "the database `{}` has a collection `{collection}` with documents that are not this library's: they were left \
             as they are; name another database in the connection string or in the settings",
            commands.database.name()
        ),
    )
}

/// Brings the layout from `version` to `target`, step by step.
async fn migrate(commands: &Commands, version: i32, target: i32, steps: &[Step]) -> Result<()> {
    if version > target {
        return Err(Error::config(
            OPERATION,
            format!(
                "the database `{}` has the layout {version}, made by a later version of this library; this one knows \
                 {target}: use the later one, or another database",
                commands.database.name()
            ),
        ));
    }
    for (at, step) in (1..target).zip(steps) {
        if at >= version {
            step(commands).await?;
            let statement = doc! {
                "q": { "_id": "layout", "version": at },
                "u": { "$set": { "version": at + 1 } },
            };
            commands.update(OPERATION, META, vec![statement]).await?;
        }
    }
    Ok(())
}

async fn indexes(commands: &Commands) -> Result<()> {
    let due = doc! {
        "name": "due",
        "key": { "flow": 1, "due_at": 1, "seq": 1 },
        // What is open and nothing else.
        "partialFilterExpression": { "due_at": { "$exists": true } },
    };
    let passes = doc! { "name": "passes", "key": { "passes.task": 1 } };
    let started = doc! { "name": "started", "key": { "started_at": -1, "_id": -1 } };
    for (collection, indexes) in [(ENTITIES, vec![due, passes]), (SYNC_TASKS, vec![started])] {
        create_indexes(commands, collection, indexes).await?;
    }
    Ok(())
}

/// Those that are there already stay.
async fn create_indexes(commands: &Commands, collection: &str, indexes: Vec<Document>) -> Result<()> {
    commands.run(OPERATION, doc! { "createIndexes": collection, "indexes": indexes }).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{MongoSettings, MongoStore};

    fn add_a_field(commands: &Commands) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let statement = doc! { "q": { "_id": "layout" }, "u": { "$inc": { "steps": 1 } } };
            commands.update("migrate", META, vec![statement]).await.map(drop)
        })
    }

    #[tokio::test]
    async fn steps_are_taken_once_and_later_layouts_refused() {
        let uri = std::env::var("MONGODB_URI").expect("run ./scripts/test, or set MONGODB_URI to a MongoDB server");
        let database = format!("layout-{}", uuid::Uuid::now_v7().simple());
        let settings = MongoSettings { database: Some(database), ..MongoSettings::new(uri) };
        let store = MongoStore::connect(settings.clone()).await.unwrap();
        let commands = store.commands();

        migrate(commands, 1, 3, &[add_a_field, add_a_field]).await.unwrap();
        assert_eq!(version(commands).await.unwrap(), Some(3));
        migrate(commands, 3, 3, &[add_a_field, add_a_field]).await.unwrap();
        let meta = commands.find_one("test", META, doc! { "_id": "layout" }).await.unwrap().unwrap();
        assert_eq!(meta.get_i32("steps").unwrap(), 2);

        let error = MongoStore::connect(settings).await.unwrap_err();
        assert!(error.to_string().contains("later version"), "{error}");
        commands.database.drop().await.unwrap();
    }
}
