//! What happens when, by a seed. Every kind of thing is dealt from a pack that is shuffled anew when it is empty, so that each
//! happens soon and often.

use std::collections::BTreeMap;
use std::time::Duration;

use mage2_connector::sandbox::{EveryNth, Faults as ShopFaults};
use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};
use sapb1_connector::sandbox::Faults;
use tokio::time::Instant;

use super::members::Members;
use super::plan::{Event, Plan};
use super::world::World;

/// How long SAP B1 takes over every call: so long that something is on its way whenever something happens.
const LATENCY_MS: u64 = 150;

/// How far clocks are set off, in seconds.
const OFF: [i64; 5] = [3_600, 200, 0, -200, -3_600];

/// When a side goes away.
const AWAY_FROM: Duration = Duration::from_secs(10);

/// How long a server is gone.
const GONE: Duration = Duration::from_secs(1);

/// The store's file is deleted once one order in so many has its document: what was there at the start is still being
/// worked on.
const DELETED_AT: u64 = 40;

/// How long SAP B1 takes over every call then: those who stage in the new file soon come to what those of the old one have in
/// hand.
const DELETED_LATENCY_MS: u64 = 1_000;

pub(super) struct Chaos {
    world: World,
    plan: Plan,
    dice: StdRng,
    pack: Vec<Event>,
    next: Duration,
    /// Until when SAP B1 stands still or answers get lost.
    busy: Option<Instant>,
    /// A stall that begins with the next write: how long it will be, and how many calls had been held before.
    stalling: Option<(Duration, u64)>,
    deleted: bool,
    /// Whether SAP B1 is away, and whether the shop is.
    away: (bool, bool),
    befell: BTreeMap<&'static str, u64>,
}

impl Chaos {
    pub(super) fn new(plan: &Plan, world: World) -> Self {
        let dice = StdRng::seed_from_u64(plan.seed);
        let chaos = Self {
            world,
            plan: plan.clone(),
            dice,
            pack: Vec::new(),
            next: Duration::from_secs(1),
            busy: None,
            stalling: None,
            deleted: !plan.has(Event::DeleteFile),
            away: (false, false),
            befell: BTreeMap::new(),
        };
        chaos.usual();
        chaos
    }

    pub(super) fn world(&self) -> &World {
        &self.world
    }

    /// How often each thing befell.
    pub(super) fn befell(&self) -> &BTreeMap<&'static str, u64> {
        &self.befell
    }

    /// Lets happen what should by now.
    pub(super) async fn tend(&mut self, members: &mut Members, elapsed: Duration) -> Result<(), String> {
        self.tend_sides(elapsed);
        let now = Instant::now();
        let held = self.world.b1.counters().stalled;
        if let Some((time, _)) = self.stalling.take_if(|(_, before)| held > *before) {
            // What has begun goes on by itself; but look-ups wait only as long as they are told to.
            self.world.b1.set_faults(Faults { latency_ms: LATENCY_MS, stall_reads: true, ..Faults::default() });
            self.busy = Some(now + time + self.plan.settle_delay());
        }
        if self.busy.take_if(|until| *until <= now).is_some() {
            self.usual();
        }
        if !self.deleted && self.is_usual() && self.world.b1.counters().documents >= self.plan.orders / DELETED_AT {
            self.deleted = true;
            return self.delete_file(members, elapsed).await;
        }
        if elapsed < self.next {
            return Ok(());
        }
        self.next = elapsed + Duration::from_millis(self.dice.random_range(self.plan.gap_ms / 2..self.plan.gap_ms * 2));
        // Of what SAP B1 does, one thing at a time; it comes later.
        if !self.pack.iter().any(|event| self.may_happen(*event)) {
            self.shuffle();
        }
        match self.pack.iter().rposition(|event| self.may_happen(*event)) {
            Some(at) => {
                let event = self.pack.remove(at);
                self.happen(event, members, elapsed).await
            }
            None => Ok(()),
        }
    }

    /// Has sides go away for as long as the plan says, and come back.
    fn tend_sides(&mut self, elapsed: Duration) {
        let within = |seconds| elapsed >= AWAY_FROM && elapsed < AWAY_FROM + Duration::from_secs(seconds);
        let away = (within(self.plan.b1_away_seconds), within(self.plan.shop_away_seconds));
        if away != self.away {
            self.away = away;
            self.usual();
            let unavailable = away.1.then_some(EveryNth { every: 1, retry_after_secs: None });
            self.world.magento.set_faults(ShopFaults { unavailable, ..ShopFaults::default() });
            self.note(
                elapsed,
                "sides went away or came back",
                &format!("SAP B1 away: {}, shop away: {}", away.0, away.1),
            );
        }
    }

    /// Nothing happens any more: both sides are as usual, clocks are right.
    pub(super) async fn calm(&mut self, members: &mut Members) -> Result<(), String> {
        self.tend_sides(Duration::ZERO);
        self.usual();
        members.calm()
    }

    fn shuffle(&mut self) {
        use Event::{Freeze, Kill, KillBroker, KillDatabase, LoseAnswers, SetClock, Stall};
        let all = [Kill, Kill, Kill, Freeze, Freeze, SetClock, SetClock, SetClock, Stall, LoseAnswers];
        let all = all.into_iter().chain([KillBroker, KillDatabase]);
        let more: Vec<Event> = all.filter(|event| self.plan.has(*event) && self.may_happen(*event)).collect();
        self.pack.extend(more);
        self.pack.shuffle(&mut self.dice);
    }

    fn may_happen(&self, event: Event) -> bool {
        self.is_usual() || !matches!(event, Event::Stall | Event::LoseAnswers)
    }

    async fn happen(&mut self, event: Event, members: &mut Members, elapsed: Duration) -> Result<(), String> {
        let hold = self.plan.lease() + self.plan.settle_delay();
        let (what, whom) = match event {
            Event::Kill => ("killed", members.kill(&mut self.dice)),
            Event::Freeze => {
                let time = hold + Duration::from_millis(self.dice.random_range(500..3_000));
                ("frozen", members.freeze(&mut self.dice, time))
            }
            Event::SetClock => {
                let seconds = OFF[self.dice.random_range(0..OFF.len())];
                let whom = members.set_clock(&mut self.dice, seconds)?;
                ("clock set", Some(format!("{whom} by {seconds} s")))
            }
            Event::Stall => ("SAP B1 stalled", Some(self.stall())),
            Event::LoseAnswers => ("answers lost for a while", Some(self.lose_answers())),
            Event::KillBroker | Event::KillDatabase => return self.kill_server(event, elapsed).await,
            // It has its time.
            Event::DeleteFile => return Ok(()),
        };
        if let Some(whom) = whom {
            self.note(elapsed, what, &whom);
        }
        Ok(())
    }

    fn note(&mut self, elapsed: Duration, what: &'static str, whom: &str) {
        *self.befell.entry(what).or_default() += 1;
        tracing::info!("{:>7} ms: {what}: {whom}", elapsed.as_millis());
    }

    fn is_usual(&self) -> bool {
        self.busy.is_none() && self.stalling.is_none()
    }

    fn usual(&self) {
        let unavailable_every = u64::from(self.away.0);
        self.world.b1.set_faults(Faults { latency_ms: LATENCY_MS, unavailable_every, ..Faults::default() });
    }

    /// Longer than write time-out (less than a lease) and settle delay, and than the peer's time-out; look-ups stand still
    /// too, as they do in front of a database that is locked. It begins with the next write.
    fn stall(&mut self) -> String {
        let time = self.plan.patience() + Duration::from_millis(self.dice.random_range(2_000..6_000));
        let stall_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.world.b1.set_faults(Faults {
            latency_ms: LATENCY_MS,
            stall_every: 1,
            stall_ms,
            stall_reads: true,
            ..Faults::default()
        });
        self.stalling = Some((time, self.world.b1.counters().stalled));
        format!("for {stall_ms} ms")
    }

    /// Carried out at once and not answered, carried out as late as the settle delay allows, and in part.
    fn lose_answers(&mut self) -> String {
        self.world.b1.set_faults(Faults {
            latency_ms: LATENCY_MS,
            drop_after_commit_every: 3,
            slow_commit_every: 4,
            slow_commit_ms: self.plan.settle_delay_ms * 9 / 10,
            crash_every: 5,
            crash_after_orders: 4,
            ..Faults::default()
        });
        let millis = self.dice.random_range(3_000..6_000);
        self.busy = Some(Instant::now() + Duration::from_millis(millis));
        format!("for {millis} ms")
    }

    async fn kill_server(&mut self, event: Event, elapsed: Duration) -> Result<(), String> {
        let Some(servers) = &mut self.world.servers else { return Ok(()) };
        let (what, restarted) = if event == Event::KillBroker {
            // Before its first queues are on its disk, a broker that is killed loses them for good.
            servers.broker.save_new_queues().await.map_err(|error| error.to_string())?;
            servers.broker.kill();
            tokio::time::sleep(GONE).await;
            ("broker killed", servers.broker.restart().await)
        } else {
            servers.mongo.kill();
            tokio::time::sleep(GONE).await;
            ("database killed", servers.mongo.restart().await)
        };
        restarted.map_err(|error| error.to_string())?;
        self.note(elapsed, what, "and started again");
        Ok(())
    }

    /// Somebody deletes the file while it is in use, and most processes are started after it. An operator sees it, stops
    /// everything, waits for one settle delay and starts on a new file.
    async fn delete_file(&mut self, members: &mut Members, elapsed: Duration) -> Result<(), String> {
        self.note(elapsed, "store's file deleted", &self.world.file().display().to_string());
        self.world.b1.set_faults(Faults { latency_ms: DELETED_LATENCY_MS, ..Faults::default() });
        self.world.delete_file();
        members.replace_all_but_one_of_each(&self.world);
        tokio::time::sleep(self.plan.lease() * 2).await;
        members.stop_all(Instant::now() + self.plan.settle_delay() + Duration::from_secs(60)).await;
        self.usual();
        self.world.new_file();
        members.start_at(Instant::now() + self.plan.settle_delay());
        Ok(())
    }
}
