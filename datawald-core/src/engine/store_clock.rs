//! The clock that all processes of a store share. Leases, waits and "due" go by it.
//!
//! It stands in a record of the store, and processes push it on by the time that has passed for them, as their monotonic
//! clocks tell. No wall clock has a say: one that jumps, or two that differ, change nothing. Three rules keep it right:
//!
//! - A process that finds the record as it last wrote or read it adds the time that has passed for it since. Whoever does so
//!   first is the one that all others follow, until it stops.
//! - A process that finds the record changed takes over what stands there, and adds nothing: that time is counted already.
//! - Nobody adds more than a step at once, however long ago he last looked: a lease that was given just before may lose that
//!   much, and no more, since whoever looked before the record was changed adds nothing any more.
//!
//! So the clock runs no faster than time but for a step, by which what is waited for lasts longer ([`StoreClock::margin`]). It
//! stands still while no process works on the store; that only delays.
//!
//! A step is a part of a lease. Where processes of one store have leases of different lengths, the longest step of any of them
//! counts for all: it stands beside the time.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;

use crate::clock::later;
use crate::store::StagingStore;
use crate::{Clock, Error, Result};

/// The record that the clock stands in, as microseconds since 1970 and those of the longest step, with a `/` between.
const RECORD: &str = "clock";

/// How long a process relies on what it read at most.
const LONGEST_FRESH: Duration = Duration::from_millis(500);

/// The most that a process adds at once: longer than the time between two looks of one that is idle.
const LONGEST_STEP: Duration = Duration::from_secs(10);

/// How often the record is tried for while other processes change it.
const TRIES: usize = 20;

/// One process' view of the clock.
pub(super) struct StoreClock {
    store: Arc<dyn StagingStore>,
    clock: Arc<dyn Clock>,
    fresh: Duration,
    step: Duration,
    /// The longest step of any process, as far as is known, in microseconds.
    longest: AtomicU64,
    anchor: Mutex<Option<Anchor>>,
}

/// What the record held when this process was last in touch with it.
#[derive(Debug, Clone, Copy)]
struct Anchor {
    rev: u64,
    time: Timestamp,
    /// By the monotonic clock.
    at: Duration,
}

impl Anchor {
    fn time_at(&self, at: Duration) -> Timestamp {
        later(self.time, at.saturating_sub(self.at))
    }
}

impl StoreClock {
    /// The clock of `store`, for leases of the length `lease`.
    pub(super) fn new(store: Arc<dyn StagingStore>, clock: Arc<dyn Clock>, lease: Duration) -> Self {
        let (fresh, step) = (LONGEST_FRESH.min(lease / 16), LONGEST_STEP.min(lease / 4));
        let longest = AtomicU64::new(micros(step));
        Self { store, clock, fresh, step, longest, anchor: Mutex::new(None) }
    }

    /// By how much two processes may differ: what is waited for lasts so much longer.
    pub(super) fn margin(&self) -> Duration {
        Duration::from_micros(self.longest.load(Ordering::Relaxed)) + self.patience() + self.fresh
    }

    /// How old an answer of the store's may be at most that is gone by.
    fn patience(&self) -> Duration {
        self.step / 4
    }

    /// By how much one process may be behind another while both look at the clock all the time.
    pub(super) fn lag(&self) -> Duration {
        self.fresh * 2
    }

    /// The time by the store's clock.
    pub(super) async fn now(&self) -> Result<Timestamp> {
        let mut anchor = self.anchor.lock().await;
        let at = self.clock.monotonic();
        if let Some(known) = &*anchor
            && at.saturating_sub(known.at) < self.fresh
        {
            return Ok(known.time_at(at));
        }
        let synced = self.sync(*anchor).await?;
        *anchor = Some(synced);
        Ok(synced.time_at(self.clock.monotonic()))
    }

    async fn sync(&self, known: Option<Anchor>) -> Result<Anchor> {
        for _ in 0..TRIES {
            let before = self.clock.monotonic();
            // A core on another machine keeps the clock itself.
            if let Some(time) = self.store.time().await? {
                let at = self.clock.monotonic();
                if self.is_old(before, at) {
                    continue;
                }
                return Ok(Anchor { rev: 0, time, at });
            }
            let Some(record) = self.store.record(RECORD).await? else {
                self.store.write_record(RECORD, 0, &self.text(self.clock.now())).await?;
                continue;
            };
            let (stands, step) = read(&record.value)?;
            self.longest.fetch_max(step, Ordering::Relaxed);
            let read_at = self.clock.monotonic();
            let Some(known) = known.filter(|known| known.rev == record.rev) else {
                if self.is_old(before, read_at) {
                    continue;
                }
                // Before it takes a step, the others are to know how long one may be.
                if step < micros(self.step) {
                    self.store.write_record(RECORD, record.rev, &self.text(stands)).await?;
                    continue;
                }
                return Ok(Anchor { rev: record.rev, time: stands, at: read_at });
            };
            let passed = before.saturating_sub(known.at).min(self.step);
            let time = later(known.time, passed);
            if self.store.write_record(RECORD, record.rev, &self.text(time)).await? {
                return Ok(Anchor { rev: record.rev + 1, time, at: before });
            }
        }
        let message = "other processes change it all the time, or reading it takes very long; try again";
        Err(Error::store("read the store's clock", message))
    }

    /// The record, of a time.
    fn text(&self, time: Timestamp) -> String {
        format!("{}/{}", time.as_microsecond(), self.longest.load(Ordering::Relaxed))
    }

    /// Whether an answer says little of now: this process was stopped, or the store was slow, between asking and reading it.
    /// A lease that began by such an answer would end for all others long before its holder takes it for ended.
    fn is_old(&self, asked_at: Duration, read_at: Duration) -> bool {
        read_at.saturating_sub(asked_at) > self.patience()
    }
}

fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// The time of a record, and the longest step in microseconds. Of earlier versions there is the time alone.
fn read(text: &str) -> Result<(Timestamp, u64)> {
    let (time, step) = text.split_once('/').unwrap_or((text, "0"));
    let time = time.parse().ok().and_then(|micros| Timestamp::from_microsecond(micros).ok());
    time.zip(step.parse().ok()).ok_or_else(|| {
        let message = format!(
            "the record `{RECORD}` holds no time: has somebody changed it? remove it, with every process \
                               stopped, and a new one is made"
        );
        Error::config("read the store's clock", message)
    })
}

#[cfg(all(test, feature = "sqlite", feature = "testing"))]
#[allow(clippy::unwrap_used, reason = "helpers of tests: a failure is a panic")]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use futures::FutureExt;
    use jiff::SignedDuration;

    use super::*;
    use crate::ManualClock;
    use crate::store::SqliteStore;

    const LEASE: Duration = Duration::from_secs(120);

    struct Process {
        own: Arc<ManualClock>,
        clock: StoreClock,
    }

    fn process(store: &SqliteStore, wall: &str) -> Process {
        let own = Arc::new(ManualClock::at(wall.parse().unwrap()));
        Process { clock: StoreClock::new(Arc::new(store.clone()), own.clone(), LEASE), own }
    }

    fn store() -> SqliteStore {
        SqliteStore::in_memory().unwrap()
    }

    fn pass(processes: &[&Process], millis: i64) {
        processes.iter().for_each(|process| process.own.advance(SignedDuration::from_millis(millis)));
    }

    const NOON: &str = "2026-01-31T12:00:00Z";

    #[tokio::test]
    async fn a_wall_clock_that_jumps_changes_nothing() {
        let one = process(&store(), NOON);
        let begin = one.clock.now().await.unwrap();
        one.own.set("2031-01-31T12:00:00Z".parse().unwrap());
        assert_eq!(one.clock.now().await.unwrap(), begin);
        pass(&[&one], 10_000);
        one.own.set("2019-01-31T12:00:00Z".parse().unwrap());
        assert_eq!(one.clock.now().await.unwrap(), later(begin, Duration::from_secs(10)));
    }

    #[tokio::test]
    async fn processes_whose_wall_clocks_differ_agree() {
        let store = store();
        let (one, two) = (process(&store, NOON), process(&store, "2026-01-31T12:03:20Z"));
        let begin = one.clock.now().await.unwrap();
        for step in 0..200 {
            pass(&[&one, &two], 137);
            let (ours, theirs) = (one.clock.now().await.unwrap(), two.clock.now().await.unwrap());
            let apart = Duration::try_from(ours.duration_since(theirs).abs()).unwrap();
            assert!(apart <= one.clock.margin(), "step {step}: {apart:?} apart");
        }
        let ran = one.clock.now().await.unwrap().duration_since(begin);
        let passed = SignedDuration::from_millis(200 * 137);
        assert!(ran <= passed && ran * 10 >= passed * 9, "{ran} of {passed}");
    }

    /// Whoever was away brings no more than a step of his absence along: a lease that was given meanwhile would lose it.
    #[tokio::test]
    async fn who_was_away_does_not_push_the_clock_on() {
        let store = store();
        let (one, two) = (process(&store, NOON), process(&store, NOON));
        one.clock.now().await.unwrap();
        pass(&[&one, &two], 500_000);
        let given = two.clock.now().await.unwrap();
        assert!(one.clock.now().await.unwrap() <= later(given, one.clock.margin()));
        // From here on nobody adds a time that began before.
        pass(&[&one, &two], 600);
        let latest = later(given, one.clock.margin() + Duration::from_millis(600));
        assert!(two.clock.now().await.unwrap() <= latest && one.clock.now().await.unwrap() <= latest);
    }

    /// Others have moved it on meanwhile: what stands there counts, and not where it stood for whoever was away.
    #[tokio::test]
    async fn who_was_away_does_not_set_it_back() {
        let store = store();
        let (one, two) = (process(&store, NOON), process(&store, NOON));
        one.clock.now().await.unwrap();
        two.clock.now().await.unwrap();
        let mut latest = two.clock.now().await.unwrap();
        for _ in 0..60 {
            pass(&[&one, &two], 5_000);
            latest = two.clock.now().await.unwrap();
        }
        assert!(one.clock.now().await.unwrap() >= latest);
        assert!(two.clock.now().await.unwrap() >= latest);
    }

    /// Though each looks in turn, and seldom.
    #[tokio::test]
    async fn it_runs_while_several_wait() {
        let store = store();
        let processes = [process(&store, NOON), process(&store, NOON), process(&store, NOON)];
        let begin = processes[0].clock.now().await.unwrap();
        for turn in 0..300 {
            pass(&processes.iter().collect::<Vec<_>>(), 1_000);
            processes[turn % 3].clock.now().await.unwrap();
        }
        let ran = processes[0].clock.now().await.unwrap().duration_since(begin);
        assert!(ran >= SignedDuration::from_secs(270) && ran <= SignedDuration::from_secs(300), "{ran}");
    }

    #[tokio::test]
    async fn it_goes_on_where_it_stood_when_everybody_stopped() {
        let store = store();
        let one = process(&store, NOON);
        one.clock.now().await.unwrap();
        pass(&[&one], 7_000);
        let last = one.clock.now().await.unwrap();
        let later_start = process(&store, "2026-02-03T12:00:00Z");
        assert_eq!(later_start.clock.now().await.unwrap(), last);
    }

    /// A clock by which its process is stopped for 400 s when it is looked at for the third time.
    struct Stopped {
        own: ManualClock,
        looks: AtomicU32,
        meanwhile: Box<dyn Fn() + Send + Sync>,
    }

    impl std::fmt::Debug for Stopped {
        fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("Stopped")
        }
    }

    impl Clock for Stopped {
        fn now(&self) -> Timestamp {
            self.own.now()
        }

        fn monotonic(&self) -> Duration {
            if self.looks.fetch_add(1, Ordering::SeqCst) == 2 {
                self.own.advance(SignedDuration::from_secs(400));
                (self.meanwhile)();
            }
            self.own.monotonic()
        }

        fn steady(&self) -> Timestamp {
            self.own.steady()
        }
    }

    #[tokio::test]
    async fn what_was_read_before_a_stop_is_read_again() {
        let store = store();
        let other = Arc::new(process(&store, NOON));
        let begin = other.clock.now().await.unwrap();
        let meanwhile = {
            let other = other.clone();
            move || {
                for _ in 0..400 {
                    pass(&[&other], 1_000);
                    tokio::task::unconstrained(other.clock.now()).now_or_never().unwrap().unwrap();
                }
            }
        };
        let own = ManualClock::at(NOON.parse().unwrap());
        let stopped = Stopped { own, looks: AtomicU32::new(0), meanwhile: Box::new(meanwhile) };
        let clock = StoreClock::new(Arc::new(store.clone()), Arc::new(stopped), LEASE);
        assert_eq!(clock.now().await.unwrap(), later(begin, Duration::from_secs(400)));
    }

    /// What one with short leases waits for lasts as long as one with long leases may push the clock on at once.
    #[tokio::test]
    async fn leases_of_different_lengths_share_the_longest_step() {
        let store = store();
        let own = Arc::new(ManualClock::at(NOON.parse().unwrap()));
        let short = Process {
            clock: StoreClock::new(Arc::new(store.clone()), own.clone(), Duration::from_secs(2)),
            own: own.clone(),
        };
        short.clock.now().await.unwrap();
        let alone = short.clock.margin();
        assert!(alone < Duration::from_secs(1), "{alone:?}");
        let long = process(&store, NOON);
        let begin = long.clock.now().await.unwrap();
        pass(&[&short, &long], 9_000);
        assert!(short.clock.now().await.unwrap() >= begin);
        assert!(short.clock.margin() >= LONGEST_STEP, "{:?}", short.clock.margin());
        // Whoever comes later knows it from the beginning, though the one with long leases is gone.
        drop(long);
        let next = StoreClock::new(Arc::new(store.clone()), own, Duration::from_secs(2));
        next.now().await.unwrap();
        assert!(next.margin() >= LONGEST_STEP);
    }

    #[tokio::test]
    async fn a_record_that_is_no_time_is_told() {
        let store = store();
        store.write_record(RECORD, 0, "noon").await.unwrap();
        let error = process(&store, NOON).clock.now().await.unwrap_err();
        assert!(error.to_string().contains("holds no time"), "{error}");
    }
}
