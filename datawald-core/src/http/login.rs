//! What refused credentials mean for the log-ins that would follow.

use std::time::Duration;

use jiff::Timestamp;

use crate::clock::later;
use crate::{Error, Result};

/// For how long credentials that were refused are not tried again.
const FIRST_WAIT: Duration = Duration::from_secs(30);

/// How much longer with each refusal in a row.
const GROWTH: u32 = 4;

/// For how long at most.
const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

/// Keeps a client from locking its own user out.
///
/// Servers lock a user after a few wrong passwords: Magento after six within half an hour, with the people who use the same
/// account, SAP B1 often after three. So after a refusal nobody logs in for 30 seconds, then for 2 minutes, 8 minutes, 32
/// minutes and at most an hour, and whoever wants to is told what the last one was told: four log-ins in the first half hour,
/// where many orders, many tasks and a health check would make hundreds.
///
/// It belongs to the lock under which a client keeps its token or sessions, so that one log-in runs at a time until the
/// credentials are known to be good. Times are those of [`crate::Clock::steady`].
///
/// ```
/// use datawald_core::http::LoginGuard;
/// use datawald_core::{Disposition, Error, ErrorKind};
///
/// let mut guard = LoginGuard::default();
/// let now = "2026-01-31T10:00:00Z".parse::<jiff::Timestamp>()?;
/// guard.check(now)?;
/// // … the server is asked, and refuses:
/// let refusal = Error::new(ErrorKind::Unauthorized, Disposition::Permanent, "log in", "the password is wrong");
/// let error = guard.refused(now, refusal);
/// assert!(error.to_string().contains("tried again from 2026-01-31T10:00:30Z on"));
/// assert!(guard.check(now).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Default)]
pub struct LoginGuard {
    /// How often in a row a log-in was refused.
    refusals: u32,
    /// Until then nobody logs in: whoever wants to is told this.
    held: Option<(Timestamp, Error)>,
}

impl LoginGuard {
    /// Whether a log-in may be made now. One that ends without an answer of the server changes nothing.
    ///
    /// # Errors
    /// While refused credentials are not tried again: what [`LoginGuard::refused`] gave.
    pub fn check(&self, now: Timestamp) -> Result<()> {
        match &self.held {
            Some((until, error)) if now < *until => Err(error.clone()),
            _ => Ok(()),
        }
    }

    /// Whether the credentials may be wrong: they were refused, and not accepted since.
    pub fn is_doubtful(&self) -> bool {
        self.refusals > 0
    }

    /// The server accepted the credentials.
    pub fn accepted(&mut self) {
        *self = Self::default();
    }

    /// The server refused the credentials. Answers the error with the time from which on they are tried again.
    pub fn refused(&mut self, now: Timestamp, error: Error) -> Error {
        let wait = FIRST_WAIT.saturating_mul(GROWTH.saturating_pow(self.refusals)).min(LONGEST_WAIT);
        let until = later(now, wait);
        self.refusals = self.refusals.saturating_add(1);
        let message = format!(
            "{}; it is tried again from {} on, since more attempts could lock the user, or at once after a start or a reload \
             with corrected settings",
            error.message(),
            until.strftime("%Y-%m-%dT%H:%M:%SZ")
        );
        let error = error.with_message(message);
        self.held = Some((until, error.clone()));
        error
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::{Disposition, ErrorKind};

    fn refusal() -> Error {
        Error::new(ErrorKind::Unauthorized, Disposition::Permanent, "log in", "wrong").code("401").field("password")
    }

    /// As many tasks as like ask every second: how often a log-in is made in `seconds`.
    fn log_ins(guard: &mut LoginGuard, from: Timestamp, seconds: i64) -> usize {
        let times = (0..seconds).map(|second| from + SignedDuration::from_secs(second));
        times.filter(|now| guard.check(*now).is_ok() && guard.refused(*now, refusal()).code_text().is_some()).count()
    }

    #[test]
    fn log_ins_are_few_enough_for_every_server() {
        let start: Timestamp = "2026-01-31T10:00:00Z".parse().unwrap();
        assert_eq!(log_ins(&mut LoginGuard::default(), start, 190), 3);
        // Magento locks after the sixth that is less than half an hour after the one before it.
        assert_eq!(log_ins(&mut LoginGuard::default(), start, 30 * 60), 4);
        // Then it is one an hour.
        assert_eq!(log_ins(&mut LoginGuard::default(), start, 24 * 3600), 28);
    }

    #[test]
    fn good_credentials_clear_it() {
        let now: Timestamp = "2026-01-31T10:00:00Z".parse().unwrap();
        let mut guard = LoginGuard::default();
        let error = guard.refused(now, refusal());
        assert_eq!(
            (error.code_text(), error.field_path(), error.kind()),
            (Some("401"), Some("password"), ErrorKind::Unauthorized)
        );
        assert_eq!(guard.check(now).unwrap_err().to_string(), error.to_string());
        assert!(guard.is_doubtful());
        guard.accepted();
        assert!(guard.check(now).is_ok() && !guard.is_doubtful());
    }
}
