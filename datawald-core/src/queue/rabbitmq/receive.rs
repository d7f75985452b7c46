//! Receiving: one consumer per flow, shared by all receivers of this process.
//!
//! The consumer is made when somebody first receives, by a task of its own, so that a receiver that is dropped half-way
//! breaks nothing off. It ends when the connection is lost, when RabbitMQ cancels it (its queue was deleted), or when nobody
//! has received for a while: what is held here would wait for nobody. The next receiver makes it again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures::{FutureExt, StreamExt};
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicNackOptions, BasicQosOptions, BasicRejectOptions,
};
use lapin::types::FieldTable;
use lapin::{Acker, Channel, Consumer};
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout, timeout_at};

use super::connection::{Link, Live};
use super::names::Names;
use super::topology::Topology;
use super::{error, parcel};
use crate::model::FlowId;
use crate::queue::{Delivery, Receipt};
use crate::{Error, Result};

/// After this long without receivers, what was not handed out is given back to RabbitMQ, for others.
const IDLE: Duration = Duration::from_secs(30);

/// How long a failure to make the consumer stands for the receivers that come after it.
const FAILURE_STANDS: Duration = Duration::from_millis(250);

/// A consumer that ends sooner than this has not really begun.
const BEGUN: Duration = Duration::from_secs(1);

/// A wait longer than this is as good as this.
const LONGEST: Duration = Duration::from_secs(60 * 60 * 24 * 365);

const OPERATION: &str = "receive task";

/// What comes from the queue of one flow.
pub(super) struct Feed {
    flow: FlowId,
    pub(super) names: Names,
    prefetch: u16,
    link: Arc<Link>,
    topology: Arc<Topology>,
    state: watch::Sender<State>,
    presence: Arc<Mutex<Presence>>,
    /// Ends when the queue is closed or dropped.
    open: watch::Receiver<bool>,
}

#[derive(Clone)]
enum State {
    /// There is no consumer.
    None,
    /// One is being made, which ends within the link's limit.
    Starting,
    /// What it has received and nobody has taken yet.
    Live(async_channel::Receiver<Delivery>),
    /// It could not be made.
    Failed(Instant, Error),
}

/// Who is receiving.
struct Presence {
    receivers: usize,
    left: Instant,
}

/// A receiver that is present.
struct Present(Arc<Mutex<Presence>>);

impl Present {
    fn enter(presence: &Arc<Mutex<Presence>>) -> Self {
        presence.lock().unwrap_or_else(PoisonError::into_inner).receivers += 1;
        Self(presence.clone())
    }
}

impl Drop for Present {
    fn drop(&mut self) {
        let mut presence = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        presence.receivers = presence.receivers.saturating_sub(1);
        presence.left = Instant::now();
    }
}

impl Feed {
    pub(super) fn new(
        flow: FlowId,
        names: Names,
        prefetch: u16,
        link: Arc<Link>,
        topology: Arc<Topology>,
        open: watch::Receiver<bool>,
    ) -> Self {
        let presence = Presence { receivers: 0, left: Instant::now() };
        Self {
            flow,
            names,
            prefetch,
            link,
            topology,
            state: watch::Sender::new(State::None),
            presence: Arc::new(Mutex::new(presence)),
            open,
        }
    }

    /// The next delivery, waiting up to `wait` for one, and for as long as it takes to make the consumer or to fail in it.
    pub(super) async fn receive(self: &Arc<Self>, wait: Duration) -> Result<Option<Delivery>> {
        let _present = Present::enter(&self.presence);
        let deadline = Instant::now() + wait.min(LONGEST);
        let mut state = self.state.subscribe();
        loop {
            let now = state.borrow_and_update().clone();
            match now {
                State::Live(inbox) => match timeout_at(deadline, inbox.recv()).await {
                    Err(_) => return Ok(None),
                    // What the lost connection brought comes again over the next.
                    Ok(Ok(delivery)) if !is_stale(&delivery) => return Ok(Some(delivery)),
                    Ok(_) => {}
                },
                State::Failed(at, error) if at.elapsed() < FAILURE_STANDS => return Err(error),
                State::Starting => {
                    // The sender lives in this feed.
                    let _ = state.changed().await;
                }
                State::None | State::Failed(..) => self.start()?,
            }
        }
    }

    fn start(self: &Arc<Self>) -> Result<()> {
        if !*self.open.borrow() {
            return Err(error::closed(OPERATION));
        }
        let mine = self.state.send_if_modified(|state| {
            let startable = matches!(state, State::None | State::Failed(..));
            if startable {
                *state = State::Starting;
            }
            startable
        });
        if mine {
            // Made before the task, so that the state is right even if the runtime ends before it first runs.
            let ended = Ended(self.clone());
            tokio::spawn(async move { ended.0.run().await });
        }
        Ok(())
    }

    async fn run(&self) {
        let limit = self.link.limit;
        let began = Instant::now();
        // Making the connection and declaring the queues are bounded each by themselves.
        let (channel, consumer) = match self.subscribe().await {
            Ok(consumer) => consumer,
            Err(error) => {
                self.state.send_replace(State::Failed(Instant::now(), error));
                return;
            }
        };
        let (fill, inbox) = async_channel::unbounded();
        self.state.send_replace(State::Live(inbox.clone()));
        let mut pump = Pump { feed: self, channel, consumer, fill, back: mpsc::unbounded_channel() };
        let end = pump.run().await;
        self.state.send_replace(match end {
            End::Lost if began.elapsed() < BEGUN => {
                let message = format!(
                    "RabbitMQ at {} ended the consumer of the queue `{}` as soon as it had begun",
                    self.link.address.shown, self.names.tasks
                );
                State::Failed(Instant::now(), Error::store(OPERATION, message))
            }
            End::Lost | End::Idle => State::None,
        });
        if end == End::Idle {
            let _ = timeout(limit, pump.give_back(&inbox)).await;
        }
    }

    async fn subscribe(&self) -> Result<(Channel, Consumer)> {
        // RabbitMQ cancels consumers whose queue was deleted, so what was declared may be gone.
        self.topology.forget(&self.names);
        self.topology.tasks(OPERATION, &self.names).await?;
        let (limit, address) = (self.link.limit, &self.link.address);
        let live = self.link.live().await?;
        timeout(limit, self.consume(&live))
            .await
            .map_err(|_| error::late(OPERATION, address, limit))?
            .map_err(|error| error::exchange(OPERATION, address, error))
    }

    async fn consume(&self, live: &Live) -> lapin::Result<(Channel, Consumer)> {
        let channel = live.channel().await?;
        channel.basic_qos(self.prefetch, BasicQosOptions::default()).await?;
        let queue = self.names.tasks.as_str().into();
        let consumer =
            channel.basic_consume(queue, "".into(), BasicConsumeOptions::default(), FieldTable::default()).await?;
        Ok((channel, consumer))
    }

    /// When it will have been idle for long enough; `None` while somebody receives.
    fn idle_at(&self) -> Option<Instant> {
        let presence = self.presence.lock().unwrap_or_else(PoisonError::into_inner);
        (presence.receivers == 0).then(|| presence.left + IDLE)
    }
}

/// Leaves no state behind that nobody will change, should the task end in the middle (with its runtime).
struct Ended(Arc<Feed>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.state.send_if_modified(|state| {
            let unfinished = matches!(state, State::Starting | State::Live(_));
            if unfinished {
                *state = State::None;
            }
            unfinished
        });
    }
}

#[derive(PartialEq, Eq)]
enum End {
    /// The consumer is gone.
    Lost,
    /// Nobody receives, or the queue was closed.
    Idle,
}

/// Carries messages from the consumer to the receivers, and back what they dropped.
struct Pump<'a> {
    feed: &'a Feed,
    channel: Channel,
    consumer: Consumer,
    fill: async_channel::Sender<Delivery>,
    back: (mpsc::UnboundedSender<Acker>, mpsc::UnboundedReceiver<Acker>),
}

impl Pump<'_> {
    async fn run(&mut self) -> End {
        let mut open = self.feed.open.clone();
        let mut check = Instant::now() + IDLE;
        loop {
            tokio::select! {
                received = self.consumer.next() => match received {
                    Some(Ok(delivery)) => self.take(delivery).await,
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
                Some(acker) = self.back.1.recv() => requeue(&acker).await,
                () = tokio::time::sleep_until(check) => match self.feed.idle_at() {
                    Some(at) if at <= Instant::now() => return End::Idle,
                    at => check = at.unwrap_or_else(|| Instant::now() + IDLE),
                },
                // Closed or dropped.
                () = async { open.wait_for(|open| !open).await.map_or((), |_| ()) } => return End::Idle,
            }
        }
    }

    /// Hands a message over, or sets it aside if it is no task.
    async fn take(&self, delivery: lapin::message::Delivery) {
        let lapin::message::Delivery { properties, data, acker, redelivered, .. } = delivery;
        match parcel::read(&self.feed.flow, &data, &properties) {
            Ok(message) => {
                let held = Held { acker, channel: self.channel.clone(), back: Some(self.back.0.clone()) };
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
    async fn give_back(&mut self, inbox: &async_channel::Receiver<Delivery>) {
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
    channel: Channel,
    back: Option<mpsc::UnboundedSender<Acker>>,
}

impl Held {
    /// Done with it. False if the connection is not there any more over which it came.
    pub(super) async fn ack(mut self) -> lapin::Result<bool> {
        self.back = None;
        self.acker.ack(BasicAckOptions::default()).await
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(back) = self.back.take() {
            // Without the pump, RabbitMQ has it back when the last of its channel's deliveries is done with.
            let _ = back.send(self.acker.clone());
        }
        tracing::trace!(channel = self.channel.id(), "a delivery is let go");
    }
}

/// Whether the connection was lost over which a delivery came: RabbitMQ delivers it again.
fn is_stale(delivery: &Delivery) -> bool {
    delivery.receipt.peek::<Held>().is_some_and(|held| !held.acker.usable())
}

async fn requeue(acker: &Acker) {
    if let Err(error) = acker.nack(BasicNackOptions { requeue: true, ..BasicNackOptions::default() }).await {
        // Its connection is gone, and with that it is back.
        tracing::debug!(%error, "a message was given back by losing its connection");
    }
}
