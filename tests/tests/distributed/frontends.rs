//! Frontends of one shop that start at the same moment.

use std::time::Duration;

use datawald_core::model::{FlowId, SyncStatus, Table};
use datawald_core::store::{MongoSettings, MongoStore, StagingStore, SyncTaskFilter};
use rustix::process::Signal;
use sapb1_connector::sandbox::Way;

use crate::world::{Backends, Process, World};

sapb1_connector::over_both_ways! { two_of_one_shop_take_turns_and_no_cut_moves_back }

const ORDERS: u64 = 400;
const LIMIT: Duration = Duration::from_secs(120);

async fn two_of_one_shop_take_turns_and_no_cut_moves_back(way: Way) {
    let world = World::new(way, Backends::shared(), 1, ORDERS).await;
    let store = MongoStore::connect(MongoSettings::new(world.backends.store.clone())).await.unwrap();
    let flow = FlowId::new(Table::Orders, world.shops[0].name.clone());

    let mut worker = world.worker("worker");
    let mut frontends: Vec<Process> = ["one", "two"].map(|name| world.frontend(0, name)).into();

    // Meanwhile the cut is watched.
    let mut cuts = Vec::new();
    loop {
        cuts.extend(store.cut(&flow).await.unwrap().map(|cut| (cut.cut_dt, cut.offset)));
        if frontends.iter_mut().all(|frontend| frontend.ended().is_some()) {
            break;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert!(cuts.is_sorted(), "the cut moved back: {cuts:?}");
    assert!(!cuts.is_empty());

    let (mut taken_up, mut unchanged) = (0, 0);
    for frontend in &mut frontends {
        let report = frontend.report(LIMIT).await;
        let round = &report["run"]["rounds"][0];
        taken_up += round["taken_up"].as_u64().unwrap();
        unchanged += round["unchanged"].as_u64().unwrap();
        assert_eq!(round["sync_status"][0], "Completed");
        world.check_all_applied(0, &report, ORDERS);
    }
    assert_eq!(taken_up, ORDERS, "each order was taken up by one of them");
    assert!(unchanged <= ORDERS, "the other found at most that they had not changed");
    assert_eq!(world.b1.counters().documents, ORDERS);

    // One after the other: the second began from the cut that the first had reached.
    let filter = SyncTaskFilter { flow: Some(flow), ..SyncTaskFilter::default() };
    let tasks = store.list_sync_tasks(&filter).await.unwrap().items;
    assert_eq!(tasks.len(), 2);
    assert_eq!((tasks[1].cut_before, tasks[0].cut_before), (None, tasks[1].cut_after));
    assert!(tasks.iter().all(|task| task.status == SyncStatus::Completed && task.pulled));
    worker.signal(Signal::TERM);
    worker.succeed(LIMIT).await;
}
