//! A session that ends at any call of a run.

use std::collections::BTreeSet;

use datawald_core::model::TxStatus::{Cancelled, Success};
use sapb1_connector::sandbox::service_layer::Faults;
use sapb1_connector::service_layer::Root;

use crate::world::{Setup, World};

/// Two runs, of which the second has a cancelled and a changed order; answers how many calls came upon a session.
async fn runs(root: Root, sessions: usize, end_session_at: Option<u64>) -> u64 {
    let mut setup = Setup::new(root, 6);
    setup.sessions = sessions;
    setup.engine.concurrency = 1;
    setup.rules.requests.write_batch = 3;
    let world = World::start(setup).await;
    world.faults(Faults { end_session_at: end_session_at.into_iter().collect(), ..Faults::default() });
    world.run().await.unwrap();
    world.cancel(1);
    world.move_to(2, "Elsewhere");
    world.run().await.unwrap();

    let what = format!("{root:?}, {sessions} sessions, ends at call {end_session_at:?}");
    world.ends(&[(Success, 5), (Cancelled, 1)], &what).await;
    // The call itself is repeated, so that no order waits for another try.
    assert_eq!(world.most_attempts().await, 1, "{what}");
    let moved = world.b1.document("000000002").unwrap().body["AddressExtension"]["ShipToCity"].clone();
    assert_eq!(moved, "Elsewhere", "{what}");
    let counters = world.b1.counters();
    assert_eq!(counters.unauthorized, end_session_at.map_or(0, |_| 1), "{what}");
    counters.requests - counters.logins - counters.logins_refused
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_ends_at_any_call_of_a_run_at_v1() {
    each_call(Root::V1, 1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_session_that_ends_at_any_call_of_a_run_at_v2() {
    each_call(Root::V2, 3).await;
}

async fn each_call(root: Root, sessions: usize) {
    let calls = runs(root, sessions, None).await;
    assert!(calls >= 14, "look-ups, codes, contacts, orders, changes, cancellations: {calls}");
    for call in 1..=calls {
        // The call that met its end is one more.
        assert!(runs(root, sessions, Some(call)).await > calls, "call {call}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_end_every_few_calls() {
    for every in [4, 7] {
        let mut setup = Setup::new(Root::V2, 40);
        setup.rules.requests.write_batch = 4;
        let world = World::start(setup).await;
        world.faults(Faults { end_session_every: every, ..Faults::default() });
        world.run().await.unwrap();
        world.ends(&[(Success, 40)], &format!("every {every}")).await;
        assert!(world.b1.counters().unauthorized >= 2);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_that_never_hold_stop_the_flow_with_a_reason() {
    let world = World::plain(Root::V2, 3).await;
    world.faults(Faults { end_session_every: 1, ..Faults::default() });
    let error = world.run().await.unwrap_err();
    assert!(error.to_string().contains("does not know its own new session"), "{error}");
    assert_eq!(world.b1.counters().documents, 0);
    world.faults(Faults { end_session_at: BTreeSet::new(), ..Faults::default() });
    world.run().await.unwrap();
    world.ends(&[(Success, 3)], "once they hold").await;
}
