//! What the host does all day: pulls by schedule, applies what is staged.

use std::sync::Arc;
use std::time::Duration;

use datawald_backoffice::OrdersTarget;
use datawald_core::Result;
use datawald_core::engine::{Engine, Flow};
use datawald_core::model::FlowId;
use datawald_examples::Backends;
use datawald_frontend::OrdersSource;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::args::Roles;
use crate::config::{Config, ScheduleSetup};
use crate::health::{self, Health};
use crate::schedules::{Beat, PreparedBeat};
use crate::sides::Sides;

/// Work that is ready to be started.
pub(crate) struct Prepared {
    sides: Arc<Sides>,
    lanes: Vec<Lane>,
    beat: Option<PreparedBeat>,
    rest: Duration,
    check_every: Duration,
}

/// A flow and the engine that drives it.
struct Lane {
    flow: FlowId,
    engine: Engine,
    pulls: bool,
    applies: bool,
}

/// Work that is being done.
pub(crate) struct Work {
    beat: Option<Beat>,
    tasks: JoinSet<()>,
    stop: watch::Sender<bool>,
    sides: Arc<Sides>,
}

impl Prepared {
    /// Puts sides and engines together, without asking anything of anyone.
    pub(crate) fn new(config: &Config, roles: Roles, backends: &Backends, health: &Health) -> Result<Self> {
        let sides = Arc::new(Sides::open(config, roles)?);
        let mut lanes = Vec::with_capacity(config.flows.len());
        for setup in &config.flows {
            let mut flow = Flow::new(setup.id.clone());
            let shop = sides.shop(&setup.id.frontend);
            let pulls = shop.is_some();
            if let Some(shop) = shop {
                flow = flow.source(OrdersSource::new(shop));
            }
            if let Some(since) = setup.since {
                flow = flow.since(since);
            }
            let erp = sides.erp(&setup.backoffice);
            let applies = erp.is_some();
            if let Some(erp) = erp {
                flow = flow.target(OrdersTarget::new(erp));
            }
            let engine = Engine::builder(backends.store().clone())
                .queue(backends.queue().clone())
                .settings(setup.engine.clone())
                .flow(flow)
                .build()?;
            lanes.push(Lane { flow: setup.id.clone(), engine, pulls, applies });
        }
        let beat = if roles.frontend {
            let engines = lanes.iter().map(|lane| (lane.flow.clone(), lane.engine.clone())).collect();
            let settings = config.scheduler.clone();
            Some(PreparedBeat::new(backends.store().clone(), settings, &config.schedules, engines, health)?)
        } else {
            None
        };
        Ok(Self {
            sides,
            lanes,
            beat,
            rest: Duration::from_millis(config.host.rest_ms),
            check_every: Duration::from_millis(config.host.check_every_ms),
        })
    }

    /// The flows.
    pub(crate) fn flows(&self) -> Vec<FlowId> {
        self.lanes.iter().map(|lane| lane.flow.clone()).collect()
    }

    /// Names the parts that are not ready before they were tried.
    pub(crate) fn expect(&self, health: &Health) {
        for name in ["store", "queue"] {
            health.expect(name);
        }
        for name in self.sides.parts() {
            health.expect(&name);
        }
        for lane in self.lanes.iter().filter(|lane| lane.applies) {
            health.expect(&part(&lane.flow));
        }
    }

    /// Starts.
    pub(crate) fn start(self, backends: &Arc<Backends>, health: &Health) -> Work {
        let stop = watch::Sender::new(false);
        let mut tasks = JoinSet::new();
        let flows = self.flows();
        tasks.spawn(keep_trying(
            backends.clone(),
            self.sides.clone(),
            flows,
            self.check_every,
            health.clone(),
            stop.subscribe(),
        ));
        for lane in self.lanes {
            if lane.pulls {
                tasks.spawn(close(lane.flow.clone(), lane.engine.clone(), stop.subscribe()));
            }
            if lane.applies {
                tasks.spawn(apply(lane, self.rest, health.clone(), stop.subscribe()));
            }
        }
        Work { beat: self.beat.map(|beat| beat.start(health)), tasks, stop, sides: self.sides }
    }
}

impl Work {
    /// Ends in good order: pulls after their page, workers with what they apply; what is only held is handed back.
    pub(crate) async fn stop(mut self) {
        self.stop.send_replace(true);
        let tasks = async { while self.tasks.join_next().await.is_some() {} };
        let beat = async {
            if let Some(beat) = self.beat {
                beat.stop().await;
            }
        };
        tokio::join!(beat, tasks);
        self.sides.close().await;
    }

    /// Goes on with other schedules.
    pub(crate) fn replace_schedules(&self, schedules: &[ScheduleSetup], health: &Health) -> Result<()> {
        self.beat.as_ref().map_or(Ok(()), |beat| beat.replace(schedules, health))
    }
}

/// What health calls a flow that is applied.
fn part(flow: &FlowId) -> String {
    format!("flow {flow}")
}

/// Closes the sync tasks of a flow as their entities end: no pull waits for that.
async fn close(flow: FlowId, engine: Engine, mut stop: watch::Receiver<bool>) {
    tokio::select! {
        () = engine.keep_closing(&flow) => {}
        _ = stop.wait_for(|stop| *stop) => {}
    }
}

/// Applies what is staged of a flow. What stops the flow for good (the store) is told, and tried again after a rest: somebody
/// may have mended it meanwhile.
async fn apply(lane: Lane, rest: Duration, health: Health, mut stop: watch::Receiver<bool>) {
    let part = part(&lane.flow);
    // Whoever starts the host, or has it read its configuration again, may have mended what a pause waits for.
    if let Err(error) = lane.engine.probe_now(&lane.flow).await {
        tracing::debug!(%error, "what is paused is tried later");
    }
    loop {
        let workers = match lane.engine.start_workers(&lane.flow) {
            Ok(workers) => workers,
            Err(error) => {
                health.set(&part, Err(error.to_string()));
                return;
            }
        };
        health.set(&part, Ok(()));
        let halted = tokio::select! {
            error = workers.halted() => Some(error),
            _ = stop.wait_for(|stop| *stop) => None,
        };
        let stopped = workers.stop().await;
        match halted {
            None => return,
            Some(error) => health.set(&part, Err(stopped.err().unwrap_or(error).to_string())),
        }
        if tokio::time::timeout(rest, stop.wait_for(|stop| *stop)).await.is_ok() {
            return;
        }
    }
}

/// Tries store, queue and sides now and then.
async fn keep_trying(
    backends: Arc<Backends>,
    sides: Arc<Sides>,
    flows: Vec<FlowId>,
    every: Duration,
    health: Health,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        let tried = tokio::select! {
            tried = health::try_all(&backends, &sides, &flows) => tried,
            _ = stop.wait_for(|stop| *stop) => return,
        };
        for (part, state) in tried {
            health.set(&part, state);
        }
        if tokio::time::timeout(every, stop.wait_for(|stop| *stop)).await.is_ok() {
            return;
        }
    }
}
