//! A server whose capacity changes: how much gets done with each fixed number of calls at a time, and by adapting it.

use std::time::Duration;

use sapb1_connector::sandbox::service_layer::{Busy, Faults};

use crate::Failure;
use crate::world::{Setup, World};

/// The most sessions.
const SESSIONS: usize = 8;

/// Calls that the server works on at a time, one after the other, each for as long.
const CAPACITIES: [usize; 3] = [8, 2, 5];
const EACH: Duration = Duration::from_secs(8);

/// A server that takes 50 ms for a call and 3 ms for each order.
fn server(busy: Busy) -> Faults {
    Faults { latency_ms: 50, order_ms: 3, busy, busy_ms: 600, retry_after_s: 1, ..Faults::default() }
}

/// All kinds of servers, or the one of this name.
pub(crate) async fn run(only: Option<&str>) -> Result<(), Failure> {
    println!(
        "up to {SESSIONS} sessions; the server works on {CAPACITIES:?} calls at a time, {} s each; 50 ms per call, 3 ms per \
         order",
        EACH.as_secs()
    );
    let servers = [("wait", Busy::Wait), ("are refused", Busy::Refuse), ("slow all down", Busy::Slow)];
    for (name, busy) in servers.into_iter().filter(|(name, _)| only.is_none_or(|only| only == *name)) {
        println!("  calls beyond that {name}");
        let mut best = 0.0_f64;
        for sessions in 1..=SESSIONS {
            let speed = orders_per_second(busy, sessions, false).await?;
            best = best.max(speed);
            println!("    always {sessions}: {speed:>5.0} orders/s");
        }
        for _ in 0..2 {
            let speed = orders_per_second(busy, SESSIONS, true).await?;
            println!("    adapting: {speed:>5.0} orders/s, {:.2} of the best fixed", speed / best);
        }
    }
    Ok(())
}

async fn orders_per_second(busy: Busy, sessions: usize, adaptive: bool) -> Result<f64, Failure> {
    // More orders than can be applied in the time.
    let setup = Setup { orders: 60_000, sessions, adaptive, faults: server(busy), ..Setup::default() };
    let world = World::start(&setup).await?;
    let measured = async {
        // Logging in, names and codes, and the first page are over then.
        while world.b1.counters().documents == 0 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let before = world.b1.counters().documents;
        for capacity in CAPACITIES {
            world.b1.change_faults(|faults| faults.capacity = capacity);
            tokio::time::sleep(EACH).await;
            if std::env::var_os("SHOW").is_some() {
                println!(
                    "      {capacity}: {} calls, {} documents",
                    world.client.concurrency(),
                    world.b1.counters().documents
                );
            }
        }
        world.b1.counters().documents - before
    };
    let run = world.run_to_the_end();
    tokio::pin!(run);
    let orders = tokio::select! {
        orders = measured => orders,
        ended = &mut run => return Err(format!("the run ended before its time: {ended:?}").into()),
    };
    world.engine.stop();
    // That it was told to stop is no failure.
    let _ = run.await;
    #[allow(clippy::cast_precision_loss, reason = "small numbers")]
    Ok(orders as f64 / (EACH * CAPACITIES.len() as u32).as_secs_f64())
}
