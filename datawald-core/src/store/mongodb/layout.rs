//! The layout of the database: its version, and the indexes beside those on `_id`.

use mongodb::bson::{Document, doc};

use super::commands::Commands;
use super::documents::{ENTITIES, FLOWS, HISTORY, META, RECORDS, SIGHTINGS, SYNC_TASKS};
use crate::{Error, Result};

const OPERATION: &str = "open store";

/// The version of the layout that this library writes.
///
/// In version 1, entities were told apart by their numbers, which two stores of one shop may share. Such a database is
/// refused: which record of the source an entity was cannot be told from it.
const VERSION: i32 = 2;

/// Sees to it that the database is one of this library's, of this version, with its indexes.
pub(super) async fn prepare(commands: &Commands) -> Result<()> {
    let version = match version(commands).await? {
        Some(version) => version,
        None => found(commands).await?,
    };
    check(commands, version)?;
    indexes(commands).await
}

/// Whether the database has a store that [`prepare`] would take; `false` if it would make one. Nothing is written.
pub(super) async fn look(commands: &Commands) -> Result<bool> {
    match version(commands).await? {
        Some(version) => check(commands, version).map(|()| true),
        None => match anything(commands).await? {
            Some(collection) => Err(foreign(commands, collection)),
            None => Ok(false),
        },
    }
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
    if let Some(collection) = anything(commands).await? {
        // Another process may have made the store just now.
        return match version(commands).await? {
            Some(version) => Ok(version),
            None => Err(foreign(commands, collection)),
        };
    }
    commands.insert(OPERATION, META, vec![doc! { "_id": "layout", "version": VERSION }]).await?;
    // Another process may have been quicker, with another version.
    Ok(version(commands).await?.unwrap_or(VERSION))
}

/// A collection of a store's names that is not empty.
async fn anything(commands: &Commands) -> Result<Option<&'static str>> {
    for collection in [META, FLOWS, ENTITIES, HISTORY, SYNC_TASKS, SIGHTINGS, RECORDS] {
        if commands.find_one(OPERATION, collection, doc! {}).await?.is_some() {
            return Ok(Some(collection));
        }
    }
    Ok(None)
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

/// Refuses what another release has laid out otherwise.
fn check(commands: &Commands, version: i32) -> Result<()> {
    let database = commands.database.name();
    let message = match version {
        VERSION => return Ok(()),
        older if older < VERSION => format!(
            "the database `{database}` was made by an older release (its layout is {older}, this release knows {VERSION}), \
             which told orders apart by their numbers alone: it was left as it is; name another database, and every order is \
             pulled again and found on the other side by its number"
        ),
        newer => format!(
            "the database `{database}` was made by a newer release (its layout is {newer}, this release knows {VERSION}): it \
             was left as it is; run that release, or name another database"
        ),
    };
    Err(Error::config(OPERATION, message))
}

async fn indexes(commands: &Commands) -> Result<()> {
    let due = doc! {
        "name": "due",
        "key": { "flow": 1, "due_at": 1, "seq": 1 },
        // What is open and nothing else.
        "partialFilterExpression": { "due_at": { "$exists": true } },
    };
    let passes = doc! { "name": "passes", "key": { "passes.task": 1 } };
    let names = doc! {
        "name": "names",
        "key": { "flow": 1, "held": 1 },
        "unique": true,
        "partialFilterExpression": { "held": { "$exists": true } },
    };
    // A document is one entity's. The reference keeps companies apart, whose keys may be the same.
    let targets = doc! {
        "name": "targets",
        "key": { "table": 1, "target_id": 1, "reference": 1 },
        "unique": true,
        "partialFilterExpression": { "target_id": { "$type": "string" }, "reference": { "$type": "string" } },
    };
    let failures = doc! {
        "name": "failures",
        "key": { "flow": 1, "failure": 1 },
        "partialFilterExpression": { "failure": { "$type": "string" } },
    };
    // What has its source's document still.
    let raw = doc! {
        "name": "raw",
        "key": { "flow": 1, "created_at": 1 },
        "partialFilterExpression": { "raw_print": { "$type": "string" } },
    };
    let replaced = doc! { "name": "replaced", "key": { "replaced_at": 1, "_id": 1 } };
    let started = doc! { "name": "started", "key": { "started_at": -1, "_id": -1 } };
    let open = doc! { "name": "open", "key": { "flow": 1, "status": 1, "started_at": -1, "_id": -1 } };
    for (collection, indexes) in [
        (ENTITIES, vec![due, passes, names, targets, failures, raw]),
        (HISTORY, vec![replaced]),
        (SYNC_TASKS, vec![started, open]),
    ] {
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

    #[tokio::test]
    async fn other_releases_layouts_are_refused_and_left_as_they_are() {
        let uri = std::env::var("MONGODB_URI").expect("run ./scripts/test, or set MONGODB_URI to a MongoDB server");
        let database = format!("layout-{}", uuid::Uuid::now_v7().simple());
        let settings = MongoSettings { database: Some(database), ..MongoSettings::new(uri) };
        let store = MongoStore::connect(settings.clone()).await.unwrap();
        let commands = store.commands();
        assert_eq!(version(commands).await.unwrap(), Some(VERSION));

        for (layout, told) in [(1, "older release"), (VERSION + 1, "newer release")] {
            let changed = doc! { "q": { "_id": "layout" }, "u": { "$set": { "version": layout } } };
            commands.update("test", META, vec![changed]).await.unwrap();
            let error = MongoStore::connect(settings.clone()).await.unwrap_err();
            assert_eq!(error.kind(), crate::ErrorKind::Config);
            assert!(error.to_string().contains(told), "{error}");
            assert_eq!(version(commands).await.unwrap(), Some(layout));
        }
        commands.database.drop().await.unwrap();
    }
}
