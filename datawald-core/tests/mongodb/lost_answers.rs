//! Commands that are carried out and whose answers are lost: each is sent again, and comes to what it would have.

use datawald_core::model::{SyncTaskId, TxStatus};
use datawald_core::store::{MongoSettings, MongoStore, NewSyncTask, Settled, Staging, StagingStore};

use crate::proxy::Proxy;
use crate::servers::Database;
use crate::world::{applied, batch, claim, entity, flow, key, pull, sec};

async fn store() -> (MongoStore, Proxy, Database) {
    let database = Database::new();
    let proxy = Proxy::before(database.host()).await;
    let settings = MongoSettings { uri: database.uri_by(&proxy.address).into(), ..database.settings() };
    (MongoStore::connect(settings).await.unwrap(), proxy, database)
}

#[tokio::test]
async fn staging_says_what_it_did() {
    let (store, proxy, _database) = store().await;
    let pass = pull(&store, "pass").await;
    proxy.lose_one("insert", "entities");
    let staged = store.stage(batch(&pass, vec![entity("1", "v1"), entity("2", "v1")])).await.unwrap();
    assert_eq!((staged, proxy.lost()), (vec![Staging::Inserted; 2], 1));
    proxy.lose_one("update", "entities");
    let staged = store.stage(batch(&pass, vec![entity("1", "v2"), entity("2", "v2")])).await.unwrap();
    assert_eq!((staged, proxy.lost()), (vec![Staging::Restaged; 2], 2));
    proxy.lose_one("findAndModify", "flows");
    let staged = store.stage(batch(&pass, vec![entity("1", "v2"), entity("3", "v1")])).await.unwrap();
    assert_eq!((staged, proxy.lost()), (vec![Staging::Unchanged, Staging::Inserted], 3));
    let found = store.get(&key("1")).await.unwrap().unwrap();
    assert_eq!((found.rev, store.history(&key("1")).await.unwrap().len()), (2, 1));
}

#[tokio::test]
async fn claiming_gives_what_was_leased_and_once() {
    let (store, proxy, _database) = store().await;
    let pass = pull(&store, "pass").await;
    store.stage(batch(&pass, vec![entity("1", "v1"), entity("2", "v1")])).await.unwrap();
    proxy.lose_one("update", "entities");
    let claimed = claim(&store, Some(&["1".to_owned(), "2".to_owned()])).await.unwrap();
    assert_eq!((claimed.len(), proxy.lost()), (2, 1));
    assert!(claimed.iter().all(|claimed| claimed.attempts == 1 && claimed.token == 1));

    let leases: Vec<_> = claimed.iter().map(|claimed| (claimed.key.clone(), claimed.token)).collect();
    proxy.lose_one("update", "entities");
    assert_eq!(store.renew(&leases, sec(90), sec(110)).await.unwrap(), [true, true]);

    proxy.lose_one("update", "entities");
    let settled = store.settle(sec(1).into(), claimed.iter().map(applied).collect()).await.unwrap();
    assert_eq!((settled, proxy.lost()), (vec![Settled::Done; 2], 3));
    assert_eq!(store.get(&key("2")).await.unwrap().unwrap().status, TxStatus::Success);
}

#[tokio::test]
async fn the_right_to_pull_is_given() {
    let (store, proxy, _database) = store().await;
    proxy.lose_one("insert", "flows");
    let first = store.acquire_pull(&flow(), "puller", sec(0), sec(60)).await.unwrap().unwrap();
    proxy.lose_one("update", "flows");
    let second = store.acquire_pull(&flow(), "puller", sec(0), sec(60)).await.unwrap().unwrap();
    assert_eq!((first.token, second.token, proxy.lost()), (1, 2, 2));
    assert_eq!(store.acquire_pull(&flow(), "other", sec(0), sec(60)).await.unwrap(), None);
}

#[tokio::test]
async fn doing_again_and_sync_tasks_are_told_as_they_are() {
    let (store, proxy, _database) = store().await;
    let id = SyncTaskId::from_stored("task");
    proxy.lose_one("insert", "sync_tasks");
    let new = NewSyncTask { id: id.clone(), flow: flow(), cut_before: None, now: sec(0) };
    store.create_sync_task(new).await.unwrap();
    let pass = pull(&store, "pass").await;
    store.stage(batch(&pass, vec![entity("1", "v1")])).await.unwrap();
    let claimed = claim(&store, None).await.unwrap();
    store.settle(sec(1).into(), claimed.iter().map(applied).collect()).await.unwrap();
    proxy.lose_one("update", "entities");
    assert!(store.resync(&key("1"), sec(2).into()).await.unwrap());
    assert_eq!(proxy.lost(), 2);
    assert_eq!(store.get(&key("1")).await.unwrap().unwrap().status, TxStatus::New);
}
