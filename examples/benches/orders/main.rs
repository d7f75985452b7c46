//! What the orders sync costs: memory, requests, throughput with and without latency, beside a loop written by hand.
//!
//! `cargo bench -p datawald-examples --features host --bench orders` builds `orders_sync`, runs it as processes of its own and prints figures.
//! They hold for the machine that it runs on; the ratios are of runs that took turns.

#![allow(clippy::print_stdout, clippy::float_arithmetic, reason = "a program that prints figures")]

mod bare;

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

type Failure = Box<dyn std::error::Error>;

/// Requests to SAP B1 at the same time, and orders per insert: the defaults of `orders_sync`.
const CONCURRENCY: f64 = 4.0;
const BATCH: f64 = 50.0;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let program = build()?;
    println!("memory and requests, no latency");
    let mut peaks = Vec::new();
    for orders in [5_000, 50_000] {
        let run = sync(&program, orders, 0)?;
        let peak = number(&run, "peak_memory_kib");
        peaks.push(peak);
        println!(
            "  {orders:>6} orders: {:>6.0} orders/s, peak {:.0} MiB, {:.4} requests to SAP B1 per order",
            number(&run, "orders") / number(&run, "seconds"),
            peak / 1024.0,
            number(&run, "b1_requests") / number(&run, "orders"),
        );
    }
    println!("  peak of 50,000 to that of 5,000: {:.2}", peaks[1] / peaks[0]);

    println!("50 ms latency of SAP B1, {CONCURRENCY} requests at the same time, {BATCH} orders per insert");
    let run = sync(&program, 50_000, 50)?;
    let (orders, seconds) = (number(&run, "orders"), number(&run, "seconds"));
    // An order needs its share of a look-up (two inserts share one) and of an insert, at nothing but the latency.
    let permitted = CONCURRENCY / ((1.0 / (2.0 * BATCH) + 1.0 / BATCH) * 0.050);
    let one_by_one = CONCURRENCY / ((1.0 / BATCH + 1.0 / BATCH) * 0.050);
    let reached = orders / seconds;
    println!("  {reached:.0} orders/s; {:.2} of {permitted:.0} with a look-up per two inserts", reached / permitted);
    println!("  {:.2} of {one_by_one:.0} with a look-up per insert", reached / one_by_one);

    println!("no latency, beside a loop by hand without store and engine, 20,000 orders, in turns");
    let mut ratios = Vec::new();
    for turn in 1..=5 {
        let run = sync(&program, 20_000, 0)?;
        let ours = number(&run, "orders") / number(&run, "seconds");
        let bare = bare::orders_per_second(20_000).await?;
        ratios.push(ours / bare);
        println!("  turn {turn}: {ours:.0} orders/s, by hand {bare:.0}, ratio {:.2}", ours / bare);
    }
    ratios.sort_by(f64::total_cmp);
    println!("  median ratio {:.2}", ratios[ratios.len() / 2]);
    Ok(())
}

/// Builds `orders_sync` and tells where it is.
fn build() -> Result<PathBuf, Failure> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let built = Command::new(cargo).args(["build", "--release", "--quiet", "--example", "orders_sync"]).status()?;
    let bench = std::env::current_exe()?;
    let folder = bench.ancestors().nth(2).map(|folder| folder.join("examples/orders_sync"));
    folder.filter(|_| built.success()).ok_or_else(|| "orders_sync could not be built".into())
}

/// The figures of a run.
fn sync(program: &PathBuf, orders: u64, latency_ms: u64) -> Result<Value, Failure> {
    let folder = tempfile::tempdir()?;
    let report = folder.path().join("report.json");
    let store = format!("sqlite:{}", folder.path().join("staging.db").display());
    let (orders, latency) = (orders.to_string(), latency_ms.to_string());
    let output = Command::new(program)
        .args(["--synthetic", &orders, "--b1-latency-ms", &latency, "--store", &store, "--report"])
        .arg(&report)
        .output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned().into());
    }
    let mut report: Value = serde_json::from_slice(&std::fs::read(report)?)?;
    let outcomes = report["orders"].as_array().map(Vec::as_slice).unwrap_or_default();
    if let Some(other) = outcomes.iter().find(|order| order["tx_status"] != "S") {
        return Err(format!("an order did not go through: {other}").into());
    }
    Ok(report["run"].take())
}

fn number(run: &Value, name: &str) -> f64 {
    run[name].as_f64().unwrap_or(f64::NAN)
}
