//! What entities are called: a free name costs nothing, and a page goes in order.

use datawald_core::model::{EntityKey, TxStatus};
use datawald_core::store::{MongoStore, StageEntity, Staging, StagingStore};

use crate::servers::mongo_store;
use crate::world::{applied, batch, claim, entity, flow, key, pull, sec};

fn named(id: &str, name: &str) -> StageEntity {
    StageEntity { name: name.to_owned(), ..entity(id, &format!("{id} as {name}")) }
}

async fn stands(store: &MongoStore, id: &str) -> (String, TxStatus) {
    let found = store.get(&key(id)).await.unwrap().unwrap();
    (found.name, found.status)
}

#[tokio::test]
async fn a_free_name_costs_no_command() {
    let (store, _database) = mongo_store().await;
    let pass = pull(&store, "pass").await;
    let page = |first: usize, name: fn(usize) -> String| {
        (first..first + 100).map(|n| named(&n.to_string(), &name(n))).collect::<Vec<_>>()
    };
    let before = store.commands_sent();
    store.stage(batch(&pass, page(0, |_| String::new()))).await.unwrap();
    let without = store.commands_sent() - before;
    store.stage(batch(&pass, page(100, |n| format!("number {n}")))).await.unwrap();
    assert_eq!(store.commands_sent() - before, without * 2);
    // The right to pull and the places, the sync task, what is there, and one insert.
    assert_eq!(without, 4);
    let before = store.commands_sent();
    let claimed = claim(&store, Some(&(100..200).map(|n| n.to_string()).collect::<Vec<_>>())).await.unwrap();
    assert_eq!((claimed.len(), store.commands_sent() - before), (100, 2));
    let before = store.commands_sent();
    store.settle(sec(0).into(), claimed.iter().map(applied).collect()).await.unwrap();
    assert_eq!(store.commands_sent() - before, 1);
}

#[tokio::test]
async fn many_of_one_name_are_staged_and_the_first_has_it() {
    const MANY: usize = 120;
    let (store, _database) = mongo_store().await;
    let pass = pull(&store, "pass").await;
    let page = (0..MANY).map(|n| named(&format!("{n:03}"), "7")).collect();
    assert_eq!(store.stage(batch(&pass, page)).await.unwrap(), [Staging::Inserted; MANY]);
    assert_eq!(store.named(&flow(), "7").await.unwrap(), Some(EntityKey::new(&flow(), "000")));
    assert_eq!(stands(&store, "000").await.1, TxStatus::New);
    for n in 1..MANY {
        let found = store.get(&key(&format!("{n:03}"))).await.unwrap().unwrap();
        assert_eq!(found.status, TxStatus::Failed);
        assert!(found.note.contains("the number 7") && found.note.contains("the id 000"), "{}", found.note);
    }
}

/// Each takes the name that the one before it gives back; or that of one which has it still.
#[tokio::test]
async fn names_that_pass_on_within_a_page_go_in_order() {
    let (store, _database) = mongo_store().await;
    let pass = pull(&store, "pass").await;
    let first = ["a", "b", "c", "d"].map(|id| named(id, id)).into();
    store.stage(batch(&pass, first)).await.unwrap();
    let page = vec![named("a", "x"), named("b", "a"), named("d", "b"), named("c", "x"), named("b", "y")];
    let staged = store.stage(batch(&pass, page)).await.unwrap();
    assert_eq!(staged, [Staging::Restaged; 5]);
    for (id, name, status) in
        [("a", "x", TxStatus::New), ("b", "y", TxStatus::New), ("c", "x", TxStatus::Failed), ("d", "b", TxStatus::New)]
    {
        assert_eq!(stands(&store, id).await, (name.to_owned(), status), "{id}");
    }
    // Nobody has what was given back.
    assert_eq!(store.named(&flow(), "a").await.unwrap(), None);
    assert_eq!(store.named(&flow(), "c").await.unwrap(), None);
}
