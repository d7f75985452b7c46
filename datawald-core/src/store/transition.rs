//! The state machine of an entity, apart from any database: what staging, settling and doing again make of it.

use jiff::Timestamp;

use super::{Bound, Outcome, Settled};
use crate::model::{EntityKey, Intent, Table, TxStatus};
use crate::{Error, ErrorKind};

/// Where an entity stands, and why, and when it may be taken up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) status: TxStatus,
    pub(crate) note: String,
    /// The kind of the failure, if it has failed.
    pub(crate) failure: Option<String>,
    pub(crate) due_at: Option<Timestamp>,
}

/// Where an intent puts an entity that nobody holds and that is not in doubt: to work at `at`, or to its end at once.
pub(crate) fn open(intent: &Intent, note: String, at: Timestamp) -> Standing {
    let (status, note, due_at) = match intent {
        Intent::Apply | Intent::Cancel => (TxStatus::New, note, Some(at)),
        Intent::Ignore(reason) => (TxStatus::Ignored, reason.clone(), None),
        Intent::Reject(reason) => (TxStatus::Failed, reason.clone(), None),
    };
    let failure = (status == TxStatus::Failed).then(|| ErrorKind::Mapping.as_str().to_owned());
    Standing { status, note, failure, due_at }
}

/// What is to be done with an entity that is called as another one is: nothing, or the other side could not tell them apart.
pub(crate) fn name_taken(intent: &Intent, table: Table, name: &str, holder: &str) -> Intent {
    if !intent.is_to_be_done() {
        return intent.clone();
    }
    let what = table.singular();
    Intent::Reject(format!(
        "is another {what} of the number {name}: the one with the id {holder} came first and has it; set a prefix for the \
         numbers of the store that this {what} is of (Magento: `orders.number_prefix`), then pull again"
    ))
}

/// What is to be done with an entity that is called otherwise than when it was taken up. If it has a reference, whatever is to be
/// done: the other side knows it by that. Else nothing, since the other side may know it by the name it had.
pub(crate) fn renamed(intent: &Intent, before: &str, now: &str, has_reference: bool) -> Intent {
    if has_reference || !intent.is_to_be_done() {
        return intent.clone();
    }
    Intent::Reject(format!(
        "has the number {now} now and had {before} when it was taken up, by which the other side may know it: give it \
         that number back, or enter what has changed by hand"
    ))
}

/// A leased entity, as its settlement finds it.
#[derive(Clone)]
pub(crate) struct Held {
    pub(crate) note: String,
    pub(crate) target_id: Option<String>,
    pub(crate) intent: Intent,
    pub(crate) attempts: u32,
    /// The version that the other side has or may have by now.
    pub(crate) written: Option<u64>,
    /// Whether the claim found it in doubt, or in a lease that had run out.
    pub(crate) was_in_doubt: bool,
    /// The version that was claimed.
    pub(crate) claimed: u64,
    /// Whether newer content was staged since the claim.
    pub(crate) superseded: bool,
}

/// What a settlement makes of a leased entity.
pub(crate) struct After {
    pub(crate) standing: Standing,
    pub(crate) target_id: Option<String>,
    pub(crate) attempts: u32,
    pub(crate) written: Option<u64>,
    pub(crate) missed: bool,
    pub(crate) settled: Settled,
}

/// Why the data of an entity cannot be erased as it stands, and what is to be done first; `None` if it can.
pub(crate) fn not_to_be_erased(
    status: TxStatus,
    written: Option<u64>,
    target_id: Option<&str>,
) -> Option<&'static str> {
    match status {
        TxStatus::New | TxStatus::InProcess => Some(
            "is still to be applied, and its data is needed for that: wait for its outcome, or write one by hand, and erase it \
             then",
        ),
        // It may have come to its end before it was known what became of a write.
        status if status == TxStatus::InDoubt || (written.is_some() && target_id.is_none()) => Some(
            "may have been written to the other side, and its data is needed to find it there: sync it again, or write its \
             outcome by hand, and erase it then",
        ),
        _ => None,
    }
}

/// What stands in the place of notes and reasons once the data is erased.
pub(crate) fn erased_note(at: Timestamp) -> String {
    format!("erased at {at:.0}: its documents and notes were removed on request")
}

/// What is told to whoever wants it done again.
pub(crate) fn erased(operation: &'static str, key: &EntityKey, at: Timestamp) -> Error {
    let message = format!(
        "was erased at {at:.0}, and nothing is left of it that could be done again: what changes at its source is new data, and is \
         staged by the next pull"
    );
    Error::invalid(operation, message).entity(key.to_string())
}

/// Where a claim leaves an entity: what it was, and which version may be on the other side from now on.
pub(crate) fn claim(status: TxStatus, written: Option<u64>, target_id: Option<&str>, rev: u64) -> (TxStatus, u64) {
    // It came to an end, or was opened again, before it was known what became of a write.
    let unresolved = status == TxStatus::New && written.is_some() && target_id.is_none();
    (if unresolved { TxStatus::InDoubt } else { status }, written.unwrap_or(rev))
}

/// Carries out a settlement at `now` by the store's clock. The caller has checked that the token is the current one.
pub(crate) fn settle(held: Held, outcome: Outcome, now: Timestamp) -> After {
    let Held {
        note: old_note,
        target_id: old_target,
        intent,
        mut attempts,
        written,
        was_in_doubt,
        claimed,
        superseded,
    } = held;
    let mut target_id = old_target;
    let written = match &outcome {
        // Newer content that is not to be written is not there: what was found is the version before.
        Outcome::Success { .. } if !superseded && !intent.is_to_be_done() => written,
        Outcome::Success { .. } => Some(claimed),
        // It was looked up, and is not there.
        Outcome::Ignored { .. } | Outcome::Cancelled { target_id: None, .. } if target_id.is_none() => None,
        // What became of an earlier write is not known by this.
        _ if was_in_doubt || target_id.is_some() => written,
        Outcome::InDoubt { .. } | Outcome::Cancelled { .. } | Outcome::Ignored { .. } => written,
        Outcome::Failed { .. } | Outcome::Retry { .. } | Outcome::Release => None,
    };
    let missed = matches!(outcome, Outcome::InDoubt { missed: true, .. });
    let failed = if let Outcome::Failed { class, .. } = &outcome { Some(class.clone()) } else { None };
    let end = |status: TxStatus, note: String| {
        if superseded {
            return open(&intent, note, now);
        }
        let failure =
            failed.or_else(|| open(&intent, String::new(), now).failure.filter(|_| status == TxStatus::Failed));
        Standing { status, note, failure, due_at: None }
    };
    let standing = match outcome {
        Outcome::Success { target_id: target, note } => {
            target_id = Some(target);
            let status = match intent {
                Intent::Apply | Intent::Cancel => TxStatus::Success,
                Intent::Ignore(_) => TxStatus::Ignored,
                Intent::Reject(_) => TxStatus::Failed,
            };
            end(status, note)
        }
        Outcome::Cancelled { target_id: target, note } => {
            target_id = target.or(target_id);
            end(TxStatus::Cancelled, note)
        }
        Outcome::Ignored { note } => end(TxStatus::Ignored, note),
        Outcome::Failed { note, .. } => end(TxStatus::Failed, note),
        Outcome::Retry { at, note } => open(&intent, note, if superseded { now } else { at }),
        Outcome::InDoubt { until, note, .. } => {
            Standing { status: TxStatus::InDoubt, note, failure: None, due_at: Some(until) }
        }
        Outcome::Release => {
            // Newer content has set it to 0, and it stays so.
            attempts = attempts.saturating_sub(1);
            if was_in_doubt {
                Standing { status: TxStatus::InDoubt, note: old_note, failure: None, due_at: Some(now) }
            } else {
                open(&intent, old_note, now)
            }
        }
    };
    let settled = if superseded { Settled::Superseded } else { Settled::Done };
    After { standing, target_id, attempts, written, missed, settled }
}

/// What a settlement makes of a leased entity whose document is recorded as another's. What it wrote itself, if it did, is not
/// known by that.
pub(crate) fn taken(held: Held, outcome: &Outcome, by: &EntityKey, now: Timestamp) -> After {
    let written = held.written.or(Some(held.claimed));
    let target_id = outcome.target_id().or(held.target_id.as_deref()).unwrap_or_default();
    let outcome =
        Outcome::Failed { note: Bound::taken_note(target_id, by), class: ErrorKind::Invalid.as_str().to_owned() };
    let superseded = held.superseded;
    let after = settle(held, outcome, now);
    After { written, settled: if superseded { Settled::Superseded } else { Settled::Taken }, ..after }
}

impl Outcome {
    /// The key on the other side that it brings.
    pub(crate) fn target_id(&self) -> Option<&str> {
        match self {
            Outcome::Success { target_id, .. } => Some(target_id),
            Outcome::Cancelled { target_id, .. } => target_id.as_deref(),
            _ => None,
        }
    }
}
