//! How answers are broken on purpose, in either sandbox.

use std::io;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::{Body, to_bytes};
use axum::response::Response;
use futures::stream;

/// Takes a chance of `counter` and tells how many there were: a fault of every n-th call asks for that.
pub(super) fn take_chance(counter: &AtomicU64) -> u64 {
    counter.fetch_add(1, Ordering::SeqCst) + 1
}

/// Whether the `count`-th (from 1) is concerned.
pub(super) fn hits(every: u64, count: u64) -> bool {
    every != 0 && count.is_multiple_of(every)
}

/// The first half of the answer, and then the connection breaks.
pub(super) async fn cut_in_the_middle(response: Response) -> Response {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let half = body.slice(..body.len() / 2);
    let pieces = [Ok(half), Err(io::Error::from(io::ErrorKind::ConnectionAborted))];
    Response::from_parts(parts, Body::from_stream(stream::iter(pieces)))
}
