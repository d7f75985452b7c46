//! Orders from a Magento 2 to a SAP Business One, each exactly once.
//!
//! `cargo run --release --example orders_sync` starts a sandbox of both sides and syncs sample orders of every shape;
//! `-- --help` tells how to use real ones.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

mod args;
mod b1;
mod backends;
mod crash;
mod progress;
mod report;
mod run;
mod shops;
mod sides;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use datawald_core::engine::Engine;
use datawald_core::{Error, Result};
use datawald_examples::{Backends, Signals};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::args::{Args, Role};
use crate::progress::Tally;
use crate::sides::Sides;

#[tokio::main]
async fn main() -> ExitCode {
    // Of lost connections the queue tells itself, in words for people.
    let shown = Targets::new().with_default(LevelFilter::WARN).with_target("lapin", LevelFilter::OFF);
    tracing_subscriber::registry()
        .with(tracing_subscriber::fmt::layer().with_writer(std::io::stderr).with_filter(shown))
        .init();
    match sync(&Args::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", error.report());
            ExitCode::FAILURE
        }
    }
}

async fn sync(args: &Args) -> Result<()> {
    args.check()?;
    let mut signals = Signals::listen().map_err(|error| {
        Error::config("listen for signals", "the system does not let this process listen for SIGTERM").caused_by(error)
    })?;
    let backends = backends::open(args).await?;
    let done = sync_over(args, &backends, &mut signals).await;
    backends.close().await;
    done
}

async fn sync_over(args: &Args, backends: &Backends, signals: &mut Signals) -> Result<()> {
    let sides = Sides::open(args).await?;
    let tally = Arc::<Tally>::default();
    let engine = run::engine(args, backends, &sides, &tally)?;
    let done = report_of(args, backends, signals, &sides, &tally, &engine).await;
    // Sessions that are not ended hold licences until their time is over.
    sides.close().await;
    done
}

async fn report_of(
    args: &Args,
    backends: &Backends,
    signals: &mut Signals,
    sides: &Sides,
    tally: &Arc<Tally>,
    engine: &Engine,
) -> Result<()> {
    run::tell_first_pulls(args, engine, sides).await;
    let figures = {
        let mut running = std::pin::pin!(run::run(args, engine, sides, signals));
        tokio::select! {
            figures = &mut running => figures,
            () = progress::show(tally.clone()) => running.await,
        }
    };
    let Some(mut figures) = figures? else {
        println!("stopped as told; what is staged waits in {}", backends.place());
        return Ok(());
    };
    // The orders are told by whoever pulled them; a worker's report is for whoever asks for its figures.
    if args.role == Role::Worker && args.report.is_none() {
        println!("stopped as told: {} taken up, {} requests to SAP B1", tally.applied(), sides.b1_requests());
        return Ok(());
    }
    figures.store_commands = backends.store_commands();
    let flows = run::flows(args, sides);
    let mut out = std::io::stdout().lock();
    report::write(&**backends.store(), &flows, sides, &mut figures, args.report.as_deref(), &mut out).await?;
    println!("staged in {}", backends.place());
    Ok(())
}
