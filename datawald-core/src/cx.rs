//! What a step knows of the run that it is part of.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use jiff::Timestamp;

use crate::model::FlowId;
use crate::store::{Binding, Bound, StagingStore};
use crate::{Clock, Result, SystemClock};

/// A named point of the engine, before or after a durable step or around a request.
///
/// An [`Observer`] is told when one is reached. Tests stop or kill a process there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Checkpoint {
    /// Before the right to pull is taken.
    BeforePullLease,
    /// After it.
    AfterPullLease,
    /// After the sync task was recorded.
    AfterSyncTask,
    /// Before a page is fetched from the source.
    BeforeFetch,
    /// After it came and was mapped.
    AfterFetch,
    /// Before a page is staged.
    BeforeStage,
    /// After it.
    AfterStage,
    /// Before the tasks of a page are published.
    BeforeDispatch,
    /// After it.
    AfterDispatch,
    /// Before the pull is marked as come to its end.
    BeforePullEnd,
    /// After it.
    AfterPullEnd,
    /// Before a worker leases entities.
    BeforeClaim,
    /// After it.
    AfterClaim,
    /// Before entities are looked up on the other side.
    BeforeLookUp,
    /// After it.
    AfterLookUp,
    /// Before a write is sent to the other side.
    BeforeWrite,
    /// After its answer came.
    AfterWrite,
    /// Before outcomes are settled.
    BeforeSettle,
    /// After it.
    AfterSettle,
    /// Before the task message is acknowledged.
    BeforeAck,
    /// After it.
    AfterAck,
    /// Before a sync task is closed.
    BeforeClose,
    /// After it.
    AfterClose,
}

impl Checkpoint {
    /// Every checkpoint, in the order of a run.
    pub const ALL: &'static [Checkpoint] = &[
        Checkpoint::BeforePullLease,
        Checkpoint::AfterPullLease,
        Checkpoint::AfterSyncTask,
        Checkpoint::BeforeFetch,
        Checkpoint::AfterFetch,
        Checkpoint::BeforeStage,
        Checkpoint::AfterStage,
        Checkpoint::BeforeDispatch,
        Checkpoint::AfterDispatch,
        Checkpoint::BeforePullEnd,
        Checkpoint::AfterPullEnd,
        Checkpoint::BeforeClaim,
        Checkpoint::AfterClaim,
        Checkpoint::BeforeLookUp,
        Checkpoint::AfterLookUp,
        Checkpoint::BeforeWrite,
        Checkpoint::AfterWrite,
        Checkpoint::BeforeSettle,
        Checkpoint::AfterSettle,
        Checkpoint::BeforeAck,
        Checkpoint::AfterAck,
        Checkpoint::BeforeClose,
        Checkpoint::AfterClose,
    ];

    /// Its name, as in `BeforeStage`.
    pub fn name(self) -> String {
        format!("{self:?}")
    }

    /// The checkpoint of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|point| point.name() == name)
    }
}

/// Is told of every checkpoint. It is called in the middle of the work: be quick, or mean to stop it.
pub trait Observer: Send + Sync {
    /// `point` was reached in `flow`.
    fn reached(&self, point: Checkpoint, flow: &FlowId);
}

/// What a step knows of the run that it is part of: which flow, what time, how long its lease still lasts.
#[derive(Clone)]
pub struct Cx {
    flow: Arc<FlowId>,
    clock: Arc<dyn Clock>,
    /// In microseconds of the monotonic clock; shared, since the engine renews leases while a step works.
    deadline: Option<Arc<AtomicI64>>,
    observer: Option<Arc<dyn Observer>>,
    store: Option<Arc<dyn StagingStore>>,
}

impl Cx {
    /// A context of `flow` on the system's clock, without deadline.
    pub fn new(flow: FlowId) -> Self {
        Self { flow: Arc::new(flow), clock: Arc::new(SystemClock), deadline: None, observer: None, store: None }
    }

    /// On another clock.
    #[must_use]
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// With the end of the lease that the work is done under, by the monotonic clock ([`Clock::monotonic`]).
    #[must_use]
    pub fn with_deadline(mut self, deadline: Duration) -> Self {
        self.deadline = Some(Arc::new(AtomicI64::new(micros(deadline))));
        self
    }

    /// Moves the deadline, for all clones of this context.
    pub fn move_deadline(&self, deadline: Duration) {
        if let Some(shared) = &self.deadline {
            shared.store(micros(deadline), Ordering::SeqCst);
        }
    }

    /// With an observer.
    #[must_use]
    pub fn with_observer(mut self, observer: Option<Arc<dyn Observer>>) -> Self {
        self.observer = observer;
        self
    }

    /// With the store that what is worked on was leased from.
    #[must_use]
    pub fn with_store(mut self, store: Arc<dyn StagingStore>) -> Self {
        self.store = Some(store);
        self
    }

    /// Records what leased entities are known by on the other side ([`StagingStore::bind`]). Without a store, as in tests of
    /// single steps, nothing is recorded and nothing refused.
    ///
    /// # Errors
    /// Of the store.
    pub async fn bind(&self, bindings: Vec<Binding>) -> Result<Vec<Bound>> {
        match &self.store {
            Some(store) => store.bind(bindings).await,
            None => Ok(bindings.iter().map(|_| Bound::Done).collect()),
        }
    }

    /// The flow.
    pub fn flow(&self) -> &FlowId {
        &self.flow
    }

    /// The frontend's name.
    pub fn frontend(&self) -> &str {
        &self.flow.frontend
    }

    /// The current time by the wall clock, which may jump: for dates, not for waits.
    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The monotonic clock: for waits, and for what lasts so long.
    pub fn monotonic(&self) -> Duration {
        self.clock.monotonic()
    }

    /// A time that never jumps ([`Clock::steady`]), for what is kept for so long, or tried again after so long.
    pub fn steady(&self) -> Timestamp {
        self.clock.steady()
    }

    /// How much of the lease is left; `None` if there is no deadline. A write must be over before.
    pub fn time_left(&self) -> Option<Duration> {
        let deadline = self.deadline.as_ref()?.load(Ordering::SeqCst);
        let left = deadline.saturating_sub(micros(self.monotonic()));
        Some(Duration::from_micros(u64::try_from(left).unwrap_or(0)))
    }

    /// Tells the observer that `point` is reached.
    pub fn reached(&self, point: Checkpoint) {
        if let Some(observer) = &self.observer {
            observer.reached(point, &self.flow);
        }
    }
}

fn micros(time: Duration) -> i64 {
    i64::try_from(time.as_micros()).unwrap_or(i64::MAX)
}

impl fmt::Debug for Cx {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Cx").field("flow", &self.flow).finish_non_exhaustive()
    }
}
