//! What the sandbox knows, behind one lock.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;

use super::book::{Book, Quirks};
use super::faults::{Counters, Faults};
use super::options::SandboxOptions;

#[derive(Debug)]
pub(super) struct State {
    pub(super) options: SandboxOptions,
    pub(super) book: Book,
    pub(super) faults: Faults,
    pub(super) counters: Counters,
    pub(super) now: Option<Timestamp>,
    /// Admin tokens, and how many requests each has seen.
    pub(super) issued: HashMap<String, u64>,
    pub(super) nonces: HashSet<String>,
}

impl State {
    pub(super) fn now(&self) -> Timestamp {
        // A server's clock, not logic of the library: nothing but its answers depends on it.
        self.now.unwrap_or_else(Timestamp::now)
    }

    pub(super) fn quirks(&self) -> Quirks {
        let (requests, now) = (self.counters.requests, self.now());
        let hidden: BTreeSet<u64> =
            self.faults.late.iter().filter(|late| late.hidden(requests, now)).map(|late| late.entity_id).collect();
        Quirks {
            ignore_sort: self.faults.ignore_sort,
            ignore_filter: self.faults.ignore_filter,
            repeat_last_page: self.faults.repeat_last_page,
            hidden,
        }
    }
}

#[derive(Debug)]
pub(super) struct Shared(Mutex<State>);

impl Shared {
    pub(super) fn new(state: State) -> Self {
        Self(Mutex::new(state))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
