//! An engine at work: its workers and closings, looked after until they are told to end.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::task::JoinSet;

use super::pause::{Pause, Side};
use super::{Engine, Workers};
use crate::model::FlowId;
use crate::{Error, Result};

/// What an engine does in this process from [`Engine::start`] on. Dropping it breaks that off; [`Running::stop`] lets it end in
/// order.
#[must_use]
pub struct Running {
    engine: Engine,
    tasks: JoinSet<()>,
    halted: Halted,
}

/// The flows whose workers have stopped, and why.
type Halted = Arc<Mutex<BTreeMap<FlowId, Error>>>;

/// How a flow is.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct FlowHealth {
    /// The flow.
    pub flow: FlowId,
    /// What has stopped its workers in this process: the store is damaged or was taken away. They are started again after a
    /// rest (`rest_ms`).
    pub halted: Option<Error>,
    /// Its pauses: a side is away, lets nobody in or is set up wrongly. The flow goes on by itself when the side answers.
    pub pauses: Vec<Pause>,
}

impl FlowHealth {
    /// Whether nothing is in its way.
    pub fn is_well(&self) -> bool {
        self.halted.is_none() && self.pauses.is_empty()
    }
}

impl Engine {
    /// Starts what this process does for its flows, and looks after it: the workers of each flow that has a target here, and the
    /// closing of sync tasks of each that has a source. Workers that a broken store has stopped are started again.
    ///
    /// This is the way to embed an engine in a service. Pulls come beside it: [`Engine::sync`] when the service wants one, or a
    /// scheduler.
    ///
    /// # Errors
    /// Of kind `Config`, if the engine was stopped before: a new one is to be built.
    pub fn start(&self) -> Result<Running> {
        if *self.shared.stopping.borrow() {
            return Err(Error::config("start engine", "the engine was stopped before; build a new one"));
        }
        let halted = Halted::default();
        let mut tasks = JoinSet::new();
        for flow in &self.shared.flows {
            if flow.source.is_some() {
                let (engine, id) = (self.clone(), flow.id.clone());
                tasks.spawn(async move { engine.keep_closing(&id).await });
            }
            if flow.target.is_some() {
                let workers = self.start_workers(&flow.id)?;
                tasks.spawn(self.clone().keep_working(flow.id.clone(), workers, halted.clone()));
            }
        }
        Ok(Running { engine: self.clone(), tasks, halted })
    }

    /// Keeps the workers of a flow at work until this engine is to stop.
    async fn keep_working(self, flow: FlowId, mut workers: Workers, halted: Halted) {
        // Whoever starts the engine may have mended what a pause waits for.
        if let Err(error) = self.probe_now(&flow).await {
            tracing::debug!(%error, "what is paused is tried later");
        }
        let mut stopping = self.shared.stopping.subscribe();
        loop {
            let error = tokio::select! {
                error = workers.halted() => Some(error),
                _ = stopping.wait_for(|stopping| *stopping) => None,
            };
            let told_to_stop = error.is_none();
            if let Some(error) = error {
                note(&halted, &flow, Some(error));
            }
            // What has halted them is told already.
            let _ = workers.stop().await;
            if told_to_stop {
                return;
            }
            if self.pause("start workers again", self.shared.settings.rest()).await.is_err() {
                return;
            }
            workers = match self.start_workers(&flow) {
                Ok(workers) => workers,
                Err(error) => return note(&halted, &flow, Some(error)),
            };
            note(&halted, &flow, None);
        }
    }
}

impl Running {
    /// How each flow of the engine is, the pauses that other processes found included.
    ///
    /// # Errors
    /// Of the store, in which pauses are recorded.
    pub async fn health(&self) -> Result<Vec<FlowHealth>> {
        let mut flows = Vec::new();
        for flow in &self.engine.shared.flows {
            let mut pauses = Vec::new();
            for side in [Side::Source, Side::Target] {
                pauses.extend(self.engine.pause_of(&flow.id, side).await?.map(|held| held.pause().clone()));
            }
            flows.push(FlowHealth { halted: self.halted(&flow.id), flow: flow.id.clone(), pauses });
        }
        Ok(flows)
    }

    /// What has stopped the workers of a flow in this process, if something has.
    pub fn halted(&self, flow: &FlowId) -> Option<Error> {
        self.halted.lock().unwrap_or_else(PoisonError::into_inner).get(flow).cloned()
    }

    /// Ends in order: as [`Engine::stop`], pulls end after the page that they are staging; workers finish what they apply and hand
    /// back what they only hold.
    pub async fn stop(mut self) {
        self.engine.stop();
        while self.tasks.join_next().await.is_some() {}
    }
}

fn note(halted: &Halted, flow: &FlowId, error: Option<Error>) {
    let mut halted = halted.lock().unwrap_or_else(PoisonError::into_inner);
    match error {
        Some(error) => _ = halted.insert(flow.clone(), error),
        None => _ = halted.remove(flow),
    }
}
