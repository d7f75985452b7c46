//! What the host answers over HTTP: the place where the core's API plugs in.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use datawald_core::{Error, Result};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::health::Health;
use crate::telemetry::Metrics;

/// The server, listening.
pub(crate) struct Server {
    task: JoinHandle<std::io::Result<()>>,
    stop: watch::Sender<bool>,
}

#[derive(Clone)]
struct Shared {
    health: Health,
    metrics: Arc<Metrics>,
}

impl Server {
    /// Listens at `address`.
    pub(crate) async fn start(address: SocketAddr, health: Health, metrics: Arc<Metrics>) -> Result<Self> {
        let wrong = |error| {
            Error::config("listen", format!("the address {address} cannot be listened at"))
                .field("api.listen")
                .caused_by(error)
        };
        let listener = TcpListener::bind(address).await.map_err(wrong)?;
        let address = listener.local_addr().map_err(wrong)?;
        let router = Router::new()
            .route("/health", get(async || "alive\n"))
            .route("/ready", get(ready))
            .route("/metrics", get(metrics_text))
            .with_state(Shared { health, metrics });
        let stop = watch::Sender::new(false);
        let mut told = stop.subscribe();
        let server = axum::serve(listener, router).with_graceful_shutdown(async move {
            // Either of them: without its sender nobody waits for it any more.
            let _ = told.wait_for(|stop| *stop).await;
        });
        tracing::info!(%address, "listening");
        Ok(Self { task: tokio::spawn(server.into_future()), stop })
    }

    /// Accepts no more, and ends what it has begun to answer.
    pub(crate) async fn stop(self) {
        self.stop.send_replace(true);
        if let Ok(Err(error)) = self.task.await {
            tracing::warn!(%error, "the server did not end well");
        }
    }
}

async fn ready(State(shared): State<Shared>) -> Response {
    let report = shared.health.report();
    let status = if report.ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(report)).into_response()
}

async fn metrics_text(State(shared): State<Shared>) -> Response {
    ([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], shared.metrics.render().await).into_response()
}
