//! How many orders go into one inserting call: as many as are surely made in half of the time that the call may take.
//!
//! A call that is given up may go on at the other side. An order that it has not made yet is looked up, not found and sent
//! again, and then there are two. So no call may take that long, also where an order takes seconds.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use datawald_core::{Disposition, Error, ErrorKind};

use crate::settings::Requests;

/// How many go into a call before it is known how long an order takes.
const FIRST: usize = 10;

/// By which part of the difference what an order takes is held to be less, when one took less. More is believed at once.
const SLOWLY: u64 = 4;

/// The number of orders in an inserting call, learnt from the calls before.
#[derive(Debug)]
pub(crate) struct WriteSize {
    most: usize,
    /// How long a call should take at most, in microseconds: the server may become twice as slow meanwhile.
    time: u64,
    /// What an order takes, in microseconds; 0 as long as that is not known.
    order: AtomicU64,
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

impl WriteSize {
    pub(crate) fn new(requests: &Requests) -> Self {
        Self { most: requests.write_batch.max(1), time: micros(requests.write_timeout() / 2), order: AtomicU64::new(0) }
    }

    /// How many orders the next call may have.
    pub(crate) fn orders(&self) -> usize {
        match self.order.load(Ordering::Relaxed) {
            0 => self.most.min(FIRST),
            order => usize::try_from(self.time / order).unwrap_or(self.most).clamp(1, self.most),
        }
    }

    /// Learns from a call that reached so many orders and was answered after a while, or failed.
    pub(crate) fn learn(&self, orders: usize, took: Result<Duration, &Error>) {
        match took {
            Ok(took) => self.answered(orders, took),
            // It was sent, or it would not be in doubt.
            Err(error) if error.kind() == ErrorKind::Timeout && error.disposition() == Disposition::Uncertain => {
                self.given_up(orders);
            }
            Err(_) => {}
        }
    }

    fn answered(&self, orders: usize, took: Duration) {
        let Some(order) = micros(took).checked_div(orders as u64) else { return };
        let learn = |held: u64| {
            let less = held.saturating_sub(held.saturating_sub(order).div_ceil(SLOWLY));
            Some(if held == 0 { order } else { order.max(less) }.max(1))
        };
        // Always `Some`, so it cannot fail.
        let _ = self.order.fetch_update(Ordering::Relaxed, Ordering::Relaxed, learn);
    }

    /// A call of so many orders would have taken longer than it may, nobody knows how much.
    fn given_up(&self, orders: usize) {
        self.answered(orders, Duration::from_micros(self.time.saturating_mul(4)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size() -> WriteSize {
        WriteSize::new(&Requests { write_batch: 50, write_timeout_s: 60, ..Requests::default() })
    }

    #[test]
    fn few_at_first_then_what_half_of_the_time_is_enough_for() {
        let size = size();
        assert_eq!(size.orders(), 10);
        size.answered(10, Duration::from_secs(20));
        assert_eq!(size.orders(), 15, "at 2 s an order");
        size.answered(15, Duration::from_secs(75));
        assert_eq!(size.orders(), 6, "slower is believed at once");
        size.answered(6, Duration::from_secs(6));
        assert_eq!(size.orders(), 7, "quicker is not: 4 s an order");
        (0..20).for_each(|_| size.answered(7, Duration::from_millis(700)));
        assert_eq!(size.orders(), 50, "at a tenth of a second as many as may be");
    }

    #[test]
    fn what_is_given_up_halves_the_next() {
        let size = size();
        size.answered(10, Duration::from_secs(5));
        assert_eq!(size.orders(), 50);
        size.given_up(50);
        assert_eq!(size.orders(), 12);
        (0..10).for_each(|_| size.given_up(size.orders()));
        assert_eq!(size.orders(), 1, "never none");
        size.answered(0, Duration::from_secs(60));
        size.answered(1, Duration::ZERO);
        assert_eq!(size.orders(), 1);
    }
}
