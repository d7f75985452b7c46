//! What is not kept for ever: closed sync tasks, earlier versions, the source's own documents.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::{Engine, meter};
use crate::clock::later;
use crate::model::FlowId;
use crate::store::Expired;
use crate::{Clock, Result};

/// How often a flow's turn comes, over all processes. By the wall clock: what is kept for days need not go to the minute.
const EVERY: SignedDuration = SignedDuration::from_hours(1);

/// How often a process asks whose turn it is.
const LOOK: Duration = Duration::from_secs(300);

/// How much is removed at once.
const STEP: usize = 200;

/// How long others have the store to themselves between two steps.
const REST: Duration = Duration::from_millis(50);

/// What a process knows of a flow's turn.
pub(super) struct Turn {
    /// When it began, by both clocks.
    began: (Timestamp, Duration),
    /// When to ask again, by the monotonic clock.
    look_at: Duration,
    /// How much it has removed in the turn that it has.
    removed: Option<u64>,
}

impl Turn {
    pub(super) fn new(clock: &dyn Clock) -> Self {
        Self { began: (clock.now(), clock.monotonic()), look_at: Duration::ZERO, removed: None }
    }

    /// The wall clock, but for what it was set ahead by since: nothing is to be taken for older than it is.
    fn now(&self, clock: &dyn Clock) -> Timestamp {
        let (wall, monotonic) = self.began;
        clock.now().min(later(wall, clock.monotonic().saturating_sub(monotonic)))
    }
}

impl Engine {
    /// Removes what of a flow is no longer kept ([`EngineSettings::keep_runs_days`] and its like), in small steps, unless a
    /// process of the store has done so within the hour. [`Engine::keep_closing`] does it by itself: this is for a program that
    /// runs once and ends. Answers how much it was.
    ///
    /// # Errors
    /// Of the store.
    ///
    /// [`EngineSettings::keep_runs_days`]: super::EngineSettings::keep_runs_days
    pub async fn prune(&self, flow: &FlowId) -> Result<u64> {
        let mut turn = Turn::new(&*self.shared.clock);
        let mut all = 0;
        loop {
            match self.prune_a_step(flow, &mut turn).await? {
                0 => return Ok(all),
                removed => all += removed,
            }
            self.pause("prune", REST).await?;
        }
    }

    /// Removes a little of what is no longer kept, if it is this process' turn. Answers how much.
    pub(super) async fn prune_a_step(&self, flow: &FlowId, turn: &mut Turn) -> Result<u64> {
        let shared = &self.shared;
        let (now, at) = (turn.now(&*shared.clock), shared.clock.monotonic());
        let expired = shared.settings.expired(now);
        if expired == Expired::default() || (turn.removed.is_none() && at < turn.look_at) {
            return Ok(0);
        }
        if turn.removed.is_none() && !self.take_turn(flow, now).await? {
            turn.look_at = at + LOOK;
            return Ok(0);
        }
        let before = *turn.removed.get_or_insert(0);
        let removed = shared.store.prune(flow, &expired, STEP).await?;
        meter::pruned(flow, removed);
        if removed > 0 {
            turn.removed = Some(before + removed);
            return Ok(removed);
        }
        turn.removed = None;
        turn.look_at = at + LOOK;
        if before > 0 {
            tracing::info!(%flow, removed = before, "removed what is no longer kept");
        }
        Ok(0)
    }

    /// Whether it is this process' turn: one has it per hour.
    async fn take_turn(&self, flow: &FlowId, now: Timestamp) -> Result<bool> {
        let store = &self.shared.store;
        let name = format!("pruned {flow}");
        let known = store.record(&name).await?;
        let last = known.as_ref().and_then(|known| known.value.parse::<Timestamp>().ok());
        // One that lies ahead was written while a clock was wrong.
        if last.is_some_and(|last| last <= now && now.duration_since(last) < EVERY) {
            return Ok(false);
        }
        store.write_record(&name, known.map_or(0, |known| known.rev), &now.to_string()).await
    }
}
