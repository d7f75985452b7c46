//! One leader's term: it claims what is due, runs it, and writes what became of it.

use std::collections::{HashMap, HashSet};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;

use super::host::Host;
use super::lease::Lease;
use super::plan::{Attempt, Leading};
use super::records::{self, Found};
use super::{Run, Schedule};
use crate::{Disposition, Error, ErrorKind, Result};

/// What is under way in one term of this host. Dropping it aborts the jobs.
pub(super) struct Reign {
    host: Arc<Host>,
    term: u64,
    jobs: JoinSet<Ended>,
    /// By schedule: what runs, or has ended and is not written yet.
    at_work: HashMap<String, Attempt>,
    ended: Vec<Ended>,
    stop: watch::Sender<bool>,
    /// Schedules whose records cannot be read, so that each is told once.
    unreadable: HashSet<String>,
}

struct Ended {
    schedule: String,
    attempt: Attempt,
    result: Result<String>,
}

impl Reign {
    pub(super) fn new(host: Arc<Host>, term: u64) -> Self {
        Self {
            host,
            term,
            jobs: JoinSet::new(),
            at_work: HashMap::new(),
            ended: Vec::new(),
            stop: watch::Sender::new(false),
            unreadable: HashSet::new(),
        }
    }

    /// Leads until the lease is over or the host is to stop.
    pub(super) async fn run(mut self, mut lease: Lease) {
        let host = self.host.clone();
        tracing::info!(owner = %host.owner, term = self.term, "leads the scheduler");
        let kept = tokio::select! {
            biased;
            () = lease.keep(&host) => false,
            kept = self.work() => kept,
        };
        // Nobody else runs anything before the lease is over, and nothing of this host goes on after it.
        self.jobs.shutdown().await;
        match kept {
            false => tracing::warn!(owner = %host.owner, term = self.term, "has lost the lead of the scheduler"),
            true => {
                if let Err(error) = lease.release(&host).await {
                    tracing::warn!(%error, "could not give the lead of the scheduler back; its lease ends by itself");
                }
            }
        }
    }

    /// Works until the host is to stop. `false` if another leads.
    async fn work(&mut self) -> bool {
        let host = self.host.clone();
        while !host.is_stopping() {
            let next = match self.round().await {
                Ok(next) => {
                    host.store_works();
                    next
                }
                Err(error) if error.kind() == ErrorKind::Fenced => return false,
                Err(error) => {
                    host.store_failed(&error);
                    None
                }
            };
            let poll = host.settings.poll();
            let wait = next.map_or(poll, |next| host.left(next).unwrap_or(Duration::ZERO).min(poll));
            tokio::select! {
                () = host.stopped() => {}
                () = host.replaced.notified() => {}
                Some(ended) = self.jobs.join_next() => self.note(ended.ok()),
                () = tokio::time::sleep(wait) => {}
            }
        }
        self.wind_down().await;
        true
    }

    fn note(&mut self, ended: Option<Ended>) {
        // A job that panics has ended with an error, and none is aborted before the end of the term.
        self.ended.extend(ended);
        while let Some(ended) = self.jobs.try_join_next() {
            self.ended.extend(ended.ok());
        }
    }

    /// Goes once through everything. Answers when there is something to do next.
    async fn round(&mut self) -> Result<Option<Timestamp>> {
        self.write_ended().await?;
        let host = self.host.clone();
        let schedules = host.schedules();
        let mut found: HashMap<String, Found> =
            records::all(&host.store).await?.into_iter().map(|found| (found.name.clone(), found)).collect();
        let mut next: Option<Timestamp> = None;
        for schedule in schedules.iter() {
            let wake = self.step(schedule, found.remove(&schedule.name)).await?;
            next = [next, wake].into_iter().flatten().min();
        }
        for gone in found.into_values() {
            self.retire(gone).await?;
        }
        Ok(next)
    }

    fn leading(&self) -> Leading<'_> {
        let host = &*self.host;
        Leading {
            owner: &host.owner,
            term: self.term,
            now: host.clock.now(),
            stopping: host.is_stopping(),
            settings: &host.settings,
        }
    }

    /// Takes one schedule a step on. Answers when it has its next.
    async fn step(&mut self, schedule: &Schedule, found: Option<Found>) -> Result<Option<Timestamp>> {
        let (rev, state) = match found {
            None => (0, None),
            Some(Found { state: Err(error), name, .. }) => {
                if self.unreadable.insert(name) {
                    tracing::error!(error = %error.report(), "a schedule is left alone");
                }
                return Ok(None);
            }
            Some(Found { rev, state: Ok(state), .. }) => (rev, Some(state)),
        };
        self.check_term(state.as_ref().map_or(0, |state| state.term))?;
        let at_work = self.at_work.contains_key(&schedule.name);
        let plan = self.leading().plan(schedule, state.as_ref(), at_work);
        if state.as_ref() != Some(&plan.state) && !records::write(&self.host.store, rev, &plan.state).await? {
            // An operator, or the next leader: look again at once.
            return Ok(Some(Timestamp::MIN));
        }
        if plan.start {
            self.start(schedule, &plan.state);
        }
        Ok(match &plan.state.running {
            Some(run) => run.waits_until,
            None => plan.state.next_due,
        })
    }

    async fn retire(&mut self, gone: Found) -> Result<()> {
        let Ok(state) = &gone.state else { return Ok(()) };
        self.check_term(state.term)?;
        let retired = self.leading().retire(state, self.at_work.contains_key(&gone.name));
        if retired != *state {
            // If another change came in between, the next round comes back to it.
            records::write(&self.host.store, gone.rev, &retired).await?;
        }
        Ok(())
    }

    fn check_term(&self, term: u64) -> Result<()> {
        match term > self.term {
            true => Err(Error::fenced("lead scheduler", "another host leads")),
            false => Ok(()),
        }
    }

    fn start(&mut self, schedule: &Schedule, state: &super::ScheduleState) {
        let Some(running) = &state.running else { return };
        let attempt = Attempt { id: running.id.clone(), attempt: running.attempt };
        self.at_work.insert(schedule.name.clone(), attempt.clone());
        let run = Run::new(&schedule.name, running, self.stop.subscribe());
        let job = self.host.jobs.get(&schedule.job).cloned();
        tracing::debug!(schedule = %run.schedule, run = %run.id, tick = %run.tick, attempt = run.attempt, "run starts");
        self.jobs.spawn(async move {
            let result = match job {
                Some(job) => AssertUnwindSafe(job.run(&run)).catch_unwind().await.unwrap_or_else(|_| Err(panicked())),
                // Schedules are only taken with their jobs.
                None => {
                    Err(Error::config("run job", "there is no such job").entity(format!("job of {}", run.schedule)))
                }
            };
            Ended { schedule: run.schedule, attempt, result }
        });
    }

    /// Writes what has ended.
    async fn write_ended(&mut self) -> Result<()> {
        self.note(None);
        while let Some(ended) = self.ended.last() {
            self.write_end(ended).await?;
            if let Some(ended) = self.ended.pop() {
                tell(&ended);
                self.at_work.remove(&ended.schedule);
            }
        }
        Ok(())
    }

    async fn write_end(&self, ended: &Ended) -> Result<()> {
        let written = records::change(&self.host.store, &ended.schedule, |state| {
            let changed = self.leading().ended(state, &ended.attempt, &ended.result);
            let fenced = changed.is_none() && state.term > self.term;
            (changed, fenced)
        });
        match written.await {
            Ok(true) => Err(Error::fenced("write end of run", "another host leads")),
            Ok(false) => Ok(()),
            // Removed by an operator, or unreadable: there is nowhere to write it.
            Err(error) if error.kind() == ErrorKind::NotFound || error.disposition() == Disposition::Permanent => {
                tracing::warn!(%error, run = %ended.attempt.id, "the end of a run could not be written");
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Has the jobs end, and hands back those that do not.
    async fn wind_down(&mut self) {
        self.stop.send_replace(true);
        let host = self.host.clone();
        let grace = tokio::time::sleep(host.settings.stop_grace());
        tokio::pin!(grace);
        loop {
            if let Err(error) = self.write_ended().await {
                host.store_failed(&error);
            }
            if self.at_work.is_empty() {
                return;
            }
            tokio::select! {
                () = &mut grace => break,
                Some(ended) = self.jobs.join_next() => self.note(ended.ok()),
                () = tokio::time::sleep(host.settings.poll()) => {}
            }
        }
        self.jobs.abort_all();
        // One that ended in the last moment has ended, and is not handed back.
        while let Some(ended) = self.jobs.join_next().await {
            self.ended.extend(ended.ok());
        }
        let left = self.at_work.iter().filter(|(name, _)| self.ended.iter().all(|ended| ended.schedule != **name));
        let handed_back: Vec<Ended> = left
            .map(|(schedule, attempt)| Ended {
                schedule: schedule.clone(),
                attempt: attempt.clone(),
                result: Err(Error::new(
                    ErrorKind::Stopped,
                    Disposition::Retryable { after: None },
                    "run job",
                    "did not end in time when its host was stopped; another takes it up",
                )),
            })
            .collect();
        self.ended.extend(handed_back);
        if let Err(error) = self.write_ended().await {
            tracing::warn!(%error, "runs could not be handed back; the next leader takes them up as lost");
        }
    }
}

fn panicked() -> Error {
    Error::new(ErrorKind::Invalid, Disposition::Permanent, "run job", "the job panicked; its code is to be mended")
}

fn tell(ended: &Ended) {
    let Ended { schedule, attempt, result } = ended;
    match result {
        // What it brought, the job has told; a tick that brings nothing is nothing to tell.
        Ok(note) => tracing::debug!(%schedule, run = %attempt.id, note, "run ended"),
        Err(error) if error.kind() == ErrorKind::Stopped => {
            tracing::info!(%schedule, run = %attempt.id, "run handed back");
        }
        Err(error) => tracing::warn!(%schedule, run = %attempt.id, attempt = attempt.attempt, %error, "run failed"),
    }
}
