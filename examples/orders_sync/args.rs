//! What the command line says.

use std::path::PathBuf;

use clap::{Parser, ValueEnum};
use datawald_core::engine::EngineSettings;
use datawald_core::{Checkpoint, Error, Result};
use jiff::Timestamp;
use sapb1_connector::sandbox::Way;

/// Orders from a Magento 2 to a SAP Business One, each exactly once.
///
/// Without arguments, it starts a sandbox of both sides, fills Magento with sample orders of every shape, and syncs them
/// through a staging store in a file.
#[derive(Debug, Parser)]
#[command(name = "orders_sync")]
pub(crate) struct Args {
    /// Fill the sandbox Magento with the order files (JSON) of this folder
    #[arg(long, value_name = "DIR", conflicts_with_all = ["synthetic", "magento"])]
    pub(crate) orders: Option<PathBuf>,

    /// Fill the sandbox Magento with this many made-up orders
    #[arg(long, value_name = "N", conflicts_with = "magento")]
    pub(crate) synthetic: Option<u64>,

    /// Where to stage: a file (sqlite:PATH) or a MongoDB (mongodb://…) [default: a new file in the folder for temporary
    /// files]. A URI with a password is better kept in the environment variable
    #[arg(long, value_name = "URI", env = "DATAWALD_STORE", hide_env_values = true)]
    pub(crate) store: Option<String>,

    /// How tasks reach the workers: a RabbitMQ (amqp://…) [default: within this process]
    #[arg(long, value_name = "URI", env = "DATAWALD_QUEUE", hide_env_values = true)]
    pub(crate) queue: Option<String>,

    /// What this process does: pull and wait for the outcomes (frontend), apply until it is told to stop (worker), or both
    #[arg(long, value_enum, default_value_t = Role::All)]
    pub(crate) role: Role,

    /// The name of the shop; of every shop whose orders a worker applies [default: mage2]
    #[arg(long, value_name = "NAME")]
    pub(crate) shop: Vec<String>,

    /// A Magento to pull from, instead of the sandbox
    #[arg(long, value_name = "URL")]
    pub(crate) magento: Option<String>,

    /// Where the first pull begins, as 2026-01-31T00:00:00Z [default: with the first order that the shop has]
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<Timestamp>,

    /// Its integration token
    #[arg(long, value_name = "TOKEN", requires = "magento", env = "MAGENTO_TOKEN", hide_env_values = true)]
    pub(crate) magento_token: Option<String>,

    /// The way into SAP B1: restful (SAP B1 RESTful) or service-layer (SAP's own Service Layer)
    #[arg(long, value_name = "WAY", default_value_t = Way::Restful, value_parser = way)]
    pub(crate) b1_api: Way,

    /// A SAP B1 RESTful or Service Layer to write to, instead of the sandbox
    #[arg(long, value_name = "URL", requires = "b1_user")]
    pub b1: Option<String>,

    /// Its user; the password is read from the environment variable B1_PASSWORD
    #[arg(long, value_name = "USER", requires = "b1")]
    pub b1_user: Option<String>,

    /// The company's database; for a Service Layer
    #[arg(long, value_name = "NAME", requires = "b1")]
    pub(crate) b1_company: Option<String>,

    /// Certificates (PEM) to trust beside the system's, as that of a Service Layer that signs for itself
    #[arg(long, value_name = "FILE", requires = "b1")]
    pub(crate) b1_ca: Option<PathBuf>,

    /// Settings for SAP B1 (TOML) [default: those that fit the sample orders]
    #[arg(long, value_name = "FILE")]
    pub b1_settings: Option<PathBuf>,

    /// How long the sandbox SAP B1 takes over each request
    #[arg(long, value_name = "N", default_value_t = 0, conflicts_with = "b1")]
    pub b1_latency_ms: u64,

    /// Write every order's outcome and the run's figures to this file (JSON)
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,

    /// Sync this many times, one after the other
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) rounds: u32,

    /// How long to wait between two of these times
    #[arg(long, value_name = "MS", default_value_t = 0)]
    pub(crate) pause_ms: u64,

    /// Orders per page of Magento
    #[arg(long, value_name = "N", default_value_t = EngineSettings::default().page_size)]
    pub(crate) page_size: usize,

    /// Orders per insert into SAP B1
    #[arg(long, value_name = "N", default_value_t = EngineSettings::default().batch)]
    pub(crate) batch: usize,

    /// Requests to SAP B1 at the same time
    #[arg(long, value_name = "N", default_value_t = EngineSettings::default().concurrency)]
    pub(crate) concurrency: usize,

    /// How long a batch is leased before it must be renewed
    #[arg(long, value_name = "MS", default_value_t = EngineSettings::default().lease_ms)]
    pub(crate) lease_ms: u64,

    /// How long after a lost answer SAP B1 may still be carrying out a write
    #[arg(long, value_name = "MS", default_value_t = EngineSettings::default().settle_delay_ms)]
    pub(crate) settle_delay_ms: u64,

    /// How long to wait for outcomes
    #[arg(long, value_name = "MS", default_value_t = EngineSettings::default().close_wait_ms)]
    pub(crate) close_wait_ms: u64,

    /// Kill this process (as `kill -9` does) when it reaches a checkpoint for the n-th time; for crash tests
    #[arg(long, value_name = "CHECKPOINT[:N]", value_parser = crash_point)]
    pub(crate) crash_at: Option<CrashPoint>,
}

/// What a process does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Role {
    /// Pulls, dispatches, waits for the outcomes.
    Frontend,
    /// Applies, until it is told to stop.
    Worker,
    /// Both.
    All,
}

impl Role {
    /// Whether it pulls.
    pub(crate) fn pulls(self) -> bool {
        self != Role::Worker
    }

    /// Whether it applies.
    pub(crate) fn applies(self) -> bool {
        self != Role::Frontend
    }
}

/// Where to crash.
#[derive(Debug, Clone, Copy)]
pub(crate) struct CrashPoint {
    /// The checkpoint.
    pub(crate) point: Checkpoint,
    /// The how manieth time, from 1.
    pub(crate) nth: u64,
}

fn way(text: &str) -> std::result::Result<Way, String> {
    let names = || Way::ALL.map(Way::name).join(" or ");
    Way::from_name(text).ok_or_else(|| format!("`{text}` is no way into SAP B1; it is {}", names()))
}

fn crash_point(text: &str) -> std::result::Result<CrashPoint, String> {
    let (name, nth) = text.split_once(':').unwrap_or((text, "1"));
    let point = Checkpoint::from_name(name).ok_or_else(|| {
        let names: Vec<_> = Checkpoint::ALL.iter().map(|point| point.name()).collect();
        format!("`{name}` is no checkpoint; one of {}", names.join(", "))
    })?;
    let nth = nth.parse().ok().filter(|nth| *nth > 0).ok_or("what stands after the colon is a number from 1")?;
    Ok(CrashPoint { point, nth })
}

impl Args {
    /// Checks what the arguments must have together.
    pub(crate) fn check(&self) -> Result<()> {
        let wrong = |field, text: &str| Err(Error::config("read command line", text.to_owned()).field(field));
        if self.role != Role::All && self.store.is_none() {
            return wrong("--store", "processes with a role each need one store: name it");
        }
        if self.role == Role::Worker && self.b1.is_none() {
            return wrong("--b1", "workers need one SAP B1 to write to; the example `sandbox` starts one");
        }
        if self.b1.is_some() && self.b1_api == Way::ServiceLayer && self.b1_company.is_none() {
            return wrong("--b1-company", "is missing: a Service Layer wants to know the company's database");
        }
        if self.role.pulls() && self.shop.len() > 1 {
            return wrong("--shop", "one process pulls one shop; start one for each");
        }
        Ok(())
    }

    /// The names of the shops.
    pub(crate) fn shops(&self) -> Vec<String> {
        if self.shop.is_empty() { vec!["mage2".to_owned()] } else { self.shop.clone() }
    }

    /// The engine's settings.
    pub(crate) fn engine(&self) -> EngineSettings {
        EngineSettings {
            page_size: self.page_size,
            // One look-up takes twice as many orders as an insert, so two inserts share one.
            batch: self.batch.saturating_mul(2),
            // One batch more than SAP B1 takes calls, so that it is mapped while they are out.
            concurrency: self.concurrency + 1,
            lease_ms: self.lease_ms,
            pull_lease_ms: self.lease_ms.min(EngineSettings::default().pull_lease_ms),
            settle_delay_ms: self.settle_delay_ms,
            close_wait_ms: self.close_wait_ms,
            ..EngineSettings::default()
        }
    }
}
