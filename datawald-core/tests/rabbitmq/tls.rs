//! TLS before the node.

use std::path::PathBuf;
use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivatePkcs8KeyDer;

/// Speaks TLS with a certificate of its own, and passes what is in it on to the node.
pub(crate) struct Front {
    port: u16,
    folder: tempfile::TempDir,
}

impl Front {
    /// Starts one whose certificate is for the host `name`.
    pub(crate) async fn start(name: &str) -> Self {
        let certified = rcgen::generate_simple_self_signed([name.to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("ca.pem"), certified.cert.pem()).unwrap();
        let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certified.cert.der().clone()], key.into())
            .unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut node = TcpStream::connect(crate::broker::node()).await.unwrap();
                    let _ = copy_bidirectional(&mut stream, &mut node).await;
                });
            }
        });
        Self { port, folder }
    }

    /// The node's URI over TLS, by the name `host`.
    pub(crate) fn uri(&self, host: &str) -> String {
        let plain = url::Url::parse(&crate::broker::uri()).unwrap();
        let path = plain.path();
        let password = plain.password().unwrap_or("guest");
        let user = if plain.username().is_empty() { "guest" } else { plain.username() };
        format!("amqps://{user}:{password}@{host}:{}{path}", self.port)
    }

    pub(crate) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("ca.pem")
    }
}
