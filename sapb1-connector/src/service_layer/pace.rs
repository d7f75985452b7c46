//! How many calls run at the same time: one more while the server copes, fewer at once when it does not.

use std::collections::HashMap;
use std::time::Duration;

/// Which calls are compared with one another: an operation, and how much is asked of it, as the bits of a number.
pub(super) type Kind = (&'static str, u32);

/// The least that a call must be slower than others before it says something about the server.
const SLACK: u64 = 20_000;

/// Additive increase, multiplicative decrease, by refusals and by growing times.
#[derive(Debug)]
pub(super) struct Pace {
    most: u64,
    /// In thousandths of a call.
    limit: u64,
    /// Counts decreases: calls that were sent before the last one say nothing about what came of it.
    age: u64,
    times: HashMap<Kind, Times>,
}

/// How long calls of a kind take, in microseconds.
#[derive(Debug)]
struct Times {
    best: u64,
    smooth: u64,
}

impl Pace {
    /// Up to `most` calls, to begin with too.
    pub(super) fn new(most: usize) -> Self {
        let most = (most.max(1) as u64) * 1000;
        Self { most, limit: most, age: 0, times: HashMap::new() }
    }

    /// How many calls may run now; at least one.
    pub(super) fn limit(&self) -> usize {
        usize::try_from(self.limit / 1000).unwrap_or(1).max(1)
    }

    /// What [`Pace::answered`] and [`Pace::overloaded`] want to know of a call that begins now.
    pub(super) fn age(&self) -> u64 {
        self.age
    }

    /// A call was answered, after `took`.
    pub(super) fn answered(&mut self, age: u64, kind: Kind, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX / 16).min(u64::MAX / 16);
        let times = self.times.entry(kind).or_insert(Times { best: took, smooth: took });
        // What was best once drifts upwards, so that a server that has become slower for good is not held against it.
        times.best = took.min(times.best + times.best / 256 + 1);
        times.smooth = (times.smooth * 3 + took) / 4;
        if times.smooth > times.best * 2 + SLACK {
            times.smooth = times.best;
            self.decrease(age, 8);
        } else {
            self.limit = (self.limit + 1_000_000 / self.limit).min(self.most);
        }
    }

    /// A call was refused because the server has too much to do, or was not answered in time.
    pub(super) fn overloaded(&mut self, age: u64) {
        self.decrease(age, 6);
    }

    /// To so many tenths, once for all calls that were out.
    fn decrease(&mut self, age: u64, tenths: u64) {
        if age == self.age {
            self.limit = (self.limit * tenths / 10).max(1000);
            self.age += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: Kind = ("insert", 6);
    const QUICK: Duration = Duration::from_millis(50);
    const SLOW: Duration = Duration::from_millis(500);

    #[test]
    fn fewer_at_once_and_more_by_and_by() {
        let mut pace = Pace::new(10);
        assert_eq!(pace.limit(), 10);
        let age = pace.age();
        pace.overloaded(age);
        pace.overloaded(age);
        assert_eq!(pace.limit(), 6, "calls that were out together are one sign");
        (0..6).for_each(|_| pace.answered(pace.age(), KIND, QUICK));
        assert_eq!(pace.limit(), 6);
        pace.answered(pace.age(), KIND, QUICK);
        assert_eq!(pace.limit(), 7, "one more per round");
        (0..1000).for_each(|_| pace.answered(pace.age(), KIND, QUICK));
        assert_eq!(pace.limit(), 10, "never more than the licences");
        (0..100).for_each(|_| pace.overloaded(pace.age()));
        assert_eq!(pace.limit(), 1, "never none");
    }

    #[test]
    fn growing_times_are_a_sign_and_a_single_slow_call_is_none() {
        let mut pace = Pace::new(10);
        (0..20).for_each(|_| pace.answered(pace.age(), KIND, QUICK));
        pace.answered(pace.age(), KIND, Duration::from_millis(150));
        assert_eq!(pace.limit(), 10);
        (0..20).for_each(|_| pace.answered(pace.age(), KIND, SLOW));
        assert!(pace.limit() < 5);
        pace.answered(pace.age(), ("look up", 1), SLOW);
        (0..2000).for_each(|_| pace.answered(pace.age(), KIND, SLOW));
        assert_eq!(pace.limit(), 10, "slower for good");
    }
}
