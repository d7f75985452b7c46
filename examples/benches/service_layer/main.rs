//! What the orders sync costs over the Service Layer: requests, throughput with and without latency, and how close it comes
//! to the best number of sessions when what the server can do changes meanwhile.
//!
//! `cargo bench -p datawald-examples --bench service_layer` runs everything in its own process, against the sandboxes, and
//! prints figures. They hold for the machine that it runs on; the ratios are of runs that took turns.

#![allow(clippy::print_stdout, clippy::float_arithmetic, reason = "a program that prints figures")]

mod capacity;
mod world;

use sapb1_connector::sandbox::service_layer::Faults;
use sapb1_connector::settings::MakeCustomer;
use world::{BATCH, Setup, World};

type Failure = Box<dyn std::error::Error>;

const SESSIONS: usize = 4;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let only = std::env::args().nth(1).filter(|argument| !argument.starts_with('-'));
    let wanted = |name: &str| only.as_deref().is_none_or(|only| only == name);
    if wanted("requests") {
        requests().await?;
    }
    if wanted("latency") {
        latency().await?;
    }
    if wanted("capacity") {
        capacity::run(std::env::args().nth(2).as_deref()).await?;
    }
    Ok(())
}

/// Orders of one customer for all, of known customers, of new ones.
async fn requests() -> Result<(), Failure> {
    println!("no latency, {SESSIONS} sessions, {BATCH} orders per batch, 20,000 orders, each of a person of its own");
    let one = Setup { orders: 20_000, sessions: SESSIONS, ..Setup::default() };
    let (speed, requests) = whole(&one).await?;
    println!("  one customer for all:      {speed:>6.0} orders/s, {requests:.4} requests per order");
    let mut each = one.clone();
    each.rules.customer.search = true;
    each.rules.customer.make = Some(MakeCustomer { prefix: "W".into() });
    let (speed, requests) = whole(&each).await?;
    println!("  a customer made for each:  {speed:>6.0} orders/s, {requests:.4} requests per order");
    each.batch = 2 * BATCH;
    let (speed, requests) = whole(&each).await?;
    println!("  and {} to a batch:        {speed:>6.0} orders/s, {requests:.4} requests per order", each.batch);
    Ok(())
}

async fn latency() -> Result<(), Failure> {
    println!("50 ms latency, {SESSIONS} sessions, {BATCH} orders per batch, 60,000 orders");
    let faults = Faults { latency_ms: 50, ..Faults::default() };
    let setup = Setup { orders: 60_000, sessions: SESSIONS, faults, ..Setup::default() };
    // An order needs its share of a look-up and of an insert, at nothing but the latency.
    #[allow(clippy::cast_precision_loss, reason = "small numbers")]
    let (sessions, batch) = (SESSIONS as f64, BATCH as f64);
    let shared = sessions / ((1.0 / (2.0 * batch) + 1.0 / batch) * 0.050);
    let single = sessions / ((1.0 / batch + 1.0 / batch) * 0.050);
    for adaptive in [true, false, true, false] {
        let (speed, requests) = whole(&Setup { adaptive, ..setup.clone() }).await?;
        let how = if adaptive { "adapting" } else { "fixed" };
        println!(
            "  {how}: {speed:.0} orders/s, {requests:.4} requests per order; {:.2} of {shared:.0} with a look-up per two \
             inserts, {:.2} of {single:.0} with one per insert",
            speed / shared,
            speed / single
        );
    }
    Ok(())
}

/// Orders per second and requests per order of a run to its end.
#[allow(clippy::cast_precision_loss, reason = "small numbers")]
async fn whole(setup: &Setup) -> Result<(f64, f64), Failure> {
    let world = World::start(setup).await?;
    let started = std::time::Instant::now();
    world.run_to_the_end().await?;
    let seconds = started.elapsed().as_secs_f64();
    let counters = world.b1.counters();
    if counters.documents != setup.orders {
        return Err(format!("{} documents of {} orders", counters.documents, setup.orders).into());
    }
    let orders = setup.orders as f64;
    Ok((orders / seconds, counters.requests as f64 / orders))
}
