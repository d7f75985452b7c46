//! The core's REST API over the store of this host: the place where it plugs in.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use datawald_core::Result;
use datawald_core::api::{Api, ApiSettings};
use datawald_core::engine::Engine;
use datawald_examples::Backends;
use serde::Deserialize;

use crate::health::Health;
use crate::server::Server;
use crate::telemetry::Metrics;

/// Where the API answers, and its limits.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ApiSetup {
    /// The address to listen at.
    pub(crate) listen: SocketAddr,
    /// The limits.
    #[serde(default)]
    pub(crate) limits: ApiSettings,
}

/// Answers, dispatching to the queue what is staged.
pub(crate) async fn start(
    setup: &ApiSetup,
    backends: &Backends,
    health: Health,
    metrics: Arc<Metrics>,
) -> Result<Server> {
    let engine = Engine::builder(backends.store().clone()).queue(backends.queue().clone()).build()?;
    let (rendered, flows) = (metrics.clone(), metrics.clone());
    let router = Api::new(engine, setup.limits.clone())?
        .metrics(move || rendered.render())
        .flows(move || flows.flows())
        .readiness(Arc::new(health))
        .router()
        .layer(from_fn(move |request: Request, next: Next| {
            let metrics = metrics.clone();
            async move {
                if request.uri().path() == "/metrics" {
                    metrics.ask().await;
                }
                next.run(request).await
            }
        }));
    Server::start("api", setup.listen, router, setup.limits.clone()).await
}
