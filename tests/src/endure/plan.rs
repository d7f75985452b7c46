//! How long an endurance run takes, how many orders it has, and over what.

use std::time::Duration;

use clap::ValueEnum;
use sapb1_connector::sandbox::Way;

/// How long the peer waits for an answer.
const PEER_TIMEOUT: Duration = Duration::from_secs(60);

/// Where orders are staged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Store {
    /// A file that all processes share.
    Sqlite,
    /// MongoDB, with tasks by way of RabbitMQ; servers of the run's own.
    Servers,
}

/// What moves the orders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mover {
    /// `orders_sync`.
    Datawald,
    /// The peer: Celery, MongoDB and RabbitMQ, and a task per order. It speaks SAP B1 RESTful only.
    Celery,
    /// `plain_loop`: a loop over our connectors without the engine, and without a store.
    Loop,
}

/// What may befall.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Event {
    /// A process is killed, as `kill -9` does, and started again.
    Kill,
    /// A process is frozen for longer than lease and settle delay, and goes on.
    Freeze,
    /// The wall clock of a process is set an hour or 200 seconds off, or right.
    SetClock,
    /// SAP B1 stands still for longer than any time-out, and goes on.
    Stall,
    /// Answers of SAP B1 are lost, with everything done, late or in part.
    LoseAnswers,
    /// The broker is killed and started again.
    KillBroker,
    /// The database is killed and started again.
    KillDatabase,
    /// The store's file is deleted while it is in use; once.
    DeleteFile,
}

/// What is to be run.
#[derive(Debug, Clone, clap::Args)]
pub struct Plan {
    /// For how many minutes things happen
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub minutes: u64,

    /// And seconds
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seconds: u64,

    /// How many orders the shop has at the end; half of them come while it runs
    #[arg(long, value_name = "N", default_value_t = 20_000)]
    pub orders: u64,

    /// What moves them
    #[arg(long, value_enum, default_value_t = Mover::Datawald)]
    pub mover: Mover,

    /// Where datawald stages them
    #[arg(long, value_enum, default_value_t = Store::Sqlite)]
    pub store: Store,

    /// The way into SAP B1: restful or service-layer
    #[arg(long, value_name = "WAY", default_value = "restful", value_parser = way)]
    pub way: Way,

    /// What happens when
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,

    /// What may befall, and nothing else [default: all of it]
    #[arg(long, value_enum, value_name = "WHAT", value_delimiter = ',')]
    pub only: Vec<Event>,

    /// For how many seconds SAP B1 answers 503 to everything, from the tenth second on
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub b1_away_seconds: u64,

    /// For how many seconds the shop answers 503 to everything, from the tenth second on
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub shop_away_seconds: u64,

    /// How many processes apply
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub workers: usize,

    /// How many processes pull
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub frontends: usize,

    /// How long a batch is leased
    #[arg(long, value_name = "MS", default_value_t = 4_000)]
    pub lease_ms: u64,

    /// How long SAP B1 may go on with a write whose answer was lost
    #[arg(long, value_name = "MS", default_value_t = 3_000)]
    pub settle_delay_ms: u64,

    /// How long it is from one thing that happens to the next, about
    #[arg(long, value_name = "MS", default_value_t = 1_500)]
    pub gap_ms: u64,

    /// How long it may take, once nothing happens any more, until no order waits
    #[arg(long, value_name = "N", default_value_t = 150)]
    pub calm_seconds: u64,
}

fn way(text: &str) -> Result<Way, String> {
    let names = || Way::ALL.map(Way::name).join(" or ");
    Way::from_name(text).ok_or_else(|| format!("`{text}` is no way into SAP B1; it is {}", names()))
}

impl Plan {
    /// For how long things happen.
    pub fn time(&self) -> Duration {
        Duration::from_secs(self.minutes * 60 + self.seconds)
    }

    pub(super) fn has(&self, event: Event) -> bool {
        let can = match event {
            Event::DeleteFile => self.mover == Mover::Datawald && self.store == Store::Sqlite,
            Event::KillBroker | Event::KillDatabase => self.needs_servers(),
            _ => true,
        };
        can && (self.only.is_empty() || self.only.contains(&event))
    }

    /// Whether MongoDB and RabbitMQ are needed.
    pub(super) fn needs_servers(&self) -> bool {
        match self.mover {
            Mover::Datawald => self.store == Store::Servers,
            Mover::Celery => true,
            Mover::Loop => false,
        }
    }

    /// What is longer than every time-out: a stall lasts for longer.
    pub(super) fn patience(&self) -> Duration {
        match self.mover {
            Mover::Datawald | Mover::Loop => self.lease() + self.settle_delay(),
            Mover::Celery => PEER_TIMEOUT,
        }
    }

    pub(super) fn calm(&self) -> Duration {
        Duration::from_secs(self.calm_seconds)
    }

    pub(super) fn lease(&self) -> Duration {
        Duration::from_millis(self.lease_ms)
    }

    pub(super) fn settle_delay(&self) -> Duration {
        Duration::from_millis(self.settle_delay_ms)
    }
}
