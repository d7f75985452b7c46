//! What the simulation has found, kept: of each hole the faults that it needs, and seeds in which it showed on the code of
//! before.

use super::schedule::{Group, Schedule};
use super::world::run;
use super::{number, told};

/// A hole, and where it showed.
struct Hole {
    name: &'static str,
    groups: &'static [Group],
    workers: usize,
    frontends: usize,
    seeds: &'static [u64],
}

impl Hole {
    fn schedule(&self, seed: u64) -> Schedule {
        Schedule { workers: self.workers, frontends: self.frontends, ..Schedule::with_groups(seed, self.groups) }
    }

    /// Nothing is wrong any more with the seeds in which it showed, nor with eight others.
    fn is_closed(&self) {
        for seed in self.seeds.iter().copied().chain(1..=8) {
            let schedule = self.schedule(seed);
            let verdict = run(&schedule);
            assert!(verdict.wrongs.is_empty(), "{}", told(&schedule, &verdict.wrongs, None));
        }
    }
}

macro_rules! holes {
    ($($(#[doc = $doc:literal])* $test:ident: $groups:expr, $workers:literal, $frontends:literal, $seeds:expr;)*) => {
        const HOLES: &[Hole] = &{
            use Group::*;
            [$(Hole {
                name: stringify!($test),
                groups: &$groups,
                workers: $workers,
                frontends: $frontends,
                seeds: &$seeds,
            },)*]
        };

        $($(#[doc = $doc])* #[test] fn $test() {
            HOLES.iter().find(|hole| hole.name == stringify!($test)).unwrap().is_closed();
        })*
    };
}

holes! {
    /// Orders of two stores with one number are two orders.
    hole_1_one_number_in_two_stores: [TwoStores], 2, 1, [1];
    /// A clock that steps does not make a process take up what it holds.
    hole_2_a_clock_steps: [ClockStep, Slow], 1, 1, [12];
    /// Clocks that differ make nobody take up what another holds.
    hole_3_clocks_differ: [ClockSkew, Slow], 2, 1, [1];
    /// After a stall the first "not there" is not believed.
    hole_4_a_stall: [Stall], 2, 1, [15];
    /// A document of somebody else's is not ours.
    hole_5_foreign_documents: [Foreign], 2, 1, [2];
    /// The same, with a prefix and a number that make another number but for what stands between them.
    hole_5_prefixes: [Collision], 2, 1, [1];
    /// Nor is that of another shop that uses the same numbers, whatever it comes to.
    hole_5_two_shops: [SameNumbers], 2, 1, [1];
    /// New content that comes while the entity is in doubt follows.
    hole_6_new_content_in_doubt: [Edits, LostAnswers], 2, 2, [15];
    /// A version that cannot be mapped is looked up under the reference of the one that was written.
    hole_7_another_reference: [Agent, Unmappable, LostAnswers], 2, 2, [3];
    /// A clock of the shop that ran ahead loses nothing.
    hole_8_the_shop_runs_ahead: [ShopClock], 2, 1, [5];
    /// Nor if the puller's clock ran ahead too, and both are right again when it goes on.
    hole_8_both_clocks_run_ahead: [ShopClock, ClockStep, LongPause], 1, 1, [176];
    /// A cut that an operator sets ahead loses nothing.
    hole_8_a_cut_ahead: [Cuts], 2, 1, [4];
    /// Money that changes after the document was made is told.
    hole_10_money_changes: [Money], 2, 1, [2];
    /// A run closes no run that still pulls.
    hole_9_closed_while_pulling: [SlowShop], 2, 2, [1];
    /// The same, with processes that are killed.
    hole_9_and_killed: [SlowShop, Crash, Foreign], 2, 2, [1];
}

/// Each group of faults alone, with the first seeds.
#[test]
fn each_group_alone() {
    for group in Group::ALL {
        for seed in 1..=number("DATAWALD_SIM_SCHEDULES", 3) {
            let schedule = Schedule { frontends: 1, ..Schedule::with_groups(seed, &[*group]) };
            let verdict = run(&schedule);
            assert!(verdict.wrongs.is_empty(), "{group:?}: {}", told(&schedule, &verdict.wrongs, None));
        }
    }
}
