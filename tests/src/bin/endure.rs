//! An endurance run of real processes: `endure --minutes 20 --orders 20000 --store sqlite --way restful --seed 1`.
//!
//! With `--mover celery --workers 4` the same befalls the peer, and with `--mover loop` a loop as one writes it in an
//! afternoon (`plain_loop`): what they lose and double is what the engine is for.
//!
//! It needs the example `orders_sync` built beside it, and libfaketime; for `--store servers` what `./scripts/setup-servers`
//! puts in place. It ends with failure if an order is lost, doubled, taken for another or left without a word.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;
use datawald_tests::endure::{Plan, Report, run, tell_time};
use tokio::signal::unix::{SignalKind, signal};
use tracing_subscriber::filter::LevelFilter;

/// Runs processes of `orders_sync`, or of another mover, through everything that may befall them, and counts what came of it.
#[derive(Debug, Parser)]
struct Args {
    #[command(flatten)]
    plan: Plan,

    /// Write the figures to this file (JSON)
    #[arg(long, value_name = "FILE")]
    report: Option<PathBuf>,

    /// Tell what happens when it does
    #[arg(long)]
    tell: bool,
}

fn main() -> ExitCode {
    // Before anything else reads the clock.
    if tell_time() {
        return ExitCode::SUCCESS;
    }
    let args = Args::parse();
    let level = if args.tell { LevelFilter::INFO } else { LevelFilter::WARN };
    tracing_subscriber::fmt().with_writer(std::io::stderr).with_ansi(false).without_time().with_max_level(level).init();
    let ended =
        tokio::runtime::Runtime::new().map_err(|error| error.to_string()).and_then(|on| on.block_on(endure(&args)));
    match ended {
        Ok(report) => {
            println!("{report}");
            if !report.verdict.is_good() {
                println!("what the processes printed is in {}", report.folder.display());
                return ExitCode::FAILURE;
            }
            let _ = std::fs::remove_dir_all(&report.folder);
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("endure: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn endure(args: &Args) -> Result<Report, String> {
    let unheard = |error: std::io::Error| format!("signals cannot be listened to: {error}");
    let mut terminate = signal(SignalKind::terminate()).map_err(unheard)?;
    let report = tokio::select! {
        // Dropped, it takes its processes and servers along.
        report = run(&args.plan) => report?,
        _ = terminate.recv() => return Err("told to end".to_owned()),
        _ = tokio::signal::ctrl_c() => return Err("told to end".to_owned()),
    };
    if let Some(path) = &args.report {
        let text = serde_json::to_string_pretty(&report).map_err(|error| error.to_string())?;
        std::fs::write(path, text).map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(report)
}
