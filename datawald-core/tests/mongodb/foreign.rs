//! Documents that this store did not write, and such that it cannot.

use datawald_core::model::TxStatus;
use datawald_core::store::{Settled, Staging, StagingStore};
use mongodb::bson::{DateTime, doc};

use crate::servers::mongo_store;
use crate::world::{applied, batch, claim, entity, key, pull};

#[tokio::test]
async fn a_foreign_document_is_named_and_holds_up_nobody() {
    let (store, database) = mongo_store().await;
    let pass = pull(&store, "pass").await;
    store.stage(batch(&pass, vec![entity("1", "v1"), entity("2", "v1")])).await.unwrap();
    let due = DateTime::from_millis(0);
    let foreign = doc! { "_id": "orders/mage2/3", "flow": "orders/mage2", "id": "3", "due_at": due, "status": "N" };
    database.raw().await.collection("entities").insert_one(foreign).await.unwrap();

    let error = store.get(&key("3")).await.unwrap_err();
    assert!(error.to_string().contains("orders/mage2/3") && error.to_string().contains("`entities`"), "{error}");

    let claimed = claim(&store, None).await.unwrap();
    assert_eq!(claimed.len(), 2);
    let settled = store.settle(claimed[0].lease_until.into(), claimed.iter().map(applied).collect()).await.unwrap();
    assert_eq!(settled, [Settled::Done; 2]);

    let error = store.list(&datawald_core::store::EntityFilter::default()).await.unwrap_err();
    assert!(error.to_string().contains("orders/mage2/3"), "{error}");
}

#[tokio::test]
async fn an_entity_too_large_is_refused_alone() {
    let (store, _database) = mongo_store().await;
    let pass = pull(&store, "pass").await;
    let mut large = entity("2", "v1");
    large.raw = "x".repeat(17 * 1_024 * 1_024);
    let staged = store.stage(batch(&pass, vec![entity("1", "v1"), large.clone(), entity("3", "v1")])).await.unwrap();
    assert_eq!(staged, [Staging::Inserted; 3]);
    let found = store.get(&key("2")).await.unwrap().unwrap();
    assert_eq!(found.status, TxStatus::Failed);
    assert!(found.note.contains("bytes"), "{}", found.note);
    let claimed = claim(&store, None).await.unwrap();
    assert_eq!(claimed.iter().map(|claimed| claimed.key.id.as_str()).collect::<Vec<_>>(), ["1", "3"]);
    // It is the same again, and so it stays.
    let staged = store.stage(batch(&pass, vec![large])).await.unwrap();
    assert_eq!(staged, [Staging::StillFailed]);
}
