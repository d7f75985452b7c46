//! Beside the peer, in turns; and what the limit of our side is.

use datawald_tests::Peer;

use crate::Failure;
use crate::bound;
use crate::figures::{self, Turn, median};
use crate::ours::{self, Plan};
use crate::peer::{self, PROCESSES};
use crate::proc::Activity;
use crate::sandboxes::Sandboxes;
use crate::servers::Servers;

const WITH_WORKERS: Plan = Plan { workers: 2, batch_and_concurrency: None };
const ALONE: Plan = Plan { workers: 0, batch_and_concurrency: None };

/// The same orders by the peer and by us, one after the other, on the same servers and on fresh sandboxes each.
pub(crate) async fn beside_the_peer(servers: &Servers, orders: u64, turns: u64) -> Result<(), Failure> {
    println!("{orders} orders, no latency of SAP B1, in turns; medians of {turns}");
    let peer = Peer::find()?;
    if peer.is_none() {
        println!("{} is not there (set DATAWALD_BENCH): only our side is measured", Peer::place().display());
    }
    // What a run costs that has nothing to do: starting up is no part of what an order costs, and Python takes seconds.
    let idle = match &peer {
        Some(peer) => peer::run(peer, servers, &Sandboxes::start(0, 0).await?).await?.cpu_seconds,
        None => 0.0,
    };
    let (mut theirs, mut ours, mut alone) = (Vec::new(), Vec::new(), Vec::new());
    for turn in 1..=turns {
        if let Some(peer) = &peer {
            let mut run = peer::run(peer, servers, &Sandboxes::start(orders, 0).await?).await?;
            run.cpu_seconds -= idle;
            theirs.push(run);
        }
        for (plan, runs) in [(WITH_WORKERS, &mut ours), (ALONE, &mut alone)] {
            runs.push(sync(servers, orders, plan).await?);
        }
        let rate = |runs: &[Turn]| runs.last().map_or(f64::NAN, Turn::rate);
        println!("  turn {turn}: {:.0}, {:.0}, {:.0} orders/s", rate(&theirs), rate(&ours), rate(&alone));
    }
    let mut kinds: Vec<(&str, &[Turn])> = vec![("frontend + 2 workers", &ours), ("one process", &alone)];
    if peer.is_some() {
        println!("  Celery: {PROCESSES} processes; {idle:.2} CPU seconds of its start and end are taken off");
        kinds.insert(0, ("Celery", &theirs));
    }
    figures::print(&kinds);
    match servers.counts_documents().await? {
        true => println!("  this server counts each document of a write as an operation"),
        false => println!("  this server counts a command that writes many documents as one operation"),
    }
    for (name, turns) in [("frontend + 2 workers", &ours), ("one process", &alone)] {
        figures::print_load(name, turns);
    }
    Ok(())
}

/// What the MongoDB server can do, and how much of that our side uses.
pub(crate) async fn limit(servers: &Servers, orders: u64, turns: u64) -> Result<(), Failure> {
    println!("what {} can do", servers.program());
    for (clients, statements) in [(1, 1), (4, 1), (1, 100), (4, 100)] {
        let (rate, activity) = bound::updates(servers, clients, statements).await?;
        println!(
            "  {rate:>6.0} durable updates/s of one document each, {statements} in a command, by {clients} client(s); {}",
            told(activity)
        );
    }
    let sandboxes = Sandboxes::start(orders, 0).await?;
    let run = ours::run(servers, &sandboxes, WITH_WORKERS).await?;
    drop(sandboxes);
    let staged = bound::orders_of(servers, &run).await?;
    servers.database(&run.database).drop().await?;
    let mut ceiling = 0.0_f64;
    for workers in [0, 1, 4] {
        let (rate, activity) = bound::store_alone(servers, &staged, workers).await?;
        ceiling = ceiling.max(rate);
        println!(
            "  {rate:>6.0} orders/s through the store alone, staged by one client, {workers} beside it; {}",
            told(activity)
        );
    }
    for (name, plan) in [("frontend + 2 workers", WITH_WORKERS), ("one process", ALONE)] {
        let mut runs = Vec::new();
        for _ in 0..turns {
            runs.push(sync(servers, orders, plan).await?);
        }
        let rate = median(runs.iter().map(Turn::rate)).unwrap_or(f64::NAN);
        let applied = median(runs.iter().filter_map(Turn::applied_rate)).unwrap_or(f64::NAN);
        println!(
            "  {rate:>6.0} orders/s by {name}: {:.0} % of the store alone; {applied:.0} until the last outcome was stored, {:.0} %",
            100.0 * rate / ceiling,
            100.0 * applied / ceiling
        );
        figures::print_load(name, &runs);
    }
    Ok(())
}

/// One run of ours, whose database goes with it.
async fn sync(servers: &Servers, orders: u64, plan: Plan) -> Result<Turn, Failure> {
    let run = ours::run(servers, &Sandboxes::start(orders, 0).await?, plan).await?;
    servers.database(&run.database).drop().await?;
    Ok(run.turn)
}

fn told(activity: Activity) -> String {
    format!("MongoDB uses {:.2} cores and is busy {:.0} % of the time", activity.cores, 100.0 * activity.busy)
}
