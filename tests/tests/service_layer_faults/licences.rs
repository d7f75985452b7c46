//! Fewer licences than sessions, none for a while, none ever.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use datawald_core::model::SyncStatus;
use datawald_core::model::TxStatus::{New, Success};
use datawald_core::model::{FlowId, Table};
use datawald_core::{Cx, ErrorKind, ManualClock};
use jiff::{SignedDuration, Timestamp};
use sapb1_connector::sandbox::LOGIN;
use sapb1_connector::sandbox::service_layer::Faults;
use sapb1_connector::service_layer::Root;
use sapb1_connector::{B1Api, B1Settings, ServiceLayerClient};
use tracing_subscriber::util::SubscriberInitExt;

use crate::world::{ROOTS, Setup, World, after, connection};

/// Waits until log-ins were refused as often as that.
async fn refused(world: &World, logins: u64) {
    let refused = async {
        while world.b1.counters().logins_refused < logins {
            after(5, || {}).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), refused).await.expect("no log-in is tried again");
}

/// Somebody else who holds a licence.
async fn somebody_else(world: &World, root: Root) -> ServiceLayerClient {
    let client = ServiceLayerClient::new(connection(&world.b1, root, &B1Settings::default())).unwrap();
    client.info(&Cx::new(FlowId::new(Table::Orders, "other"))).await.unwrap();
    client
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_fewer_licences_than_sessions_the_run_goes_on_with_those() {
    for root in ROOTS {
        let mut setup = Setup::new(root, 60);
        setup.sessions = 6;
        setup.options.licences = 2;
        setup.engine.concurrency = 6;
        setup.engine.batch = 10;
        setup.rules.requests.write_batch = 2;
        let world = World::start(setup).await;
        world.faults(Faults { latency_ms: 10, ..Faults::default() });
        let report = world.run().await.unwrap();
        assert_eq!(report.sync_task.status, SyncStatus::Completed);
        world.ends(&[(Success, 60)], &format!("{root:?}")).await;
        let counters = world.b1.counters();
        assert_eq!(counters.sessions_most, 2);
        assert!((1..=10).contains(&counters.logins_refused), "asked for, but not all the time: {counters:?}");
        assert_eq!(world.most_attempts().await, 1, "calls wait for a session, orders do not fail");
        world.client.close().await;
        assert_eq!(world.b1.counters().sessions, 0, "all are given back");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_licence_for_a_while_the_run_waits_for_one() {
    for root in ROOTS {
        let mut setup = Setup::new(root, 20);
        setup.options.licences = 1;
        let world = World::start(setup).await;
        let other = somebody_else(&world, root).await;
        let report = world
            .run_while(async {
                // More than once, as is asserted below.
                refused(&world, 2).await;
                other.close().await
            })
            .await;
        assert_eq!(report.sync_task.status, SyncStatus::Completed);
        world.ends(&[(Success, 20)], &format!("{root:?}")).await;
        assert_eq!(world.most_attempts().await, 1, "that a licence is missing uses up no attempt");
        let counters = world.b1.counters();
        assert_eq!(counters.sessions_most, 1);
        assert!(counters.logins_refused > 1, "{counters:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_licence_for_good_the_run_says_so_and_no_order_fails() {
    for root in ROOTS {
        let mut setup = Setup::new(root, 5);
        setup.options.licences = 0;
        setup.engine.max_attempts = 3;
        setup.engine.close_wait_ms = 8_000;
        let world = World::start(setup).await;
        let report = world.run().await.unwrap();
        assert_eq!((report.sync_task.status, report.counts.open()), (SyncStatus::Incompleted, 5), "{root:?}");
        let note = &report.sync_task.note;
        assert!(note.contains("gives no further session, so a licence may be missing"), "{note}");
        assert!(note.ends_with("[-131]"), "{note}");
        for entity in world.entities().await {
            assert_eq!((entity.status, entity.attempts), (New, 0), "{}", entity.note);
        }
    }
}

/// The code of a missing licence is not recorded anywhere; one that is not configured cannot be told from a wrong password.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_licence_code_that_is_not_configured_stops_the_flow_and_one_that_is_delays() {
    for root in ROOTS {
        let mut setup = Setup::new(root, 5);
        setup.options.licences = 1;
        setup.options.licence_code = -8765;
        let world = World::start(setup).await;
        let other = somebody_else(&world, root).await;
        let error = world.run().await.unwrap_err();
        assert_eq!((error.kind(), error.code_text()), (ErrorKind::Unauthorized, Some("-8765")));
        assert!(error.to_string().contains("the user's licence"), "{error}");
        assert_eq!(world.b1.counters().logins_refused, 1, "not once more: that could lock the user");
        other.close().await;
        world.pass(31);
        world.run().await.unwrap();
        world.ends(&[(Success, 5)], "nothing was lost").await;

        let mut setup = Setup::new(root, 5);
        setup.options.licences = 1;
        setup.options.licence_code = -8765;
        setup.licence_codes = vec![-8765];
        let world = World::start(setup).await;
        let other = somebody_else(&world, root).await;
        world
            .run_while(async {
                refused(&world, 1).await;
                other.close().await
            })
            .await;
        world.ends(&[(Success, 5)], "configured").await;
    }
}

/// What is logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// One thread, so that all that is done is logged here.
#[tokio::test]
async fn a_refusal_that_may_be_a_licence_or_the_password_is_warned_of_once() {
    let log = Log::default();
    let written = log.clone();
    let _logging =
        tracing_subscriber::fmt().with_writer(move || written.clone()).with_ansi(false).finish().set_default();
    let world = World::plain(Root::V2, 0).await;
    let clock = Arc::new(ManualClock::at(Timestamp::now()));
    let cx = Cx::new(FlowId::new(Table::Orders, "mage2")).with_clock(clock.clone());
    world.client.info(&cx).await.unwrap();
    world.faults(Faults { password_changed: true, latency_ms: 20, ..Faults::default() });
    for _ in 0..3 {
        clock.advance(SignedDuration::from_mins(5));
        let info = || world.client.info(&cx);
        let (one, two, three) = tokio::join!(info(), info(), info());
        assert!(one.is_ok() && two.is_ok() && three.is_ok());
    }
    assert!(world.b1.counters().logins_refused >= 2);
    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    let warned: Vec<&str> = log.lines().filter(|line| line.contains("WARN")).collect();
    assert_eq!(warned.len(), 1, "{log}");
    for part in ["a licence is missing", "`licence_codes`", "the password was changed", "[100000027]"] {
        assert!(warned[0].contains(part), "{part}: {log}");
    }
    assert!(!log.contains(LOGIN.1), "{log}");
}
