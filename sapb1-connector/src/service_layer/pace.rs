//! How many calls run at the same time: as many as get the most done, found by trying.
//!
//! With each call more, more gets done until the server has all that it can do; from then on calls only wait for one
//! another, or everything becomes slower, or calls are refused. So one more is tried now and then, and kept unless less gets
//! done; more at once while each attempt gains as much as it should. If calls become slow, halves are tried, since a server
//! that is as slow with fewer is not slow because of them.

use std::collections::HashMap;
use std::time::Duration;

/// Which calls are compared with one another: an operation, and how much is asked of it, as the bits of a number.
pub(super) type Kind = (&'static str, u32);

/// The least that a call must be slower than others before it says something about the server, in microseconds.
const SLACK: u64 = 20_000;

/// What a call takes when the server copes. All slowness is in thousandths of it.
const NORMAL: u64 = 1000;
/// From here on a call is slow.
const SLOW: u64 = 2000;
/// From here on it is so slow that few calls tell.
const VERY_SLOW: u64 = 3000;
/// What a call counts as that was refused.
const REFUSED: u64 = 20 * NORMAL;

/// The longest time that is reckoned with, in microseconds: more than any call may take.
const MOST_TIME: u64 = 1 << 40;

/// The fewest calls that tell how the server copes.
const ROUND: u64 = 3;

/// Where one more call has failed again and again, it is tried once in so many rounds, times what the attempt costs.
const MOST_PATIENCE: u64 = 8;

/// How many calls run at the same time.
#[derive(Debug)]
pub(super) struct Pace {
    most: u64,
    adaptive: bool,
    limit: u64,
    /// Counts changes of the limit: calls that were sent before the last one say nothing about what came of it.
    age: u64,
    doing: Doing,
    /// Calls that were answered since the last change, what they took, and what they take when the server copes.
    calls: u64,
    took: u64,
    usual: u64,
    /// Good rounds since then, and how many there must be before one more call is tried.
    good: u64,
    patience: u64,
    /// How many more are tried next.
    step: u64,
    /// Whether the last round was slow: a second one in a row tells that it was not by chance.
    slow: bool,
    /// What calls of a kind take when the server copes, in microseconds.
    normal: HashMap<Kind, u64>,
}

#[derive(Debug)]
enum Doing {
    /// The limit is as it should be.
    Stay,
    /// More are tried; with so many, calls were as slow as this.
    More(u64, u64),
    /// Fewer are tried; so many were as slow as this.
    Fewer(Vec<(u64, u64)>),
}

impl Pace {
    /// Up to `most` calls, to begin with too; always so many unless `adaptive`.
    pub(super) fn new(most: usize, adaptive: bool) -> Self {
        let most = most.max(1) as u64;
        Self {
            most,
            adaptive,
            limit: most,
            age: 0,
            doing: Doing::Stay,
            calls: 0,
            took: 0,
            usual: 0,
            good: 0,
            patience: 1,
            step: 1,
            slow: false,
            normal: HashMap::new(),
        }
    }

    /// How many calls may run now; at least one.
    pub(super) fn limit(&self) -> usize {
        usize::try_from(self.limit).unwrap_or(1).max(1)
    }

    /// What [`Pace::answered`] and [`Pace::overloaded`] want to know of a call that begins now.
    pub(super) fn age(&self) -> u64 {
        self.age
    }

    /// A call was answered, after `took`.
    pub(super) fn answered(&mut self, age: u64, kind: Kind, took: Duration) {
        let took = u64::try_from(took.as_micros()).unwrap_or(u64::MAX).clamp(1, MOST_TIME);
        let normal = self.normal.entry(kind).or_insert(took);
        // It drifts upwards, so that one call that was quick by chance is not held against all others for ever; slowly, so
        // that calls that wait for one another do not become what is normal.
        *normal = took.min(*normal + *normal / 4096);
        let usual = *normal;
        if age != self.age || !self.adaptive {
            return;
        }
        self.calls += 1;
        self.took = self.took.saturating_add(took.saturating_sub(SLACK).max(usual));
        self.usual = self.usual.saturating_add(usual);
        // By the sums: what is short waits behind what is long, and says little.
        let slowness = self.took.saturating_mul(NORMAL) / self.usual.max(1);
        if self.calls >= if slowness > VERY_SLOW { ROUND } else { self.limit.max(ROUND) } {
            (self.calls, self.took, self.usual) = (0, 0, 0);
            self.round(slowness);
        }
    }

    /// A call was refused because the server has too much to do, or was not answered in time. That concerns all calls that
    /// were out with it.
    pub(super) fn overloaded(&mut self, age: u64) {
        if age != self.age || !self.adaptive {
            return;
        }
        match self.doing {
            Doing::Stay => {
                (self.patience, self.step) = (1, 1);
                self.change(self.limit * 7 / 10, Doing::Stay);
            }
            Doing::More(..) | Doing::Fewer(_) => self.round(REFUSED),
        }
    }

    /// As many calls as run at a time were answered, in all as slow as this.
    fn round(&mut self, slowness: u64) {
        let again = std::mem::replace(&mut self.slow, slowness > SLOW) && self.slow || slowness > VERY_SLOW;
        match std::mem::replace(&mut self.doing, Doing::Stay) {
            Doing::Stay if self.slow && self.limit > 1 => {
                if again {
                    self.change(self.limit / 2, Doing::Fewer(vec![(self.limit, slowness)]));
                }
            }
            Doing::Stay => {
                self.good += 1;
                if self.good >= self.patience {
                    self.more(slowness);
                }
            }
            Doing::More(from, before) => {
                let (done, done_before) = (done(self.limit, slowness), done(from, before));
                if done * 100 < done_before * 97 || self.slow {
                    // Soon again at first: it may have been by chance. What is refused costs little.
                    let most = if slowness == REFUSED { 1 } else { 4 * (slowness / before).clamp(1, 10) };
                    self.patience = (self.patience * 4).min(MOST_PATIENCE * most);
                    self.step = 1;
                    self.change(from, Doing::Stay);
                } else {
                    self.patience = 1;
                    // At least half of what so many more should do.
                    let gained = done * 2 * from > done_before * (from + self.limit);
                    self.step = if gained { self.step * 2 } else { 1 };
                    self.more(slowness);
                }
            }
            Doing::Fewer(mut seen) => {
                seen.push((self.limit, slowness));
                if self.slow && self.limit > 1 {
                    self.change(self.limit / 2, Doing::Fewer(seen));
                } else {
                    self.settle(&seen);
                }
            }
        }
    }

    /// Tries more, if more may be.
    fn more(&mut self, slowness: u64) {
        if self.limit < self.most {
            self.change(self.limit + self.step, Doing::More(self.limit, slowness));
        }
    }

    /// Stays with what got the most done; of those that got about as much, with the fewest calls.
    fn settle(&mut self, seen: &[(u64, u64)]) {
        let best = seen.iter().map(|(limit, slowness)| done(*limit, *slowness)).max().unwrap_or(0);
        let enough = seen.iter().filter(|(limit, slowness)| done(*limit, *slowness) * 100 >= best * 95);
        let enough = enough.min_by_key(|(limit, _)| *limit);
        let (limit, slowness) = enough.copied().unwrap_or((self.limit, NORMAL));
        if slowness > SLOW && slowness < REFUSED {
            // Slower whatever is tried: that is what is normal now.
            self.normal.values_mut().for_each(|normal| *normal = normal.saturating_mul(slowness) / NORMAL);
        }
        // What is next to it was not tried, but it has just been too much.
        (self.patience, self.step, self.slow) = (4, 1, false);
        self.change(limit, Doing::Stay);
    }

    fn change(&mut self, limit: u64, doing: Doing) {
        self.limit = limit.clamp(1, self.most);
        self.doing = doing;
        self.age += 1;
        (self.calls, self.took, self.usual, self.good) = (0, 0, 0, 0);
    }
}

/// How much gets done in a while with so many calls at a time that are as slow as this.
fn done(limit: u64, slowness: u64) -> u64 {
    limit * 1_000_000 / slowness.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: Kind = ("insert", 6);

    /// What a call takes, in milliseconds, if so many run, and how many of them are not refused.
    type Server = fn(u64) -> (u64, u64);

    /// Runs `calls` calls, always as many at a time as may be. Answers how long it took, in milliseconds.
    fn run(pace: &mut Pace, server: Server, calls: u64) -> u64 {
        let mut took = 0;
        let mut left = calls;
        while left > 0 {
            // A round: all begin together, and the last one's end is the end of all.
            let (limit, age) = (pace.limit() as u64, pace.age());
            let (millis, served) = server(limit);
            (served..limit).for_each(|_| pace.overloaded(age));
            (0..served.min(limit)).for_each(|_| pace.answered(age, KIND, Duration::from_millis(millis)));
            left = left.saturating_sub(served.min(limit));
            took += millis;
        }
        took
    }

    /// It copes with any number.
    fn coping(limit: u64) -> (u64, u64) {
        (50, limit)
    }

    /// It works on four at a time; others wait.
    fn waiting(limit: u64) -> (u64, u64) {
        (50 * limit.max(4) / 4, limit)
    }

    /// All become much slower beyond four.
    fn thrashing(limit: u64) -> (u64, u64) {
        (if limit > 4 { 250 } else { 50 }, limit)
    }

    /// It refuses beyond four.
    fn refusing(_: u64) -> (u64, u64) {
        (50, 4)
    }

    #[test]
    fn what_gets_the_most_done_is_found_and_kept() {
        for server in [waiting, thrashing, refusing] {
            let mut pace = Pace::new(16, true);
            run(&mut pace, coping, 100);
            assert_eq!(pace.limit(), 16, "all of them while the server copes");
            run(&mut pace, server, 1000);
            assert!((4..=12).contains(&pace.limit()), "{pace:?}");
            // The best that any fixed number does: four at a time, 50 ms each.
            let (calls, best) = (4000, 4000 / 4 * 50);
            let took = run(&mut pace, server, calls);
            assert!(took * 95 <= best * 100, "{took} ms for {best}: {pace:?}");
            run(&mut pace, coping, 2000);
            assert_eq!(pace.limit(), 16, "and all again");
        }
    }

    #[test]
    fn a_server_that_is_slower_for_good_gets_as_many_calls_as_before() {
        let mut pace = Pace::new(10, true);
        run(&mut pace, coping, 100);
        run(&mut pace, |limit| (500, limit), 300);
        assert_eq!(pace.limit(), 10, "{pace:?}");
    }

    #[test]
    fn calls_that_were_out_together_are_one_sign_and_one_slow_call_is_none() {
        let mut pace = Pace::new(10, true);
        let age = pace.age();
        (0..10).for_each(|_| pace.overloaded(age));
        assert_eq!(pace.limit(), 7);
        let mut pace = Pace::new(10, true);
        run(&mut pace, coping, 9);
        pace.answered(pace.age(), KIND, Duration::from_millis(300));
        run(&mut pace, coping, 20);
        assert_eq!(pace.limit(), 10);
    }

    #[test]
    fn never_none_never_more_than_the_licences_and_fixed_if_so_wanted() {
        let mut pace = Pace::new(3, true);
        (0..100).for_each(|_| pace.overloaded(pace.age()));
        assert_eq!(pace.limit(), 1);
        run(&mut pace, coping, 2000);
        assert_eq!(pace.limit(), 3);
        let mut fixed = Pace::new(3, false);
        (0..100).for_each(|_| fixed.overloaded(fixed.age()));
        run(&mut fixed, thrashing, 100);
        assert_eq!(fixed.limit(), 3);
    }
}
