//! What the command line says.

use std::path::PathBuf;

use clap::{Parser, Subcommand, ValueEnum};

use crate::schedule::ScheduleCommand;
use crate::token::TokenCommand;

/// Keeps a shop and an ERP in step, as a service: pulls by schedule, applies, and answers over HTTP, as its file says.
#[derive(Debug, Parser)]
#[command(name = "host")]
pub(crate) struct Args {
    /// The file that says what to do (TOML)
    #[arg(long, value_name = "FILE", env = "DATAWALD_CONFIG")]
    pub(crate) config: PathBuf,

    /// What this process does; may be given more than once
    #[arg(long = "role", value_enum, value_name = "ROLE", default_values_t = [Role::All])]
    pub(crate) roles: Vec<Role>,

    /// Only check the file: tell every mistake, or that there is none
    #[arg(long)]
    pub(crate) check: bool,

    /// Also try what the file names: store, queue and both sides, without writing to any of the sides
    #[arg(long, requires = "check")]
    pub(crate) connect: bool,

    /// Something else than to run
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

/// What is done instead of running.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Who may use the API
    #[command(subcommand)]
    Token(TokenCommand),
    /// What is scheduled, in the store that the file names
    #[command(subcommand)]
    Schedule(ScheduleCommand),
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Answers over HTTP, over the store.
    Core,
    /// Pulls by schedule and closes sync tasks.
    Frontend,
    /// Applies what is staged.
    Worker,
    /// All that the file has the parts for.
    All,
}

/// The roles of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Roles {
    /// Answers over HTTP.
    pub(crate) core: bool,
    /// Pulls.
    pub(crate) frontend: bool,
    /// Applies.
    pub(crate) worker: bool,
    /// Whether these were asked for one by one: then each needs its part of the file.
    pub(crate) named: bool,
}

impl Args {
    /// The roles. For what is done instead of running, none: it needs the store alone.
    pub(crate) fn roles(&self) -> Roles {
        if self.command.is_some() {
            return Roles { core: false, frontend: false, worker: false, named: true };
        }
        let all = self.roles.contains(&Role::All);
        let has = |role| all || self.roles.contains(&role);
        Roles { core: has(Role::Core), frontend: has(Role::Frontend), worker: has(Role::Worker), named: !all }
    }
}
