//! What strikes when: each decision follows from the seed, its place and how often that place was passed, and from nothing
//! else. So one fault can be left out while the others stay as they are.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use super::schedule::{Group, Schedule};

/// One fault: of which group, at which place, of whom, the how-many-eth time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Strike {
    pub(crate) group: Group,
    pub(crate) site: &'static str,
    pub(crate) who: usize,
    pub(crate) nth: u64,
}

pub(crate) struct Chance {
    schedule: Schedule,
    calm: AtomicBool,
    passed: Mutex<BTreeMap<(&'static str, usize), u64>>,
    struck: Mutex<Vec<Strike>>,
}

/// Dice of one decision.
pub(crate) struct Dice(u64);

impl Dice {
    fn throw(&mut self) -> u64 {
        self.0 = mixed(self.0);
        self.0
    }

    pub(crate) fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.throw() % (to - from + 1))
    }

    pub(crate) fn seconds(&mut self, from: u64, to: u64) -> Duration {
        self.millis(from * 1_000, to * 1_000)
    }

    pub(crate) fn pick(&mut self, of: usize) -> usize {
        usize::try_from(self.throw() % of.max(1) as u64).unwrap()
    }

    pub(crate) fn one_in(&mut self, of: u64) -> bool {
        self.throw().is_multiple_of(of)
    }

    pub(crate) fn between(&mut self, from: i64, to: i64) -> i64 {
        from + i64::try_from(self.throw() % to.abs_diff(from).saturating_add(1)).unwrap()
    }
}

impl Chance {
    pub(crate) fn new(schedule: Schedule) -> Self {
        Self { schedule, calm: AtomicBool::new(false), passed: Mutex::default(), struck: Mutex::default() }
    }

    pub(crate) fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// From now on nothing strikes.
    pub(crate) fn calm(&self) {
        self.calm.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_calm(&self) -> bool {
        self.calm.load(Ordering::Relaxed)
    }

    /// Whether a fault strikes here, of a thousand chances in `per_mille`; with the dice to throw for how.
    pub(crate) fn strikes(&self, group: Group, site: &'static str, who: usize, per_mille: u64) -> Option<Dice> {
        if !self.schedule.has(group) || self.is_calm() {
            return None;
        }
        let (nth, number) = self.number(site, who);
        if number % 1_000 >= per_mille {
            return None;
        }
        let strike = Strike { group, site, who, nth };
        if self.schedule.without.contains(&strike) {
            return None;
        }
        self.struck.lock().unwrap().push(strike);
        Some(Dice(number))
    }

    /// Dice for what is no fault.
    pub(crate) fn dice(&self, site: &'static str, who: usize) -> Dice {
        Dice(self.number(site, who).1)
    }

    /// Dice that come out alike for all who throw them at a place.
    pub(crate) fn common_dice(&self, site: &'static str, who: usize) -> Dice {
        Dice(self.mixed(site, who, 0))
    }

    /// What has struck.
    pub(crate) fn struck(&self) -> Vec<Strike> {
        self.struck.lock().unwrap().clone()
    }

    /// How often each place was passed, by whomever.
    pub(crate) fn passed(&self) -> BTreeMap<&'static str, u64> {
        let mut sum = BTreeMap::new();
        for ((site, _), passed) in self.passed.lock().unwrap().iter() {
            *sum.entry(*site).or_default() += passed;
        }
        sum
    }

    fn number(&self, site: &'static str, who: usize) -> (u64, u64) {
        let nth = {
            let mut passed = self.passed.lock().unwrap();
            let passed = passed.entry((site, who)).or_default();
            *passed += 1;
            *passed
        };
        (nth, self.mixed(site, who, nth))
    }

    fn mixed(&self, site: &'static str, who: usize, nth: u64) -> u64 {
        let place = site
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3));
        let parts = [self.schedule.seed, place, who as u64, nth];
        parts.into_iter().fold(0, |hash, part| mixed(hash ^ part))
    }
}

/// SplitMix64's mixing of bits.
fn mixed(number: u64) -> u64 {
    let number = number.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let number = (number ^ (number >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let number = (number ^ (number >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    number ^ (number >> 31)
}
