//! The passes that brought an entity: many of them, and what each keeps.

use datawald_core::model::{SyncTaskId, TxStatus};
use datawald_core::store::{EntityFilter, StagingStore};
use mongodb::bson::{Document, doc};

use crate::servers::mongo_store;
use crate::world::{applied, batch, claim, entity, flow, key, pull, sec};

#[tokio::test]
async fn an_entity_of_many_passes_stays_small_and_each_keeps_its_count() {
    const PASSES: usize = 100;
    let (store, database) = mongo_store().await;
    for n in 0..PASSES {
        let pass = pull(&store, &format!("pass {n}")).await;
        store.stage(batch(&pass, vec![entity("1", &format!("v{n}"))])).await.unwrap();
        let claimed = claim(&store, None).await.unwrap();
        store.settle(sec(0).into(), claimed.iter().map(applied).collect()).await.unwrap();
    }
    let raw = database.raw().await;
    let found = raw.collection::<Document>("entities").find_one(doc! {}).await.unwrap().unwrap();
    assert!(found.get_array("passes").unwrap().len() <= 64 + 1);
    for n in 0..PASSES {
        let id = SyncTaskId::from_stored(format!("pass {n}"));
        let counts = store.sync_task_counts(&id).await.unwrap();
        assert_eq!((counts.success, counts.total()), (1, 1), "pass {n}");
        let listed = store.list(&EntityFilter { sync_task: Some(id), ..EntityFilter::default() }).await.unwrap();
        assert_eq!(listed.items.len(), 1, "pass {n}");
    }
}

#[tokio::test]
async fn lists_of_a_pass_hold_what_it_brought_and_what_it_found_unchanged() {
    let (store, _database) = mongo_store().await;
    let first = pull(&store, "first").await;
    let ids: Vec<String> = (0..50).map(|n| format!("{n:02}")).collect();
    store.stage(batch(&first, ids.iter().map(|id| entity(id, "v1")).collect())).await.unwrap();
    let claimed = claim(&store, None).await.unwrap();
    store.settle(sec(0).into(), claimed.iter().map(applied).collect()).await.unwrap();

    let second = pull(&store, "second").await;
    let content = |n: usize| if n.is_multiple_of(2) { "v1" } else { "v2" };
    let page = ids.iter().enumerate().map(|(n, id)| entity(id, content(n))).collect();
    store.stage(batch(&second, page)).await.unwrap();
    let counts = store.sync_task_counts(&second.1).await.unwrap();
    assert_eq!((counts.ignored, counts.new, counts.total()), (25, 25, 50));

    let mut filter =
        EntityFilter { flow: Some(flow()), sync_task: Some(second.1.clone()), limit: 7, ..Default::default() };
    let mut listed = Vec::new();
    loop {
        let page = store.list(&filter).await.unwrap();
        listed.extend(page.items.into_iter().map(|entity| entity.key.id));
        match page.next {
            Some(next) => filter.after = Some(next),
            None => break,
        }
    }
    assert_eq!(listed, ids);
    filter = EntityFilter { sync_task: Some(second.1.clone()), statuses: vec![TxStatus::New], ..Default::default() };
    assert_eq!(store.list(&filter).await.unwrap().items.len(), 25);

    // What was found unchanged and comes again with new content counts once, as what it is.
    store.stage(batch(&second, vec![entity("00", "v2")])).await.unwrap();
    let counts = store.sync_task_counts(&second.1).await.unwrap();
    assert_eq!((counts.ignored, counts.new, counts.total()), (24, 26, 50));
    assert_eq!(store.get(&key("00")).await.unwrap().unwrap().status, TxStatus::New);
}
