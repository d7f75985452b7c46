//! Receiving: one consumer per flow, shared by all receivers of this process.
//!
//! The consumer is made when somebody first receives, by a task of its own, so that a receiver that is dropped half-way
//! breaks nothing off. It ends when the connection is lost, when RabbitMQ cancels it (its queue was deleted), when nobody has
//! received for a while (what is held here would wait for nobody), and when nothing has come for a while. Whoever receives
//! next, or waits, makes it again.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use lapin::options::{BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};

use super::connection::{Link, Live};
use super::consumer::{End, Pump, is_stale};
use super::error;
use super::names::Names;
use super::topology::{AFTERMATH, Topology};
use crate::model::FlowId;
use crate::queue::Delivery;
use crate::{Error, Result};

/// A wait longer than this is as good as this.
const LONGEST: Duration = Duration::from_secs(60 * 60 * 24 * 365);

pub(super) const OPERATION: &str = "receive task";

/// What comes from the queue of one flow.
pub(super) struct Feed {
    pub(super) flow: FlowId,
    pub(super) names: Names,
    prefetch: u16,
    pub(super) idle: Duration,
    pub(super) link: Arc<Link>,
    topology: Arc<Topology>,
    state: watch::Sender<State>,
    presence: Arc<Mutex<Presence>>,
    /// Ends when the queue is closed or dropped.
    pub(super) open: watch::Receiver<bool>,
}

#[derive(Clone)]
enum State {
    /// There is no consumer.
    None,
    /// One is being made, or will be in a moment.
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
        (prefetch, idle): (u16, Duration),
        link: Arc<Link>,
        topology: Arc<Topology>,
        open: watch::Receiver<bool>,
    ) -> Self {
        let presence = Presence { receivers: 0, left: Instant::now() };
        Self {
            flow,
            names,
            prefetch,
            idle: idle.min(LONGEST),
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
        let asked = Instant::now();
        let deadline = asked + wait.min(LONGEST);
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
                State::Failed(at, error) if at >= asked => return Err(error),
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
            let turn = Turn { feed: self.clone(), over: false };
            tokio::spawn(async move { turn.run().await });
        }
        Ok(())
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

    /// Since when nobody receives; `None` while somebody does.
    pub(super) fn left(&self) -> Option<Instant> {
        let presence = self.presence.lock().unwrap_or_else(PoisonError::into_inner);
        (presence.receivers == 0).then_some(presence.left)
    }
}

/// The life of one consumer, from being made to its end: one at a time.
struct Turn {
    feed: Arc<Feed>,
    over: bool,
}

impl Turn {
    async fn run(mut self) {
        let feed = self.feed.clone();
        // Making the connection and declaring the queues are bounded each by themselves.
        let (channel, consumer) = match feed.subscribe().await {
            Ok(consumer) => consumer,
            Err(error) => {
                self.end(State::Failed(Instant::now(), error));
                return;
            }
        };
        let (mut pump, inbox) = Pump::new(&feed, channel, consumer);
        feed.state.send_replace(State::Live(inbox.clone()));
        match pump.run().await {
            End::Lost => {
                feed.state.send_replace(State::Starting);
                drop(pump);
                tokio::time::sleep(AFTERMATH).await;
                self.end(State::None);
            }
            End::Idle => {
                self.end(State::None);
                let _ = timeout(feed.link.limit, pump.give_back(&inbox)).await;
            }
        }
    }

    /// Leaves the state to the next.
    fn end(&mut self, state: State) {
        self.over = true;
        self.feed.state.send_replace(state);
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        // Its task was ended in the middle, with its runtime.
        if !self.over {
            self.feed.state.send_replace(State::None);
        }
    }
}
