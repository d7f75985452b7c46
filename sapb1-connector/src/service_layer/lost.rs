//! Sessions that nobody can end: they may have begun, but their cookies did not come. They hold licences until they are over.

use std::time::Duration;

use datawald_core::clock::later;
use datawald_core::{Disposition, Error, ErrorKind};
use jiff::Timestamp;

use super::session::LOG_IN;

/// The sessions whose log-ins were lost.
#[derive(Default)]
pub(super) struct Lost {
    /// Since when and until when each may be there.
    spans: Vec<(Timestamp, Timestamp)>,
    /// What became of the last of those log-ins.
    why: String,
}

impl Lost {
    /// Another one, which lives for `life` when nobody uses it.
    pub(super) fn add(&mut self, now: Timestamp, life: Duration, error: &Error) {
        self.spans.push((now, later(now, life)));
        error.message().clone_into(&mut self.why);
    }

    /// How many there may be.
    pub(super) fn count(&mut self, now: Timestamp) -> usize {
        self.spans.retain(|(_, until)| now < *until);
        self.spans.len()
    }

    /// What whoever wants a session is told when there may be as many of these as there may be `sessions` in all.
    pub(super) fn refusal(&self, now: Timestamp, sessions: usize) -> Error {
        let since = self.spans.iter().map(|(since, _)| *since).min().unwrap_or(now);
        let first = self.spans.iter().map(|(_, until)| *until).min().unwrap_or(now);
        let last = self.spans.iter().map(|(_, until)| *until).max().unwrap_or(now);
        let time = |at: Timestamp| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
        let message = format!(
            "since {} the answers of {} log-ins were lost ({}), so as many sessions may hold licences that nobody can end, of \
             {sessions} that there may be; the first is over at {}, the last at {}. Until then raise `sessions`, if there are \
             licences for more, or restart the Service Layer, which ends them, and this process after it",
            time(since),
            self.spans.len(),
            self.why,
            time(first),
            time(last),
        );
        let after = Duration::try_from(first.duration_since(now)).unwrap_or_default();
        Error::new(ErrorKind::Busy, Disposition::Retryable { after: Some(after) }, LOG_IN, message).field("sessions")
    }
}
