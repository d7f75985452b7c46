//! A relay before the node, which the tests can cut, stall and take away, so that no broker must be killed for it.

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What the relay does at present.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// Passes all on.
    Open,
    /// Takes connections and passes nothing on.
    Stalled,
    /// Takes no connections; those there were are cut.
    Away,
}

/// A relay to the node, gone when it is dropped.
pub(crate) struct Proxy {
    port: u16,
    mode: watch::Sender<Mode>,
    listening: watch::Receiver<bool>,
}

impl Proxy {
    /// Starts one, open.
    pub(crate) async fn start() -> Self {
        let node = crate::broker::node();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mode = watch::Sender::new(Mode::Open);
        let (told, listening) = watch::channel(true);
        tokio::spawn(relay(listener, port, node, mode.subscribe(), told));
        Self { port, mode, listening }
    }

    /// The node's URI with the relay's address.
    pub(crate) fn uri(&self) -> String {
        let mut uri = url::Url::parse(&crate::broker::uri()).unwrap();
        uri.set_host(Some("127.0.0.1")).unwrap();
        uri.set_port(Some(self.port)).unwrap();
        uri.to_string()
    }

    /// `host:port` of the relay.
    pub(crate) fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Passes nothing on any more.
    pub(crate) fn stall(&self) {
        self.mode.send_replace(Mode::Stalled);
    }

    /// Cuts all connections and takes no more.
    pub(crate) async fn away(&self) {
        self.mode.send_replace(Mode::Away);
        self.listening.clone().wait_for(|listening| !listening).await.unwrap();
    }

    /// Takes connections again.
    pub(crate) async fn back(&self) {
        self.mode.send_replace(Mode::Open);
        self.listening.clone().wait_for(|listening| *listening).await.unwrap();
    }

    /// Cuts all connections; new ones are taken at once.
    pub(crate) async fn cut(&self) {
        self.away().await;
        self.back().await;
    }
}

async fn relay(
    listener: TcpListener,
    port: u16,
    node: String,
    mut mode: watch::Receiver<Mode>,
    told: watch::Sender<bool>,
) {
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    loop {
        let wanted = *mode.borrow_and_update() != Mode::Away;
        if wanted && listener.is_none() {
            listener = Some(TcpListener::bind(("127.0.0.1", port)).await.unwrap());
        } else if !wanted {
            listener = None;
            connections.shutdown().await;
        }
        told.send_replace(wanted);
        let accepted = async {
            match &listener {
                Some(listener) => listener.accept().await.unwrap().0,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            stream = accepted => {
                connections.spawn(pass(stream, node.clone(), mode.clone()));
            }
            changed = mode.changed() => {
                if changed.is_err() {
                    return;
                }
            }
        }
    }
}

/// Passes one connection on. After a stall it is good for nothing but to be cut.
async fn pass(mut stream: TcpStream, node: String, mut mode: watch::Receiver<Mode>) {
    let Ok(mut node) = TcpStream::connect(node).await else { return };
    tokio::select! {
        _ = copy_bidirectional(&mut stream, &mut node) => return,
        _ = mode.wait_for(|mode| *mode == Mode::Stalled) => {}
    }
    std::future::pending::<()>().await;
}
