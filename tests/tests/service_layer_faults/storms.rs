//! Storms of 503: shorter than a call's own patience, longer than it, and without an end.

use datawald_core::model::SyncStatus;
use datawald_core::model::TxStatus::{New, Success};
use sapb1_connector::sandbox::service_layer::Faults;
use sapb1_connector::service_layer::Root;
use tokio::task::JoinSet;

use crate::world::{ROOTS, Setup, World, after};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_that_outlasts_a_calls_patience_delays_and_loses_nothing() {
    let mut worlds = JoinSet::new();
    for root in ROOTS {
        worlds.spawn(storm(root, 0, 3_000));
        worlds.spawn(storm(root, 1, 4_500));
    }
    worlds.join_all().await;
}

/// It breaks loose while orders are being written, goes over into gusts, and ends: gusts without an end would meet the one
/// write of the last order each time, if they come as often as that order's calls repeat.
async fn storm(root: Root, retry_after_s: u64, lasts_ms: u64) {
    let what = format!("{root:?}, Retry-After {retry_after_s}");
    let mut setup = Setup::new(root, 60);
    setup.rules.requests.write_batch = 5;
    let world = World::start(setup).await;
    world.faults(Faults { order_ms: 40, retry_after_s, ..Faults::default() });
    let storm = async {
        while world.b1.counters().documents == 0 {
            after(5, || {}).await;
        }
        world.b1.change_faults(|faults| faults.unavailable = true);
        let gusts = |faults: &mut Faults| {
            faults.unavailable = false;
            faults.unavailable_every = 3;
        };
        after(lasts_ms, || world.b1.change_faults(gusts)).await;
        after(2_000, || world.b1.change_faults(|faults| faults.unavailable_every = 0)).await;
    };
    let report = world.run_while(storm).await;
    assert_eq!(
        report.sync_task.status,
        SyncStatus::Completed,
        "{what}: {}{}",
        report.sync_task.note,
        world.told().await
    );
    world.ends(&[(Success, 60)], &what).await;
    assert!(world.b1.counters().unavailable > 5, "{what}");
}

/// What is not answered in time may go on, and what it has not made yet would be made twice: no call may take that long.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_orders_take_long_a_call_has_few_of_them() {
    for root in ROOTS {
        let mut setup = Setup::new(root, 60);
        setup.engine.batch = 50;
        setup.rules.requests.write_batch = 50;
        setup.rules.requests.write_timeout_s = 2;
        let world = World::start(setup).await;
        // As many in a call as are allowed would take 5 s.
        world.faults(Faults { order_ms: 100, ..Faults::default() });
        world.run().await.unwrap();
        world.ends(&[(Success, 60)], &format!("{root:?}")).await;
        assert_eq!(world.most_attempts().await, 1, "{root:?}: a call was given up");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_storm_without_an_end_fails_no_order_and_the_run_says_why_it_is_not_complete() {
    for root in ROOTS {
        let mut setup = Setup::new(root, 4);
        setup.engine.max_attempts = 2;
        setup.engine.close_wait_ms = 8_000;
        let world = World::start(setup).await;
        world.faults(Faults { unavailable: true, ..Faults::default() });
        let report = world.run().await.unwrap();
        assert_eq!(report.sync_task.status, SyncStatus::Incompleted);
        let note = &report.sync_task.note;
        assert!(note.starts_with("the backoffice has been away since 20"), "{note}");
        assert!(note.ends_with("not available for now [503]"), "{note}");
        for entity in world.entities().await {
            assert_eq!((entity.status, entity.attempts), (New, 0), "{}", entity.note);
        }
        // Once it is over, they go on by themselves.
        world.faults(Faults::default());
        world.run().await.unwrap();
        world.ends(&[(Success, 4)], "once it is over").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_asks_to_wait_is_left_alone_for_so_long() {
    let mut setup = Setup::new(Root::V2, 4);
    setup.engine.close_wait_ms = 1_000;
    let world = World::start(setup).await;
    world.faults(Faults { unavailable: true, retry_after_s: 60, ..Faults::default() });
    let report = world.run().await.unwrap();
    assert_eq!(report.sync_task.status, SyncStatus::Incompleted);
    assert!(world.b1.counters().requests <= 5, "{:?}", world.b1.counters());
    assert!(report.sync_task.note.contains("has been away since"), "{}", report.sync_task.note);
    for entity in world.entities().await {
        assert_eq!((entity.status, entity.attempts), (New, 0), "{}", entity.note);
    }
}
