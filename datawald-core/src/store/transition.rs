//! The state machine of an entity, apart from any database: what staging, settling and doing again make of it.

use jiff::Timestamp;

use super::{Outcome, Settled};
use crate::model::{Intent, TxStatus};

/// Where an entity stands, and why, and when it may be taken up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) status: TxStatus,
    pub(crate) note: String,
    pub(crate) due_at: Option<Timestamp>,
}

/// Where an intent puts an entity that nobody holds and that is not in doubt: to work at `at`, or to its end at once.
pub(crate) fn open(intent: &Intent, note: String, at: Timestamp) -> Standing {
    match intent {
        Intent::Apply | Intent::Cancel => Standing { status: TxStatus::New, note, due_at: Some(at) },
        Intent::Ignore(reason) => Standing { status: TxStatus::Ignored, note: reason.clone(), due_at: None },
        Intent::Reject(reason) => Standing { status: TxStatus::Failed, note: reason.clone(), due_at: None },
    }
}

/// A leased entity, as its settlement finds it.
pub(crate) struct Held {
    pub(crate) note: String,
    pub(crate) target_id: Option<String>,
    pub(crate) intent: Intent,
    pub(crate) attempts: u32,
    /// Whether the claim found it in doubt, or in a lease that had run out.
    pub(crate) was_in_doubt: bool,
    /// Whether newer content was staged since the claim.
    pub(crate) superseded: bool,
}

/// What a settlement makes of a leased entity.
pub(crate) struct After {
    pub(crate) standing: Standing,
    pub(crate) target_id: Option<String>,
    pub(crate) attempts: u32,
    pub(crate) settled: Settled,
}

/// Carries out a settlement. The caller has checked that the token is the current one.
pub(crate) fn settle(held: Held, outcome: Outcome, now: Timestamp) -> After {
    let Held { note: old_note, target_id: old_target, intent, mut attempts, was_in_doubt, superseded } = held;
    let mut target_id = old_target;
    let end = |status: TxStatus, note: String| {
        if superseded { open(&intent, note, now) } else { Standing { status, note, due_at: None } }
    };
    let standing = match outcome {
        Outcome::Success { target_id: target, note } => {
            target_id = Some(target);
            end(TxStatus::Success, note)
        }
        Outcome::Cancelled { target_id: target, note } => {
            target_id = target.or(target_id);
            end(TxStatus::Cancelled, note)
        }
        Outcome::Ignored { note } => end(TxStatus::Ignored, note),
        Outcome::Failed { note } => end(TxStatus::Failed, note),
        Outcome::Retry { at, note } => open(&intent, note, if superseded { now } else { at }),
        Outcome::InDoubt { until, note } => Standing { status: TxStatus::InDoubt, note, due_at: Some(until) },
        Outcome::Release => {
            // Newer content has set it to 0, and it stays so.
            attempts = attempts.saturating_sub(1);
            if was_in_doubt {
                Standing { status: TxStatus::InDoubt, note: old_note, due_at: Some(now) }
            } else {
                open(&intent, old_note, now)
            }
        }
    };
    After { standing, target_id, attempts, settled: if superseded { Settled::Superseded } else { Settled::Done } }
}
