//! When flows are pulled: the place where a scheduler plugs in.

use std::time::Duration;

use datawald_core::engine::Engine;
use datawald_core::model::FlowId;
use datawald_core::{Error, ErrorKind, Result};
use serde::Deserialize;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use crate::config::typed;
use crate::health::Health;

/// When a flow is pulled.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Schedule {
    name: String,
    every_ms: u64,
}

impl Schedule {
    /// Reads a schedule from its table of the file.
    pub(crate) fn read(table: toml::Table) -> Result<Self> {
        let schedule: Self = typed(table)?;
        let wrong = |field: &str, text: &str| Err(Error::config("read schedule", text).field(field));
        if schedule.name.trim().is_empty() {
            return wrong("name", "is empty");
        }
        if schedule.every_ms == 0 {
            return wrong("every_ms", "must be at least 1");
        }
        Ok(schedule)
    }

    /// Its name.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }
}

/// Pulls flows by their schedules until it is stopped.
pub(crate) struct Beat {
    tasks: JoinSet<()>,
    engines: Vec<Engine>,
    stop: watch::Sender<bool>,
}

impl Beat {
    /// Starts to pull.
    pub(crate) fn start(jobs: Vec<(Schedule, FlowId, Engine)>, health: &Health) -> Self {
        let stop = watch::Sender::new(false);
        let mut tasks = JoinSet::new();
        let mut engines = Vec::with_capacity(jobs.len());
        for (schedule, flow, engine) in jobs {
            engines.push(engine.clone());
            tasks.spawn(beat(schedule, flow, engine, health.clone(), stop.subscribe()));
        }
        Self { tasks, engines, stop }
    }

    /// Has what runs end after its page, and waits for it.
    pub(crate) async fn stop(mut self) {
        self.stop.send_replace(true);
        for engine in &self.engines {
            engine.stop();
        }
        while self.tasks.join_next().await.is_some() {}
    }
}

async fn beat(schedule: Schedule, flow: FlowId, engine: Engine, health: Health, mut stop: watch::Receiver<bool>) {
    let part = format!("schedule {}", schedule.name);
    health.set(&part, Ok(()));
    let mut ticks = tokio::time::interval(Duration::from_millis(schedule.every_ms));
    // One run makes up for all ticks that a long one took.
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            _ = stop.wait_for(|stop| *stop) => return,
            _ = ticks.tick() => {}
        }
        match engine.sync(&flow).await {
            Ok(_) => health.set(&part, Ok(())),
            Err(error) if error.kind() == ErrorKind::Stopped => return,
            Err(error) => {
                tracing::error!(%error, schedule = schedule.name, %flow, "a run failed; the next goes on from its cut");
                health.set(&part, Err(error.to_string()));
            }
        }
    }
}
