//! The run: engine over both sides, round by round.

use std::sync::Arc;
use std::time::{Duration, Instant};

use datawald_backoffice::OrdersTarget;
use datawald_core::engine::{Engine, Flow};
use datawald_core::model::{FlowId, Table};
use datawald_core::store::StagingStore;
use datawald_core::{Error, Result};
use datawald_frontend::OrdersSource;

use crate::args::Args;
use crate::crash::Crash;
use crate::progress::{Counted, Tally};
use crate::report::{RoundFigures, RunFigures};
use crate::sides::Sides;

/// The flows, one per shop.
pub(crate) fn flows(sides: &Sides) -> Vec<FlowId> {
    sides.shops.iter().map(|shop| FlowId::new(Table::Orders, shop.name.clone())).collect()
}

/// Runs all rounds.
pub(crate) async fn run(
    args: &Args,
    store: Arc<dyn StagingStore>,
    sides: &Sides,
    tally: &Arc<Tally>,
) -> Result<RunFigures> {
    let flows = flows(sides);
    let mut builder = Engine::builder(store).settings(args.engine());
    for (shop, flow) in sides.shops.iter().zip(&flows) {
        builder = builder.flow(
            Flow::new(flow.clone())
                .source(Counted::new(OrdersSource::new(shop.agency.clone()), tally))
                .target(Counted::new(OrdersTarget::new(sides.agency.clone()), tally)),
        );
    }
    if let Some(at) = args.crash_at {
        builder = builder.observer(Arc::new(Crash::new(at)));
    }
    let engine = builder.build()?;

    let started = Instant::now();
    let mut rounds = Vec::new();
    for _ in 0..args.rounds {
        rounds.push(round(&engine, &flows, sides).await?);
    }
    let writes = sides.b1_writes_and_documents();
    Ok(RunFigures {
        orders: 0,
        seconds: seconds(started.elapsed()),
        rounds,
        magento_requests: sides.magento_requests(),
        b1_requests: sides.b1_requests(),
        b1_writes: writes.map(|(writes, _)| writes),
        b1_documents: writes.map(|(_, documents)| documents),
        peak_memory_kib: peak_memory_kib(),
    })
}

async fn round(engine: &Engine, flows: &[FlowId], sides: &Sides) -> Result<RoundFigures> {
    let started = Instant::now();
    let (requests, writes) = (sides.b1_requests(), sides.b1_writes_and_documents());
    let (mut taken_up, mut unchanged, mut sync_status) = (0, 0, Vec::new());
    for flow in flows {
        let report = engine.run_once(flow).await?;
        taken_up += report.pulled.inserted + report.pulled.restaged + report.pulled.retried;
        unchanged += report.pulled.unchanged;
        sync_status.push(report.sync_task.status.as_str().to_owned());
    }
    let written = sides.b1_writes_and_documents().zip(writes).map(|((now, _), (before, _))| now - before);
    Ok(RoundFigures {
        seconds: seconds(started.elapsed()),
        taken_up,
        unchanged,
        sync_status,
        b1_requests: sides.b1_requests() - requests,
        b1_writes: written,
    })
}

fn seconds(duration: Duration) -> f64 {
    duration.as_secs_f64()
}

/// The most memory that this process held (`VmHWM`), where the system tells.
fn peak_memory_kib() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    status.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix("kB")?.trim().parse().ok())
}

/// Where to stage: `sqlite:PATH`, or a new file.
pub(crate) fn store_path(args: &Args) -> Result<std::path::PathBuf> {
    match args.store.as_deref() {
        None => {
            let folder = tempfile::Builder::new().prefix("datawald-").tempdir().map_err(|error| {
                Error::config("make staging store", "the folder for temporary files cannot be written; use --store")
                    .caused_by(error)
            })?;
            Ok(folder.keep().join("orders_sync.db"))
        }
        Some(store) => store
            .strip_prefix("sqlite:")
            .map(Into::into)
            .ok_or_else(|| Error::config("read command line", "a store is written as sqlite:PATH").field("--store")),
    }
}
