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
    /// What was heard of the side last.
    last: Last,
    /// Each, and whether it was to blame when the side failed over it alone last.
    suspects: HashMap<String, bool>,
}

/// What was heard of a side last.
#[derive(Default, PartialEq, Eq)]
enum Last {
    /// It has answered for somebody.
    Answered,
    /// It has failed over this one alone.
    FailedOver(String),
    /// It has failed over several, or said that it cannot be used; or nothing was heard of it yet.
    #[default]
    Failed,
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
        self.known().suspects.contains_key(id)
    }

    /// Judges the results of a batch.
    pub(super) fn judge(&self, claimed: &[Claimed], results: &[Applied]) -> Judged {
        let mut known = self.known();
        let mut judged = Judged { against: Vec::with_capacity(claimed.len()), heard: Heard::default() };
        let mut unclear = Vec::new();
        for (claimed, applied) in claimed.iter().zip(results) {
            let error = applied.result.as_ref().err();
            let concern = error.map_or(Concern::Entity, Error::concern);
            judged.against.push(concern == Concern::Entity);
            match (concern, error) {
                (Concern::Entity, error) => {
                    known.suspects.remove(&claimed.key.id);
                    judged.heard.answered |= error.is_none_or(is_an_answer);
                }
                (Concern::Side, Some(error)) => _ = judged.heard.away.get_or_insert_with(|| error.clone()),
                (_, Some(error)) => unclear.push((claimed, error)),
                (_, None) => {}
            }
        }
        match (&unclear[..], claimed) {
            ([(one, error)], [_]) => known.judge_alone(one, error, &mut judged),
            (all, _) if judged.heard.answered => {
                all.iter().for_each(|(claimed, _)| known.suspect(&claimed.key.id, false));
                known.last = if judged.heard.away.is_some() { Last::Failed } else { Last::Answered };
            }
            (all, _) => {
                if let Some((_, error)) = all.first() {
                    judged.heard.away.get_or_insert_with(|| (*error).clone());
                }
                if judged.heard.away.is_some() {
                    known.last = Last::Failed;
                }
            }
        }
        judged
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    /// The side has failed over one that was tried alone.
    fn judge_alone(&mut self, claimed: &Claimed, error: &Error, judged: &mut Judged) {
        let id = &claimed.key.id;
        let before = self.suspects.get(id).copied();
        // What somebody has to mend stays so; else the side is to show each time that it is well.
        let stays = before == Some(true) && error.disposition() == Disposition::Permanent;
        let well = match &self.last {
            Last::Answered => true,
            Last::FailedOver(last) => last == id && stays,
            Last::Failed => false,
        };
        let to_blame = before.is_some() && well;
        if to_blame {
            judged.against.fill(true);
            judged.heard.answered = true;
        } else {
            judged.heard.away = Some(over(claimed, error));
        }
        self.suspect(id, to_blame);
        self.last = Last::FailedOver(id.clone());
    }

    fn suspect(&mut self, id: &str, to_blame: bool) {
        if self.suspects.len() >= MOST {
            self.suspects.clear();
        }
        self.suspects.insert(id.to_owned(), to_blame);
    }
}

/// An error that names whom the side was asked for: while there is no other to compare with, it may be that one's fault, which
/// somebody has to look into.
fn over(claimed: &Claimed, error: &Error) -> Error {
    let name = if claimed.name.is_empty() { &claimed.key.id } else { &claimed.name };
    error.clone().with_message(format!("{} (asked for {name} alone, so it may be that one's fault)", error.message()))
}

/// Whether an error about an entity shows that the side is there: not if nobody was asked, or nothing came.
fn is_an_answer(error: &Error) -> bool {
    let unasked = matches!(error.kind(), ErrorKind::Mapping | ErrorKind::Stopped | ErrorKind::Fenced);
    !unasked && error.disposition() != Disposition::Uncertain
}
