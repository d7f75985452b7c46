//! What of a flow has no outcome yet.

use super::Store;
use super::world::{LEASE, SETTLE_DELAY, World, entity, flow, retry, sec};
use crate::clock::later;
use crate::model::{FlowId, Table, TxStatus};
use crate::store::{Open, Overview, StageEntity};

fn open(count: u64, since: jiff::Timestamp) -> Open {
    Open { count, since: Some(since) }
}

pub async fn what_is_open_is_counted_by_what_it_waits_for(store: Store) {
    let mut world = World::new(store.clone()).await;
    assert_eq!(store.overview(&flow(), world.now).await.unwrap(), Overview::default());
    for (id, status) in
        [("1", TxStatus::Success), ("2", TxStatus::Failed), ("3", TxStatus::Ignored), ("4", TxStatus::Cancelled)]
    {
        world.bring_to(id, status).await;
    }
    assert_eq!(store.overview(&flow(), world.now).await.unwrap(), Overview::default(), "what is final is not open");

    world.wait(10);
    for id in ["5", "6", "7"] {
        world.bring_to(id, TxStatus::InDoubt).await;
    }
    world.wait(1);
    world.bring_to("8", TxStatus::InProcess).await;
    world.wait(1);
    for id in ["9", "10"] {
        world.stage_one(entity(id, "v1")).await;
        let claimed = world.claim_one(id).await;
        world.settle(&claimed, retry(world.after(100))).await;
    }
    world.wait(1);
    world.stage(vec![entity("11", "v1"), entity("12", "v1"), entity("13", "v1"), entity("14", "v1")]).await;
    let expected = Overview {
        waiting: open(4, sec(13)),
        backing_off: open(2, sec(12)),
        in_process: open(1, sec(11)),
        in_doubt: open(3, sec(10)),
    };
    assert_eq!(store.overview(&flow(), world.now).await.unwrap(), expected);

    // When its time comes, what backs off waits again, and so does what a worker has lost. A doubt stays one.
    let lost = later(later(sec(11), LEASE), SETTLE_DELAY);
    let expected = Overview { waiting: open(7, sec(11)), in_doubt: open(3, sec(10)), ..Overview::default() };
    assert_eq!(store.overview(&flow(), lost.max(sec(112))).await.unwrap(), expected);
}

/// An order that changes at the source is owed from that change on; one of years ago from when it was first staged.
pub async fn the_oldest_is_told_by_what_is_owed(store: Store) {
    let mut world = World::new(store.clone()).await;
    let at = |id: &str, content: &str, changed| StageEntity { source_updated_at: changed, ..entity(id, content) };
    world.stage(vec![at("1", "v1", Some(sec(-1_000_000))), at("2", "v1", None)]).await;
    assert_eq!(store.overview(&flow(), world.now).await.unwrap().waiting, open(2, sec(0)));
    world.wait(500);
    world.stage(vec![at("1", "v2", Some(sec(400))), at("2", "v2", Some(sec(450)))]).await;
    assert_eq!(store.overview(&flow(), world.now).await.unwrap().waiting, open(2, sec(400)));
}

pub async fn an_overview_is_of_one_flow(store: Store) {
    let world = World::new(store.clone()).await;
    world.stage_one(entity("1", "v1")).await;
    for other in [FlowId::new(Table::Orders, "mage"), FlowId::new(Table::Products, "mage2")] {
        assert_eq!(store.overview(&other, world.now).await.unwrap(), Overview::default());
    }
}
