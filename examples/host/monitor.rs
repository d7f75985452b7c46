//! What any host tells of itself, without tokens: for probes and scrapers in a network of their own.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use datawald_core::Result;
use datawald_core::api::{ApiSettings, Readiness, standing};
use serde_json::json;

use crate::health::Health;
use crate::server::Server;
use crate::telemetry::Metrics;

#[derive(Clone)]
struct Shared {
    health: Health,
    metrics: Arc<Metrics>,
}

/// Answers at `address`, on the paths that the API has for the same.
pub(crate) async fn start(address: SocketAddr, health: Health, metrics: Arc<Metrics>) -> Result<Server> {
    let router = Router::new()
        .route("/health/live", get(async || Json(json!({ "status": "ok" }))))
        .route("/health/ready", get(ready))
        .route("/metrics", get(text))
        .with_state(Shared { health, metrics });
    Server::start("monitor", address, router, ApiSettings::default()).await
}

async fn ready(State(shared): State<Shared>) -> Response {
    let parts = shared.health.parts();
    let word = standing(&parts);
    let status = if word == "missing" { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    let mut health = json!({ "status": word, "parts": parts });
    // The flows that wait for a side that cannot be used; they go on by themselves.
    let pauses = shared.metrics.pauses().await;
    if !pauses.is_empty() {
        health["pauses"] = json!(pauses);
    }
    (status, Json(health)).into_response()
}

async fn text(State(shared): State<Shared>) -> Response {
    shared.metrics.ask().await;
    ([(CONTENT_TYPE, "text/plain; version=0.0.4")], shared.metrics.render()).into_response()
}
