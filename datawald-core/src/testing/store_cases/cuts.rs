//! Cuts.

use super::Store;
use super::world::{World, entity, flow, sec};
use crate::model::{Cut, FlowId, Table};
use crate::store::StageBatch;

fn cut(seconds: i64, offset: u64) -> Cut {
    Cut { cut_dt: sec(seconds), offset }
}

async fn stage(world: &World, id: &str, cut: Option<Cut>) {
    world.store.stage(StageBatch { cut, ..world.batch(vec![entity(id, "v1")]) }).await.unwrap();
}

async fn cut_after(world: &World) -> Option<Cut> {
    world.store.sync_task(&world.task).await.unwrap().unwrap().cut_after
}

pub async fn there_is_no_cut_at_first(store: Store) {
    assert_eq!(store.cut(&flow()).await.unwrap(), None);
    let world = World::new(store.clone()).await;
    stage(&world, "1", None).await;
    assert_eq!(store.cut(&flow()).await.unwrap(), None);
    assert_eq!(cut_after(&world).await, None);
}

pub async fn a_cut_comes_with_its_entities(store: Store) {
    let world = World::new(store.clone()).await;
    stage(&world, "1", Some(cut(10, 3))).await;
    assert_eq!(store.cut(&flow()).await.unwrap(), Some(cut(10, 3)));
    assert_eq!(cut_after(&world).await, Some(cut(10, 3)));
    stage(&world, "2", None).await;
    assert_eq!(store.cut(&flow()).await.unwrap(), Some(cut(10, 3)));
    stage(&world, "3", Some(cut(11, 1))).await;
    assert_eq!(store.cut(&flow()).await.unwrap(), Some(cut(11, 1)));
    assert_eq!(cut_after(&world).await, Some(cut(11, 1)));
}

pub async fn a_cut_never_moves_backwards_by_staging(store: Store) {
    let mut world = World::new(store.clone()).await;
    stage(&world, "1", Some(cut(10, 3))).await;
    world.pass("second").await;
    stage(&world, "2", Some(cut(9, 99))).await;
    assert_eq!(store.cut(&flow()).await.unwrap(), Some(cut(10, 3)));
    assert_eq!(cut_after(&world).await, Some(cut(10, 3)));
    assert!(store.get(&world.key("2")).await.unwrap().is_some());
}

pub async fn of_two_cuts_of_one_time_the_greater_offset_stands(store: Store) {
    let world = World::new(store.clone()).await;
    stage(&world, "1", Some(cut(10, 3))).await;
    stage(&world, "2", Some(cut(10, 2))).await;
    assert_eq!(store.cut(&flow()).await.unwrap(), Some(cut(10, 3)));
    stage(&world, "3", Some(cut(10, 4))).await;
    assert_eq!(store.cut(&flow()).await.unwrap(), Some(cut(10, 4)));
}

pub async fn an_operator_may_move_the_cut_anywhere(store: Store) {
    let world = World::new(store.clone()).await;
    stage(&world, "1", Some(cut(10, 3))).await;
    store.set_cut(&flow(), Some(cut(-100, 0))).await.unwrap();
    assert_eq!(store.cut(&flow()).await.unwrap(), Some(cut(-100, 0)));
    store.set_cut(&flow(), Some(cut(50, 7))).await.unwrap();
    assert_eq!(store.cut(&flow()).await.unwrap(), Some(cut(50, 7)));
    store.set_cut(&flow(), None).await.unwrap();
    assert_eq!(store.cut(&flow()).await.unwrap(), None);
    store.set_cut(&flow(), None).await.unwrap();
}

pub async fn cuts_of_other_flows_are_independent(store: Store) {
    let flows = [flow(), FlowId::new(Table::Orders, "mage3"), FlowId::new(Table::Products, "mage2")];
    for (n, flow) in flows.iter().enumerate() {
        let world = World::of(store.clone(), flow.clone(), &format!("pass {n}")).await;
        stage(&world, "1", Some(cut(100 - n as i64, 1))).await;
    }
    for (n, flow) in flows.iter().enumerate() {
        assert_eq!(store.cut(flow).await.unwrap(), Some(cut(100 - n as i64, 1)));
    }
    store.set_cut(&flows[1], None).await.unwrap();
    assert_eq!(store.cut(&flows[0]).await.unwrap(), Some(cut(100, 1)));
}

pub async fn a_batch_without_entities_moves_the_cut(store: Store) {
    let world = World::new(store.clone()).await;
    let staged = store.stage(StageBatch { cut: Some(cut(10, 0)), ..world.batch(Vec::new()) }).await.unwrap();
    assert_eq!(staged, []);
    assert_eq!(store.cut(&flow()).await.unwrap(), Some(cut(10, 0)));
}
