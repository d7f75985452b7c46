//! Listening, and answering until told to stop.

use std::net::SocketAddr;

use axum::Router;
use datawald_core::api::{ApiSettings, serve};
use datawald_core::{Error, Result};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// A server, listening.
pub(crate) struct Server {
    task: JoinHandle<()>,
    stop: watch::Sender<bool>,
}

impl Server {
    /// Answers with `router` at `address`, which the section `section` of the file names.
    pub(crate) async fn start(
        section: &'static str,
        address: SocketAddr,
        router: Router,
        limits: ApiSettings,
    ) -> Result<Self> {
        let wrong = |error| {
            Error::config("listen", format!("the address {address} cannot be listened at"))
                .field(format!("{section}.listen"))
                .caused_by(error)
        };
        let listener = TcpListener::bind(address).await.map_err(wrong)?;
        let address = listener.local_addr().map_err(wrong)?;
        let stop = watch::Sender::new(false);
        let mut told = stop.subscribe();
        let task = tokio::spawn(async move {
            // Without its sender nobody waits for it any more, so it may end in that case too.
            let told = async move { drop(told.wait_for(|stop| *stop).await) };
            serve(listener, router, &limits, told).await;
        });
        tracing::info!(section, %address, "listening");
        Ok(Self { task, stop })
    }

    /// Accepts no more, and ends what it has begun to answer.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        if self.task.await.is_err() {
            tracing::warn!("a server did not end well");
        }
    }
}
