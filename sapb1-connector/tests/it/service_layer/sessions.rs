//! Sessions: never more than the licences, renewed, and given back.

use std::sync::Arc;
use std::time::Duration;

use datawald_core::{Clock, Disposition, ErrorKind};
use futures::future::join_all;
use jiff::SignedDuration;
use sapb1_connector::sandbox::service_layer::{Faults, SandboxOptions};
use sapb1_connector::{B1Api, ServiceLayerClient};

use super::{ROOTS, connection, plain, world};
use crate::common::*;

#[tokio::test]
async fn as_many_sessions_as_configured_each_given_back() {
    for root in ROOTS {
        let world = world(root, SandboxOptions::default(), settings(""), |it| it.sessions = 3).await;
        world.faults(Faults { latency_ms: 20, ..Faults::default() });
        let cx = cx();
        let wanted = references(["1"]);
        let calls = join_all((0..20).map(|_| world.client.look_up(&cx, &wanted))).await;
        assert!(calls.iter().all(Result::is_ok));
        let counters = world.sandbox.counters();
        assert_eq!((counters.logins, counters.sessions_most, counters.at_once_most), (3, 3, 3));
        assert_eq!(world.client.most_sessions(), 3);
        B1Api::close(&*world.client).await;
        let counters = world.sandbox.counters();
        assert_eq!((counters.logouts, counters.sessions), (3, 0));
        let error = world.client.look_up(&cx, &references(["1"])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Stopped);
    }
}

#[tokio::test]
async fn where_there_are_fewer_licences_the_work_goes_on_with_those() {
    for root in ROOTS {
        // Even with a code that is not known: the first login is made alone, so the credentials are known to be right.
        let options = SandboxOptions { licences: 2, licence_code: -8765, ..SandboxOptions::default() };
        let world = world(root, options, settings(""), |it| it.sessions = 6).await;
        world.faults(Faults { latency_ms: 20, ..Faults::default() });
        let (cx, wanted) = (cx(), references(["1"]));
        let calls = join_all((0..20).map(|_| world.client.look_up(&cx, &wanted))).await;
        for call in calls {
            call.unwrap();
        }
        assert_eq!(world.sandbox.counters().sessions_most, 2);
    }
}

#[tokio::test]
async fn no_licence_at_all_is_worth_another_try_and_wrong_credentials_are_not() {
    for root in ROOTS {
        let taken = plain(root).await;
        let options = SandboxOptions { licences: 0, ..SandboxOptions::default() };
        let none = world(root, options, settings(""), |_| {}).await;
        let error = none.client.look_up(&cx(), &references(["1"])).await.unwrap_err();
        assert_eq!((error.kind(), error.disposition()), (ErrorKind::Busy, Disposition::Retryable { after: None }));

        let mut wrong = connection(&taken.sandbox, &settings(""), root);
        wrong.password = "nobody's".into();
        let client = ServiceLayerClient::new(wrong).unwrap();
        let error = client.look_up(&cx(), &references(["1"])).await.unwrap_err();
        assert_eq!((error.kind(), error.disposition()), (ErrorKind::Unauthorized, Disposition::Permanent));
        assert!(!format!("{error:?} {client:?}").contains("nobody"));
    }
}

#[tokio::test]
async fn wrong_credentials_are_tried_once_whoever_asks_and_again_after_a_while() {
    for root in ROOTS {
        let clock = clock();
        let world = world(root, SandboxOptions::default(), settings(""), |it| {
            it.sessions = 6;
            it.password = "nobody's".into();
        })
        .await;
        world.faults(Faults { latency_ms: 20, ..Faults::default() });
        let (cx, wanted) = (cx_at(&clock), references(["1"]));
        for logins in [1, 1, 2] {
            let calls = join_all((0..20).map(|_| world.client.look_up(&cx, &wanted))).await;
            for call in calls {
                assert_eq!(call.unwrap_err().kind(), ErrorKind::Unauthorized);
            }
            let counters = world.sandbox.counters();
            assert_eq!((counters.logins_refused, counters.sessions), (logins, 0), "more could lock the user");
            if logins == 1 {
                clock.advance(SignedDuration::from_secs(20));
            }
        }
    }
}

#[tokio::test]
async fn wrong_credentials_are_tried_ever_more_seldom_and_the_error_says_when() {
    for root in ROOTS {
        let clock = clock();
        let world = world(root, SandboxOptions::default(), settings(""), |it| it.password = "nobody's".into()).await;
        let (cx, wanted) = (cx_at(&clock), references(["1"]));
        for (refused, wait) in (1..).zip([30, 120, 480, 1920, 3600, 3600, 3600]) {
            let again = clock.now() + SignedDuration::from_secs(wait);
            for pause in [0, wait - 1] {
                clock.advance(SignedDuration::from_secs(pause));
                let error = world.client.look_up(&cx, &wanted).await.unwrap_err();
                assert_eq!((error.kind(), error.disposition()), (ErrorKind::Unauthorized, Disposition::Permanent));
                assert!(error.message().contains(&format!("tried again from {again} on")), "{error}");
                assert!(error.message().contains("reload"), "{error}");
                assert_eq!(world.sandbox.counters().logins_refused, refused, "{root:?}: more could lock the user");
            }
            clock.advance(SignedDuration::from_secs(1));
        }
    }
}

#[tokio::test]
async fn a_password_that_is_changed_later_is_tried_once_in_a_while_and_stops_the_flow_when_no_session_is_left() {
    for root in ROOTS {
        let clock = clock();
        let options = SandboxOptions { clock: clock.clone(), ..SandboxOptions::default() };
        let world = world(root, options, settings(""), |it| it.sessions = 6).await;
        let (cx, wanted) = (cx_at(&clock), references(["1"]));
        world.client.look_up(&cx, &wanted).await.unwrap();
        world.faults(Faults { password_changed: true, latency_ms: 20, ..Faults::default() });

        // With the one session there is the work goes on, even if it is old: no other could be had in its place.
        clock.advance(SignedDuration::from_mins(1));
        for (refused, minutes) in [(1, 0), (1, 28), (1, 5)] {
            let calls = join_all((0..20).map(|_| world.client.look_up(&cx, &wanted))).await;
            assert!(calls.iter().all(Result::is_ok), "{root:?}: {calls:?}");
            let counters = world.sandbox.counters();
            assert!((refused..=refused + 1).contains(&counters.logins_refused), "{root:?}: {counters:?}");
            assert_eq!((counters.logins, counters.logouts), (1, 0), "{root:?}");
            clock.advance(SignedDuration::from_mins(minutes));
        }

        // Then it is over, and what was perhaps a licence is surely none.
        clock.advance(SignedDuration::from_mins(31));
        let before = world.sandbox.counters().logins_refused;
        for _ in 0..2 {
            let calls = join_all((0..20).map(|_| world.client.look_up(&cx, &wanted))).await;
            for call in calls {
                let error = call.unwrap_err();
                assert_eq!((error.kind(), error.disposition()), (ErrorKind::Unauthorized, Disposition::Permanent));
                assert!(error.message().contains("check company, user and password"), "{error}");
            }
            assert_eq!(world.sandbox.counters().logins_refused, before + 1, "{root:?}: more could lock the user");
        }

        // The configuration was right after all.
        world.faults(Faults::default());
        clock.advance(SignedDuration::from_hours(1));
        world.client.look_up(&cx, &wanted).await.unwrap();
    }
}

#[tokio::test]
async fn without_a_licence_one_is_asked_for_once_a_second() {
    for root in ROOTS {
        let clock = clock();
        let options = SandboxOptions { clock: clock.clone(), licences: 0, ..SandboxOptions::default() };
        let world = world(root, options, settings(""), |_| {}).await;
        let (cx, wanted) = (cx_at(&clock), references(["1"]));
        for refused in 1..=3 {
            for _ in 0..2 {
                let calls = join_all((0..20).map(|_| world.client.look_up(&cx, &wanted))).await;
                for call in calls {
                    assert_eq!(call.unwrap_err().kind(), ErrorKind::Busy);
                }
                assert_eq!(world.sandbox.counters().logins_refused, refused, "{root:?}");
            }
            clock.advance(SignedDuration::from_secs(1));
        }
    }
}

#[tokio::test]
async fn a_service_that_was_started_anew_costs_each_session_a_login() {
    for root in ROOTS {
        let world = world(root, SandboxOptions::default(), settings(""), |it| it.sessions = 4).await;
        world.faults(Faults { latency_ms: 20, ..Faults::default() });
        let (cx, wanted) = (cx(), references(["1"]));
        for _ in 0..2 {
            let calls = join_all((0..8).map(|_| world.client.look_up(&cx, &wanted))).await;
            assert!(calls.iter().all(Result::is_ok), "{calls:?}");
            world.sandbox.restart();
        }
        // All four are over, and one call comes upon each of them.
        world.client.look_up(&cx, &wanted).await.unwrap();
        assert!(world.sandbox.counters().sessions_most <= 4);
    }
}

#[tokio::test]
async fn a_session_is_renewed_before_it_ends() {
    for root in ROOTS {
        let clock = clock();
        let options = SandboxOptions { clock: clock.clone(), ..SandboxOptions::default() };
        let world = world(root, options, settings(""), |it| it.sessions = 1).await;
        let wanted = references(["1"]);
        world.client.look_up(&cx_at(&clock), &wanted).await.unwrap();
        clock.advance(SignedDuration::from_mins(26));
        world.client.look_up(&cx_at(&clock), &wanted).await.unwrap();
        assert_eq!(world.sandbox.counters().logins, 1, "each call lets it live on");
        clock.advance(SignedDuration::from_mins(28));
        world.client.look_up(&cx_at(&clock), &wanted).await.unwrap();
        let counters = world.sandbox.counters();
        assert_eq!((counters.logins, counters.logouts, counters.unauthorized), (2, 1, 0));
        assert_eq!(counters.sessions_most, 1);
    }
}

#[tokio::test]
async fn a_call_that_is_given_up_gives_its_session_back() {
    let world = world(ROOTS[1], SandboxOptions::default(), settings(""), |it| it.sessions = 1).await;
    world.faults(Faults { latency_ms: 100, ..Faults::default() });
    for _ in 0..3 {
        let wanted = references(["1"]);
        let call = tokio::time::timeout(Duration::from_millis(150), async {
            world.client.look_up(&cx(), &wanted).await.map(drop)
        });
        let _ = call.await;
    }
    world.client.look_up(&cx(), &references(["1"])).await.unwrap();
    assert_eq!((world.sandbox.counters().logins, world.sandbox.counters().sessions_most), (1, 1));
}

#[tokio::test]
async fn the_company_is_told() {
    for root in ROOTS {
        let world = plain(root).await;
        let info = Arc::clone(&world.client).info(&cx()).await.unwrap();
        assert_eq!((info.company_db.as_str(), info.server.as_str()), ("SBODEMOUS", "127.0.0.1"));
    }
}

#[tokio::test]
async fn a_log_in_whose_answer_is_lost_holds_a_licence_until_its_time_out() {
    for root in ROOTS {
        let clock = clock();
        let options = SandboxOptions { clock: clock.clone(), ..SandboxOptions::default() };
        let world = world(root, options, settings(""), |it| it.sessions = 3).await;
        let (cx, wanted) = (cx_at(&clock), references(["1"]));
        world.faults(Faults { cut_body_every: 1, ..Faults::default() });
        for _ in 0..2 {
            let error = world.client.look_up(&cx, &wanted).await.unwrap_err();
            assert_eq!(error.disposition(), Disposition::Retryable { after: None }, "{error}");
        }
        world.faults(Faults { latency_ms: 20, ..Faults::default() });
        let calls = join_all((0..20).map(|_| world.client.look_up(&cx, &wanted))).await;
        assert!(calls.iter().all(Result::is_ok));
        let counters = world.sandbox.counters();
        assert_eq!((counters.sessions_most, counters.at_once_most), (3, 1), "{root:?}: two of them are nobody's");
        clock.advance(SignedDuration::from_mins(31));
        let calls = join_all((0..20).map(|_| world.client.look_up(&cx, &wanted))).await;
        assert!(calls.iter().all(Result::is_ok));
        let counters = world.sandbox.counters();
        assert_eq!((counters.sessions_most, counters.at_once_most), (3, 3), "{root:?}: they are over");
    }
}

#[tokio::test]
async fn lost_log_ins_never_make_more_sessions_than_the_limit() {
    for (root, sessions) in ROOTS.into_iter().flat_map(|root| [(root, 1), (root, 2)]) {
        let clock = clock();
        let options = SandboxOptions { clock: clock.clone(), ..SandboxOptions::default() };
        let world = world(root, options, settings(""), |it| it.sessions = sessions).await;
        let (cx, wanted) = (cx_at(&clock), references(["1"]));
        world.faults(Faults { cut_body_every: 1, ..Faults::default() });
        for _ in 0..sessions {
            world.client.look_up(&cx, &wanted).await.unwrap_err();
            clock.advance(SignedDuration::from_mins(1));
        }
        world.faults(Faults::default());
        let begun = world.sandbox.counters().logins;

        let left = Duration::from_secs(60 * (30 - sessions as u64));
        for call in join_all((0..20).map(|_| world.client.look_up(&cx, &wanted))).await {
            let error = call.unwrap_err();
            let retry = Disposition::Retryable { after: Some(left) };
            assert_eq!((error.kind(), error.disposition()), (ErrorKind::Busy, retry), "{error}");
            assert_eq!(error.field_path(), Some("sessions"));
            let lost = format!("since 2026-01-31T10:00:00Z the answers of {sessions} log-ins were lost");
            for part in [lost.as_str(), "first is over at 2026-01-31T10:30:00Z", "raise `sessions`", "restart"] {
                assert!(error.message().contains(part), "`{part}` is not in: {error}");
            }
        }
        let counters = world.sandbox.counters();
        assert_eq!((counters.logins, counters.sessions_most), (begun, sessions as u64), "{root:?}");

        clock.advance(SignedDuration::try_from(left).unwrap());
        let calls = join_all((0..20).map(|_| world.client.look_up(&cx, &wanted))).await;
        assert!(calls.iter().all(Result::is_ok), "{root:?}: {calls:?}");
        assert_eq!(world.sandbox.counters().sessions_most, sessions as u64, "{root:?}");
    }
}

#[tokio::test]
async fn an_old_session_that_cannot_be_ended_is_used_on() {
    for root in ROOTS {
        let clock = clock();
        let options = SandboxOptions { clock: clock.clone(), ..SandboxOptions::default() };
        let world = world(root, options, settings(""), |it| it.sessions = 1).await;
        let (cx, wanted) = (cx_at(&clock), references(["1"]));
        world.client.look_up(&cx, &wanted).await.unwrap();
        let ends = |(logins, logouts)| {
            let counters = world.sandbox.counters();
            let most = counters.sessions_most;
            assert_eq!((counters.logins, counters.logouts, most), (logins, logouts, 1), "{root:?}");
        };
        let log_out_fails = || world.faults(Faults { unavailable_at: [1].into(), ..Faults::default() });
        clock.advance(SignedDuration::from_mins(28));
        log_out_fails();
        world.client.look_up(&cx, &wanted).await.unwrap();
        ends((1, 0));
        // The next time it is ended as ever.
        clock.advance(SignedDuration::from_mins(28));
        world.client.look_up(&cx, &wanted).await.unwrap();
        ends((2, 1));
        // One that is over holds no licence, whether it can be ended or not.
        clock.advance(SignedDuration::from_mins(31));
        log_out_fails();
        world.client.look_up(&cx, &wanted).await.unwrap();
        ends((3, 1));
    }
}
