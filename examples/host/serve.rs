//! The life of the host: start, reload, end.

use std::sync::Arc;
use std::time::Duration;

use datawald_core::{Disposition, Error, ErrorKind, Result};
use datawald_examples::{Backends, Signals, StoreAt};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::args::{Args, Roles};
use crate::config::Config;
use crate::health::Health;
use crate::server::Server;
use crate::telemetry::{Metrics, Telemetry};
use crate::work::{Prepared, Work};
use crate::{api, monitor};

/// How often metrics are tidied.
const UPKEEP: Duration = Duration::from_secs(5);

/// Runs until the process is told to stop.
pub(crate) async fn serve(args: &Args, config: Config) -> Result<()> {
    let deaf = |error| Error::config("listen for signals", "the system does not let this process").caused_by(error);
    let mut stop = Signals::listen().map_err(deaf)?;
    let hangup = signal(SignalKind::hangup()).map_err(deaf)?;
    let telemetry = Telemetry::start(&config)?;
    let done = tokio::select! {
        started = Host::start(args.roles(), config) => match started {
            Ok(host) => host.run(args, &mut stop, hangup, &telemetry).await,
            Err(error) => Err(error),
        },
        // Waiting for a server that is away is no reason not to stop.
        () = stop.told() => Ok(()),
    };
    telemetry.stop().await;
    done
}

/// A host that runs.
struct Host {
    config: Config,
    roles: Roles,
    backends: Arc<Backends>,
    health: Health,
    metrics: Arc<Metrics>,
    api: Option<Server>,
    monitor: Option<Server>,
    work: Work,
}

impl Host {
    async fn start(roles: Roles, config: Config) -> Result<Self> {
        let backends = Arc::new(Backends::open(config.store.clone(), config.queue.clone()).await?);
        let health = Health::default();
        let prepared = Prepared::new(&config, roles, &backends, &health)?;
        // Whoever asks from now on is told that nothing is ready yet.
        prepared.expect(&health);
        let file = match &config.store {
            StoreAt::Sqlite(path) => Some(path.clone()),
            StoreAt::Mongodb(_) | StoreAt::Core(_) => None,
        };
        let metrics = Metrics::start(backends.store().clone(), file, prepared.flows())?;
        // Before there was anything to count them by.
        health.tell_again();
        let monitor = match &config.monitor {
            Some(monitor) => Some(monitor::start(monitor.listen, health.clone(), metrics.clone()).await?),
            None => None,
        };
        let api = match config.api.as_ref().filter(|_| roles.core) {
            Some(api) => Some(api::start(api, &backends, health.clone(), metrics.clone()).await?),
            None => None,
        };
        let work = prepared.start(&backends, &health)?;
        tracing::info!(
            store = backends.place(),
            core = roles.core,
            frontend = roles.frontend,
            worker = roles.worker,
            "started"
        );
        Ok(Self { config, roles, backends, health, metrics, api, monitor, work })
    }

    async fn run(mut self, args: &Args, stop: &mut Signals, mut hangup: Signal, telemetry: &Telemetry) -> Result<()> {
        let mut upkeep = tokio::time::interval(UPKEEP);
        loop {
            tokio::select! {
                biased;
                () = stop.told() => return self.end().await,
                Some(()) = hangup.recv() => self = self.reload(args, telemetry).await?,
                _ = upkeep.tick() => self.metrics.upkeep(),
            }
        }
    }

    /// Reads the file again. One with a mistake changes nothing; what needs a restart is told and stays.
    ///
    /// # Errors
    /// If the new engines cannot be started: the old ones have ended then.
    async fn reload(self, args: &Args, telemetry: &Telemetry) -> Result<Self> {
        let config = match Config::load(&args.config, self.roles) {
            Ok(config) => config,
            Err(mistakes) => {
                tracing::error!(%mistakes, "the file has mistakes; everything stays as it is");
                return Ok(self);
            }
        };
        for section in config.differs_in_fixed(&self.config) {
            tracing::warn!(section, "has changed, which counts after a restart only");
        }
        if config.log.format != self.config.log.format {
            tracing::warn!(section = "log.format", "has changed, which counts after a restart only");
        }
        telemetry.reload(&config);
        let same = |names: &[&str]| names.iter().all(|name| !config.differs_in(&self.config, name));
        let same_work = same(&["connections", "flows", "scheduler", "host"]);
        if same_work && !same(&["schedules"]) {
            if let Err(error) = self.work.replace_schedules(&config.schedules, &self.health) {
                tracing::error!(%error, "the schedules cannot be used; everything stays as it is");
                return Ok(self);
            }
            tracing::info!("reloaded");
            return Ok(Self { config: config.keeping(&self.config), ..self });
        }
        if same_work {
            tracing::info!("reloaded; flows and schedules are the same");
            return Ok(Self { config: config.keeping(&self.config), ..self });
        }
        let prepared = match Prepared::new(&config, self.roles, &self.backends, &self.health) {
            Ok(prepared) => prepared,
            Err(error) => {
                tracing::error!(%error, "the file cannot be used; everything stays as it is");
                return Ok(self);
            }
        };
        self.work.stop().await;
        self.health.forget(|part| part != "store" && part != "queue");
        prepared.expect(&self.health);
        self.metrics.set_flows(prepared.flows());
        let work = prepared.start(&self.backends, &self.health)?;
        tracing::info!("reloaded");
        Ok(Self { config: config.keeping(&self.config), work, ..self })
    }

    /// Ends in good order, within the time that the file allows.
    async fn end(self) -> Result<()> {
        tracing::info!("told to stop");
        self.health.stop();
        let allowed = Duration::from_millis(self.config.host.stop_within_ms);
        let ended = async {
            tokio::join!(self.work.stop(), stop(self.api));
            self.backends.close().await;
            // To the last it tells that the host is about to end.
            stop(self.monitor).await;
        };
        match tokio::time::timeout(allowed, ended).await {
            Ok(()) => {
                tracing::info!("stopped");
                Ok(())
            }
            Err(_) => Err(Error::new(
                ErrorKind::Timeout,
                Disposition::Retryable { after: None },
                "stop",
                format!(
                    "not everything had ended after {} ms; what was held is found again when its lease is over",
                    allowed.as_millis()
                ),
            )
            .field("host.stop_within_ms")),
        }
    }
}

async fn stop(server: Option<Server>) {
    if let Some(server) = server {
        server.stop().await;
    }
}
