//! The service: keeps a shop and an ERP in step as one file says, in one process or in several with a role each.
//!
//! `cargo run --release --features host --example host -- --config examples/config/host.toml` runs it against the sandboxes of the example
//! `sandbox`; the file says how to start those.
//!
//! - `--check` tells every mistake of the file at once; with `--connect` it also tries what the file names, and whether SAP B1
//!   has every code that the rules write. Nothing is made or changed for that.
//! - `--role core|frontend|worker` (more than once if wanted) has a process do a part of the work; without it, all of it.
//! - `token create|list|revoke` says who may use the API (`[api]`, role `core`). `[monitor]` answers probes and scrapers in any
//!   role, without tokens.
//! - `/health/ready` is about this process: it answers 503 while the store is away or the host is about to end. That a shop, an ERP
//!   or the broker is away makes it `degraded`, with 200: to start the process anew would mend nothing. `datawald_up` tells alarms.
//! - Schedules are of all hosts of a store: one of those with the role `frontend` leads and pulls, and when it dies, another takes
//!   over; each due run starts once. `schedule list|pause|resume|run` shows and changes them.
//! - With `[core]` in the place of `[store]`, the store is that of a core on another machine, over its API.
//! - What has ended is not kept for ever (`keep_runs_days` and its like, in `[flows.engine]`). A person's data is erased over the
//!   API: `POST /entities/erase`.
//! - SIGHUP reads the file again: connections, flows, schedules and the level of the log change while it runs. What the store,
//!   the queue, the API's address and the collector of traces are needs a restart; a change of theirs is told. A file with
//!   mistakes changes nothing.
//! - SIGTERM and Ctrl-C end it in good order: it is not ready any more, pulls end after their page, workers end what they
//!   apply and hand back what they only hold, within `host.stop_within_ms`.
//!
//! Secrets do not stand in the file, only where they are: `{ env = "NAME" }` or `{ file = "PATH" }`. They, and what is in
//! orders, are in no line of the log.

#![allow(clippy::print_stdout, clippy::print_stderr, reason = "a program for people")]

mod api;
mod args;
mod check;
mod codes;
mod company;
mod config;
mod health;
mod monitor;
mod remarks;
mod schedule;
mod schedules;
mod serve;
mod server;
mod sides;
mod telemetry;
mod token;
mod work;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Args, Command};
use crate::config::Config;

#[tokio::main]
async fn main() -> ExitCode {
    let args = Args::parse();
    let config = match Config::load(&args.config, args.roles()) {
        Ok(config) => config,
        Err(mistakes) => {
            eprintln!("{mistakes}");
            return ExitCode::FAILURE;
        }
    };
    let redaction = config.redaction.clone();
    let done = match &args.command {
        Some(Command::Token(command)) => token::run(command, config).await,
        Some(Command::Schedule(command)) => schedule::run(command, config).await,
        None if args.check => check::check(&args, config).await,
        None => serve::serve(&args, config).await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {}", redaction.apply(&error.report()));
            ExitCode::FAILURE
        }
    }
}
