//! Many requests in few batches, an outcome each.

use std::time::Duration;

use bytes::Bytes;
use datawald_core::{Concern, Cx, Disposition, Effect, Error, ErrorKind, Result};
use futures::{FutureExt, StreamExt, stream};
use http::Method;
use http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;

use super::batch::{Fate, Request, envelope, fates, read};
use super::client::Call;
use super::error::{MALFORMED, TOO_LARGE, alone, has_code, of_failed_part, of_part};
use super::{ServiceLayerClient, insert};

/// What came of a request that was carried out.
#[derive(Debug)]
pub(super) struct Done {
    /// The body of its answer.
    pub(super) body: Bytes,
    /// Where what it made is, if it says so.
    pub(super) location: Option<String>,
}

impl Done {
    /// Reads what it is answered with.
    pub(super) fn read<T: DeserializeOwned>(&self, operation: &'static str) -> Result<T> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let message = format!("the answer is of another shape (line {}, column {})", error.line(), error.column());
            Error::unknown_outcome(ErrorKind::Protocol, Effect::Read, operation, message)
        })
    }
}

/// Sends `requests` in batches of at most `size`; answers the outcome of each, in order.
pub(super) async fn send_all(
    client: &ServiceLayerClient,
    cx: &Cx,
    operation: &'static str,
    effect: Effect,
    size: usize,
    requests: &[Request],
) -> Vec<Result<Done>> {
    // Boxed and collected, since a lazy map over borrowed chunks is not `Send` for every lifetime.
    let chunks: Vec<_> = chunks(requests, size, client.settings.max_request)
        .into_iter()
        .map(|chunk| send_chunk(client, cx, operation, effect, chunk).boxed())
        .collect();
    let answered: Vec<_> = stream::iter(chunks).buffered(client.settings.sessions).collect().await;
    answered.into_iter().flatten().collect()
}

/// Divides `requests` into batches of at most `size` of them and about `bytes`. One that is larger goes alone.
fn chunks(requests: &[Request], size: usize, bytes: usize) -> Vec<&[Request]> {
    let mut chunks = Vec::new();
    let mut rest = requests;
    while !rest.is_empty() {
        let mut held = 0;
        let fit = rest.iter().take(size).take_while(|request| {
            held += request.size();
            held <= bytes
        });
        let (chunk, others) = rest.split_at(fit.count().max(1));
        chunks.push(chunk);
        rest = others;
    }
    chunks
}

/// One batch, and further ones for what came after a request that failed.
async fn send_chunk(
    client: &ServiceLayerClient,
    cx: &Cx,
    operation: &'static str,
    effect: Effect,
    requests: &[Request],
) -> Vec<Result<Done>> {
    let mut results: Vec<Option<Result<Done>>> = requests.iter().map(|_| None).collect();
    // Groups of places; each group is a batch. The last is sent next.
    let mut groups: Vec<Vec<usize>> = vec![(0..requests.len()).collect()];
    while let Some(group) = groups.pop() {
        let sent: Vec<&Request> = group.iter().filter_map(|place| requests.get(*place)).collect();
        let response = match send_one(client, cx, operation, effect, &sent).await {
            Ok(response) => response,
            // Refused at the door: the halves may be small enough.
            Err(error) if error.kind() == ErrorKind::TooLarge && has_code(&error, TOO_LARGE) && group.len() > 1 => {
                let (left, right) = group.split_at(group.len() / 2);
                groups.extend([right.to_vec(), left.to_vec()]);
                continue;
            }
            Err(error) => {
                learn(client, operation, group.len(), Err(&error));
                set(&mut results, &group, || Err(error.clone()));
                continue;
            }
        };
        let content_type = response.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let answers = match read(content_type, &response.body) {
            Ok(answers) => answers,
            Err(malformed) => {
                let message = format!("the answer to the batch {}", malformed.0);
                let error = Error::unknown_outcome(ErrorKind::Protocol, effect, operation, message);
                set(&mut results, &group, || Err(error.clone()));
                continue;
            }
        };
        let mut not_reached = Vec::new();
        for (place, fate) in group.iter().zip(fates(answers, group.len())) {
            let result = match fate {
                Fate::Answered(part) if part.is_success() => {
                    let location = part.header("Location").map(str::to_owned);
                    Ok(Done { body: response.body.slice_ref(part.body), location })
                }
                Fate::Answered(part) => Err(failed(part.status, part.body, effect, operation)),
                Fate::NotReached => {
                    not_reached.push(*place);
                    continue;
                }
                Fate::Unknown => {
                    let message = "the answer to the batch does not tell of this one";
                    Err(Error::unknown_outcome(ErrorKind::Protocol, effect, operation, message))
                }
            };
            if let Some(slot) = results.get_mut(*place) {
                *slot = Some(result);
            }
        }
        learn(client, operation, group.len() - not_reached.len(), Ok(response.took));
        if !not_reached.is_empty() {
            groups.push(not_reached);
        }
    }
    let missing = || Err(Error::unknown_outcome(ErrorKind::Protocol, effect, operation, "no answer came"));
    results.into_iter().map(|result| result.unwrap_or_else(missing)).collect()
}

/// Learns how long orders take to insert.
fn learn(client: &ServiceLayerClient, operation: &'static str, reached: usize, took: Result<Duration, &Error>) {
    if operation == insert::OPERATION {
        client.write_size.learn(reached, took);
    }
}

fn set(results: &mut [Option<Result<Done>>], places: &[usize], result: impl Fn() -> Result<Done>) {
    for place in places {
        if let Some(slot) = results.get_mut(*place) {
            *slot = Some(result());
        }
    }
}

fn failed(status: u16, body: &[u8], effect: Effect, operation: &'static str) -> Error {
    match effect {
        Effect::Write => of_failed_part(status, body, operation),
        Effect::Read | Effect::IdempotentWrite => of_part(status, body, effect, operation).unwrap_or_else(|| {
            let message = format!("a part of the batch is answered with HTTP {status}");
            let error = Error::new(ErrorKind::Busy, Disposition::Retryable { after: None }, operation, message);
            error.about(Concern::Unclear)
        }),
    }
}

async fn send_one(
    client: &ServiceLayerClient,
    cx: &Cx,
    operation: &'static str,
    effect: Effect,
    requests: &[&Request],
) -> Result<datawald_core::http::HttpResponse> {
    let made = envelope(client.settings.root.path(), requests);
    let bytes = made.body.len();
    let call = Call {
        operation,
        effect,
        method: Method::POST,
        url: client.url("$batch")?,
        body: Some((&made.content_type, made.body.into())),
        parts: requests.len(),
    };
    client.call(cx, call).await.map_err(|error| {
        if has_code(&error, MALFORMED) {
            let message =
                "the Service Layer does not take the batch's envelope; does a proxy on the way change requests?";
            Error::config(operation, message).code(MALFORMED.to_string())
        } else if requests.len() == 1 {
            alone(error, effect, operation, bytes)
        } else {
            error
        }
    })
}
