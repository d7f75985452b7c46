//! A simulated process: what stops it, kills it and starts it again.

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use super::chance::Chance;
use super::clock::WallClock;
use super::schedule::{Group, Schedule};
use super::story::Story;

pub(crate) struct Process {
    pub(crate) id: usize,
    pub(crate) name: String,
    pub(crate) clock: Arc<WallClock>,
    pub(crate) chance: Arc<Chance>,
    pub(crate) story: Arc<Story>,
    stopped_until: Mutex<Instant>,
    killed: Notify,
}

impl Process {
    pub(crate) fn new(id: usize, name: String, chance: Arc<Chance>, story: Arc<Story>) -> Self {
        Self {
            id,
            name,
            clock: Arc::new(WallClock::right()),
            chance,
            story,
            stopped_until: Mutex::new(Instant::now()),
            killed: Notify::new(),
        }
    }

    /// One that nothing befalls.
    pub(crate) fn alone(name: &str) -> Arc<Self> {
        let chance = Arc::new(Chance::new(Schedule::with_groups(1, &[])));
        Arc::new(Self::new(0, name.to_owned(), chance, Arc::new(Story::new())))
    }

    pub(crate) fn tell(&self, what: impl std::fmt::Display) {
        self.story.tell(&self.name, what);
    }

    /// Where a process leaves its own code or comes back to it: it may be killed here, or stopped (at most for so long).
    pub(crate) async fn gate(&self, site: &'static str, longest: Duration) {
        if self.chance.strikes(Group::Crash, site, self.id, 4).is_some() {
            self.kill(site);
            std::future::pending::<()>().await;
        }
        if let Some(mut dice) = self.chance.strikes(Group::Pause, site, self.id, 4) {
            let pause = dice.seconds(1, 420).min(longest);
            self.tell(format!("is stopped for {} s: {site}", pause.as_secs()));
            *self.stopped_until.lock().unwrap() = Instant::now() + pause;
        }
        if let Some(mut dice) = self.chance.strikes(Group::LongPause, site, self.id, 2) {
            let pause = dice.seconds(300, 900).min(longest);
            self.tell(format!("is stopped for {} s: {site}", pause.as_secs()));
            *self.stopped_until.lock().unwrap() = Instant::now() + pause;
        }
        loop {
            let until = *self.stopped_until.lock().unwrap();
            if until <= Instant::now() {
                return;
            }
            tokio::time::sleep_until(until).await;
        }
    }

    /// Whether it stands still, and will go on.
    pub(crate) fn is_stopped(&self) -> bool {
        !self.stopped_for().is_zero()
    }

    /// For how long it stands still yet.
    pub(crate) fn stopped_for(&self) -> Duration {
        self.stopped_until.lock().unwrap().saturating_duration_since(Instant::now())
    }

    /// Kills it where it stands.
    pub(crate) fn kill(&self, why: &str) {
        self.tell(format!("is killed: {why}"));
        self.killed.notify_one();
    }

    /// A write is on its way, and whoever sent it may be killed.
    pub(crate) async fn killed_while_it_waits(&self) {
        if self.chance.strikes(Group::Orphans, "a write is on its way", self.id, 60).is_some() {
            self.kill("a write is on its way");
            std::future::pending::<()>().await;
        }
    }

    /// Runs a life again and again, for ever: each ends by being killed, or by itself.
    pub(crate) async fn live<F: Future<Output = ()> + Send + 'static>(&self, life: impl Fn() -> F) {
        loop {
            let mut root = tokio::spawn(life());
            let killed = tokio::select! {
                biased;
                () = self.killed.notified() => true,
                _ = &mut root => false,
            };
            if killed {
                root.abort();
                let _ = root.await;
            }
            let rest = self.chance.dice("start again", self.id).seconds(1, 90);
            tokio::time::sleep(rest).await;
            self.tell("starts again");
        }
    }
}

/// No limit to how long a process is stopped.
pub(crate) const ANY: Duration = Duration::from_secs(100_000);
