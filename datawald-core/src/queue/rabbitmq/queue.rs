//! The queue itself.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::watch;
use tokio::time::timeout;

use super::config::{Address, RabbitSettings};
use super::connection::Link;
use super::consumer::Held;
use super::dead::DeadLetters;
use super::delay;
use super::error;
use super::names::Names;
use super::parcel::Parcel;
use super::publish::{Publisher, Sent};
use super::receive::Feed;
use super::topology::{AFTERMATH, Topology};
use crate::model::FlowId;
use crate::queue::{DeadLetter, Delivery, Published, TaskMessage, TaskQueue};
use crate::{Error, Result};

/// How often a message is published whose queue turns out not to be there: it is declared in between.
const ATTEMPTS: usize = 3;

/// A [`TaskQueue`] over RabbitMQ. Cheap to clone; see [the module](super) for how it works.
#[derive(Clone)]
pub struct RabbitQueue {
    shared: Arc<Shared>,
}

struct Shared {
    prefix: String,
    prefetch: u16,
    idle: Duration,
    link: Arc<Link>,
    publisher: Publisher,
    topology: Arc<Topology>,
    dead: DeadLetters,
    feeds: Mutex<HashMap<FlowId, Arc<Feed>>>,
    open: watch::Sender<bool>,
}

impl RabbitQueue {
    /// Connects, to see that the settings are right. Queues are declared when they are first used.
    ///
    /// # Errors
    /// Of kind `Config` (permanent) for settings that cannot be right: a URI that is none, refused credentials, a virtual host
    /// that is not there or not for this user, a certificate that is not trusted, something else than RabbitMQ at the address.
    /// Of kind `Unreachable` or `Timeout` (retryable) if RabbitMQ cannot be reached. They name `host:port`, never the URI.
    pub async fn connect(settings: RabbitSettings) -> Result<Self> {
        let queue = Self::new(settings)?;
        queue.reach().await?;
        Ok(queue)
    }

    /// Connects when it is first used. A worker can start so while RabbitMQ is away, and work from the store meanwhile.
    ///
    /// # Errors
    /// Of kind `Config` for settings that cannot be right in themselves.
    pub fn new(settings: RabbitSettings) -> Result<Self> {
        settings.check()?;
        let address = Arc::new(Address::parse(&settings.uri)?);
        let link = Arc::new(Link::new("receiver", &settings, address.clone())?);
        let publisher = Publisher::new(Arc::new(Link::new("publisher", &settings, address)?), &settings);
        let shared = Shared {
            publisher,
            topology: Arc::new(Topology::new(link.clone(), &settings)),
            dead: DeadLetters::new(link.clone(), settings.dead_capacity),
            feeds: Mutex::default(),
            open: watch::Sender::new(true),
            prefetch: settings.prefetch,
            idle: settings.idle(),
            prefix: settings.prefix,
            link,
        };
        Ok(Self { shared: Arc::new(shared) })
    }

    /// Connects, if it is not connected.
    ///
    /// # Errors
    /// As [`RabbitQueue::connect`].
    pub async fn reach(&self) -> Result<()> {
        self.shared.link.live().await.map(drop)
    }

    /// Ends it in order: RabbitMQ has back at once what was received and not acknowledged, also by the workers that still hold
    /// it, so stop them before. What is asked of it afterwards is an error.
    pub async fn close(&self) {
        self.shared.open.send_replace(false);
        self.shared.link.close().await;
        self.shared.publisher.close().await;
    }

    /// Deletes the queues of a flow with all that is in them, dead letters included. They are declared again when they are
    /// used again. For tests, and to take an installation down.
    ///
    /// # Errors
    /// Of the connection, or if the user may not.
    pub async fn delete_queues(&self, flow: &FlowId) -> Result<()> {
        self.shared.topology.delete("delete queues", &self.names(flow)).await
    }

    /// The flows that this queue has been used with.
    pub fn flows(&self) -> Vec<FlowId> {
        self.feeds().keys().cloned().collect()
    }

    /// The name of the queue of a flow at the broker; that of its dead letters has `.dead` appended.
    pub fn queue_name(&self, flow: &FlowId) -> String {
        self.names(flow).tasks
    }

    fn names(&self, flow: &FlowId) -> Names {
        Names::new(&self.shared.prefix, flow)
    }

    fn feeds(&self) -> std::sync::MutexGuard<'_, HashMap<FlowId, Arc<Feed>>> {
        self.shared.feeds.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn feed(&self, flow: &FlowId) -> Arc<Feed> {
        let mut feeds = self.feeds();
        if let Some(feed) = feeds.get(flow) {
            return feed.clone();
        }
        let shared = &self.shared;
        let feed = Arc::new(Feed::new(
            flow.clone(),
            self.names(flow),
            (shared.prefetch, shared.idle),
            shared.link.clone(),
            shared.topology.clone(),
            shared.open.subscribe(),
        ));
        feeds.insert(flow.clone(), feed.clone());
        feed
    }

    /// Publishes to the queue of tasks of a flow, of its dead letters or of a delay, declaring it where needed.
    async fn send(&self, operation: &'static str, flow: &FlowId, to: To, parcel: &Parcel) -> Result<Sent> {
        let (shared, feed) = (&self.shared, self.feed(flow));
        let names = &feed.names;
        let queue = match to {
            To::Tasks => names.tasks.clone(),
            To::Dead => names.dead(),
            To::Delay(rung) => names.delay(rung),
        };
        for _ in 0..ATTEMPTS {
            shared.topology.tasks(operation, names).await?;
            if let To::Delay(rung) = to {
                shared.topology.delay(operation, names, rung).await?;
            }
            match shared.publisher.send(operation, &queue, parcel).await? {
                Sent::NoQueue => {
                    tracing::warn!(queue, "the queue is not there, though it was declared; declaring it again");
                    tokio::time::sleep(AFTERMATH).await;
                    shared.topology.forget(names);
                }
                sent => return Ok(sent),
            }
        }
        let message =
            format!("the queue `{queue}` at {} is deleted as often as it is declared", shared.link.address.shown);
        Err(Error::store(operation, message))
    }

    /// Publishes where there must be room.
    async fn send_surely(&self, operation: &'static str, flow: &FlowId, to: To, parcel: &Parcel) -> Result<()> {
        let address = &self.shared.link.address;
        match self.send(operation, flow, to, parcel).await? {
            Sent::Queued => Ok(()),
            Sent::Blocked(reason) => Err(error::blocked(operation, address, &reason)),
            Sent::Refused | Sent::NoQueue => {
                let name = self.names(flow).tasks;
                let message =
                    format!("RabbitMQ at {} has no room for another task of the queue `{name}`", address.shown);
                Err(Error::store(operation, message))
            }
        }
    }

    async fn settle(&self, operation: &'static str, held: Held) -> Result<()> {
        let (link, limit) = (&self.shared.link, self.shared.link.limit);
        match timeout(limit, held.ack()).await {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => {
                let message = format!(
                    "the connection to RabbitMQ at {} over which the task came was lost; it is delivered again",
                    link.address.shown
                );
                Err(Error::store(operation, message))
            }
            Ok(Err(error)) => Err(error::exchange(operation, &link.address, error)),
            Err(_) => Err(error::late(operation, &link.address, limit)),
        }
    }
}

/// A queue of a flow.
#[derive(Clone, Copy)]
enum To {
    Tasks,
    Dead,
    Delay(Duration),
}

#[async_trait]
impl TaskQueue for RabbitQueue {
    async fn publish(&self, message: TaskMessage) -> Result<Published> {
        let parcel = Parcel::task(&message)?;
        Ok(match self.send("publish task", &message.flow, To::Tasks, &parcel).await? {
            Sent::Queued => Published::Queued,
            // What blocks is logged by the connection, once.
            Sent::Refused | Sent::NoQueue | Sent::Blocked(_) => Published::Full,
        })
    }

    async fn receive(&self, flow: &FlowId, wait: Duration) -> Result<Option<Delivery>> {
        self.feed(flow).receive(wait).await
    }

    async fn ack(&self, delivery: Delivery) -> Result<()> {
        let operation = "acknowledge task";
        self.settle(operation, held(operation, delivery)?.1).await
    }

    async fn retry_later(&self, delivery: Delivery, after: Duration) -> Result<()> {
        let operation = "put task back";
        let times = delivery.redelivered.saturating_add(1);
        // If this fails or is broken off, it is dropped, and with that given back at once.
        let (message, held) = held(operation, delivery)?;
        let (rung, millis) = delay::rung(after);
        let parcel = Parcel::retry(&message, times, millis)?;
        self.send_surely(operation, &message.flow, To::Delay(rung), &parcel).await?;
        // Only now: between the two it is there twice rather than not at all.
        self.settle(operation, held).await
    }

    async fn dead(&self, message: &TaskMessage, reason: &str) -> Result<()> {
        let parcel = Parcel::dead(message, reason)?;
        self.send_surely("set task aside", &message.flow, To::Dead, &parcel).await
    }

    async fn dead_letters(&self, flow: &FlowId, limit: usize) -> Result<Vec<DeadLetter>> {
        self.shared.dead.look(flow, &self.names(flow), limit).await
    }
}

fn held(operation: &'static str, delivery: Delivery) -> Result<(TaskMessage, Held)> {
    let Delivery { message, receipt, .. } = delivery;
    match receipt.open() {
        Some(held) => Ok((message, held)),
        None => Err(Error::config(operation, "the delivery comes from another queue than this one")),
    }
}

impl fmt::Debug for RabbitQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RabbitQueue")
            .field("at", &self.shared.link.address.shown)
            .field("prefix", &self.shared.prefix)
            .finish_non_exhaustive()
    }
}
