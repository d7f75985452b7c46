//! Orders from a Magento 2 to a SAP Business One, each exactly once.
//!
//! `cargo run --release --example orders_sync` starts a sandbox of both sides and syncs sample orders of every shape;
//! `-- --help` tells how to use real ones.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

mod args;
mod crash;
mod progress;
mod report;
mod run;
mod shops;
mod sides;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use datawald_core::Result;
use datawald_core::store::SqliteStore;

use crate::args::Args;
use crate::progress::Tally;
use crate::sides::Sides;

#[tokio::main]
async fn main() -> ExitCode {
    tracing_subscriber::fmt()
        .with_writer(std::io::stderr)
        .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
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
    let path = run::store_path(args)?;
    let store = Arc::new(SqliteStore::open(&path)?);
    let sides = Sides::open(args).await?;
    let tally = Arc::<Tally>::default();
    let mut figures = tokio::select! {
        figures = run::run(args, store.clone(), &sides, &tally) => figures?,
        () = progress::show(tally.clone()) => return Ok(()),
    };
    report::write(
        &*store,
        &run::flows(&sides),
        &sides,
        &mut figures,
        args.report.as_deref(),
        &mut std::io::stdout().lock(),
    )
    .await?;
    println!("staged in {} (any SQLite tool opens it)", path.display());
    Ok(())
}
