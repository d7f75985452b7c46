//! What a host tells of itself.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::api::Shared;
use crate::api::health::{Health, Part};
use crate::api::problem::Problem;
use crate::model::{FlowId, Table};

/// How long whoever asks for health waits for what the store tells of pauses.
const PATIENCE: Duration = Duration::from_secs(2);

/// Tells that the process lives.
#[utoipa::path(get, path = "/health/live", tag = "health", security(()), responses((status = 200, body = Health)))]
pub(crate) async fn live() -> Json<Health> {
    Json(Health::of(Vec::new()))
}

/// Tells whether this process can do its work, and what is missing. That a shop or an ERP is away makes no process unready: it
/// is `degraded` then, which is a 200.
#[utoipa::path(
    get, path = "/health/ready", tag = "health", security(()),
    responses((status = 200, body = Health), (status = 503, description = "Something is missing without which it can do nothing", body = Health)),
)]
pub(crate) async fn ready(State(shared): State<Arc<Shared>>) -> Response {
    let parts = match &shared.readiness {
        Some(readiness) => readiness.parts(),
        None => vec![store(&shared).await],
    };
    let mut health = Health::of(parts);
    // That the store cannot be read is told by its part.
    let pauses = tokio::time::timeout(PATIENCE, shared.engine.pauses()).await;
    health.pauses = pauses.ok().and_then(Result::ok).unwrap_or_default();
    let status = if health.status == "missing" { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::OK };
    (status, Json(health)).into_response()
}

async fn store(shared: &Shared) -> Part {
    let answer = shared.engine.store().cut(&FlowId::new(Table::Orders, "")).await;
    let detail = answer.as_ref().err().map(ToString::to_string).unwrap_or_default();
    Part { name: "store".to_owned(), ready: answer.is_ok(), required: true, detail }
}

/// The metrics of the host, in Prometheus' text format.
#[utoipa::path(
    get, path = "/metrics", tag = "service",
    responses((status = 200, content_type = "text/plain", body = String), (status = 404, description = "The host keeps no metrics")),
)]
pub(crate) async fn metrics(State(shared): State<Arc<Shared>>) -> Result<Response, Problem> {
    let render =
        shared.metrics.as_ref().ok_or_else(|| Problem::not_found("read metrics", "this host keeps no metrics"))?;
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], render()).into_response())
}

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "service", responses((status = 200, body = serde_json::Value)))]
pub(crate) async fn openapi(State(shared): State<Arc<Shared>>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], shared.document.clone()).into_response()
}
