//! How many calls are worked on at a time, which may change while some wait.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

#[derive(Default)]
pub(super) struct Capacity {
    counts: Mutex<Counts>,
    changed: Notify,
}

#[derive(Default)]
struct Counts {
    now: usize,
    most: usize,
}

/// A place; it is free again when this is dropped.
pub(super) struct Place<'a>(&'a Capacity);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.counts().now -= 1;
        self.0.changed.notify_one();
    }
}

impl Capacity {
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A place, if one of so many is free (0: any number).
    pub(super) fn try_take(&self, places: usize) -> Option<Place<'_>> {
        let mut counts = self.counts();
        if places != 0 && counts.now >= places {
            return None;
        }
        counts.now += 1;
        counts.most = counts.most.max(counts.now);
        Some(Place(self))
    }

    /// A place, once one is free; `places` is asked anew each time.
    pub(super) async fn take(&self, places: impl Fn() -> usize) -> Place<'_> {
        loop {
            let changed = self.changed.notified();
            if let Some(place) = self.try_take(places()) {
                // More places than one may have come at once.
                self.changed.notify_one();
                return place;
            }
            changed.await;
        }
    }

    /// Tells those that wait that there may be more places.
    pub(super) fn changed(&self) {
        self.changed.notify_one();
    }

    pub(super) fn most(&self) -> usize {
        self.counts().most
    }
}
