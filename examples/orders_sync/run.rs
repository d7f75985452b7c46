//! The run: engine over the sides of this process's role.

use std::sync::Arc;
use std::time::{Duration, Instant};

use datawald_backoffice::OrdersTarget;
use datawald_core::engine::{Engine, Flow, Workers};
use datawald_core::model::{FlowId, Table};
use datawald_core::{ErrorKind, Result};
use datawald_examples::{Backends, Signals};
use datawald_frontend::OrdersSource;

use crate::args::{Args, Role};
use crate::crash::Crash;
use crate::progress::{Counted, Tally};
use crate::report::{RoundFigures, RunFigures};
use crate::sides::Sides;

/// The flows, one per shop.
pub(crate) fn flows(args: &Args, sides: &Sides) -> Vec<FlowId> {
    let names = match args.role {
        Role::Worker => args.shops(),
        Role::Frontend | Role::All => sides.shops.iter().map(|shop| shop.name.clone()).collect(),
    };
    names.into_iter().map(|name| FlowId::new(Table::Orders, name)).collect()
}

/// The engine, with the sides that this process's role has.
pub(crate) fn engine(args: &Args, backends: &Backends, sides: &Sides, tally: &Arc<Tally>) -> Result<Engine> {
    let mut builder = Engine::builder(backends.store().clone()).queue(backends.queue().clone()).settings(args.engine());
    for id in flows(args, sides) {
        let mut flow = Flow::new(id.clone());
        if let Some(shop) = sides.shops.iter().find(|shop| shop.name == id.frontend) {
            flow = flow.source(Counted::new(OrdersSource::new(shop.agency.clone()), tally));
        }
        if let Some(since) = args.since {
            flow = flow.since(since);
        }
        if let Some(agency) = sides.agency() {
            flow = flow.target(Counted::new(OrdersTarget::new(agency), tally));
        }
        builder = builder.flow(flow);
    }
    if let Some(at) = args.crash_at {
        builder = builder.observer(Arc::new(Crash::new(at)));
    }
    builder.build()
}

/// Tells how much the first pull of each flow will bring.
pub(crate) async fn tell_first_pulls(args: &Args, engine: &Engine, sides: &Sides) {
    if !args.role.pulls() {
        return;
    }
    for flow in flows(args, sides) {
        // A shop that cannot be asked says so when it is pulled.
        if let Ok(Some(orders)) = engine.count_first_pull(&flow).await {
            println!("the first pull of {flow} brings {orders} orders");
        }
    }
}

/// Runs all rounds, or works until told to stop. `None` if it was told to stop before all rounds were run.
pub(crate) async fn run(
    args: &Args,
    engine: &Engine,
    sides: &Sides,
    signals: &mut Signals,
) -> Result<Option<RunFigures>> {
    let flows = flows(args, sides);
    let started = Instant::now();
    let mut rounds = Vec::new();
    match args.role {
        Role::Worker => work(engine, &flows, signals).await?,
        Role::Frontend | Role::All => {
            let all = async {
                for nth in 0..args.rounds {
                    if nth > 0 {
                        tokio::time::sleep(Duration::from_millis(args.pause_ms)).await;
                    }
                    rounds.push(round(args.role, engine, &flows, sides).await?);
                }
                Ok(())
            };
            let mut all = std::pin::pin!(all);
            let ended: Result<()> = tokio::select! {
                ended = &mut all => ended,
                () = signals.told() => {
                    engine.stop();
                    all.await
                }
            };
            match ended {
                Err(error) if error.kind() == ErrorKind::Stopped => return Ok(None),
                ended => ended?,
            }
        }
    }
    let writes = sides.b1_writes_and_documents();
    Ok(Some(RunFigures {
        orders: 0,
        seconds: seconds(started.elapsed()),
        rounds,
        magento_requests: sides.magento_requests(),
        b1_requests: sides.b1_requests(),
        b1_writes: writes.map(|(writes, _)| writes),
        b1_documents: writes.map(|(_, documents)| documents),
        store_commands: None,
        peak_memory_kib: peak_memory_kib(),
        cpu_seconds: cpu_seconds(),
    }))
}

/// Applies what comes until told to stop, or until something stops a flow.
async fn work(engine: &Engine, flows: &[FlowId], signals: &mut Signals) -> Result<()> {
    let workers: Vec<Workers> = flows.iter().map(|flow| engine.start_workers(flow)).collect::<Result<_>>()?;
    println!("working; SIGTERM or Ctrl-C stops it");
    let halted = futures::future::select_all(workers.iter().map(|workers| Box::pin(workers.halted())));
    tokio::select! {
        _ = halted => {}
        () = signals.told() => {}
    }
    let mut stopped = Ok(());
    for ended in futures::future::join_all(workers.into_iter().map(Workers::stop)).await {
        stopped = stopped.and(ended);
    }
    stopped
}

async fn round(role: Role, engine: &Engine, flows: &[FlowId], sides: &Sides) -> Result<RoundFigures> {
    let started = Instant::now();
    let (requests, writes) = (sides.b1_requests(), sides.b1_writes_and_documents());
    let (mut taken_up, mut unchanged, mut sync_status) = (0, 0, Vec::new());
    for flow in flows {
        let report = match role {
            Role::All => engine.run_once(flow).await?,
            Role::Frontend | Role::Worker => engine.sync(flow).await?,
        };
        taken_up += report.pulled.inserted + report.pulled.restaged;
        unchanged += report.pulled.unchanged + report.pulled.still_failed;
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

#[allow(clippy::float_arithmetic, reason = "a figure for people, no money")]
/// The processor time that this process has used, in seconds, where the system tells (`utime` and `stime`).
fn cpu_seconds() -> Option<f64> {
    /// What Linux counts these in, whatever the kernel's own ticks are.
    const TICKS: f64 = 100.0;
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // The name of the program stands in brackets and may hold anything.
    let mut fields = stat.rsplit_once(')')?.1.split_whitespace().skip(11);
    let ticks = fields.next()?.parse::<u32>().ok()?.checked_add(fields.next()?.parse().ok()?)?;
    Some(f64::from(ticks) / TICKS)
}
