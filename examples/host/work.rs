//! What the host does all day: pulls by schedule, applies what is staged.

use std::sync::Arc;
use std::time::Duration;

use datawald_backoffice::OrdersTarget;
use datawald_core::Result;
use datawald_core::engine::{Engine, Flow, Running};
use datawald_core::model::FlowId;
use datawald_examples::Backends;
use datawald_frontend::OrdersSource;
use futures::future::join_all;
use tokio::sync::watch;
use tokio::task::JoinHandle;

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
    check_every: Duration,
}

/// A flow and the engine that drives it.
struct Lane {
    flow: FlowId,
    engine: Engine,
    applies: bool,
}

/// Work that is being done.
pub(crate) struct Work {
    beat: Option<Beat>,
    /// Looks after the engines, and stops them.
    keeper: JoinHandle<()>,
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
            lanes.push(Lane { flow: setup.id.clone(), engine, applies });
        }
        let beat = if roles.frontend {
            let engines = lanes.iter().map(|lane| (lane.flow.clone(), lane.engine.clone())).collect();
            let settings = config.scheduler.clone();
            Some(PreparedBeat::new(backends.store().clone(), settings, &config.schedules, engines, health)?)
        } else {
            None
        };
        Ok(Self { sides, lanes, beat, check_every: Duration::from_millis(config.host.check_every_ms) })
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
    ///
    /// # Errors
    /// Of an engine that cannot be started.
    pub(crate) fn start(self, backends: &Arc<Backends>, health: &Health) -> Result<Work> {
        let (stop, stopping) = watch::channel(false);
        let mut engines = Vec::with_capacity(self.lanes.len());
        for Lane { flow, engine, applies } in self.lanes {
            engines.push(AtWork { running: engine.start()?, flow, applies });
        }
        let (backends, sides, every, told) = (backends.clone(), self.sides.clone(), self.check_every, health.clone());
        let keeper = tokio::spawn(keep(backends, sides, engines, every, told, stopping));
        Ok(Work { beat: self.beat.map(|beat| beat.start(health)), keeper, stop, sides: self.sides })
    }
}

impl Work {
    /// Ends in good order: pulls after their page, workers with what they apply; what is only held is handed back.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        let beat = async {
            if let Some(beat) = self.beat {
                beat.stop().await;
            }
        };
        let (_, ended) = tokio::join!(beat, self.keeper);
        if let Err(error) = ended {
            tracing::error!(%error, "what looks after the engines broke off");
        }
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

/// A flow that is at work.
struct AtWork {
    flow: FlowId,
    running: Running,
    applies: bool,
}

/// Tries store, queue, sides and engines now and then; at the end stops the engines.
async fn keep(
    backends: Arc<Backends>,
    sides: Arc<Sides>,
    engines: Vec<AtWork>,
    every: Duration,
    health: Health,
    mut stop: watch::Receiver<bool>,
) {
    let flows: Vec<FlowId> = engines.iter().map(|one| one.flow.clone()).collect();
    loop {
        for AtWork { flow, running, .. } in engines.iter().filter(|one| one.applies) {
            health.set(&part(flow), running.halted(flow).map_or(Ok(()), |error| Err(error.to_string())));
        }
        let tried = tokio::select! {
            tried = health::try_all(&backends, &sides, &flows) => tried,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        for (part, state) in tried {
            health.set(&part, state);
        }
        if tokio::time::timeout(every, stop.wait_for(|stop| *stop)).await.is_ok() {
            break;
        }
    }
    join_all(engines.into_iter().map(|one| one.running.stop())).await;
}
