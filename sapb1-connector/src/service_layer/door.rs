//! What a refused log-in means for those that would follow. SAP B1 locks a user after a few wrong passwords, and tells in no
//! recorded way apart whether the password is wrong or a licence is missing, so after a refusal nobody tries at once.

use std::time::Duration;

use datawald_core::clock::later;
use datawald_core::http::LoginGuard;
use datawald_core::{Disposition, Error, ErrorKind};
use jiff::Timestamp;

use super::error::Problem;
use super::session::LOG_IN;

/// For how long no further session is asked for, once one was refused while there were others.
const FURTHER_AFTER: Duration = Duration::from_secs(30);

/// For how long no session is asked for when there was no licence for the only one. Short: orders wait for the licence that
/// somebody gives back, and such a refusal locks nobody.
const NO_LICENCE_FOR: Duration = Duration::from_secs(1);

/// For how long credentials count as good after a session began with them; so long several may be begun at a time.
const GOOD_FOR: Duration = Duration::from_secs(10);

/// Who may log in.
#[derive(Default)]
pub(super) struct Door {
    /// Until then no session is asked for while there is another.
    further_from: Option<Timestamp>,
    /// Until then no session is asked for at all, for want of a licence: whoever wants one is told this.
    no_licence: Option<(Timestamp, Error)>,
    /// Credentials that were perhaps refused are not tried again at once.
    guard: LoginGuard,
    /// Whether they were refused while there was no session, so that it was not for want of another licence.
    alone: bool,
    /// When a session began last.
    good_at: Option<Timestamp>,
}

impl Door {
    /// Whether a session may be asked for, where one is `alive`, or none.
    pub(super) fn is_open(&self, now: Timestamp, alive: bool) -> bool {
        let further = self.further_from.is_some_and(|from| now < from) || self.guard.check(now).is_err();
        !(alive && further) && self.refusal(now).is_none()
    }

    /// What the log-ins that are not made now would be told.
    pub(super) fn refusal(&self, now: Timestamp) -> Option<Error> {
        let no_licence = self.no_licence.as_ref().filter(|(until, _)| now < *until).map(|(_, error)| error.clone());
        no_licence.or_else(|| self.guard.check(now).err().filter(|_| self.alone))
    }

    /// Whether the credentials are surely good, since they were a moment ago.
    pub(super) fn is_sure(&self, now: Timestamp) -> bool {
        self.good_at.is_some_and(|at| now < later(at, GOOD_FOR))
    }

    /// Whether the credentials may be wrong: no session has begun since a log-in was refused with a code that may say so.
    pub(super) fn is_doubtful(&self) -> bool {
        self.guard.is_doubtful()
    }

    /// A session began.
    pub(super) fn opened(&mut self, now: Timestamp) {
        *self = Self { good_at: Some(now), ..Self::default() };
    }

    /// The server has too much to do for a log-in, while there are other sessions.
    pub(super) fn busy(&mut self, now: Timestamp) {
        self.further_from = Some(later(now, FURTHER_AFTER));
    }

    /// A log-in was refused for want of a licence, as its code says.
    pub(super) fn no_licence(&mut self, now: Timestamp, alive: bool, problem: &Problem) -> Error {
        let message =
            format!("the Service Layer gives no further session, so a licence may be missing: {}", problem.text);
        let error = Error::new(ErrorKind::Busy, Disposition::Retryable { after: None }, LOG_IN, message);
        let error = error.code(problem.code.to_string());
        if alive {
            self.further_from = Some(later(now, FURTHER_AFTER));
        } else {
            self.no_licence = Some((later(now, NO_LICENCE_FOR), error.clone()));
        }
        error
    }

    /// A log-in was refused with another code: while a session is `alive` it may be for want of a licence, and the work goes on
    /// with what there is; without one nothing goes on.
    pub(super) fn refused(&mut self, now: Timestamp, alive: bool, problem: &Problem) -> Error {
        let is_first = !self.guard.is_doubtful();
        self.alone = !alive;
        let (kind, disposition, message) = if alive {
            let message = "the Service Layer gives no further session: either a licence is missing, then add the code to \
                           `licence_codes` or lower `sessions`, or the password was changed, then correct it in the \
                           configuration before the last session ends";
            (ErrorKind::Busy, Disposition::Retryable { after: None }, message)
        } else {
            let message = "the Service Layer refuses the login: check company, user and password in the configuration, and \
                           the user's licence";
            (ErrorKind::Unauthorized, Disposition::Permanent, message)
        };
        let error = Error::new(kind, disposition, LOG_IN, format!("{message} (it says: {})", problem.text));
        let error = self.guard.refused(now, error.code(problem.code.to_string()));
        if alive && is_first {
            tracing::warn!(%error, "the work goes on with fewer sessions");
        }
        error
    }
}
