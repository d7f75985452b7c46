//! Schedules and settings that are wrong are told of by name and field.

use std::sync::Arc;
use std::time::{Duration, Instant};

use datawald_core::schedule::{SCHEDULE_NAME_LIMIT, Schedule, Scheduler, SchedulerSettings};
use datawald_core::store::SqliteStore;
use datawald_core::{Error, ErrorKind};
use proptest::prelude::*;

use crate::world::{Book, minutely};

fn refused(toml: &str) -> String {
    toml::from_str::<Schedule>(toml).unwrap_err().message().to_owned()
}

#[test]
fn a_wrong_schedule_names_itself_and_the_field() {
    let cases = [
        ("name = 'a'", "schedule a, field cron: is missing, and so is `every`"),
        ("name = 'a'\ncron = '* * * * *'\nevery = '1h'", "schedule a, field every: is there beside `cron`"),
        ("name = 'a'\ncron = '60 * * * *'", "schedule a, field cron: \"60 * * * *\" is no cron expression"),
        ("name = 'a'\ncron = ''", "schedule a, field cron: \"\" is no cron expression"),
        ("name = 'a'\ncron = '* * *'", "schedule a, field cron"),
        ("name = 'a'\ncron = '0 0 30 2 *'", "schedule a, field cron: \"0 0 30 2 *\" never comes"),
        (
            "name = 'a'\ncron = '* * * * *'\ntime_zone = 'Berlin'",
            "schedule a, field time_zone: \"Berlin\" is no time zone",
        ),
        ("name = 'a'\nevery = '1h'\ntime_zone = 'UTC'", "schedule a, field time_zone: is for cron expressions"),
        ("name = 'a'\nevery = '0s'", "schedule a, field every: is to be whole milliseconds"),
        ("name = 'a'\nevery = '10us'", "schedule a, field every: is to be whole milliseconds"),
        ("name = 'a'\nevery = '-1h'", "schedule a, field every: is negative"),
        ("name = 'a'\nevery = '1m'\njitter = '60s'", "schedule a, field jitter: is to be less than `every`"),
        ("name = 'a'\nevery = '1m'\njitter = '-1s'", "schedule a, field jitter: is negative"),
        ("name = 'a'\nevery = '1m'\ngrace = '-1s'", "schedule a, field grace: is negative"),
        ("name = ''\nevery = '1m'", "field name: is to be 1 to 100 letters"),
        ("name = 'a b'\nevery = '1m'", "schedule a b, field name: is to be 1 to 100 letters"),
        ("name = 'a'\nevery = '1m'\nevry = '2m'", "unknown field `evry`"),
        ("every = '1m'", "missing field `name`"),
    ];
    for (toml, expected) in cases {
        let message = refused(toml);
        assert!(message.contains(expected), "{toml:?}: {message}");
    }
    let long = "n".repeat(SCHEDULE_NAME_LIMIT + 1);
    assert!(Schedule::every(&long, Duration::from_secs(1)).is_err());
    assert!(minutely().in_zone("UTC").is_err());
}

#[test]
fn an_expression_that_never_comes_is_found_out_soon() {
    let started = Instant::now();
    for expr in ["0 0 31 2 *", "0 0 31 4,6,9,11 *", "0 0 0 29 2 * 2027"] {
        assert_eq!(Schedule::cron("a", expr).unwrap_err().field_path(), Some("cron"), "{expr}");
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

fn builder() -> datawald_core::schedule::SchedulerBuilder {
    Scheduler::builder(Arc::new(SqliteStore::in_memory().unwrap()))
}

fn field(error: &Error) -> &str {
    assert_eq!(error.kind(), ErrorKind::Config);
    error.field_path().unwrap_or_default()
}

#[test]
fn schedules_are_checked_with_their_jobs() {
    let twice = builder().job(minutely(), Book::default()).job(minutely(), Book::default()).build().err().unwrap();
    assert_eq!((field(&twice), twice.entity_text()), ("name", Some("schedule minutely")));
    let without = builder().named_job("known", Book::default()).schedules([minutely()]).build().err().unwrap();
    assert_eq!(field(&without), "job");
    assert!(without.message().ends_with("there are: known"), "{without}");
    // Fields that were changed afterwards are looked at again.
    let mut changed = minutely();
    changed.name = "a/b".to_owned();
    assert_eq!(field(&builder().job(changed, Book::default()).build().err().unwrap()), "name");
    let mut changed = minutely();
    changed.when = datawald_core::schedule::When::Every(Duration::ZERO);
    assert_eq!(field(&builder().job(changed, Book::default()).build().err().unwrap()), "every");
    let scheduler = builder().job(minutely(), Book::default()).build().unwrap();
    assert_eq!(field(&scheduler.replace(vec![minutely().job("unknown")]).unwrap_err()), "job");
}

#[test]
fn settings_are_checked() {
    let cases = [
        ("poll_ms", SchedulerSettings { poll_ms: 0, ..SchedulerSettings::default() }),
        ("poll_ms", SchedulerSettings { lease_ms: 2_000, ..SchedulerSettings::default() }),
        ("max_attempts", SchedulerSettings { max_attempts: 0, ..SchedulerSettings::default() }),
    ];
    for (name, settings) in cases {
        assert_eq!(field(&builder().settings(settings).build().err().unwrap()), name);
    }
}

proptest! {
    #[test]
    fn no_expression_panics(expr in "[0-9*/,LW#?+A-Z@ -]{0,24}", zone in "[A-Za-z/_]{0,16}") {
        if let Ok(schedule) = Schedule::cron("a", &expr) {
            schedule.next_after(jiff::Timestamp::MAX);
            schedule.next_after(jiff::Timestamp::MIN);
        }
        let _ = minutely().in_zone(&zone);
        let _ = Schedule::cron("a", "* * * * *").map(|schedule| schedule.in_zone(&zone));
    }
}
