//! `host schedule`: what is scheduled, and what an operator does about it.

use std::sync::Arc;

use clap::Subcommand;
use datawald_core::schedule::{RunOutcome, ScheduleControl, ScheduleState};
use datawald_core::{Result, SystemClock};
use datawald_examples::{Backends, QueueAt};

use crate::config::Config;

/// What is done about schedules.
#[derive(Debug, Subcommand)]
pub(crate) enum ScheduleCommand {
    /// List the schedules: when they are due, and how their last runs ended
    List,
    /// Pause a schedule: what runs goes on, and nothing more is started
    Pause {
        /// Its name
        name: String,
    },
    /// Resume a schedule
    Resume {
        /// Its name
        name: String,
    },
    /// Have a schedule run now, and print the id of the run, which is that of its sync task
    Run {
        /// Its name
        name: String,
    },
}

/// Does it.
pub(crate) async fn run(command: &ScheduleCommand, config: Config) -> Result<()> {
    let backends = Backends::open(config.store, QueueAt::InProcess).await?;
    let done = change(command, &ScheduleControl::new(backends.store().clone(), Arc::new(SystemClock))).await;
    backends.close().await;
    done
}

async fn change(command: &ScheduleCommand, control: &ScheduleControl) -> Result<()> {
    match command {
        ScheduleCommand::List => {
            for schedule in control.list().await? {
                println!("{}", line(&schedule));
            }
        }
        ScheduleCommand::Pause { name } => {
            let said = if control.pause(name).await? { "is paused" } else { "was paused before" };
            println!("{name} {said}");
        }
        ScheduleCommand::Resume { name } => {
            let said = if control.resume(name).await? { "is resumed" } else { "was not paused" };
            println!("{name} {said}");
        }
        ScheduleCommand::Run { name } => println!("{}", control.run_now(name).await?),
    }
    Ok(())
}

fn line(schedule: &ScheduleState) -> String {
    let next = match (schedule.paused, schedule.next_due) {
        (true, _) => "paused".to_owned(),
        (false, Some(at)) => format!("next {at}"),
        (false, None) => "not due".to_owned(),
    };
    let last = match schedule.last_runs.first() {
        None => "no run has ended".to_owned(),
        Some(run) => {
            let how = if run.outcome == RunOutcome::Done { "done" } else { "failed" };
            format!("last {how} {}: {}", run.ended_at, run.note)
        }
    };
    format!("{}  {}  {next}  missed {}  {last}", schedule.name, schedule.when, schedule.missed)
}
