//! The engine: one machine for all flows.
//!
//! pull → stage → dispatch → apply → outcome → close the sync task. What differs between flows is behind [`Source`] and
//! [`Target`]; the crates `datawald-frontend` and `datawald-backoffice` make those of their step traits.
//!
//! # When a side cannot be used
//!
//! That a side is away, busy, refuses the login or is set up wrongly pauses the flow: it uses up no entity's attempts, is probed
//! with one entity (or one pull) at growing intervals, and goes on by itself. [`Engine::pauses`] tells of it, the log once when
//! it begins (`WARN`) and once when it ends (`INFO`), and a run that is closed meanwhile in its note.
//!
//! If the side fails over one entity alone (SAP B1 answers 500 for this order each time), that entity ends F by its attempts as long as
//! others show that the side is well. If it is the only one that is due, nobody can tell, and the flow stays paused, however
//! long: nothing fails because a side is broken. The pause names the entity that it was probed with. Whoever finds it at
//! fault mends it at its source, or reports it failed ([`StagingStore::settle`], over the
//! API the outcome of an order); the pause ends with the next entity that the side answers for.
//!
//! # What it keeps
//!
//! Entities and their canonical documents stay. What else would grow for ever is kept for some days: closed sync tasks for 90,
//! earlier versions of entities and the source's own documents for 30 ([`EngineSettings::keep_runs_days`] and its like). Once an
//! hour one of the processes that close sync tasks removes what is older, a little at a time. Whatever is open, in doubt or failed
//! keeps all that it has. A person's data is erased on request: [`Engine::erase`].
//!
//! # What it tells
//!
//! Through `tracing`: the spans `pull` (with `fetch`, `stage` and `dispatch` in it), `apply` (with `claim`, the target's own steps
//! and `settle`) and `close`. Each of the three has the fields `flow` and `sync_task`, the run that it is part of, so that whoever
//! collects them can join what several processes did; a sweep names the run if only one of the flow is open. Within `stage` and
//! `settle` an event at level `DEBUG` names each entity, never what is in it. One that fails, as it is staged or as it is applied, is
//! a `WARN` with its class, once.
//!
//! Through the `metrics` facade: see [`describe_metrics`].

mod again;
mod batch;
mod chain;
mod close;
mod cut;
mod flow;
mod in_hand;
mod meter;
mod outcome;
mod pause;
mod probe;
mod pull;
mod retention;
mod right;
mod run;
mod running;
#[cfg(feature = "scheduler")]
mod scheduled;
mod settings;
pub(crate) mod source_clock;
mod source_pause;
pub(crate) mod staging;
mod store_clock;
mod suspects;
mod worker;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

pub use chain::check_chain;
pub use flow::{Applied, Cursor, Done, FetchQuery, Source, SourcePage, Target};
pub use meter::describe_metrics;
pub use pause::{Pause, Side, pauses};
pub use pull::Pulled;
pub use run::RunReport;
pub use running::{FlowHealth, Running};
pub use settings::EngineSettings;
pub use worker::Workers;

use self::in_hand::Hands;
use self::meter::Part;
use self::pause::Held;
use self::store_clock::StoreClock;
use crate::clock::earlier;
use crate::model::{EntityKey, FlowId, SyncTaskId};
use crate::queue::{InProcessQueue, TaskQueue};
use crate::store::StagingStore;
use crate::{Clock, Cx, Disposition, Error, ErrorKind, Now, Observer, Result, SystemClock};

/// Drives flows over a staging store and a task queue. Cheap to clone.
///
/// See the crate's first page for an example.
#[derive(Clone)]
pub struct Engine {
    shared: Arc<Shared>,
    /// Ends what this clone pulls and closes, beside the signal that all clones share.
    halt: Option<watch::Receiver<bool>>,
}

struct Shared {
    store: Arc<dyn StagingStore>,
    queue: Arc<dyn TaskQueue>,
    clock: Arc<dyn Clock>,
    time: StoreClock,
    in_hand: Hands,
    observer: Option<Arc<dyn Observer>>,
    settings: EngineSettings,
    owner: String,
    flows: Vec<Flow>,
    /// Set once, when pulls and closings are to end.
    stopping: watch::Sender<bool>,
    /// Whether the queue failed when it was last used.
    queue_away: AtomicBool,
    /// The pauses whose sources this process probes by the pull that it makes.
    probing: Mutex<HashMap<FlowId, Held>>,
}

/// A flow and its two sides. A process that only pulls needs no target, one that only applies no source.
#[derive(Clone)]
pub struct Flow {
    id: FlowId,
    source: Option<Arc<dyn Source>>,
    target: Option<Arc<dyn Target>>,
    since: Option<Timestamp>,
    /// Held by whoever pulls in this process: the right to pull is the process's.
    pulling: Arc<tokio::sync::Mutex<()>>,
}

impl Flow {
    /// The flow `id`, without sides: where it has none in this process, it has them in others.
    pub fn new(id: FlowId) -> Self {
        Self { id, source: None, target: None, since: None, pulling: Arc::default() }
    }

    /// With the side that is pulled.
    #[must_use]
    pub fn source(mut self, source: impl Source + 'static) -> Self {
        self.source = Some(Arc::new(source));
        self
    }

    /// With the time at which the first pull begins, while the flow has no cut: what changed last before it is never pulled.
    /// Without it, the first pull brings all that the source has. It says nothing about the pulls after it.
    #[must_use]
    pub fn since(mut self, since: Timestamp) -> Self {
        self.since = Some(since);
        self
    }

    /// With the side that is applied to.
    #[must_use]
    pub fn target(mut self, target: impl Target + 'static) -> Self {
        self.target = Some(Arc::new(target));
        self
    }
}

/// Puts an [`Engine`] together.
#[must_use]
pub struct EngineBuilder {
    store: Arc<dyn StagingStore>,
    queue: Option<Arc<dyn TaskQueue>>,
    clock: Arc<dyn Clock>,
    observer: Option<Arc<dyn Observer>>,
    settings: EngineSettings,
    flows: Vec<Flow>,
}

impl Shared {
    /// The settle delay, and what the clocks of two processes may differ by.
    fn settle_delay(&self) -> Duration {
        self.settings.settle_delay() + self.time.margin()
    }
}

impl EngineBuilder {
    /// With a task queue; the in-process one if this is not called.
    pub fn queue(mut self, queue: Arc<dyn TaskQueue>) -> Self {
        self.queue = Some(queue);
        self
    }

    /// With another clock than the system's.
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// With an observer, told of every checkpoint.
    pub fn observer(mut self, observer: Arc<dyn Observer>) -> Self {
        self.observer = Some(observer);
        self
    }

    /// With other settings.
    pub fn settings(mut self, settings: EngineSettings) -> Self {
        self.settings = settings;
        self
    }

    /// With a flow.
    pub fn flow(mut self, flow: Flow) -> Self {
        self.flows.push(flow);
        self
    }

    /// The engine.
    ///
    /// # Errors
    /// Of kind `Config` if a setting is too small, a flow is there twice, or one of its sides cannot work as it was put together
    /// ([`Source::check`], [`Target::check`]).
    pub fn build(self) -> Result<Engine> {
        self.settings.check()?;
        for (at, flow) in self.flows.iter().enumerate() {
            if self.flows.iter().take(at).any(|other| other.id == flow.id) {
                return Err(Error::config("build engine", format!("the flow {} is there twice", flow.id)));
            }
        }
        for flow in &self.flows {
            if let Some(source) = &flow.source {
                source.check()?;
                meter::paused(&flow.id, Side::Source, false);
            }
            if let Some(target) = &flow.target {
                target.check()?;
            }
        }
        Ok(Engine {
            halt: None,
            shared: Arc::new(Shared {
                time: StoreClock::new(self.store.clone(), self.clock.clone(), self.settings.lease()),
                in_hand: Hands::default(),
                store: self.store,
                queue: self.queue.unwrap_or_else(|| Arc::new(InProcessQueue::default())),
                clock: self.clock,
                observer: self.observer,
                settings: self.settings,
                owner: format!("{}-{}", std::process::id(), uuid::Uuid::now_v7().simple()),
                flows: self.flows,
                stopping: watch::Sender::new(false),
                queue_away: AtomicBool::new(false),
                probing: Mutex::default(),
            }),
        })
    }
}

impl Engine {
    /// Starts to put an engine together over `store`.
    pub fn builder(store: Arc<dyn StagingStore>) -> EngineBuilder {
        EngineBuilder {
            store,
            queue: None,
            clock: Arc::new(SystemClock),
            observer: None,
            settings: EngineSettings::default(),
            flows: Vec::new(),
        }
    }

    /// The staging store, to list what is in it.
    pub fn store(&self) -> &Arc<dyn StagingStore> {
        &self.shared.store
    }

    /// The time, by the wall clock and by the store's clock.
    ///
    /// # Errors
    /// Of the store: its clock is read there.
    pub async fn now(&self) -> Result<Now> {
        Ok(Now { wall: self.shared.clock.now(), store: self.shared.time.now().await? })
    }

    /// As [`Engine::now`], for what is to be due at once in every process: the store's clock may show a little less in another
    /// one, which would find nothing to take up when it is told.
    pub(crate) async fn due_now(&self) -> Result<Now> {
        let now = self.now().await?;
        Ok(Now { store: earlier(now.store, self.shared.time.lag()), ..now })
    }

    /// Has pulls end after the page that they are staging, give the right to pull back and answer an error of kind
    /// `Stopped`; so do runs that wait for their turn or for outcomes. For a process that is told to end; workers are
    /// stopped by [`Workers::stop`], and those of [`Engine::run_once`] by this too.
    pub fn stop(&self) {
        self.shared.stopping.send_replace(true);
    }

    /// An error, if this engine is to stop.
    fn check_stop(&self, operation: &'static str) -> Result<()> {
        let halted = self.halt.as_ref().is_some_and(|halt| *halt.borrow());
        match halted || *self.shared.stopping.borrow() {
            true => Err(Error::new(
                ErrorKind::Stopped,
                Disposition::Retryable { after: None },
                operation,
                "was told to stop; what is staged is applied by other workers, or when this is started again",
            )),
            false => Ok(()),
        }
    }

    /// The queue is out of reach. That is told once; it delays nothing that a sweep finds.
    fn queue_failed(&self, flow: &FlowId, error: &Error) {
        meter::failed(flow, Part::Queue);
        if !self.shared.queue_away.swap(true, Ordering::Relaxed) {
            tracing::warn!(%error, "the task queue is out of reach; workers find what is due in the store meanwhile");
        }
    }

    /// The queue works; told if it did not before.
    fn queue_works(&self) {
        if self.shared.queue_away.swap(false, Ordering::Relaxed) {
            tracing::info!("the task queue is there again");
        }
    }

    /// Waits, but not while this engine is to stop.
    async fn pause(&self, operation: &'static str, wait: Duration) -> Result<()> {
        let mut stopping = self.shared.stopping.subscribe();
        let halted = async {
            let said = match self.halt.clone() {
                Some(mut halt) => halt.wait_for(|halt| *halt).await.is_ok(),
                None => false,
            };
            if !said {
                // Nobody is there to say so.
                std::future::pending::<()>().await;
            }
        };
        // Whichever it was. The sender of `stopping` lives as long as this.
        tokio::select! {
            biased;
            _ = stopping.wait_for(|stopping| *stopping) => {}
            () = halted => {}
            () = tokio::time::sleep(wait) => {}
        }
        self.check_stop(operation)
    }

    /// Has one entity done again, whatever became of it. Answers whether there was something to do.
    ///
    /// # Errors
    /// Of the store.
    pub async fn resync(&self, key: &EntityKey) -> Result<bool> {
        self.resync_at(key, self.due_now().await?).await
    }

    pub(crate) async fn resync_at(&self, key: &EntityKey, now: Now) -> Result<bool> {
        let due = self.shared.store.resync(key, now).await?;
        if due {
            self.dispatch(&key.flow(), vec![key.id.clone()], None).await;
        }
        Ok(due)
    }

    /// Has the failed entities of a sync task done again, and opens it. Answers how many.
    ///
    /// # Errors
    /// Of the store.
    pub async fn resync_task(&self, id: &SyncTaskId) -> Result<u64> {
        // What became due is found by the workers' next sweep.
        self.shared.store.resync_task(id, self.due_now().await?).await
    }

    /// Has all failed entities of a flow done again whose failure is of this class ([`ErrorKind::as_str`]), for when its cause is
    /// gone. What was rejected as it came from the source waits until it changes there. Answers how many.
    ///
    /// # Errors
    /// Of the store, and of kind `Invalid` if there is no such class.
    pub async fn resync_failed(&self, flow: &FlowId, class: &str) -> Result<u64> {
        if ErrorKind::from_word(class).is_none() {
            let words = ErrorKind::ALL.map(ErrorKind::as_str).join(", ");
            let message = format!("is no class of failures; one of {words}");
            return Err(Error::invalid("do failures again", message).field("failure"));
        }
        // What became due is found by the workers' next sweep.
        self.shared.store.resync_failed(flow, Some(class), self.due_now().await?).await
    }

    /// Erases what an entity tells of a person, as [`StagingStore::erase`] has it: what it is accountable by stays, and it is never
    /// applied again. What changes at its source is new data. Answers whether there is such an entity.
    ///
    /// What other systems hold is theirs: the shop, the ERP, backups of the store, the log of a MongoDB replica set. Queues, dead letters and
    /// this library's own log name entities by key only.
    ///
    /// # Errors
    /// Of the store, and of kind `Invalid` if it is open or in doubt; it tells what is to be done first.
    pub async fn erase(&self, key: &EntityKey) -> Result<bool> {
        let erased = self.shared.store.erase(key, self.shared.clock.now()).await?;
        if erased {
            tracing::info!(entity = %key, "its data was erased");
        }
        Ok(erased)
    }

    fn flow(&self, id: &FlowId) -> Result<&Flow> {
        self.shared.flows.iter().find(|flow| flow.id == *id).ok_or_else(|| {
            Error::config("find flow", format!("the engine was built without the flow {id}; add it to the builder"))
        })
    }

    fn cx(&self, flow: &FlowId) -> Cx {
        Cx::new(flow.clone())
            .with_clock(self.shared.clock.clone())
            .with_observer(self.shared.observer.clone())
            .with_store(self.shared.store.clone())
    }
}
