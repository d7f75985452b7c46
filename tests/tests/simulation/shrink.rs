//! From a run in which something is wrong to a short one in which the same is wrong.

use super::judge::Kind;
use super::schedule::{Group, Schedule};
use super::world::{Verdict, run};

/// How many runs shrinking may take.
const MOST: usize = 250;

/// A shorter schedule with the same kind of wrong, and what comes of it.
pub(crate) fn shrink(schedule: &Schedule, kind: Kind) -> (Schedule, Verdict) {
    let mut tried = Tried { best: schedule.clone(), verdict: run(schedule), kind, left: MOST };
    loop {
        let before = tried.left;
        let groups: Vec<Group> = tried.best.groups.iter().copied().collect();
        for group in groups {
            tried.attempt(|schedule| {
                schedule.groups.remove(&group);
            });
        }
        while tried.best.workers > 1 && tried.attempt(|schedule| schedule.workers -= 1) {}
        while tried.best.frontends > 1 && tried.attempt(|schedule| schedule.frontends -= 1) {}
        let fewer = tried.orders();
        let shorter = tried.faults();
        if !(fewer || shorter) || tried.left == 0 || tried.left == before {
            return (tried.best, tried.verdict);
        }
    }
}

struct Tried {
    best: Schedule,
    verdict: Verdict,
    kind: Kind,
    left: usize,
}

impl Tried {
    /// Keeps a change if the same is wrong with it.
    fn attempt(&mut self, change: impl FnOnce(&mut Schedule)) -> bool {
        if self.left == 0 {
            return false;
        }
        self.left -= 1;
        let mut schedule = self.best.clone();
        change(&mut schedule);
        let verdict = run(&schedule);
        let same = verdict.wrongs.iter().any(|wrong| wrong.kind == self.kind);
        if same {
            (self.best, self.verdict) = (schedule, verdict);
        }
        same
    }

    /// Leaves orders out: half of them, a quarter, one by one.
    fn orders(&mut self) -> bool {
        let mut fewer = false;
        let mut size = self.best.orders.div_ceil(2);
        while size > 0 {
            for from in (0..self.best.orders).step_by(size) {
                let places = from..self.best.orders.min(from + size);
                if places.clone().all(|place| self.best.absent.contains(&place)) {
                    continue;
                }
                fewer |= self.attempt(|schedule| schedule.absent.extend(places));
            }
            size = if size == 1 { 0 } else { size.div_ceil(2) };
        }
        fewer
    }

    /// Leaves faults out: half of them, a quarter, one by one.
    fn faults(&mut self) -> bool {
        let mut shorter = false;
        let mut size = self.verdict.struck.len().div_ceil(2);
        while size > 0 {
            let mut from = 0;
            while from < self.verdict.struck.len() && self.left > 0 {
                let strikes: Vec<_> = self.verdict.struck.iter().skip(from).take(size).cloned().collect();
                if self.attempt(|schedule| schedule.without.extend(strikes)) {
                    shorter = true;
                } else {
                    from += size;
                }
            }
            size = if size == 1 { 0 } else { size.div_ceil(2) };
        }
        shorter
    }
}
