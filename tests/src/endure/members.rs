//! The processes of the run, and what is done to them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use rustix::process::Signal;
use tokio::time::Instant;

use super::clock::Clock;
use super::plan::Plan;
use super::programs::Programs;
use super::world::World;
use crate::Process;

/// How long it is until a process that has ended is started again.
const RESTART: Duration = Duration::from_millis(700);

/// How long an operator waits for a process that was told to end.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) struct Members {
    members: Vec<Member>,
    folder: PathBuf,
    programs: Programs,
    /// How often processes ended by themselves, by how.
    ended: BTreeMap<String, u64>,
    started: u64,
}

struct Member {
    name: String,
    pulls: bool,
    clock: Clock,
    process: Option<Process>,
    /// Until when it is frozen.
    frozen: Option<Instant>,
    start_at: Instant,
}

impl Members {
    pub(super) fn new(plan: &Plan, programs: Programs, world: &World, library: &Path) -> Result<Self, String> {
        let folder = world.folder().to_owned();
        let member = |(name, pulls): (String, bool)| {
            let clock = Clock::new(folder.join(format!("{name}.clock")), library)?;
            Ok(Member { name, pulls, clock, process: None, frozen: None, start_at: Instant::now() })
        };
        let members = programs.members(plan).into_iter().map(member).collect::<Result<_, String>>()?;
        Ok(Self { members, folder, programs, ended: BTreeMap::new(), started: 0 })
    }

    /// Thaws and starts those for which it is time.
    pub(super) fn tend(&mut self, world: &World) -> Result<(), String> {
        let now = Instant::now();
        for member in &mut self.members {
            if let Some(how) = member.process.as_mut().and_then(Process::ended) {
                let (what, _) = member.name.split_once('-').unwrap_or((&member.name, ""));
                *self.ended.entry(format!("{what}: {how}")).or_default() += 1;
                member.process = None;
                (member.frozen, member.start_at) = (None, now + RESTART);
            }
            if let (Some(process), Some(_)) = (&member.process, member.frozen.take_if(|until| *until <= now)) {
                process.signal(Signal::CONT);
            }
            if member.process.is_none() && member.start_at <= now {
                member.process = Some(member.start(world, &self.folder, &self.programs));
                self.started += 1;
            }
        }
        Ok(())
    }

    /// Kills one as `kill -9` does.
    pub(super) fn kill(&mut self, dice: &mut StdRng) -> Option<String> {
        let member = self.one(dice)?;
        member.kill();
        member.start_at = Instant::now() + Duration::from_millis(dice.random_range(0..2_000));
        Some(member.name.clone())
    }

    /// Freezes one for so long.
    pub(super) fn freeze(&mut self, dice: &mut StdRng, time: Duration) -> Option<String> {
        let member = self.one(dice)?;
        if member.frozen.is_none() {
            member.process.as_ref()?.signal(Signal::STOP);
        }
        member.frozen = Some(Instant::now() + time);
        Some(member.name.clone())
    }

    /// Sets the clock of one so many seconds off.
    pub(super) fn set_clock(&mut self, dice: &mut StdRng, seconds: i64) -> Result<String, String> {
        let member = dice.random_range(0..self.members.len());
        self.members[member].clock.set(seconds)?;
        Ok(self.members[member].name.clone())
    }

    /// Sets all clocks right, and lets everybody go on.
    pub(super) fn calm(&mut self) -> Result<(), String> {
        for member in &mut self.members {
            member.clock.set(0)?;
            member.frozen = member.frozen.map(|_| Instant::now());
        }
        Ok(())
    }

    /// Has all but one of each kind be killed and started at once.
    pub(super) fn replace_all_but_one_of_each(&mut self, world: &World) {
        for pulls in [false, true] {
            for member in self.members.iter_mut().filter(|member| member.pulls == pulls).skip(1) {
                member.kill();
                member.process = Some(member.start(world, &self.folder, &self.programs));
                self.started += 1;
            }
        }
    }

    /// Stops them as an operator does: told to end, and killed where that does not help. Each is started again at `again`.
    pub(super) async fn stop_all(&mut self, again: Instant) {
        for member in &mut self.members {
            if let Some(process) = member.running() {
                process.signal(Signal::CONT);
                process.signal(Signal::TERM);
            }
        }
        let limit = Instant::now() + PATIENCE;
        while Instant::now() < limit && self.members.iter_mut().any(|member| member.running().is_some()) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        for member in &mut self.members {
            member.kill();
            member.start_at = again;
        }
    }

    /// Puts off the start of all of them.
    pub(super) fn start_at(&mut self, at: Instant) {
        for member in &mut self.members {
            member.start_at = at;
        }
    }

    /// How often processes were started, and how often they ended by themselves.
    pub(super) fn figures(&self) -> (u64, &BTreeMap<String, u64>) {
        (self.started, &self.ended)
    }

    /// One that runs.
    fn one(&mut self, dice: &mut StdRng) -> Option<&mut Member> {
        let mut running: Vec<&mut Member> = self.members.iter_mut().filter_map(Member::if_running).collect();
        if running.is_empty() { None } else { Some(running.swap_remove(dice.random_range(0..running.len()))) }
    }
}

impl Member {
    fn start(&self, world: &World, folder: &Path, programs: &Programs) -> Process {
        let folder = folder.join(&self.name);
        let mut command = programs.command(world, &folder, &self.name, self.pulls);
        self.clock.give(&mut command);
        Process::start(&folder, &self.name, command)
    }

    /// The process, if it has not ended.
    fn running(&mut self) -> Option<&mut Process> {
        let process = self.process.as_mut()?;
        process.ended().is_none().then_some(process)
    }

    fn if_running(&mut self) -> Option<&mut Self> {
        self.running().is_some().then_some(self)
    }

    /// Dropping a process kills it, frozen or not.
    fn kill(&mut self) {
        (self.process, self.frozen) = (None, None);
    }
}
