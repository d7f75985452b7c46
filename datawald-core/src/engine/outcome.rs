//! From what applying an entity gave to the outcome that is settled.

use std::time::Duration;

use jiff::Timestamp;

use super::{Done, EngineSettings};
use crate::clock::later;
use crate::store::{Claimed, Outcome};
use crate::{Disposition, Error, Result};

/// The longest wait that another side may ask for. A `Retry-After` of years, by mistake or by malice, would park an entity for
/// good; to ask once an hour is no load for anybody.
pub(super) const LONGEST_WAIT: Duration = Duration::from_secs(60 * 60);

/// The outcome of one entity: by the disposition of its error, if that counts `against` the entity; else it waits as it did
/// before, and the pause of its flow tells why.
///
/// `now` is by the store's clock; `settle_delay` includes what two processes may differ by.
pub(super) fn outcome(
    settings: &EngineSettings,
    now: Timestamp,
    settle_delay: Duration,
    claimed: &Claimed,
    result: &Result<Done>,
    against: bool,
) -> Outcome {
    let error = match result {
        Ok(Done::Applied { target_id, note }) => {
            return Outcome::Success { target_id: target_id.clone(), note: note.clone() };
        }
        Ok(Done::Cancelled { target_id, note }) => {
            return Outcome::Cancelled { target_id: target_id.clone(), note: note.clone() };
        }
        Ok(Done::Ignored { note }) => return Outcome::Ignored { note: note.clone() },
        Ok(Done::NotThereYet) => {
            let note =
                "is not there; looked up once more, since what was sent before may still be carried out".to_owned();
            return Outcome::InDoubt { until: later(now, settle_delay), missed: true, note };
        }
        Err(error) => error,
    };
    match error.disposition() {
        Disposition::Uncertain => {
            Outcome::InDoubt { until: later(now, settle_delay), missed: false, note: uncertain_note(error) }
        }
        _ if !against && claimed.in_doubt() => {
            Outcome::InDoubt { until: now, missed: claimed.missed, note: uncertain_note(error) }
        }
        _ if !against => Outcome::Release,
        Disposition::Rejected => failed(claimed, error, &error.note()),
        Disposition::Retryable { after } => retry(settings, now, claimed, error, after),
        // A mistake that shows with this entity alone: somebody may mend it meanwhile.
        Disposition::Permanent => retry(settings, now, claimed, error, None),
    }
}

fn retry(
    settings: &EngineSettings,
    now: Timestamp,
    claimed: &Claimed,
    error: &Error,
    after: Option<Duration>,
) -> Outcome {
    let asked = after.unwrap_or_default().min(LONGEST_WAIT);
    let at = later(now, asked.max(settings.backoff(claimed.attempts)));
    if claimed.in_doubt() {
        // Giving up would call it failed although it may be there: it is asked for until there is an answer.
        return Outcome::InDoubt { until: at, missed: claimed.missed, note: uncertain_note(error) };
    }
    if claimed.attempts >= settings.max_attempts {
        return failed(claimed, error, &format!("gave up after {} attempts: {}", claimed.attempts, error.note()));
    }
    Outcome::Retry { at, note: format!("attempt {} failed, tried again: {}", claimed.attempts, error.note()) }
}

/// F, with its reason and what has it tried again.
fn failed(claimed: &Claimed, error: &Error, reason: &str) -> Outcome {
    let what = claimed.key.table.singular();
    let note = format!(
        "{reason}; tried again when the {what} changes at its source, when the settings change, or on a re-sync"
    );
    Outcome::Failed { note, class: error.kind().as_str().to_owned() }
}

fn uncertain_note(error: &Error) -> String {
    format!("it is not known whether it was carried out, and is looked up: {}", error.note())
}
