//! What is scheduled, as it is configured.

use std::fmt;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;

use super::cron::ZonedCron;
use super::ticks;
use crate::{Error, Result};

/// The longest name of a schedule, in bytes.
pub const SCHEDULE_NAME_LIMIT: usize = 100;

/// When the ticks of a schedule are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum When {
    /// As the clocks of a place show.
    ///
    /// When the clocks of the zone are put forward, a fixed time that is left out (`30 2 * * *`) comes at the first moment
    /// after the gap, and what recurs (`*/15 * * * *`) has no ticks in the gap. When they are put back, a fixed time comes
    /// once, the first time that the clocks show it, and what recurs has ticks in both hours.
    Cron {
        /// `minute hour day-of-month month day-of-week`, with seconds before them and a year after them if wanted.
        expr: String,
        /// The IANA name of the zone, as `Europe/Berlin`.
        time_zone: String,
    },
    /// Every so often, counted from 1970-01-01T00:00:00Z, so that all hosts know the same ticks. Whole milliseconds.
    Every(Duration),
}

/// When a job is to run, and how it is caught up.
///
/// In TOML, with one of `cron` and `every`, and periods as `90s`, `15m` or `1h 30m`:
///
/// ```
/// # use datawald_core::schedule::Schedule;
/// #[derive(serde::Deserialize)]
/// struct Config {
///     schedule: Vec<Schedule>,
/// }
///
/// let config: Config = toml::from_str(
///     r#"
///     [[schedule]]
///     name = "orders"
///     cron = "*/15 6-22 * * MON-SAT"
///     time_zone = "Europe/Berlin"   # UTC unless given
///     jitter = "30s"                # none unless given
///     catch_up = false              # true unless given
///     grace = "2m"                  # 1m unless given
///
///     [[schedule]]
///     name = "stock-nightly"
///     job = "stock"                 # the name of the schedule unless given
///     every = "1h"
///     "#,
/// )?;
/// assert_eq!(config.schedule[1].job, "stock");
///
/// let wrong = toml::from_str::<Config>("[[schedule]]\nname = 'orders'\ncron = '61 * * * *'");
/// let message = wrong.err().map(|error| error.to_string()).unwrap_or_default();
/// assert!(message.contains("schedule orders, field cron"), "{message}");
/// # Ok::<(), toml::de::Error>(())
/// ```
#[derive(Debug, Clone, Deserialize)]
#[serde(try_from = "ScheduleParts")]
#[non_exhaustive]
pub struct Schedule {
    /// Its name: letters, digits, `-`, `_` and `.`, at most [`SCHEDULE_NAME_LIMIT`] bytes.
    pub name: String,
    /// The name of the job that it runs.
    pub job: String,
    /// When its ticks are.
    pub when: When,
    /// Each tick comes up to so much later than it is named, by a share that depends on the schedule's name and the tick
    /// alone: schedules of the same time are spread, and all hosts agree. Less than the time between two ticks.
    pub jitter: Duration,
    /// Whether ticks that came while no host was up, or while a run took longer, are made up for by one run; else they are
    /// skipped. How many were missed is counted either way.
    pub catch_up: bool,
    /// Whether it runs once when it is new to the store, rather than at its first tick.
    pub at_start: bool,
    /// Without `catch_up`, how late the run of a tick may start before the tick counts as missed.
    pub grace: Duration,
    cron: Option<ZonedCron>,
}

impl Schedule {
    /// A schedule of a cron expression, in UTC until [`Schedule::in_zone`].
    ///
    /// # Errors
    /// Of kind `Config`, naming schedule and field.
    pub fn cron(name: &str, expr: &str) -> Result<Self> {
        Self::new(name, When::Cron { expr: expr.to_owned(), time_zone: "UTC".to_owned() })
    }

    /// A schedule of a fixed period.
    ///
    /// # Errors
    /// Of kind `Config`, naming schedule and field.
    pub fn every(name: &str, period: Duration) -> Result<Self> {
        Self::new(name, When::Every(period))
    }

    fn new(name: &str, when: When) -> Result<Self> {
        let schedule = Self {
            name: name.to_owned(),
            job: name.to_owned(),
            when,
            jitter: Duration::ZERO,
            catch_up: true,
            at_start: false,
            grace: Duration::from_secs(60),
            cron: None,
        };
        schedule.checked()
    }

    /// Has the cron expression read on the clocks of `time_zone`, an IANA name.
    ///
    /// # Errors
    /// Of kind `Config`, if there is no such zone or the schedule has no cron expression.
    pub fn in_zone(mut self, zone: &str) -> Result<Self> {
        match &mut self.when {
            When::Cron { time_zone, .. } => zone.clone_into(time_zone),
            When::Every(_) => return Err(self.wrong("time_zone", "is for cron expressions; a period has none")),
        }
        self.checked()
    }

    /// Runs the job of this name, rather than that of the schedule's name.
    #[must_use]
    pub fn job(mut self, job: &str) -> Self {
        job.clone_into(&mut self.job);
        self
    }

    /// Spreads its ticks, see [`Schedule::jitter`].
    ///
    /// # Errors
    /// Of kind `Config`, if it is not less than the period.
    pub fn with_jitter(mut self, jitter: Duration) -> Result<Self> {
        self.jitter = jitter;
        self.checked()
    }

    /// Runs once when it is new to the store, rather than at its first tick.
    #[must_use]
    pub fn at_start(mut self) -> Self {
        self.at_start = true;
        self
    }

    /// Skips ticks that are missed, and those whose run would start more than `grace` late.
    #[must_use]
    pub fn skip_missed(mut self, grace: Duration) -> Self {
        self.catch_up = false;
        self.grace = grace;
        self
    }

    /// The first tick after `at`, without its jitter; `None` if there is none any more.
    pub fn next_after(&self, at: Timestamp) -> Option<Timestamp> {
        ticks::next_after(&self.when, self.cron.as_ref(), at)
    }

    /// When a tick is due: with its jitter.
    pub fn due_at(&self, tick: Timestamp) -> Timestamp {
        ticks::due_at(self, tick)
    }

    pub(super) fn parsed_cron(&self) -> Option<&ZonedCron> {
        self.cron.as_ref()
    }

    /// The schedule with what is derived from its fields, if they are right.
    pub(super) fn checked(mut self) -> Result<Self> {
        let named = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
        if self.name.is_empty() || self.name.len() > SCHEDULE_NAME_LIMIT || !self.name.bytes().all(named) {
            let message = format!("is to be 1 to {SCHEDULE_NAME_LIMIT} letters, digits, `-`, `_` and `.`");
            return Err(self.wrong("name", message));
        }
        match &self.when {
            When::Cron { expr, time_zone } => {
                let cron = ZonedCron::parse(expr, time_zone).map_err(|(field, message)| self.wrong(field, message))?;
                self.cron = Some(cron);
            }
            When::Every(period) => {
                if period.is_zero() || period.subsec_nanos() % 1_000_000 != 0 || period.as_secs() > 366 * 86_400 {
                    return Err(self.wrong("every", "is to be whole milliseconds, from 1ms to a year"));
                }
                if self.jitter >= *period {
                    return Err(self.wrong("jitter", "is to be less than `every`"));
                }
            }
        }
        Ok(self)
    }

    fn wrong(&self, field: &'static str, message: impl Into<String>) -> Error {
        Error::config("read schedule", message).entity(format!("schedule {}", self.name)).field(field)
    }
}

/// When its ticks are, for people.
impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.when {
            When::Cron { expr, time_zone } => write!(f, "cron {expr} {time_zone}")?,
            When::Every(period) => write!(f, "every {period:?}")?,
        }
        match self.jitter.is_zero() {
            true => Ok(()),
            false => write!(f, " jitter {:?}", self.jitter),
        }
    }
}

/// A schedule as a file has it, not checked yet: [`Schedule`] is made of it, with an error that names the field. Periods are
/// texts as `90s` or `15m`.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ScheduleParts {
    /// See [`Schedule::name`].
    pub name: String,
    /// See [`Schedule::job`]; the schedule's name if absent.
    pub job: Option<String>,
    /// A cron expression; or `every`.
    pub cron: Option<String>,
    /// The zone in which the expression is read, an IANA name; UTC if absent.
    pub time_zone: Option<String>,
    /// A period; or `cron`.
    pub every: Option<SignedDuration>,
    /// See [`Schedule::jitter`].
    pub jitter: Option<SignedDuration>,
    /// See [`Schedule::catch_up`]; `true` if absent.
    pub catch_up: Option<bool>,
    /// See [`Schedule::at_start`]; `false` if absent.
    pub at_start: Option<bool>,
    /// See [`Schedule::grace`]; a minute if absent.
    pub grace: Option<SignedDuration>,
}

impl TryFrom<ScheduleParts> for Schedule {
    type Error = Error;

    fn try_from(raw: ScheduleParts) -> Result<Self> {
        let wrong = |field: &'static str, message: &str| {
            Error::config("read schedule", message).entity(format!("schedule {}", raw.name)).field(field)
        };
        let positive = |field, period: SignedDuration| {
            Duration::try_from(period).map_err(|_| wrong(field, "is negative; give a period as `90s` or `15m`"))
        };
        let when = match (&raw.cron, raw.every) {
            (Some(expr), None) => {
                When::Cron { expr: expr.clone(), time_zone: raw.time_zone.clone().unwrap_or_else(|| "UTC".to_owned()) }
            }
            (None, Some(_)) if raw.time_zone.is_some() => {
                return Err(wrong("time_zone", "is for cron expressions; a period has none"));
            }
            (None, Some(period)) => When::Every(positive("every", period)?),
            (Some(_), Some(_)) => return Err(wrong("every", "is there beside `cron`; give one of the two")),
            (None, None) => return Err(wrong("cron", "is missing, and so is `every`; give one of the two")),
        };
        let schedule = Self {
            job: raw.job.clone().unwrap_or_else(|| raw.name.clone()),
            when,
            jitter: raw.jitter.map(|jitter| positive("jitter", jitter)).transpose()?.unwrap_or_default(),
            catch_up: raw.catch_up.unwrap_or(true),
            at_start: raw.at_start.unwrap_or(false),
            grace: raw.grace.map_or(Ok(Duration::from_secs(60)), |grace| positive("grace", grace))?,
            name: raw.name,
            cron: None,
        };
        schedule.checked()
    }
}
