//! Cron expressions in a time zone.

use std::cmp::Ordering;

use croner::errors::CronError;
use croner::{CivilDate, CivilDateTime, CivilTime, Cron, CronDateTime, Resolution, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, ZonedDateTime};

/// A cron expression and the time zone whose clocks it is read on.
#[derive(Debug, Clone)]
pub(super) struct ZonedCron {
    cron: Cron,
    zone: TimeZone,
}

impl ZonedCron {
    /// An error of `expr`, or of the time zone's name, as a text for people.
    pub(super) fn parse(expr: &str, time_zone: &str) -> Result<Self, (&'static str, String)> {
        let zone = TimeZone::get(time_zone).map_err(|_| {
            let message = format!("{time_zone:?} is no time zone; give an IANA name, as Europe/Berlin or UTC");
            ("time_zone", message)
        })?;
        let cron: Cron = expr.parse().map_err(|error: CronError| {
            let message = format!("{expr:?} is no cron expression (minute hour day month weekday): {error}");
            ("cron", message)
        })?;
        let cron = Self { cron, zone };
        match cron.next_after(Timestamp::UNIX_EPOCH) {
            Some(_) => Ok(cron),
            None => Err(("cron", format!("{expr:?} never comes; no date is like that"))),
        }
    }

    /// The first tick after `at`; `None` if there is none any more.
    pub(super) fn next_after(&self, at: Timestamp) -> Option<Timestamp> {
        self.find(at, |cron, at| cron.find_next_occurrence(at, false))
    }

    /// The last tick at or before `at`; `None` if there was none.
    pub(super) fn last_until(&self, at: Timestamp) -> Option<Timestamp> {
        self.find(at, |cron, at| cron.find_previous_occurrence(at, true))
    }

    fn find(&self, at: Timestamp, find: impl Fn(&Cron, &Local) -> Result<Local, CronError>) -> Option<Timestamp> {
        // Ticks are on whole seconds.
        let at = Timestamp::from_second(at.as_second()).ok()?;
        find(&self.cron, &Local(at.to_zoned_datetime(self.zone.clone()))).ok().map(|found| found.0.timestamp())
    }
}

/// A time on the clocks of a time zone, as croner asks for it.
#[derive(Debug, Clone)]
struct Local(ZonedDateTime);

impl CronDateTime for Local {
    fn to_civil(&self) -> CivilDateTime {
        let at = &self.0;
        let [month, day, hour, minute, second] =
            [at.month(), at.day(), at.hour(), at.minute(), at.second()].map(|part| u32::from(part.unsigned_abs()));
        CivilDateTime::new(
            CivilDate::from_parts_unchecked(i32::from(at.year()), month, day),
            CivilTime::from_parts_unchecked(hour, minute, second),
        )
    }

    fn civil_weekday(&self) -> Weekday {
        Weekday::from_days_from_sunday(u32::from(self.0.weekday().to_sunday_zero_offset().unsigned_abs()))
    }

    fn resolve_civil(&self, civil: CivilDateTime) -> Result<Resolution<Self>, CronError> {
        let part = |part: u32| i8::try_from(part).map_err(|_| CronError::InvalidDate);
        let local = jiff::civil::DateTime::new(
            i16::try_from(civil.year()).map_err(|_| CronError::InvalidDate)?,
            part(civil.month())?,
            part(civil.day())?,
            part(civil.hour())?,
            part(civil.minute())?,
            part(civil.second())?,
            0,
        )
        .map_err(|_| CronError::InvalidDate)?;
        let found = self.0.time_zone().to_ambiguous_zoned_datetime(local);
        let take = |zoned: Result<ZonedDateTime, jiff::Error>| zoned.map(Local).map_err(|_| CronError::InvalidTime);
        Ok(match found.offset() {
            AmbiguousOffset::Unambiguous { .. } => Resolution::Single(take(found.unambiguous())?),
            AmbiguousOffset::Fold { .. } => Resolution::Ambiguous(take(found.clone().earlier())?, take(found.later())?),
            AmbiguousOffset::Gap { .. } => Resolution::Gap,
        })
    }

    fn checked_add_seconds(&self, seconds: i64) -> Option<Self> {
        self.0.checked_add(SignedDuration::from_secs(seconds)).ok().map(Local)
    }

    fn cmp_instant(&self, other: &Self) -> Ordering {
        self.0.timestamp().cmp(&other.0.timestamp())
    }
}
