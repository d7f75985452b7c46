//! How throughput grows with workers, where SAP B1 is what takes time.

use crate::Failure;
use crate::figures;
use crate::ours::{self, Plan};
use crate::sandboxes::Sandboxes;
use crate::servers::Servers;

/// How long SAP B1 takes over each request.
const LATENCY_MS: u64 = 50;

/// Orders per insert, and requests at the same time: so few that a worker waits for SAP B1 and not for a processor, of which
/// four workers, the servers and the sandboxes have two together.
const BATCH: usize = 5;
const CONCURRENCY: usize = 2;

/// Enough that what the last batches take is small beside the whole.
const ORDERS: u64 = 3_000;

/// The same orders with 1, 2 and 4 worker processes. What counts is the whole run, from the start of the pull (which goes on
/// beside the workers) until the frontend knows every outcome.
pub(crate) async fn with_workers(servers: &Servers) -> Result<(), Failure> {
    println!(
        "{ORDERS} orders, {LATENCY_MS} ms latency of SAP B1, --batch {BATCH} --concurrency {CONCURRENCY}; whole runs, from the \
         first pull to the last outcome"
    );
    let mut first = None;
    for workers in [1, 2, 4] {
        let sandboxes = Sandboxes::start(ORDERS, LATENCY_MS).await?;
        let plan = Plan { workers, batch_and_concurrency: Some((BATCH, CONCURRENCY)) };
        let run = ours::run(servers, &sandboxes, plan).await?;
        servers.database(&run.database).drop().await?;
        let rate = run.turn.rate();
        let first = *first.get_or_insert(rate);
        println!("  {workers} worker(s): {rate:.0} orders/s, {:.2} times", rate / first);
        figures::print_load("", &[run.turn]);
    }
    Ok(())
}
