//! The queues at the broker, declared when they are needed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lapin::options::{QueueDeclareOptions, QueueDeleteOptions};
use lapin::types::{AMQPValue, FieldTable};
use tokio::time::{Instant, timeout};

use super::config::RabbitSettings;
use super::connection::Link;
use super::delay::{DECLARED_AGAIN, LINGERS};
use super::error;
use super::names::Names;
use crate::Result;

/// How long a queue that was deleted is left alone before it is declared again. RabbitMQ tells the consumers of a quorum queue
/// of its end a little later than it is gone (some milliseconds, or more while it has much to do), and no more if there is
/// another of its name by then.
pub(super) const AFTERMATH: Duration = Duration::from_secs(1);

/// Declares queues, and remembers which it has.
///
/// It works over the receivers' connection, which RabbitMQ never blocks.
pub(super) struct Topology {
    link: Arc<Link>,
    capacity: u32,
    dead_capacity: u32,
    delivery_limit: u32,
    declared: Mutex<HashMap<String, Instant>>,
    /// One at a time: all publishers of a flow need the same queue at the same moment.
    turn: tokio::sync::Mutex<()>,
}

impl Topology {
    pub(super) fn new(link: Arc<Link>, settings: &RabbitSettings) -> Self {
        Self {
            link,
            capacity: settings.capacity,
            dead_capacity: settings.dead_capacity,
            delivery_limit: settings.delivery_limit,
            declared: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
        }
    }

    /// Sees to it that the queue of tasks and that of dead letters are there, as far as is known.
    pub(super) async fn tasks(&self, operation: &'static str, names: &Names) -> Result<()> {
        // The queue of dead letters first: the other refers to it.
        self.queue(operation, &names.dead(), Duration::MAX, || self.dead_arguments()).await?;
        self.queue(operation, &names.tasks, Duration::MAX, || self.task_arguments(names)).await
    }

    /// Sees to it that the queue of a delay is there, and stays for as long as a message is in it.
    pub(super) async fn delay(&self, operation: &'static str, names: &Names, rung: Duration) -> Result<()> {
        self.queue(operation, &names.delay(rung), DECLARED_AGAIN, || self.delay_arguments(names, rung)).await
    }

    /// The queues of a flow turned out not to be there: they are declared again when they are needed next.
    pub(super) fn forget(&self, names: &Names) {
        let all: Vec<_> = names.all().collect();
        self.declared.lock().unwrap_or_else(PoisonError::into_inner).retain(|name, _| !all.contains(name));
    }

    /// Deletes all queues of a flow, with what is in them.
    pub(super) async fn delete(&self, operation: &'static str, names: &Names) -> Result<()> {
        self.forget(names);
        let live = self.link.live().await?;
        let deleting = async {
            let channel = live.channel().await?;
            for name in names.all() {
                channel.queue_delete(name.into(), QueueDeleteOptions::default()).await?;
            }
            channel.close(200, "done".into()).await
        };
        let (address, limit) = (&self.link.address, self.link.limit);
        timeout(limit, deleting)
            .await
            .map_err(|_| error::late(operation, address, limit))?
            .map_err(|error| error::exchange(operation, address, error))
    }

    async fn queue(
        &self,
        operation: &'static str,
        name: &str,
        lasts: Duration,
        arguments: impl FnOnce() -> FieldTable,
    ) -> Result<()> {
        if self.is_known(name, lasts) {
            return Ok(());
        }
        let live = self.link.live().await?;
        let declaring = async {
            let _turn = self.turn.lock().await;
            if self.is_known(name, lasts) {
                return Ok(());
            }
            let channel = live.channel().await?;
            let options = QueueDeclareOptions { durable: true, ..QueueDeclareOptions::default() };
            // RabbitMQ ends the channel when it refuses.
            channel.queue_declare(name.into(), options, arguments()).await?;
            self.declared.lock().unwrap_or_else(PoisonError::into_inner).insert(name.to_owned(), Instant::now());
            Ok(())
        };
        let (address, limit) = (&self.link.address, self.link.limit);
        timeout(limit, declaring)
            .await
            .map_err(|_| error::late(operation, address, limit))?
            .map_err(|error| error::declaring(operation, address, name, error))
    }

    fn is_known(&self, name: &str, lasts: Duration) -> bool {
        let declared = self.declared.lock().unwrap_or_else(PoisonError::into_inner);
        declared.get(name).is_some_and(|at| at.elapsed() < lasts)
    }

    fn task_arguments(&self, names: &Names) -> FieldTable {
        let mut arguments = quorum(self.capacity, "reject-publish");
        arguments.insert("x-delivery-limit".into(), long(self.delivery_limit.into()));
        dead_lettering(&mut arguments, &names.dead());
        arguments
    }

    fn dead_arguments(&self) -> FieldTable {
        let mut arguments = quorum(self.dead_capacity, "drop-head");
        // Looking at what is in it counts as a delivery; newer brokers have a limit of 20 unless told otherwise.
        arguments.insert("x-delivery-limit".into(), long(i32::MAX.into()));
        arguments
    }

    fn delay_arguments(&self, names: &Names, rung: Duration) -> FieldTable {
        let millis = |time: Duration| long(i64::try_from(time.as_millis()).unwrap_or(i64::MAX));
        let mut arguments = quorum(self.capacity, "reject-publish");
        arguments.insert("x-message-ttl".into(), millis(rung));
        arguments.insert("x-expires".into(), millis(rung + LINGERS));
        dead_lettering(&mut arguments, &names.tasks);
        arguments
    }
}

/// A quorum queue: replicated where the broker is a cluster, and the quickest there is with confirms.
fn quorum(length: u32, overflow: &str) -> FieldTable {
    let mut arguments = FieldTable::default();
    arguments.insert("x-queue-type".into(), text("quorum"));
    arguments.insert("x-max-length".into(), long(length.into()));
    arguments.insert("x-overflow".into(), text(overflow));
    arguments
}

/// Moves what expires or is rejected to the queue `to`, and lets go of it only when it is there.
fn dead_lettering(arguments: &mut FieldTable, to: &str) {
    arguments.insert("x-dead-letter-exchange".into(), text(""));
    arguments.insert("x-dead-letter-routing-key".into(), text(to));
    arguments.insert("x-dead-letter-strategy".into(), text("at-least-once"));
}

fn long(number: i64) -> AMQPValue {
    AMQPValue::LongLongInt(number)
}

fn text(text: &str) -> AMQPValue {
    AMQPValue::LongString(text.into())
}
