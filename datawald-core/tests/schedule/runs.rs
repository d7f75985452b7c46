//! What becomes of ticks and runs, with one host.

use std::time::Duration;

use datawald_core::schedule::{LAST_RUNS, NOTE_LIMIT, Run, RunOutcome, Schedule};
use datawald_core::{Disposition, Error, ErrorKind};
use jiff::SignedDuration;

use crate::world::{World, at, meanwhile, minutely, seconds};

#[tokio::test]
async fn a_tick_is_run_once_under_an_id_that_follows_from_it() {
    let world = World::new();
    let host = world.host(vec![minutely()]).await;
    let state = world.state("minutely").await;
    assert_eq!(state.next_due, Some(at("2026-01-31T10:01:00Z")));
    meanwhile().await;
    assert!(host.book.runs().is_empty());

    world.clock.advance(seconds(60));
    let state = world.ended("minutely", 1).await;
    meanwhile().await;
    let runs = host.book.runs();
    assert_eq!(runs.len(), 1);
    let tick = at("2026-01-31T10:01:00Z");
    assert_eq!((runs[0].tick, runs[0].attempt, runs[0].missed), (tick, 1, 0));
    assert_eq!(runs[0].id, Run::of("minutely", tick).id);
    assert_eq!((state.last_tick, state.accounted_to, state.missed, state.runs), (Some(tick), tick, 0, 1));
    let ended = &state.last_runs[0];
    assert_eq!((ended.outcome, ended.note.as_str(), ended.attempts), (RunOutcome::Done, "attempt 1", 1));
    assert_eq!(ended.owner, host.scheduler.owner());
    assert_eq!(state.next_due, Some(at("2026-01-31T10:02:00Z")));
    assert!(!runs[0].is_stopping());
}

#[tokio::test]
async fn a_tick_waits_for_its_jitter() {
    let world = World::new();
    let schedule = minutely().with_jitter(Duration::from_secs(59)).unwrap();
    let tick = at("2026-01-31T10:01:00Z");
    let due = schedule.due_at(tick);
    assert!(due > tick);
    let host = world.host(vec![schedule]).await;
    assert_eq!(world.state("minutely").await.next_due, Some(due));
    world.clock.set(due - SignedDuration::from_millis(1));
    meanwhile().await;
    assert!(host.book.runs().is_empty());
    world.clock.set(due);
    assert_eq!(world.ended("minutely", 1).await.last_tick, Some(tick));
}

#[tokio::test]
async fn missed_ticks_are_made_up_for_by_one_run() {
    let world = World::new();
    let host = world.host(vec![minutely()]).await;
    world.clock.advance(seconds(3_600 + 30));
    let state = world.ended("minutely", 1).await;
    meanwhile().await;
    let runs = host.book.runs();
    assert_eq!((runs.len(), runs[0].tick, runs[0].missed), (1, at("2026-01-31T11:00:00Z"), 59));
    assert_eq!((state.missed, state.last_runs[0].missed), (59, 59));
}

/// A clock that ran ahead and is corrected, or is set back, stops nothing; and a tick that comes again is another run.
#[tokio::test]
async fn a_clock_that_is_set_back_stops_no_schedule() {
    let world = World::new();
    let host = world.host(vec![minutely()]).await;
    world.clock.advance(seconds(60));
    world.ended("minutely", 1).await;
    world.clock.advance(seconds(3_600));
    world.ended("minutely", 2).await;

    world.clock.set(at("2026-01-31T10:00:30Z"));
    meanwhile().await;
    world.clock.advance(seconds(60));
    let state = world.ended("minutely", 3).await;
    let (runs, tick) = (host.book.runs(), at("2026-01-31T10:01:00Z"));
    assert_eq!((runs[0].tick, runs[2].tick, state.set_back), (tick, tick, 1));
    assert_ne!(runs[0].id, runs[2].id);
    assert_eq!(state.next_due, Some(at("2026-01-31T10:02:00Z")));
}

/// Nor does a run wait for a time by a clock that was corrected since.
#[tokio::test]
async fn a_run_that_waits_by_a_clock_that_was_set_back_is_tried_again() {
    let world = World::new();
    let host = world.host(vec![minutely()]).await;
    host.book.answer(Err(Error::store("pull", "away")));
    world.clock.advance(seconds(3_600));
    world.until("minutely", |state| state.running.as_ref().is_some_and(|run| run.waits_until.is_some())).await;
    world.clock.set(at("2026-01-31T10:00:30Z"));
    world.ended("minutely", 1).await;
    assert_eq!(host.book.runs()[1].attempt, 2);
}

#[tokio::test]
async fn missed_ticks_are_skipped_if_they_are_to_be() {
    let world = World::new();
    let host = world.host(vec![minutely().skip_missed(Duration::from_secs(10))]).await;
    // Half a minute late: too late.
    world.clock.advance(seconds(3_600 + 30));
    world.until("minutely", |state| state.missed == 60).await;
    meanwhile().await;
    assert!(host.book.runs().is_empty());
    let state = world.state("minutely").await;
    assert_eq!((state.accounted_to, state.last_tick), (at("2026-01-31T11:00:00Z"), None));
    // Ten seconds late: in time; the one before is not.
    world.clock.set(at("2026-01-31T11:02:10Z"));
    let state = world.ended("minutely", 1).await;
    assert_eq!((state.missed, state.last_tick), (61, Some(at("2026-01-31T11:02:00Z"))));
}

#[tokio::test]
async fn missed_ticks_of_a_cron_expression_are_counted_too() {
    let world = World::new();
    let host = world.host(vec![Schedule::cron("quarters", "*/15 * * * *").unwrap()]).await;
    world.clock.set(at("2026-02-01T10:05:00Z"));
    world.ended("quarters", 1).await;
    let runs = host.book.runs();
    assert_eq!((runs[0].tick, runs[0].missed), (at("2026-02-01T10:00:00Z"), 95));
}

#[tokio::test]
async fn runs_of_a_schedule_never_overlap() {
    let world = World::new();
    let other = Schedule::every("other-schedule", Duration::from_secs(60)).unwrap();
    let host = world.host(vec![minutely(), other]).await;
    host.book.hold(true);
    world.clock.advance(seconds(60));
    host.until_runs(2).await;
    world.clock.advance(seconds(120));
    world.control.run_now("minutely").await.unwrap();
    meanwhile().await;
    // The other schedule runs at the same time, but each once.
    assert_eq!(host.book.runs().len(), 2);
    let state = world.state("minutely").await;
    assert_eq!(state.running.unwrap().tick, at("2026-01-31T10:01:00Z"));
    host.book.hold(false);
    // The one that was asked for, and one for the ticks that were missed.
    let state = world.ended("minutely", 3).await;
    assert_eq!((state.missed, state.last_tick), (1, Some(at("2026-01-31T10:03:00Z"))));
}

#[tokio::test]
async fn a_failed_run_is_tried_again_under_its_id() {
    let world = World::new();
    let host = world.host(vec![minutely()]).await;
    let busy = Disposition::Retryable { after: Some(Duration::from_secs(20)) };
    host.book.answer(Err(Error::new(ErrorKind::Busy, busy, "count", "the shop is busy")));
    host.book.answer(Err(Error::store("count", "away")));
    world.clock.advance(seconds(60));
    let state = world.until("minutely", |state| state.running.as_ref().is_some_and(|run| run.waits_until.is_some()));
    let run = state.await.running.unwrap();
    assert_eq!((run.waits_until, run.note.as_str()), (Some(at("2026-01-31T10:01:20Z")), "count: the shop is busy"));
    meanwhile().await;
    assert_eq!(host.book.runs().len(), 1);
    // As long as it waits, no tick is run.
    world.clock.set(at("2026-01-31T10:01:20Z"));
    host.until_runs(2).await;
    // The second wait is twice the first that the settings name.
    let wait = at("2026-01-31T10:01:40Z");
    world.until("minutely", |state| state.running.as_ref().is_some_and(|run| run.waits_until == Some(wait))).await;
    world.clock.set(wait);
    let state = world.ended("minutely", 1).await;
    assert_eq!((state.last_runs[0].attempts, state.last_runs[0].note.as_str()), (3, "attempt 3"));
    let runs = host.book.runs();
    assert!(runs.iter().all(|run| run.id == runs[0].id));
    assert_eq!(runs.iter().map(|run| run.attempt).collect::<Vec<_>>(), [1, 2, 3]);
}

#[tokio::test]
async fn a_run_that_fails_too_often_has_failed() {
    let world = World::new();
    let host = world.host(vec![minutely()]).await;
    for _ in 0..5 {
        host.book.answer(Err(Error::store("count", "away")));
    }
    world.clock.advance(seconds(60));
    for attempt in 1..=4 {
        let waits = world.until("minutely", |state| {
            state.running.as_ref().is_some_and(|run| run.attempt == attempt && run.waits_until.is_some())
        });
        let run = waits.await.running.unwrap();
        assert_eq!(run.tries_left, 5 - attempt);
        world.clock.set(run.waits_until.unwrap());
    }
    let state = world.until("minutely", |state| !state.last_runs.is_empty()).await;
    let ended = state.last_runs.last().unwrap();
    assert_eq!((ended.outcome, ended.attempts, ended.note.as_str()), (RunOutcome::Failed, 5, "count: away"));
    // The ticks that came in between have a run then.
    host.until_runs(6).await;
}

#[tokio::test]
async fn an_error_that_is_no_use_repeating_ends_the_run() {
    let world = World::new();
    let host = world.host(vec![minutely()]).await;
    host.book.answer(Err(Error::config("count", "the warehouse is not set").field("warehouse")));
    world.clock.advance(seconds(60));
    let state = world.ended("minutely", 1).await;
    assert_eq!(state.last_runs[0].outcome, RunOutcome::Failed);
    assert_eq!(state.last_runs[0].note, "count: field warehouse: the warehouse is not set");
    world.clock.advance(seconds(60));
    assert_eq!(world.ended("minutely", 2).await.last_runs[0].outcome, RunOutcome::Done);
}

#[tokio::test]
async fn a_job_that_panics_has_failed_and_nothing_else_ends() {
    struct Panics;
    #[async_trait::async_trait]
    impl datawald_core::schedule::Job for Panics {
        async fn run(&self, _: &Run) -> datawald_core::Result<String> {
            panic!("a mistake of the job");
        }
    }
    let world = World::new();
    let scheduler = datawald_core::schedule::Scheduler::builder(world.store.clone())
        .clock(world.clock.clone())
        .settings(crate::world::settings())
        .job(minutely(), Panics)
        .build()
        .unwrap();
    let watch = async {
        world.until("minutely", |state| state.scheduled).await;
        for runs in 1..=2 {
            world.clock.advance(seconds(60));
            let state = world.ended("minutely", runs).await;
            assert_eq!(state.last_runs[0].outcome, RunOutcome::Failed);
            assert!(state.last_runs[0].note.contains("the job panicked"), "{}", state.last_runs[0].note);
        }
        scheduler.stop();
    };
    tokio::join!(scheduler.run(), watch);
}

#[tokio::test]
async fn what_is_kept_of_runs_has_bounds() {
    let world = World::new();
    let host = world.host(vec![minutely()]).await;
    for run in 1..=LAST_RUNS + 5 {
        // The longest that a record can come to: quotes are two bytes in it.
        host.book.answer(Ok("\"\n€".repeat(NOTE_LIMIT)));
        world.clock.advance(seconds(60));
        world.until("minutely", |state| state.runs == run as u64 && state.running.is_none()).await;
    }
    let state = world.state("minutely").await;
    assert_eq!(state.last_runs.len(), LAST_RUNS);
    assert!(state.last_runs.iter().all(|run| run.note.len() <= NOTE_LIMIT && run.note.starts_with("\" €")));
    assert!(state.last_runs.is_sorted_by(|newer, older| newer.tick > older.tick));
}
