//! Pausing, resuming, running now, and schedules that change.

use std::time::Duration;

use datawald_core::ErrorKind;
use datawald_core::schedule::{Schedule, ScheduleState};

use crate::world::{World, at, meanwhile, minutely, seconds};

#[tokio::test]
async fn a_paused_schedule_rests_until_it_is_resumed() {
    let world = World::new();
    let host = world.host(vec![minutely()]).await;
    assert!(world.control.pause("minutely").await.unwrap());
    assert!(!world.control.pause("minutely").await.unwrap());
    world.clock.advance(seconds(3_600));
    meanwhile().await;
    assert!(host.book.runs().is_empty());
    let state = world.state("minutely").await;
    assert_eq!((state.paused, state.next_due, state.missed), (true, None, 0));
    assert!(world.control.resume("minutely").await.unwrap());
    assert!(!world.control.resume("minutely").await.unwrap());
    // What came while it was paused is left out.
    world.until("minutely", |state| state.next_due == Some(at("2026-01-31T11:01:00Z"))).await;
    meanwhile().await;
    assert!(host.book.runs().is_empty());
    world.clock.advance(seconds(60));
    let state = world.ended("minutely", 1).await;
    assert_eq!((state.missed, state.last_tick), (0, Some(at("2026-01-31T11:01:00Z"))));
}

#[tokio::test]
async fn what_runs_goes_on_when_it_is_paused() {
    let world = World::new();
    let host = world.host(vec![minutely()]).await;
    host.book.hold(true);
    world.clock.advance(seconds(60));
    host.until_runs(1).await;
    world.control.pause("minutely").await.unwrap();
    meanwhile().await;
    host.book.hold(false);
    let state = world.ended("minutely", 1).await;
    assert_eq!((state.paused, state.last_runs[0].attempts), (true, 1));
}

#[tokio::test]
async fn a_run_that_waits_rests_with_its_paused_schedule() {
    let world = World::new();
    let host = world.host(vec![minutely()]).await;
    host.book.answer(Err(datawald_core::Error::store("count", "away")));
    world.clock.advance(seconds(60));
    world.until("minutely", |state| state.running.as_ref().is_some_and(|run| run.waits_until.is_some())).await;
    world.control.pause("minutely").await.unwrap();
    world.clock.advance(seconds(600));
    meanwhile().await;
    assert_eq!(host.book.runs().len(), 1);
    world.control.resume("minutely").await.unwrap();
    let state = world.ended("minutely", 1).await;
    assert_eq!((state.last_runs[0].attempts, state.missed), (2, 0));
}

#[tokio::test]
async fn a_schedule_is_run_now_paused_or_not() {
    let world = World::new();
    let host = world.host(vec![minutely()]).await;
    world.control.pause("minutely").await.unwrap();
    world.clock.advance(seconds(30));
    let id = world.control.run_now("minutely").await.unwrap();
    let state = world.ended("minutely", 1).await;
    let runs = host.book.runs();
    assert_eq!((runs.len(), &runs[0].id, runs[0].asked_for, runs[0].tick), (1, &id, true, at("2026-01-31T10:00:30Z")));
    // It is none of the ticks.
    assert_eq!((state.last_tick, state.accounted_to), (None, at("2026-01-31T10:00:00Z")));
    assert!(state.last_runs[0].asked_for && state.wanted_at.is_none());
}

#[tokio::test]
async fn what_was_asked_for_while_paused_is_tried_again_too() {
    let world = World::new();
    let host = world.host(vec![minutely()]).await;
    world.control.pause("minutely").await.unwrap();
    host.book.answer(Err(datawald_core::Error::store("count", "away")));
    world.control.run_now("minutely").await.unwrap();
    world.until("minutely", |state| state.running.as_ref().is_some_and(|run| run.waits_until.is_some())).await;
    world.clock.advance(seconds(600));
    let state = world.ended("minutely", 1).await;
    assert_eq!((state.paused, state.last_runs[0].attempts), (true, 2));
}

#[tokio::test]
async fn what_is_asked_for_twice_before_it_starts_is_run_once() {
    let world = World::new();
    let host = world.host(vec![minutely()]).await;
    host.book.hold(true);
    world.clock.advance(seconds(60));
    host.until_runs(1).await;
    let first = world.control.run_now("minutely").await.unwrap();
    world.clock.advance(seconds(5));
    assert_eq!(world.control.run_now("minutely").await.unwrap(), first);
    host.book.hold(false);
    world.ended("minutely", 2).await;
    meanwhile().await;
    assert_eq!(host.book.runs().len(), 2);
    // Asked for at the tick's very time, it is another run all the same.
    assert_ne!(host.book.runs()[0].id, first);
}

#[tokio::test]
async fn unknown_schedules_are_told_of() {
    let world = World::new();
    let control = &world.control;
    assert_eq!(control.list().await.unwrap(), []);
    assert_eq!(control.leader().await.unwrap(), None);
    assert_eq!(control.get("orders").await.unwrap_err().kind(), ErrorKind::NotFound);
    assert_eq!(control.pause("orders").await.unwrap_err().kind(), ErrorKind::NotFound);
    let error = control.run_now("orders").await.unwrap_err();
    assert!(error.to_string().contains("schedule orders: no host has led"), "{error}");
    assert!(!control.remove("orders").await.unwrap());
}

#[tokio::test]
async fn schedules_are_replaced_while_they_run() {
    let world = World::new();
    let host = world.host(vec![minutely()]).await;
    host.book.hold(true);
    world.clock.advance(seconds(60));
    host.until_runs(1).await;

    let hourly = Schedule::cron("hourly", "0 * * * *").unwrap().job("other");
    host.scheduler.replace(vec![hourly.clone()]).unwrap();
    world.until("hourly", |state| state.scheduled).await;
    let state = world.until("minutely", |state| !state.scheduled).await;
    assert!(state.running.is_some() && state.next_due.is_none());
    host.book.hold(false);
    world.ended("minutely", 1).await;
    world.clock.set(at("2026-01-31T11:00:00Z"));
    world.ended("hourly", 1).await;
    assert_eq!(host.book.runs().len(), 2);
    let error = world.control.run_now("minutely").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Invalid);

    // It comes back, and the ticks between are not its own.
    let back = minutely().job("other");
    host.scheduler.replace(vec![back]).unwrap();
    world.until("minutely", |state| state.next_due == Some(at("2026-01-31T11:01:00Z"))).await;
    world.clock.advance(seconds(60));
    let state = world.ended("minutely", 2).await;
    assert_eq!((state.missed, state.last_runs[0].missed), (0, 0));
}

#[tokio::test]
async fn a_schedule_of_other_ticks_counts_them_from_then_on() {
    let world = World::new();
    let host = world.host(vec![minutely()]).await;
    world.control.pause("minutely").await.unwrap();
    world.clock.advance(seconds(90));
    let seconds_apart = Schedule::every("minutely", Duration::from_secs(1)).unwrap();
    host.scheduler.replace(vec![seconds_apart]).unwrap();
    let state = world.until("minutely", |state| state.when == "every 1s").await;
    // It is paused still.
    assert!(state.paused);
    world.control.resume("minutely").await.unwrap();
    world.clock.advance(seconds(1));
    let state = world.ended("minutely", 1).await;
    assert_eq!((state.missed, state.last_tick), (0, Some(at("2026-01-31T10:01:31Z"))));
}

#[tokio::test]
async fn a_removed_schedule_starts_anew() {
    let world = World::new();
    let host = world.host(vec![minutely()]).await;
    host.book.hold(true);
    world.clock.advance(seconds(60));
    host.until_runs(1).await;
    assert_eq!(world.control.remove("minutely").await.unwrap_err().kind(), ErrorKind::Busy);
    host.book.hold(false);
    world.ended("minutely", 1).await;
    assert!(world.control.remove("minutely").await.unwrap());
    let state = world.until("minutely", |state| state.scheduled).await;
    assert_eq!((state.runs, state.accounted_to), (0, at("2026-01-31T10:01:00Z")));
}

#[tokio::test]
async fn a_record_that_cannot_be_read_stops_nothing_else() {
    let world = World::new();
    world.store.write_record("schedule/minutely", 0, "not a state").await.unwrap();
    let other = Schedule::every("sound", Duration::from_secs(60)).unwrap();
    let host = world.start(world.clock.clone(), crate::world::settings(), vec![minutely(), other]);
    world.until("sound", |state| state.scheduled).await;
    world.clock.advance(seconds(60));
    world.ended("sound", 1).await;
    assert_eq!(host.book.runs().len(), 1);
    let error = world.control.get("minutely").await.unwrap_err();
    assert_eq!(error.entity_text(), Some("record schedule/minutely"));
    assert!(world.control.remove("minutely").await.unwrap());
    world.until("minutely", |state| state.scheduled).await;
}

#[tokio::test]
async fn the_state_is_written_and_read_as_json() {
    let world = World::new();
    let host = world.host(vec![minutely()]).await;
    world.clock.advance(seconds(60));
    world.ended("minutely", 1).await;
    host.book.hold(true);
    world.clock.advance(seconds(60));
    let state = world.until("minutely", |state| state.running.is_some()).await;
    let text = serde_json::to_string(&state).unwrap();
    assert_eq!(serde_json::from_str::<ScheduleState>(&text).unwrap(), state);
}
