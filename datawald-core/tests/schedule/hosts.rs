//! Many hosts: who leads, what becomes of the runs of one that dies, and of one that wakes up late.

use std::sync::Arc;
use std::time::Duration;

use datawald_core::schedule::{RunOutcome, SchedulerSettings};
use datawald_core::{Error, ErrorKind, ManualClock};
use jiff::SignedDuration;

use crate::world::{Host, World, at, meanwhile, minutely, seconds};

/// A lease of ten minutes, and clocks up to two seconds off.
fn settings() -> SchedulerSettings {
    SchedulerSettings { poll_ms: 2, lease_ms: 600_000, clock_offset_ms: 2_000, max_attempts: 3, ..Default::default() }
}

/// A host on a clock of its own, which is `off` seconds off.
fn host(world: &World, off: i64) -> Host {
    let clock = Arc::new(ManualClock::at(datawald_core::Clock::now(&*world.clock) + seconds(off)));
    world.start(clock, settings(), vec![minutely()])
}

async fn term(world: &World) -> u64 {
    world.control.leader().await.unwrap().map_or(0, |leader| leader.term)
}

async fn until_term(world: &World, wanted: u64) {
    for _ in 0..2_000 {
        if term(world).await == wanted && world.control.get("minutely").await.is_ok_and(|state| state.term == wanted) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    panic!("the term is {}, not {wanted}", term(world).await);
}

#[tokio::test]
async fn one_of_many_leads_and_runs() {
    let world = World::new();
    let hosts: Vec<Host> = (0..4).map(|_| host(&world, 0)).collect();
    until_term(&world, 1).await;
    for minute in 1..=5 {
        hosts.iter().for_each(|host| host.clock.advance(seconds(60)));
        world.ended("minutely", minute).await;
    }
    meanwhile().await;
    let mut runs: Vec<usize> = hosts.iter().map(|host| host.book.runs().len()).collect();
    runs.sort_unstable();
    assert_eq!(runs, [0, 0, 0, 5]);
    assert_eq!(term(&world).await, 1);
}

#[tokio::test]
async fn a_stopped_leader_is_succeeded_at_once() {
    let world = World::new();
    let first = host(&world, 0);
    until_term(&world, 1).await;
    let second = host(&world, 0);
    first.stop().await;
    until_term(&world, 2).await;
    second.clock.advance(seconds(60));
    second.until_runs(1).await;
}

#[tokio::test]
async fn a_lease_is_honoured_for_longer_by_clocks_that_are_ahead() {
    let world = World::new();
    let first = host(&world, -2);
    until_term(&world, 1).await;
    first.kill().await;
    // Ahead of the leader's clock by as much as can be, and it has not seen the leader alive.
    let second = host(&world, 2);
    meanwhile().await;
    assert_eq!(term(&world).await, 1);
    // The leader's clock shows the end of its lease.
    second.clock.advance(seconds(600));
    meanwhile().await;
    assert_eq!(term(&world).await, 1);
    second.clock.advance(SignedDuration::from_millis(2_001));
    until_term(&world, 2).await;
}

#[tokio::test]
async fn a_lease_ends_for_a_host_that_sees_it_unchanged_however_far_clocks_are_apart() {
    let world = World::new();
    let first = host(&world, 86_400);
    until_term(&world, 1).await;
    first.kill().await;
    let second = host(&world, 0);
    meanwhile().await;
    second.clock.advance(seconds(602));
    meanwhile().await;
    assert_eq!(term(&world).await, 1);
    second.clock.advance(SignedDuration::from_millis(1));
    until_term(&world, 2).await;
    // What the clock of the first had accounted for stays so.
    second.clock.advance(seconds(3_600));
    meanwhile().await;
    assert!(second.book.runs().is_empty());
}

#[tokio::test]
async fn terms_go_on_when_the_leaders_record_was_removed() {
    let world = World::new();
    let first = host(&world, 0);
    until_term(&world, 1).await;
    first.stop().await;
    let second = host(&world, 0);
    until_term(&world, 2).await;
    second.kill().await;
    // As the error of a record that cannot be read advises.
    let record = world.store.record("scheduler/leader").await.unwrap().unwrap();
    assert!(world.store.delete_record(&record.name, record.rev).await.unwrap());
    let third = host(&world, 0);
    until_term(&world, 3).await;
    third.clock.advance(seconds(60));
    third.until_runs(1).await;
}

#[tokio::test]
async fn a_host_whose_clock_is_a_day_ahead_does_not_succeed_a_leader_that_renews() {
    let world = World::new();
    let first = host(&world, 0);
    until_term(&world, 1).await;
    let second = host(&world, 86_400);
    for _ in 0..10 {
        second.clock.advance(seconds(200));
        meanwhile().await;
        first.clock.advance(seconds(200));
        meanwhile().await;
    }
    assert_eq!(term(&world).await, 1);
    assert!(second.book.runs().is_empty());
}

#[tokio::test]
async fn a_leader_that_renews_is_not_succeeded() {
    let world = World::new();
    let first = host(&world, 0);
    until_term(&world, 1).await;
    let second = host(&world, 0);
    for _ in 0..20 {
        first.clock.advance(seconds(200));
        meanwhile().await;
        second.clock.advance(seconds(200));
    }
    meanwhile().await;
    assert_eq!(term(&world).await, 1);
    assert!(second.book.runs().is_empty());
}

#[tokio::test]
async fn a_run_whose_host_died_is_taken_up_under_its_id() {
    let world = World::new();
    let first = host(&world, 0);
    until_term(&world, 1).await;
    first.book.hold(true);
    first.clock.advance(seconds(60));
    first.until_runs(1).await;
    let run = first.book.runs().remove(0);
    first.kill().await;

    let second = host(&world, 60);
    meanwhile().await;
    second.clock.advance(seconds(610));
    until_term(&world, 2).await;
    second.until_runs(2).await;
    let runs = second.book.runs();
    assert_eq!((&runs[0].id, runs[0].attempt, runs[0].tick), (&run.id, 2, run.tick));
    let state = world.ended("minutely", 2).await;
    assert_eq!((state.last_runs[1].attempts, state.last_runs[1].note.as_str()), (2, "attempt 2"));
    // Ten minutes without a leader: one run for all of them.
    assert_eq!((runs[1].tick, runs[1].missed), (at("2026-01-31T10:11:00Z"), 9));
}

#[tokio::test]
async fn a_run_that_loses_its_hosts_too_often_has_failed() {
    let world = World::new();
    let mut clock = 0;
    for attempt in 1..=3 {
        let host = host(&world, clock);
        host.book.hold(true);
        meanwhile().await;
        // A tick for the first; for the others, the end of the lease before.
        let pass = if attempt == 1 { 60 } else { 610 };
        host.clock.advance(seconds(pass));
        clock += pass;
        host.until_runs(1).await;
        assert_eq!((u64::from(host.book.runs()[0].attempt), term(&world).await), (attempt, attempt));
        host.kill().await;
    }
    let last = host(&world, clock);
    meanwhile().await;
    last.clock.advance(seconds(610));
    let state = world.until("minutely", |state| state.last_runs.len() == 2).await;
    let failed = &state.last_runs[1];
    assert_eq!((failed.outcome, failed.attempts), (RunOutcome::Failed, 3));
    assert!(failed.note.contains("did not come back"), "{}", failed.note);
    assert_ne!(last.book.runs()[0].id, failed.id);
}

#[tokio::test]
async fn an_old_leader_that_wakes_up_late_changes_nothing() {
    let world = World::new();
    let first = host(&world, 0);
    until_term(&world, 1).await;
    // The first sleeps: its clock stands still while that of the second goes on.
    let second = host(&world, 0);
    meanwhile().await;
    second.clock.advance(seconds(610));
    until_term(&world, 2).await;
    let before = world.ended("minutely", 1).await;
    // It wakes up within what it takes for its lease, and there is a tick due.
    first.clock.advance(seconds(120));
    meanwhile().await;
    assert!(first.book.runs().is_empty());
    let after = world.state("minutely").await;
    assert_eq!((after.last_runs, after.term, after.accounted_to), (before.last_runs, 2, before.accounted_to));
    assert_eq!(term(&world).await, 2);
    // And it is the next to lead when the second has ended.
    second.stop().await;
    until_term(&world, 3).await;
}

#[tokio::test]
async fn what_an_old_leader_still_runs_is_dropped_and_not_written() {
    let world = World::new();
    let first = host(&world, 0);
    until_term(&world, 1).await;
    first.book.hold(true);
    first.clock.advance(seconds(60));
    first.until_runs(1).await;
    let second = host(&world, 60);
    second.book.hold(true);
    meanwhile().await;
    second.clock.advance(seconds(610));
    until_term(&world, 2).await;
    second.until_runs(1).await;
    assert_eq!(second.book.runs()[0].attempt, 2);
    // The first ends its run in the belief that it leads.
    first.book.hold(false);
    meanwhile().await;
    let state = world.state("minutely").await;
    assert_eq!(
        state.running.as_ref().map(|run| (run.attempt, run.owner.as_str())),
        Some((2, second.scheduler.owner()))
    );
    assert!(state.last_runs.is_empty());
    second.book.hold(false);
    world.ended("minutely", 2).await;
}

#[tokio::test]
async fn jobs_do_not_outlive_the_lease_of_their_host() {
    let world = World::new();
    let first = host(&world, 0);
    until_term(&world, 1).await;
    first.book.hold(true);
    first.clock.advance(seconds(60));
    first.until_runs(1).await;
    // The clock jumps over the end of the lease before it could be renewed: the job is dropped, and the run begun anew.
    first.clock.advance(seconds(700));
    meanwhile().await;
    assert_eq!(term(&world).await, 1);
    // Nobody has renewed it for as long as a leader takes to.
    first.clock.advance(seconds(201));
    until_term(&world, 2).await;
    first.until_runs(2).await;
    first.book.hold(false);
    let state = world.until("minutely", |state| !state.last_runs.is_empty()).await;
    assert_eq!(state.last_runs.last().unwrap().attempts, 2);
}

#[tokio::test]
async fn a_stopped_host_waits_for_its_runs() {
    let world = World::new();
    let first = host(&world, 0);
    until_term(&world, 1).await;
    first.book.hold(true);
    first.clock.advance(seconds(60));
    first.until_runs(1).await;
    first.scheduler.stop();
    meanwhile().await;
    assert!(first.book.runs()[0].is_stopping());
    first.book.hold(false);
    first.stop().await;
    let state = world.ended("minutely", 1).await;
    assert_eq!((state.last_runs[0].outcome, state.last_runs[0].attempts), (RunOutcome::Done, 1));
}

#[tokio::test]
async fn a_stopped_host_hands_back_what_does_not_end() {
    let world = World::new();
    let hasty = SchedulerSettings { stop_grace_ms: 20, ..settings() };
    let first = world.start(world.clock.clone(), hasty, vec![minutely()]);
    until_term(&world, 1).await;
    first.book.hold(true);
    first.clock.advance(seconds(60));
    first.until_runs(1).await;
    first.stop().await;
    let run = world.state("minutely").await.running.unwrap();
    assert!(run.waits_until.is_some());
    // It cost the run none of its tries.
    assert_eq!(run.tries_left, 3);
    let second = host(&world, 0);
    second.until_runs(1).await;
    assert_eq!((second.book.runs()[0].attempt, &second.book.runs()[0].id), (2, &run.id));
}

#[tokio::test]
async fn a_job_that_says_it_was_stopped_is_handed_back() {
    let world = World::new();
    let first = host(&world, 0);
    until_term(&world, 1).await;
    for _ in 0..5 {
        let stopped = datawald_core::Disposition::Retryable { after: None };
        first.book.answer(Err(Error::new(ErrorKind::Stopped, stopped, "count", "was told to stop")));
    }
    first.clock.advance(seconds(60));
    // This host goes on: it does not ask the job again and again, and the run has all of its tries.
    for attempt in 1..=5 {
        let state = world.until("minutely", |state| {
            state.running.as_ref().is_some_and(|run| run.attempt == attempt && run.waits_until.is_some())
        });
        let run = state.await.running.unwrap();
        assert_eq!(run.tries_left, 3);
        meanwhile().await;
        assert_eq!(first.book.runs().len(), attempt as usize);
        first.clock.set(run.waits_until.unwrap());
    }
    let state = world.until("minutely", |state| !state.last_runs.is_empty()).await;
    assert_eq!((state.last_runs[0].attempts, state.last_runs[0].outcome), (6, RunOutcome::Done));
}
