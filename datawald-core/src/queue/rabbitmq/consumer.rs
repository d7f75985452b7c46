//! One consumer: it carries messages from RabbitMQ to the receivers, and back what they dropped.

use std::sync::Arc;
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicNackOptions, BasicRejectOptions};
use lapin::{Acker, Channel, Consumer};
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::receive::{Feed, OPERATION};
use super::{error, parcel};
use crate::queue::{Delivery, Receipt};

/// A consumer that has brought nothing for this long, and of which nothing is in hand, is made anew. When a quorum queue is
/// deleted and declared again in the same moment, RabbitMQ (3.10) takes the old queue's consumers for the new one's: it hands
/// messages to them that never arrive.
const SILENT: Duration = Duration::from_secs(30);

/// Why a consumer ended.
pub(super) enum End {
    /// The consumer is gone.
    Lost,
    /// It is to end: nobody receives, or nothing comes, or the queue was closed.
    Idle,
}

/// Carries messages from the consumer to the receivers, and back what they dropped.
pub(super) struct Pump<'a> {
    feed: &'a Feed,
    channel: Channel,
    consumer: Consumer,
    fill: async_channel::Sender<Delivery>,
    back: (mpsc::UnboundedSender<Acker>, mpsc::UnboundedReceiver<Acker>),
    /// Shared with all that is held.
    held: Arc<()>,
}

impl<'a> Pump<'a> {
    /// A pump, and what it fills.
    pub(super) fn new(
        feed: &'a Feed,
        channel: Channel,
        consumer: Consumer,
    ) -> (Self, async_channel::Receiver<Delivery>) {
        let (fill, inbox) = async_channel::unbounded();
        (Self { feed, channel, consumer, fill, back: mpsc::unbounded_channel(), held: Arc::default() }, inbox)
    }

    /// Works until the consumer ends, or is to end.
    pub(super) async fn run(&mut self) -> End {
        let mut open = self.feed.open.clone();
        let mut brought = Instant::now();
        let every = self.feed.idle.min(SILENT);
        let mut check = brought + every;
        loop {
            tokio::select! {
                biased;
                // Closed or dropped.
                () = async { open.wait_for(|open| !open).await.map_or((), |_| ()) } => return End::Idle,
                Some(acker) = self.back.1.recv() => requeue(&acker).await,
                () = tokio::time::sleep_until(check) => {
                    let now = Instant::now();
                    let at = match self.feed.left() {
                        Some(left) => left + self.feed.idle,
                        None if Arc::strong_count(&self.held) == 1 => brought + SILENT,
                        None => now + every,
                    };
                    if at <= now {
                        return End::Idle;
                    }
                    // Who is there now may leave any time.
                    check = at.min(now + every);
                }
                received = self.consumer.next() => match received {
                    Some(Ok(delivery)) => {
                        brought = Instant::now();
                        self.take(delivery).await;
                    }
                    Some(Err(error)) => {
                        let error = error::exchange(OPERATION, &self.feed.link.address, error);
                        tracing::warn!(error = %error.report(), flow = %self.feed.flow, "a consumer ended");
                        return End::Lost;
                    }
                    None => {
                        tracing::warn!(queue = self.feed.names.tasks, "RabbitMQ cancelled a consumer: was its queue deleted?");
                        return End::Lost;
                    }
                },
            }
        }
    }

    /// Hands a message over, or sets it aside if it is no task.
    async fn take(&self, delivery: lapin::message::Delivery) {
        let lapin::message::Delivery { properties, data, acker, redelivered, .. } = delivery;
        match parcel::read(&self.feed.flow, &data, &properties) {
            Ok(message) => {
                let held = Held {
                    acker,
                    _channel: self.channel.clone(),
                    back: Some(self.back.0.clone()),
                    _counted: self.held.clone(),
                };
                let delivery = Delivery {
                    message,
                    redelivered: parcel::delivered_before(&properties, redelivered),
                    receipt: Receipt::new(held),
                };
                // The receiving end is in the state, and with that as old as this.
                let _ = self.fill.send(delivery).await;
            }
            Err(wrong) => {
                tracing::warn!(
                    queue = self.feed.names.tasks,
                    "a message {wrong}; it is moved to the queue of dead letters"
                );
                // RabbitMQ moves it itself, body and all, even while it blocks publishers. What is wrong with it is told
                // again by whoever reads it there.
                if let Err(error) = acker.reject(BasicRejectOptions { requeue: false }).await {
                    tracing::debug!(%error, "it could not be moved; it comes again");
                }
            }
        }
    }

    /// Ends the consumer and gives back what nobody has taken. What is in hand can still be acknowledged.
    pub(super) async fn give_back(&mut self, inbox: &async_channel::Receiver<Delivery>) {
        if let Err(error) = self.channel.basic_cancel(self.consumer.tag(), BasicCancelOptions::default()).await {
            tracing::debug!(%error, "the consumer was gone already");
            return;
        }
        // What was on its way.
        while let Some(Some(Ok(delivery))) = self.consumer.next().now_or_never() {
            requeue(&delivery.acker).await;
        }
        self.fill.close();
        while let Ok(delivery) = inbox.try_recv() {
            drop(delivery);
        }
        while let Ok(acker) = self.back.1.try_recv() {
            requeue(&acker).await;
        }
    }
}

/// What a receipt of this queue holds. Dropping it gives the message back.
pub(super) struct Held {
    acker: Acker,
    /// Keeps the channel open, over which alone it can be acknowledged.
    _channel: Channel,
    back: Option<mpsc::UnboundedSender<Acker>>,
    _counted: Arc<()>,
}

impl Held {
    /// Done with it. False if the connection is not there any more over which it came.
    pub(super) async fn ack(mut self) -> lapin::Result<bool> {
        self.back = None;
        self.acker.ack(BasicAckOptions::default()).await
    }
}

/// Whether the connection was lost over which a delivery came: RabbitMQ delivers it again.
pub(super) fn is_stale(delivery: &Delivery) -> bool {
    delivery.receipt.peek::<Held>().is_some_and(|held| !held.acker.usable())
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(back) = self.back.take() {
            // Without the pump, RabbitMQ has it back when the last of its channel's deliveries is done with.
            let _ = back.send(self.acker.clone());
        }
    }
}

async fn requeue(acker: &Acker) {
    if let Err(error) = acker.nack(BasicNackOptions { requeue: true, ..BasicNackOptions::default() }).await {
        // Its connection is gone, and with that it is back.
        tracing::debug!(%error, "a message was given back by losing its connection");
    }
}
