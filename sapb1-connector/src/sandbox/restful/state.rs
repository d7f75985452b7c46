//! What the sandbox holds.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::auth::Tokens;
use super::contacts::Contacts;
use super::documents::Documents;
use super::faults::Faults;
use super::options::SandboxOptions;
use crate::sandbox::damage::{hits, take_chance};
use crate::sandbox::stall::Stall;

/// What was asked of the sandbox, and what came of it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counters {
    /// All requests but those to `/control`.
    pub requests: u64,
    /// Logins.
    pub auth: u64,
    /// Requests refused with 401.
    pub unauthorized: u64,
    /// Requests for names, codes and the company.
    pub codes: u64,
    /// Requests that look orders up.
    pub lookups: u64,
    /// Requests that write: inserts, cancellations, contact persons.
    pub writes: u64,
    /// Requests that insert orders.
    pub inserts: u64,
    /// Requests that cancel orders.
    pub cancels: u64,
    /// Orders that were refused.
    pub refused: u64,
    /// Documents there are, cancelled ones included.
    pub documents: u64,
    /// Cancelled documents.
    pub cancelled: u64,
    /// Contact persons that were made.
    pub contacts: u64,
    /// Requests that waited for a company that did not go on.
    pub stalled: u64,
}

/// How often each fault had its chance, since the faults were set.
#[derive(Default)]
pub(super) struct Chances {
    pub(super) calls: AtomicU64,
    pub(super) authorised: AtomicU64,
    pub(super) inserts: AtomicU64,
    pub(super) orders: AtomicU64,
}

pub(super) struct State {
    pub(super) options: SandboxOptions,
    pub(super) rates: HashMap<String, Decimal>,
    store: Mutex<Store>,
    faults: Mutex<Faults>,
    pub(super) chances: Chances,
    pub(super) stall: Stall,
}

#[derive(Default)]
pub(super) struct Store {
    pub(super) documents: Documents,
    pub(super) contacts: Contacts,
    pub(super) tokens: Tokens,
    pub(super) counters: Counters,
}

impl State {
    pub(super) fn new(options: SandboxOptions) -> Self {
        let rates = options.tax_codes.iter().cloned().collect();
        let store = Store { documents: Documents::new(options.first_doc_entry), ..Store::default() };
        Self {
            options,
            rates,
            store: Mutex::new(store),
            faults: Mutex::default(),
            chances: Chances::default(),
            stall: Stall::default(),
        }
    }

    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn faults(&self) -> Faults {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_faults(&self, faults: Faults) {
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner) = faults;
        let Chances { calls, authorised, inserts, orders } = &self.chances;
        for counter in [calls, authorised, inserts, orders] {
            counter.store(0, Ordering::SeqCst);
        }
        self.stall.count_anew();
    }

    pub(super) fn counters(&self) -> Counters {
        let store = self.store();
        let mut counters = store.counters;
        counters.documents = store.documents.len() as u64;
        counters.contacts = u64::from(store.contacts.made());
        counters.stalled = self.stall.waited();
        counters
    }

    /// Whether the next order is to fail: before it is made, or after.
    pub(super) fn order_fault(&self, faults: &Faults) -> (bool, bool) {
        let n = take_chance(&self.chances.orders);
        (hits(faults.fail_order_every, n), hits(faults.fail_after_commit_every, n))
    }
}
