//! A connection that is made when it is needed, and made again when it was lost.
//!
//! The library can recover connections by itself (`enable_auto_recover`), but then a caller waits inside it for as long as
//! the broker is away, and whatever was declared is replayed whether it still fits or not. Here whoever needs a connection
//! makes it, and is told at once when that fails; what depends on it (channels, consumers, declarations) is made anew by
//! whoever needs that. There is nothing that runs while nobody asks.

use std::net::Shutdown;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use futures::StreamExt;
use lapin::tcp::{AMQPUriTcpExt, RustlsConnector, TLSConfig};
use lapin::uri::AMQPScheme;
use lapin::{AsyncTcpStream, Channel, Connection, ConnectionProperties, Event};
use socket2::{SockRef, Socket};
use tokio::sync::{Mutex, watch};
use tokio::task::AbortHandle;
use tokio::time::{Instant, timeout};

use super::config::{Address, RabbitSettings};
use super::error;
use crate::{Result, tls};

const OPERATION: &str = "connect to RabbitMQ";

/// How long an orderly end of a connection may take.
const GOODBYE: Duration = Duration::from_secs(2);

/// Where a connection to RabbitMQ is had.
pub(super) struct Link {
    /// Shown to RabbitMQ's operators.
    name: String,
    pub(super) address: Arc<Address>,
    tls: Option<RustlsConnector>,
    pub(super) limit: Duration,
    slot: Arc<Mutex<Slot>>,
}

#[derive(Default)]
struct Slot {
    live: Option<Arc<Live>>,
    failed: Option<(Instant, crate::Error)>,
    closed: bool,
}

/// A connection.
pub(super) struct Live {
    connection: Connection,
    blocked: watch::Receiver<Option<Arc<str>>>,
    watcher: AbortHandle,
}

impl Link {
    pub(super) fn new(role: &str, settings: &RabbitSettings, address: Arc<Address>) -> Result<Self> {
        let tls = match address.uri.scheme {
            AMQPScheme::AMQP => None,
            AMQPScheme::AMQPS => {
                let (pem, provider) = (settings.extra_ca_pem()?, settings.tls_provider.clone());
                Some(tls::tls_config(pem.as_deref(), provider)?.into())
            }
        };
        Ok(Self {
            name: format!("datawald {role}, process {}", std::process::id()),
            address,
            tls,
            limit: settings.connect_timeout(),
            slot: Arc::default(),
        })
    }

    /// The connection as it is, or a new one. Those who ask while one is being made share what comes of it.
    pub(super) async fn live(self: &Arc<Self>) -> Result<Arc<Live>> {
        let asked = Instant::now();
        let mut slot = self.slot.clone().lock_owned().await;
        if slot.closed {
            return Err(error::closed(OPERATION));
        }
        if let Some(live) = &slot.live
            && live.connection.status().connected()
        {
            return Ok(live.clone());
        }
        if let Some((at, error)) = &slot.failed
            && *at >= asked
        {
            return Err(error.clone());
        }
        slot.live = None;
        let link = self.clone();
        // A task of its own: whoever asked may give up, those who wait behind it have not.
        let connecting = tokio::spawn(async move {
            let made = link.connect().await.map(Arc::new);
            match &made {
                Ok(live) => *slot = Slot { live: Some(live.clone()), ..Slot::default() },
                Err(error) => slot.failed = Some((Instant::now(), error.clone())),
            }
            made
        });
        connecting.await.unwrap_or_else(|_| Err(error::closed(OPERATION)))
    }

    async fn connect(&self) -> Result<Live> {
        let (attempt, limit, tls) = (Attempt::default(), self.limit, self.tls.clone());
        let socket = attempt.0.clone();
        let connecting = Connection::connector(
            self.address.uri.clone(),
            lapin::runtime::default_runtime().map_err(|error| error::connecting(OPERATION, &self.address, error))?,
            // Runs in the library's own thread.
            async move |uri, runtime| {
                let mut plain = uri.clone();
                plain.scheme = AMQPScheme::AMQP;
                let connecting = plain.connect_with_config_async(TLSConfig::default(), &runtime);
                let stream = timeout(limit, connecting).await.map_err(std::io::Error::from)??;
                if let AsyncTcpStream::Plain(stream) = &stream {
                    socket.keep(SockRef::from(stream.get_ref()).try_clone()?)?;
                }
                Ok(match &tls {
                    None => stream,
                    Some(connector) => stream.into_rustls(connector, &uri.authority.host).await?,
                })
            },
            ConnectionProperties::default().with_connection_name(self.name.as_str().into()),
        );
        let connection = timeout(limit, connecting)
            .await
            .map_err(|_| error::late(OPERATION, &self.address, limit))?
            .map_err(|error| error::connecting(OPERATION, &self.address, error))?;
        attempt.succeeded();
        let (told, blocked) = watch::channel(None);
        let watcher = tokio::spawn(watch_blocked(connection.events_listener(), told, self.address.clone()));
        Ok(Live { connection, blocked, watcher: watcher.abort_handle() })
    }

    /// Ends the connection in order, and makes no other. RabbitMQ delivers again at once what was not acknowledged.
    pub(super) async fn close(&self) {
        let mut slot = self.slot.lock().await;
        slot.closed = true;
        if let Some(live) = slot.live.take() {
            // A blocked connection takes nothing, a lost one is gone already: both end with the process.
            let _ = timeout(GOODBYE, live.connection.close(200, "closing".into())).await;
        }
    }
}

impl Live {
    /// A new channel.
    pub(super) async fn channel(&self) -> lapin::Result<Channel> {
        self.connection.create_channel().await
    }

    /// Waits until RabbitMQ blocks this connection, as it does with those that publish while it is low on memory or disk, and
    /// tells why.
    pub(super) async fn until_blocked(&self) -> Arc<str> {
        let mut blocked = self.blocked.clone();
        loop {
            if let Some(reason) = blocked.borrow_and_update().clone() {
                return reason;
            }
            if blocked.changed().await.is_err() {
                // Nobody tells any more, since the connection ends.
                std::future::pending::<()>().await;
            }
        }
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.watcher.abort();
    }
}

/// Logs when RabbitMQ blocks and unblocks a connection, and tells those who wait.
async fn watch_blocked(
    events: impl futures::Stream<Item = Event>,
    told: watch::Sender<Option<Arc<str>>>,
    address: Arc<Address>,
) {
    let at = &address.shown;
    let mut events = std::pin::pin!(events);
    while let Some(event) = events.next().await {
        match event {
            Event::ConnectionBlocked(reason) => {
                tracing::warn!(
                    "RabbitMQ at {at} blocks publishers: {reason}; tasks wait in the store until it takes them again"
                );
                told.send_replace(Some(reason.into()));
            }
            Event::ConnectionUnblocked => {
                tracing::info!("RabbitMQ at {at} takes tasks again");
                told.send_replace(None);
            }
            _ => {}
        }
    }
}

/// An attempt to connect. Giving it up ends its socket: the library's thread would wait for ever for a peer that takes
/// connections and says nothing.
#[derive(Default)]
struct Attempt(Arc<Handle>);

/// A handle of the socket of an attempt.
#[derive(Default)]
struct Handle(std::sync::Mutex<Stage>);

#[derive(Default)]
enum Stage {
    #[default]
    Begun,
    Made(Socket),
    Over,
}

impl Handle {
    /// Keeps the socket's handle, unless the attempt has been given up meanwhile.
    fn keep(&self, socket: Socket) -> std::io::Result<()> {
        let mut stage = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Stage::Over = *stage {
            return Err(std::io::ErrorKind::TimedOut.into());
        }
        *stage = Stage::Made(socket);
        Ok(())
    }

    fn over(&self) -> Stage {
        std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), Stage::Over)
    }
}

impl Attempt {
    /// Lets the handle go, so that the socket closes with the library's own.
    fn succeeded(self) {
        drop(self.0.over());
    }
}

impl Drop for Attempt {
    fn drop(&mut self) {
        if let Stage::Made(socket) = self.0.over() {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}
