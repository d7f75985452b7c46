//! What was received is carried out, whether or not the caller waits.

use axum::body::Body;
use axum::http::StatusCode;
use axum::response::Response;

/// Carries a call out in a task of its own. A server drops the future of a caller who has hung up; SAP B1 does not: what it
/// has received it goes on with.
pub(super) async fn in_own_task(call: impl Future<Output = Response> + Send + 'static) -> Response {
    tokio::spawn(call).await.unwrap_or_else(|error| {
        tracing::warn!(%error, "a call of the sandbox ended early");
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
        response
    })
}
