//! What a run is made of: a seed, the groups of faults that are on, sizes; and what of it a shrunk run leaves out.

use std::collections::BTreeSet;
use std::fmt;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use sapb1_connector::sandbox::Way;

use super::chance::Strike;

macro_rules! groups {
    ($($(#[doc = $doc:literal])* $name:ident,)*) => {
        /// Faults that are switched on and off together.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) enum Group {
            $($(#[doc = $doc])* $name,)*
        }

        impl Group {
            pub(crate) const ALL: &'static [Group] = &[$(Group::$name,)*];
        }
    };
}

groups! {
    /// SAP B1 takes up to a minute for a write.
    Slow,
    /// A write is carried out long after its caller gave up; without bound where SAP B1 refuses duplicates by itself.
    Tail,
    /// SAP B1 stands still for minutes, then does all that it was asked.
    Stall,
    /// Requests that never arrive.
    LostRequests,
    /// Answers that never arrive, or in part.
    LostAnswers,
    /// Nobody can connect for minutes.
    Outage,
    /// 429 and 503 for minutes.
    Storm,
    /// Sessions and tokens end early.
    Sessions,
    /// An approval procedure takes orders as drafts.
    Drafts,
    /// Batches that end half done.
    Partial,
    /// SAP B1 refuses a number that a standing order has.
    Fence,
    /// A process's clock steps.
    ClockStep,
    /// Clocks differ, drift and stand still.
    ClockSkew,
    /// A process is stopped and goes on.
    Pause,
    /// A process is killed and started again.
    Crash,
    /// Messages are lost and doubled.
    Queue,
    /// The store fails, with nothing done or with all done.
    StoreErrors,
    /// The shop is slow.
    SlowShop,
    /// Addresses change.
    Edits,
    /// Money changes.
    Money,
    /// Orders are cancelled.
    Cancels,
    /// A later version cannot be mapped.
    Unmappable,
    /// Transactions commit late.
    Late,
    /// Two stores use one number.
    TwoStores,
    /// The shop's clock runs ahead and is corrected.
    ShopClock,
    /// Documents of other people under our numbers.
    Foreign,
    /// Two shops, of which the prefix of one and its number make the other's number, but for what stands between.
    Collision,
    /// Two shops without prefixes that use the same numbers, some of them for the same totals.
    SameNumbers,
    /// An agent of the merchant's makes the reference of more than the number.
    Agent,
    /// Operators have entities done again.
    Resync,
    /// Operators set cuts.
    Cuts,
    /// People overwrite references.
    References,
    /// Many orders are placed in the same second.
    Ties,
    /// A process is killed while SAP B1 has a write of it.
    Orphans,
    /// A process is stopped for many minutes.
    LongPause,
    /// An operator changes how references are made.
    Rules,
    /// Documents that are in the way are given another number.
    Mends,
}

/// A run. The same schedule gives the same story.
#[derive(Clone)]
pub(crate) struct Schedule {
    pub(crate) seed: u64,
    pub(crate) groups: BTreeSet<Group>,
    pub(crate) way: Way,
    pub(crate) orders: usize,
    pub(crate) workers: usize,
    pub(crate) frontends: usize,
    /// Orders that are not placed.
    pub(crate) absent: BTreeSet<usize>,
    /// What would strike, but is left out.
    pub(crate) without: BTreeSet<Strike>,
}

impl Schedule {
    /// The schedule of a seed, with some of all groups.
    pub(crate) fn of_seed(seed: u64) -> Self {
        let mut dice = StdRng::seed_from_u64(seed);
        // Whose a document is of two orders that share number and total is not seen among everything else: that group has
        // its own schedules.
        let drawn = |group: &Group| dice.random_bool(0.4) && *group != Group::SameNumbers;
        let groups = Group::ALL.iter().copied().filter(drawn).collect();
        Self::drawn(seed, groups, &mut dice)
    }

    /// The schedule of a seed, with these groups.
    pub(crate) fn with_groups(seed: u64, groups: &[Group]) -> Self {
        let mut dice = StdRng::seed_from_u64(seed);
        Self::drawn(seed, groups.iter().copied().collect(), &mut dice)
    }

    fn drawn(seed: u64, groups: BTreeSet<Group>, dice: &mut StdRng) -> Self {
        let way = if dice.random_bool(0.5) { Way::Restful } else { Way::ServiceLayer };
        Self {
            seed,
            groups,
            way,
            orders: dice.random_range(5..=24),
            workers: dice.random_range(1..=3),
            frontends: dice.random_range(1..=2),
            absent: BTreeSet::new(),
            without: BTreeSet::new(),
        }
    }

    pub(crate) fn has(&self, group: Group) -> bool {
        self.groups.contains(&group)
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seed, groups, way, orders, workers, frontends, absent, without } = self;
        let (orders, left_out) = (orders - absent.len(), without.len());
        write!(
            f,
            "seed {seed} over {way}: {orders} orders, {workers} workers, {frontends} frontends, {groups:?}, \
             {left_out} faults left out"
        )
    }
}
