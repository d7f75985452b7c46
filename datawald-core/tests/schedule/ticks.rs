//! Which ticks there are.

use std::collections::HashSet;
use std::time::Duration;

use datawald_core::schedule::Schedule;
use jiff::Timestamp;

use crate::world::at;

fn cron(expr: &str, zone: &str) -> Schedule {
    Schedule::cron("test", expr).unwrap().in_zone(zone).unwrap()
}

/// The next ticks after a time, in UTC.
fn ticks(schedule: &Schedule, after: &str, count: usize) -> Vec<String> {
    let ticks = std::iter::successors(schedule.next_after(at(after)), |tick| schedule.next_after(*tick));
    ticks.take(count).map(|tick| tick.to_string()).collect()
}

#[test]
fn a_cron_expression_is_read_on_the_clocks_of_its_zone() {
    let nine = cron("0 9 * * *", "Europe/Berlin");
    assert_eq!(ticks(&nine, "2026-01-10T00:00:00Z", 2), ["2026-01-10T08:00:00Z", "2026-01-11T08:00:00Z"]);
    assert_eq!(ticks(&nine, "2026-07-10T00:00:00Z", 1), ["2026-07-10T07:00:00Z"]);
    assert_eq!(ticks(&cron("0 9 * * *", "UTC"), "2026-07-10T00:00:00Z", 1), ["2026-07-10T09:00:00Z"]);
    assert_eq!(ticks(&cron("0 9 * * MON", "Asia/Kolkata"), "2026-07-10T00:00:00Z", 1), ["2026-07-13T03:30:00Z"]);
    // A tick is after the time, not at it.
    assert_eq!(ticks(&nine, "2026-01-10T08:00:00Z", 1), ["2026-01-11T08:00:00Z"]);
    assert_eq!(ticks(&nine, "2026-01-10T07:59:59.999Z", 1), ["2026-01-10T08:00:00Z"]);
}

#[test]
fn expressions_may_have_seconds_and_last_days() {
    assert_eq!(
        ticks(&cron("*/20 * * * * *", "UTC"), "2026-01-10T00:00:05Z", 2),
        ["2026-01-10T00:00:20Z", "2026-01-10T00:00:40Z"]
    );
    assert_eq!(ticks(&cron("0 0 L * *", "UTC"), "2026-02-01T00:00:00Z", 1), ["2026-02-28T00:00:00Z"]);
}

// In Berlin, 2026-03-29 has no 02:00 to 03:00, and 2026-10-25 has it twice.

#[test]
fn a_fixed_time_in_the_gap_comes_after_it() {
    let fixed = cron("30 2 * * *", "Europe/Berlin");
    assert_eq!(
        ticks(&fixed, "2026-03-28T00:00:00Z", 3),
        ["2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"]
    );
}

#[test]
fn what_recurs_has_no_ticks_in_the_gap() {
    let recurring = cron("*/20 * * * *", "Europe/Berlin");
    assert_eq!(ticks(&recurring, "2026-03-29T00:30:00Z", 2), ["2026-03-29T00:40:00Z", "2026-03-29T01:00:00Z"]);
    let hourly = cron("0 * * * *", "Europe/Berlin");
    assert_eq!(ticks(&hourly, "2026-03-29T00:00:00Z", 2), ["2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"]);
}

#[test]
fn a_fixed_time_that_comes_twice_is_taken_once() {
    let fixed = cron("30 2 * * *", "Europe/Berlin");
    assert_eq!(ticks(&fixed, "2026-10-24T12:00:00Z", 2), ["2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"]);
}

#[test]
fn what_recurs_has_ticks_in_both_hours() {
    let recurring = cron("*/30 * * * *", "Europe/Berlin");
    assert_eq!(
        ticks(&recurring, "2026-10-24T23:59:00Z", 5),
        [
            "2026-10-25T00:00:00Z",
            "2026-10-25T00:30:00Z",
            "2026-10-25T01:00:00Z",
            "2026-10-25T01:30:00Z",
            "2026-10-25T02:00:00Z"
        ]
    );
}

#[test]
fn periods_count_from_the_epoch() {
    let every = Schedule::every("test", Duration::from_secs(420)).unwrap();
    let tick = every.next_after(at("2026-01-10T00:00:00.0005Z")).unwrap();
    assert_eq!(tick.as_second() % 420, 0);
    assert!(tick.as_second() - at("2026-01-10T00:00:00Z").as_second() <= 420);
    assert_eq!(every.next_after(tick).unwrap().as_second(), tick.as_second() + 420);
    let before = at("1969-12-31T23:59:00Z");
    assert_eq!(every.next_after(before).unwrap(), Timestamp::UNIX_EPOCH);
    assert_eq!(every.next_after(Timestamp::MAX), None);
}

#[test]
fn jitter_is_less_than_itself_spread_and_the_same_everywhere() {
    let of = |name: &str| {
        Schedule::every(name, Duration::from_secs(60)).unwrap().with_jitter(Duration::from_secs(30)).unwrap()
    };
    let (one, same, other) = (of("one"), of("one"), of("other"));
    let mut tick = at("2026-01-10T00:00:00Z");
    let (mut offsets, mut equal) = (HashSet::new(), 0);
    for _ in 0..200 {
        tick = one.next_after(tick).unwrap();
        let offset = one.due_at(tick).duration_since(tick);
        assert!(offset.as_millis() >= 0 && offset.as_millis() < 30_000, "{offset:?}");
        assert_eq!(one.due_at(tick), same.due_at(tick));
        equal += u32::from(one.due_at(tick) == other.due_at(tick));
        offsets.insert(offset.as_secs());
    }
    assert!(offsets.len() > 25, "of 30 seconds, {} were used", offsets.len());
    assert!(equal < 5, "{equal} of 200 ticks of two names are due at the same time");
}

#[test]
fn jitter_never_reaches_the_next_tick() {
    let often = Schedule::cron("test", "* * * * * *").unwrap().with_jitter(Duration::from_secs(3_600)).unwrap();
    let mut tick = at("2026-01-10T00:00:00Z");
    for _ in 0..100 {
        tick = often.next_after(tick).unwrap();
        assert!(often.due_at(tick) < often.next_after(tick).unwrap());
    }
}
