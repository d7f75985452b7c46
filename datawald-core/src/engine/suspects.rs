//! Whom a failure is about: the side, or the entity that it failed over.
//!
//! A side that answers 500 may be broken, or may be unable to serve this one order. Which of the two it is shows by the others:
//! an entity over which the side fails alone, again, though it has answered for others meanwhile, is the one to blame.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::Applied;
use crate::store::Claimed;
use crate::{Concern, Disposition, Error, ErrorKind};

/// How many are remembered at most.
const MOST: usize = 1_000;

/// The entities of a flow over which its target has failed in a way that may be their fault.
#[derive(Default)]
pub(super) struct Suspects(Mutex<Known>);

#[derive(Default)]
struct Known {
    /// How many entities the side has answered for.
    answered: u64,
    /// For how many it had when it last failed over this one.
    failed_at: HashMap<String, u64>,
}

/// What a batch has told.
pub(super) struct Judged {
    /// By place: whether its error counts against the entity.
    pub(super) against: Vec<bool>,
    pub(super) heard: Heard,
}

/// What was heard of a side.
#[derive(Debug, Default)]
pub(super) struct Heard {
    /// It has answered for an entity.
    pub(super) answered: bool,
    /// Why it cannot be used.
    pub(super) away: Option<Error>,
}

impl Heard {
    pub(super) fn add(&mut self, other: Self) {
        self.answered |= other.answered;
        self.away = self.away.take().or(other.away);
    }
}

impl Suspects {
    /// Whether an entity is to be tried alone.
    pub(super) fn has(&self, id: &str) -> bool {
        self.known().failed_at.contains_key(id)
    }

    /// Judges the results of a batch.
    pub(super) fn judge(&self, claimed: &[Claimed], results: &[Applied]) -> Judged {
        let mut known = self.known();
        let before = known.answered;
        let mut judged = Judged { against: Vec::with_capacity(claimed.len()), heard: Heard::default() };
        let mut unclear = Vec::new();
        for (claimed, applied) in claimed.iter().zip(results) {
            let error = applied.result.as_ref().err();
            let concern = error.map_or(Concern::Entity, Error::concern);
            judged.against.push(concern == Concern::Entity);
            match (concern, error) {
                (Concern::Entity, error) => {
                    known.failed_at.remove(&claimed.key.id);
                    if error.is_none_or(is_an_answer) {
                        known.answered += 1;
                    }
                }
                (Concern::Side, Some(error)) => _ = judged.heard.away.get_or_insert_with(|| error.clone()),
                (_, Some(error)) => unclear.push((claimed, error)),
                (_, None) => {}
            }
        }
        judged.heard.answered = known.answered > before;
        let alone = claimed.len() == 1;
        for (claimed, error) in unclear {
            let since = known.failed_at.get(&claimed.key.id).copied();
            if alone && since.is_some_and(|since| since < before) {
                judged.against.fill(true);
                judged.heard.answered = true;
            } else if !judged.heard.answered {
                judged.heard.away.get_or_insert_with(|| error.clone());
            }
            if alone || judged.heard.answered {
                if known.failed_at.len() >= MOST {
                    known.failed_at.clear();
                }
                known.failed_at.insert(claimed.key.id.clone(), before);
            }
        }
        judged
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an error about an entity shows that the side is there: not if nobody was asked, or nothing came.
fn is_an_answer(error: &Error) -> bool {
    let unasked = matches!(error.kind(), ErrorKind::Mapping | ErrorKind::Stopped | ErrorKind::Fenced);
    !unasked && error.disposition() != Disposition::Uncertain
}
