//! Stands between the store and its server, and loses answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// A proxy before a server. A command that names what is to be lost is carried out, and its answer never comes: the
/// connection is closed instead.
#[derive(Clone)]
pub(crate) struct Proxy {
    pub(crate) address: String,
    losing: Arc<Mutex<Option<Vec<u8>>>>,
    lost: Arc<AtomicUsize>,
    /// How many more commands get through; the monitor's own are not counted.
    left: Arc<Mutex<Option<usize>>>,
}

impl Proxy {
    pub(crate) async fn before(server: String) -> Self {
        Self::on(TcpListener::bind("127.0.0.1:0").await.unwrap(), server)
    }

    /// As [`Proxy::before`], at the listener's address.
    pub(crate) fn on(listener: TcpListener, server: String) -> Self {
        let proxy = Self {
            address: listener.local_addr().unwrap().to_string(),
            losing: Arc::default(),
            lost: Arc::default(),
            left: Arc::default(),
        };
        let accepting = proxy.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = TcpStream::connect(&server).await else { continue };
                tokio::spawn(accepting.clone().carry(client, server));
            }
        });
        proxy
    }

    /// The next command `verb` to `collection` gets no answer.
    pub(crate) fn lose_one(&self, verb: &str, collection: &str) {
        // As BSON writes an element of type string: the key, the length of the text, the text.
        let mut element = format!("\x02{verb}\0").into_bytes();
        element.extend(u32::try_from(collection.len() + 1).unwrap().to_le_bytes());
        element.extend(format!("{collection}\0").into_bytes());
        *self.losing.lock().unwrap_or_else(PoisonError::into_inner) = Some(element);
    }

    /// After so many commands nothing gets through any more.
    pub(crate) fn cut_off_after(&self, commands: usize) {
        *self.left.lock().unwrap_or_else(PoisonError::into_inner) = Some(commands);
    }

    /// Whether this may go on to the server.
    fn passes(&self, request: &[u8]) -> bool {
        let mut left = self.left.lock().unwrap_or_else(PoisonError::into_inner);
        let of_the_monitor = [&b"hello\0"[..], b"isMaster\0", b"ismaster\0"]
            .iter()
            .any(|name| request.windows(name.len()).any(|part| part == *name));
        match left.as_mut() {
            None => true,
            Some(0) => false,
            Some(_) if of_the_monitor => true,
            Some(left) => {
                *left -= 1;
                true
            }
        }
    }

    pub(crate) fn lost(&self) -> usize {
        self.lost.load(Ordering::SeqCst)
    }

    /// Whether the answer to this is to be lost.
    fn loses(&self, request: &[u8]) -> bool {
        let mut losing = self.losing.lock().unwrap_or_else(PoisonError::into_inner);
        let hit = losing.as_ref().is_some_and(|element| request.windows(element.len()).any(|part| part == element));
        if hit {
            *losing = None;
        }
        hit
    }

    async fn carry(self, client: TcpStream, server: TcpStream) {
        let (mut from_client, mut to_client) = client.into_split();
        let (mut from_server, mut to_server) = server.into_split();
        let losing = Arc::new(AtomicBool::new(false));
        let lose = Arc::clone(&losing);
        let proxy = self.clone();
        let asking = tokio::spawn(async move {
            let mut buffer = vec![0; 1 << 20];
            while let Ok(n @ 1..) = from_client.read(&mut buffer).await {
                if !proxy.passes(&buffer[..n]) {
                    break;
                }
                if proxy.loses(&buffer[..n]) {
                    lose.store(true, Ordering::SeqCst);
                }
                if to_server.write_all(&buffer[..n]).await.is_err() {
                    break;
                }
            }
            // The server closes its side then, and so the client's is closed.
            let _ = to_server.shutdown().await;
        });
        let mut buffer = vec![0; 1 << 20];
        while let Ok(n @ 1..) = from_server.read(&mut buffer).await {
            if losing.load(Ordering::SeqCst) {
                self.lost.fetch_add(1, Ordering::SeqCst);
                break;
            }
            if to_client.write_all(&buffer[..n]).await.is_err() {
                break;
            }
        }
        // Both halves are dropped, and with them the connections.
        asking.abort();
    }
}
