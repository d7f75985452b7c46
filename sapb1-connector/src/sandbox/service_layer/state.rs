//! What the sandbox holds.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rust_decimal::Decimal;

use super::capacity::Capacity;
use super::check::Names;
use super::company;
use super::counters::Counters;
use super::faults::Faults;
use super::options::{SandboxOptions, UserField};
use super::sessions::Sessions;
use super::tables::Tables;
use crate::sandbox::damage::take_chance;
use crate::sandbox::stall::Stall;

/// How often each fault had its chance, since the faults were set.
#[derive(Default)]
pub(super) struct Chances {
    pub(super) calls: AtomicU64,
    pub(super) entered: AtomicU64,
    pub(super) writes: AtomicU64,
    pub(super) batches: AtomicU64,
    pub(super) orders: AtomicU64,
}

pub(super) struct State {
    pub(super) options: SandboxOptions,
    /// Its address, as `http://127.0.0.1:41234`.
    pub(super) url: String,
    pub(super) tax_rates: HashMap<String, Decimal>,
    pub(super) capacity: Capacity,
    pub(super) chances: Chances,
    pub(super) stall: Stall,
    answers: AtomicU64,
    store: Mutex<Store>,
    faults: Mutex<Arc<Faults>>,
}

pub(super) struct Store {
    pub(super) tables: Tables,
    pub(super) sessions: Sessions,
    pub(super) counters: Counters,
    /// Rates of exchange, by currency: how much of the main one they are worth. A currency may have none.
    pub(super) rates: HashMap<String, Decimal>,
    /// How many contact persons there are.
    pub(super) contacts: u64,
    /// Those that can be used; one that is added can be once the service was started anew.
    pub(super) user_fields: Arc<[UserField]>,
}

impl State {
    pub(super) fn new(options: SandboxOptions, url: String) -> Self {
        let store = Store {
            tables: company::tables(&options),
            sessions: Sessions::default(),
            counters: Counters::default(),
            rates: options.currencies.iter().cloned().collect(),
            contacts: 0,
            user_fields: options.user_fields.clone().into(),
        };
        Self {
            tax_rates: options.tax_codes.iter().cloned().collect(),
            options,
            url,
            capacity: Capacity::default(),
            chances: Chances::default(),
            stall: Stall::default(),
            answers: AtomicU64::new(0),
            store: Mutex::new(store),
            faults: Mutex::default(),
        }
    }

    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn faults(&self) -> Arc<Faults> {
        self.faults.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn set_faults(&self, faults: Faults) {
        *self.faults.lock().unwrap_or_else(PoisonError::into_inner) = Arc::new(faults);
        let Chances { calls, entered, writes, batches, orders } = &self.chances;
        for counter in [calls, entered, writes, batches, orders] {
            counter.store(0, Ordering::SeqCst);
        }
        self.stall.count_anew();
        self.capacity.changed();
    }

    pub(super) fn change_faults(&self, change: impl FnOnce(&mut Faults)) {
        change(Arc::make_mut(&mut self.faults.lock().unwrap_or_else(PoisonError::into_inner)));
        self.capacity.changed();
    }

    /// A number that no batch was answered under before.
    pub(super) fn next_id(&self) -> u64 {
        take_chance(&self.answers)
    }

    pub(super) fn counters(&self) -> Counters {
        let store = self.store();
        let (sessions, sessions_most) = store.sessions.count(self.options.clock.now());
        Counters {
            documents: store.tables.len("Orders") as u64,
            drafts: store.tables.len("Drafts") as u64,
            partners: store.tables.len("BusinessPartners") as u64,
            sessions: sessions as u64,
            sessions_most: sessions_most as u64,
            at_once_most: self.capacity.most() as u64,
            stalled: self.stall.waited(),
            ..store.counters
        }
    }
}

/// What a call works with.
pub(super) struct Work<'a> {
    pub(super) state: &'a State,
    pub(super) store: &'a mut Store,
    pub(super) faults: &'a Faults,
    pub(super) user_fields: Arc<[UserField]>,
    /// How many orders were written.
    pub(super) orders: u64,
}

impl<'a> Work<'a> {
    pub(super) fn new(state: &'a State, store: &'a mut Store, faults: &'a Faults) -> Self {
        let user_fields = store.user_fields.clone();
        Self { state, store, faults, user_fields, orders: 0 }
    }
}

/// The names that there are.
pub(super) fn names(user_fields: &[UserField]) -> Names<'_> {
    Names { user_fields }
}
