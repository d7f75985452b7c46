//! The orders sync on MongoDB and RabbitMQ, in processes: what it costs beside the peer, what limits it, how it grows.
//!
//! `cargo bench -p datawald-tests --bench distributed [-- peer|limit|growth]` builds `orders_sync` and the sandboxes, starts
//! one MongoDB server and one RabbitMQ node for everything, and prints figures. They hold for the machine that it runs on;
//! the ratios are of runs that took turns. A run that does not end with every order applied once is a failure. The variables
//! ORDERS (2,000) and TURNS (3) set how much is done.
//!
//! A server counts as busy while a thread of it runs, waits for a processor or waits for the disk.

#![allow(clippy::print_stdout, clippy::float_arithmetic, reason = "a program that prints figures")]

mod bound;
mod comparison;
mod figures;
mod growth;
mod ours;
mod peer;
mod proc;
mod sandboxes;
mod servers;

use std::process::Command;
use std::time::Instant;

use crate::servers::Servers;

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    // cargo passes `--bench`.
    let parts: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    let wanted = |part: &str| parts.is_empty() || parts.iter().any(|wanted| wanted == part);
    let (orders, turns) = (variable("ORDERS", 2_000)?, variable("TURNS", 3)?);
    build()?;
    let begun = Instant::now();
    let servers = Servers::start().await?;
    println!("on {} and RabbitMQ, {} cores", servers.program(), std::thread::available_parallelism()?);
    if wanted("peer") {
        comparison::beside_the_peer(&servers, orders, turns).await?;
    }
    if wanted("limit") {
        comparison::limit(&servers, orders, turns).await?;
    }
    if wanted("growth") {
        growth::with_workers(&servers).await?;
    }
    println!("took {:.0} s", begun.elapsed().as_secs_f64());
    Ok(())
}

/// A number from the environment.
fn variable(name: &str, default: u64) -> Result<u64, Failure> {
    match std::env::var(name) {
        Err(_) => Ok(default),
        Ok(text) => {
            let number = text.parse().ok().filter(|number| *number > 0);
            number.ok_or_else(|| format!("{name} is a number from 1, not {text}").into())
        }
    }
}

/// Builds the programs that are run.
fn build() -> Result<(), Failure> {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["build", "--release", "--quiet", "-p", "datawald-examples", "--features", "mongodb,rabbitmq"]);
    command.args(["--example", "orders_sync", "--example", "sandbox"]);
    // What cargo tells this package about itself: build scripts that look at it would run again, and all be built anew.
    for (name, _) in std::env::vars_os() {
        if name.to_str().is_some_and(|name| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")) {
            command.env_remove(name);
        }
    }
    if command.status()?.success() { Ok(()) } else { Err("orders_sync and sandbox could not be built".into()) }
}
