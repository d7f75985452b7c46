//! The whole of it in one thread and virtual time: the real engine, flows, agencies, clients and store between sandboxes of
//! both sides, with faults of every kind at random; and a judge who knows nothing of the engine.
//!
//! `DATAWALD_SIM_SCHEDULES` runs so many schedules, `DATAWALD_SIM_SEED` begins with another seed, `DATAWALD_SIM_LANES` says how
//! many run side by side. A seed in which something is wrong is shrunk and printed as a story; with `DATAWALD_SIM_SHRINK=0`
//! it is told as it is, and with `DATAWALD_SIM_GO_ON=1` in a line, and the rest are run too.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::print_stdout, missing_docs)]

mod bench;
mod blame;
mod chance;
mod clock;
mod customers;
mod engines;
mod holes;
mod judge;
mod network;
mod outage;
mod papers;
mod pauses;
mod people;
mod process;
mod queue;
mod schedule;
mod shop;
mod shrink;
/// The scripted sides that the tests of the engine have.
#[path = "../../../datawald-core/tests/engine/sides.rs"]
#[allow(dead_code)]
mod sides;
mod source_pauses;
mod store;
mod story;
mod world;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use judge::{Kind, Wrong};
use schedule::{Group, Schedule};
use world::run;

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().expect("a number"))
}

/// The story of a schedule in which something is wrong.
fn told(schedule: &Schedule, wrongs: &[Wrong], kinds: Option<&[Kind]>) -> String {
    let wanted = |wrong: &&Wrong| kinds.is_none_or(|kinds| kinds.contains(&wrong.kind));
    let Some(first) = wrongs.iter().find(wanted) else { return String::new() };
    if number("DATAWALD_SIM_SHRINK", 1) == 0 {
        return format!("{first}\nof {schedule}");
    }
    let (short, verdict) = shrink::shrink(schedule, first.kind);
    // What comes after it was seen adds little.
    let kind = format!("{:?}:", first.kind);
    let seen = verdict.story.iter().position(|line| line.contains("JUDGE") && line.contains(&kind));
    let story = verdict.story.get(..=seen.unwrap_or_default()).unwrap_or_default().join("\n");
    format!("{first}\nof {schedule}\nshrunk to {short}\n{story}\n")
}

/// Runs schedules, each of the next seed, until one shows something wrong, or all; how often each fault struck.
fn lane(next: &AtomicU64, end: u64, wrong: &AtomicU64) -> BTreeMap<Group, u64> {
    let mut struck = BTreeMap::new();
    let go_on = number("DATAWALD_SIM_GO_ON", 0) == 1;
    loop {
        let seed = next.fetch_add(1, Ordering::Relaxed);
        if seed >= end {
            return struck;
        }
        let schedule = Schedule::of_seed(seed);
        let verdict = run(&schedule);
        if go_on && let Some(first) = verdict.wrongs.first() {
            println!("{first}\nof {schedule}");
            wrong.fetch_add(1, Ordering::Relaxed);
        } else if !verdict.wrongs.is_empty() {
            next.store(end, Ordering::Relaxed);
            panic!("{}", told(&schedule, &verdict.wrongs, None));
        }
        for strike in verdict.struck {
            *struck.entry(strike.group).or_default() += 1;
        }
    }
}

/// Runs schedules of seeds with all groups of faults, and tells how often each struck.
#[test]
fn nothing_is_lost_doubled_or_taken_for_another() {
    let (first, count) = (number("DATAWALD_SIM_SEED", 1), number("DATAWALD_SIM_SCHEDULES", 300));
    let began = Instant::now();
    let (next, wrong) = (AtomicU64::new(first), AtomicU64::new(0));
    // Each schedule is of one thread; several run side by side.
    let processors = std::thread::available_parallelism().map_or(1, usize::from);
    let side_by_side = number("DATAWALD_SIM_LANES", processors as u64);
    let struck = std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..side_by_side).map(|_| scope.spawn(|| lane(&next, first + count, &wrong))).collect();
        let mut struck: BTreeMap<Group, u64> = BTreeMap::new();
        for lane in lanes {
            for (group, times) in lane.join().unwrap_or_else(|failed| std::panic::resume_unwind(failed)) {
                *struck.entry(group).or_default() += times;
            }
        }
        struck
    });
    println!("{count} schedules in {:?}; faults: {struck:?}", began.elapsed());
    assert_eq!(wrong.into_inner(), 0, "something was wrong in so many");
    if count >= 300 {
        // These are how things are, not what befalls them.
        let lasting = [Group::Fence, Group::Agent, Group::SlowShop, Group::Collision, Group::SameNumbers];
        for group in Group::ALL.iter().filter(|group| !lasting.contains(group)) {
            assert!(struck.contains_key(group), "{group:?} has never struck");
        }
    }
}

/// The same seed gives the same story, to the last line.
#[test]
fn a_seed_tells_the_same_story_each_time() {
    for seed in 1..=20 {
        let schedule = Schedule::of_seed(seed);
        let (one, other) = (run(&schedule), run(&schedule));
        let differs = one.story.iter().zip(&other.story).position(|(one, other)| one != other);
        if let Some(at) = differs {
            panic!("seed {seed} differs:\n{}\n{}", one.story[at], other.story[at]);
        }
        assert_eq!(one.story.len(), other.story.len(), "seed {seed}");
        assert_eq!(one.struck, other.struck, "seed {seed}");
    }
}

/// Prints the story of `DATAWALD_SIM_SEED`: with some of all groups, or with `DATAWALD_SIM_GROUPS` (`Stall,Crash`).
#[test]
fn story() {
    let seed = number("DATAWALD_SIM_SEED", 1);
    let schedule = match std::env::var("DATAWALD_SIM_GROUPS") {
        Err(_) => Schedule::of_seed(seed),
        Ok(names) => {
            let named = |group: &&Group| names.split(',').any(|name| name == format!("{group:?}"));
            Schedule::with_groups(seed, &Group::ALL.iter().filter(named).copied().collect::<Vec<_>>())
        }
    };
    let began = Instant::now();
    let verdict = run(&schedule);
    assert!(!verdict.story.is_empty());
    println!("{schedule}\n{}\n{:?}; {:?}", verdict.story.join("\n"), began.elapsed(), verdict.passed);
}
