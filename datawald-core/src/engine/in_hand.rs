//! What this process works on.
//!
//! A lease keeps other processes away. Within one process something must, too, when a lease is lost: the store may have been
//! out of reach for longer than it lasts, while the work goes on.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::model::{EntityKey, FlowId};
use crate::store::Claimed;

/// The entities that this process works on.
#[derive(Default)]
pub(super) struct Hands {
    /// Each with the number of the [`InHand`] that has it.
    held: Mutex<HashMap<EntityKey, u64>>,
    taken: AtomicU64,
}

/// Entities that are in hand until this is dropped.
pub(super) struct InHand<'a> {
    hands: &'a Hands,
    number: u64,
    keys: Vec<EntityKey>,
}

impl Hands {
    /// Those of `ids` that are not in hand.
    pub(super) fn free(&self, flow: &FlowId, ids: &[String]) -> Vec<String> {
        let held = self.held();
        ids.iter().filter(|id| !held.contains_key(&EntityKey::new(flow, (*id).clone()))).cloned().collect()
    }

    /// Takes what was leased, but for what is in hand by now: its lease had run out in between, and its work goes on.
    pub(super) fn take(&self, claimed: &mut Vec<Claimed>) -> InHand<'_> {
        let number = self.taken.fetch_add(1, Ordering::Relaxed);
        let mut held = self.held();
        claimed.retain(|claimed| {
            let free = !held.contains_key(&claimed.key);
            if free {
                held.insert(claimed.key.clone(), number);
            }
            free
        });
        InHand { hands: self, number, keys: claimed.iter().map(|claimed| claimed.key.clone()).collect() }
    }

    /// Puts down what has its outcome: whoever is told that there is more to do of it finds it free.
    pub(super) fn put_down(&self, claimed: &[Claimed]) {
        let mut held = self.held();
        for claimed in claimed {
            held.remove(&claimed.key);
        }
    }

    fn held(&self) -> MutexGuard<'_, HashMap<EntityKey, u64>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl InHand<'_> {
    /// Puts down what was handed back.
    pub(super) fn put_down(&mut self, claimed: &[Claimed]) {
        let back: HashSet<&EntityKey> = claimed.iter().map(|claimed| &claimed.key).collect();
        self.put_down_where(|key| back.contains(key));
    }

    fn put_down_where(&mut self, wanted: impl Fn(&EntityKey) -> bool) {
        let mut held = self.hands.held();
        self.keys.retain(|key| {
            let down = wanted(key);
            // It may have been put down before, and be somebody else's by now.
            if down && held.get(key) == Some(&self.number) {
                held.remove(key);
            }
            !down
        });
    }
}

impl Drop for InHand<'_> {
    fn drop(&mut self) {
        self.put_down_where(|_| true);
    }
}
