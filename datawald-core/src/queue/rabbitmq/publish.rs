//! Publishing, with a confirm for every message.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lapin::options::{BasicPublishOptions, ConfirmSelectOptions};
use lapin::{Channel, Confirmation};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::config::RabbitSettings;
use super::connection::{Link, Live};
use super::error;
use super::parcel::Parcel;
use crate::Result;

/// Channels at once; who comes when all are in use waits for one.
const CHANNELS: usize = 64;

/// Publishes over a connection of its own: RabbitMQ blocks connections that publish while it is low on memory or disk, and
/// acknowledgements over a blocked connection would hang with it.
///
/// There is a channel per message under way, and they are used again. On a channel with several, the library cannot tell
/// which of them it was that RabbitMQ returned, since the confirm of another may come between the return and the confirm
/// that belongs to it.
pub(super) struct Publisher {
    link: Arc<Link>,
    limit: Duration,
    turns: Semaphore,
    idle: Mutex<Vec<Idle>>,
}

struct Idle {
    live: Arc<Live>,
    channel: Channel,
}

/// What became of a message.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// It is in the queue.
    Queued,
    /// The queue has no room for it.
    Refused,
    /// There is no such queue.
    NoQueue,
    /// RabbitMQ takes nothing at present.
    Blocked(Arc<str>),
}

impl Publisher {
    pub(super) fn new(link: Arc<Link>, settings: &RabbitSettings) -> Self {
        Self { link, limit: settings.publish_timeout(), turns: Semaphore::new(CHANNELS), idle: Mutex::default() }
    }

    /// Publishes to a queue and waits for the confirm, but no longer than the limit.
    ///
    /// After an error the message may be in the queue nevertheless. After `Blocked` it is not, but for one that was under way
    /// when RabbitMQ began to block, which it may still take when it goes on.
    pub(super) async fn send(&self, operation: &'static str, queue: &str, parcel: &Parcel) -> Result<Sent> {
        let live = self.link.live().await?;
        let sending = async {
            tokio::select! {
                biased;
                reason = live.until_blocked() => Ok(Sent::Blocked(reason)),
                sent = self.confirmed(&live, queue, parcel) => sent,
            }
        };
        let address = &self.link.address;
        match timeout(self.limit, sending).await {
            Err(_) => Err(error::late(operation, address, self.limit)),
            Ok(sent) => sent.map_err(|error| error::exchange(operation, address, error)),
        }
    }

    async fn confirmed(&self, live: &Arc<Live>, queue: &str, parcel: &Parcel) -> lapin::Result<Sent> {
        // Closed never, so this fails never.
        let _turn = self.turns.acquire().await.ok();
        // It is dropped, and with that closed, unless it comes back in order.
        let channel = self.channel(live).await?;
        let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
        let confirm = channel
            .basic_publish("".into(), queue.into(), options, &parcel.body, parcel.properties.clone())
            .await?
            .await?;
        self.idle().push(Idle { live: live.clone(), channel });
        Ok(match confirm {
            Confirmation::Ack(None) => Sent::Queued,
            Confirmation::Ack(Some(_)) => Sent::NoQueue,
            Confirmation::Nack(_) | Confirmation::NotRequested => Sent::Refused,
        })
    }

    async fn channel(&self, live: &Arc<Live>) -> lapin::Result<Channel> {
        let idle = {
            let mut idle = self.idle();
            // Those of a connection that was lost are of no use.
            idle.retain(|idle| Arc::ptr_eq(&idle.live, live) && idle.channel.status().connected());
            idle.pop()
        };
        match idle {
            Some(idle) => Ok(idle.channel),
            None => {
                let channel = live.channel().await?;
                channel.confirm_select(ConfirmSelectOptions::default()).await?;
                Ok(channel)
            }
        }
    }

    fn idle(&self) -> std::sync::MutexGuard<'_, Vec<Idle>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) async fn close(&self) {
        self.idle().clear();
        self.link.close().await;
    }
}
