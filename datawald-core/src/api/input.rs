//! Reading requests: bounded, and with errors that name the field.

use std::sync::Arc;
use std::time::Duration;

use axum::body::to_bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use serde::de::DeserializeOwned;

use super::problem::Problem;
use super::{Shared, ijson};

const OPERATION: &str = "read request";

/// Longest key or name, in characters.
const LONGEST_NAME: usize = 200;

/// A JSON body.
pub(super) struct Body<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<Arc<Shared>> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, shared: &Arc<Shared>) -> Result<Self, Problem> {
        let kind = request.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = kind.unwrap_or_default().split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        if essence != "application/json" {
            let error = crate::Error::invalid(OPERATION, "send JSON, with the header `Content-Type: application/json`");
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, error));
        }
        let settings = &shared.settings;
        let limit = settings.max_body;
        let arriving = to_bytes(request.into_body(), limit);
        let bytes = match tokio::time::timeout(Duration::from_millis(settings.body_timeout_ms), arriving).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(error)) if is_too_large(&error) => {
                let error = crate::Error::new(
                    crate::ErrorKind::TooLarge,
                    crate::Disposition::Rejected,
                    OPERATION,
                    format!("the body is larger than {limit} bytes: send fewer entities at once"),
                );
                return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, error));
            }
            Ok(Err(_)) => return Err(Problem::bad_request(OPERATION, "the body broke off")),
            Err(_) => {
                let message = "the body did not arrive in time";
                return Err(Problem::wait(StatusCode::REQUEST_TIMEOUT, OPERATION, message, Duration::from_secs(1)));
            }
        };
        if depth(&bytes) > settings.max_depth {
            let message = format!("the JSON is nested deeper than {} levels", settings.max_depth);
            return Err(Problem::bad_request(OPERATION, message));
        }
        ijson::check(&bytes).map_err(|mistake| Problem::field(OPERATION, mistake.path, mistake.message))?;
        parse(&bytes, "").map(Self)
    }
}

fn is_too_large(error: &axum::Error) -> bool {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if error.to_string().contains("length limit exceeded") {
            return true;
        }
        cause = error.source();
    }
    false
}

/// Reads JSON; what is wrong is told by its path, below `prefix`.
pub(super) fn parse<T: DeserializeOwned>(json: &[u8], prefix: &str) -> Result<T, Problem> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        let path = path_below(prefix, &error.path().to_string());
        let error = error.into_inner();
        match error.classify() {
            serde_json::error::Category::Data => Problem::field(OPERATION, path, what_is_wrong(&error)),
            _ => {
                let place = format!("the body is no JSON at line {} column {}", error.line(), error.column());
                Problem::bad_request(OPERATION, place)
            }
        }
    })?;
    reader.end().map_err(|_| Problem::bad_request(OPERATION, "there is something after the JSON"))?;
    Ok(value)
}

pub(super) fn path_below(prefix: &str, path: &str) -> String {
    match (prefix, path) {
        ("", ".") => "body".to_owned(),
        (_, ".") => prefix.to_owned(),
        ("", path) => path.to_owned(),
        (prefix, path) if path.starts_with('[') => format!("{prefix}{path}"),
        (prefix, path) => format!("{prefix}.{path}"),
    }
}

/// serde's words without the value that it met, which may be a customer's.
fn what_is_wrong(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let text = text.rsplit_once(" at line ").map_or(text.as_str(), |(text, _)| text);
    if ["missing field", "unknown field", "unknown variant", "duplicate field"]
        .iter()
        .any(|known| text.starts_with(known))
    {
        return text.chars().filter(|char| !char.is_control()).take(300).collect();
    }
    match text.rsplit_once(", expected ") {
        Some((_, expected)) => format!("is not what it is to be: expected {expected}"),
        None => "is not what it is to be".to_owned(),
    }
}

/// How deep JSON is nested. What is in strings does not count.
fn depth(json: &[u8]) -> usize {
    let (mut depth, mut deepest, mut in_string, mut escaped) = (0_usize, 0, false, false);
    for byte in json {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// The query of an address.
pub(super) struct Query<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<Arc<Shared>> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &Arc<Shared>) -> Result<Self, Problem> {
        let query = axum::extract::Query::<T>::try_from_uri(&parts.uri);
        query.map(|axum::extract::Query(query)| Self(query)).map_err(|error| {
            let text = error.body_text();
            let words = text.rsplit(": ").next().unwrap_or_default();
            let known = ["missing field", "unknown field", "unknown variant", "duplicate field"];
            let words =
                if known.iter().any(|known| words.starts_with(known)) { words } else { "a value is not of its type" };
            Problem::new(StatusCode::BAD_REQUEST, crate::Error::invalid(OPERATION, words).field("query"))
        })
    }
}

/// The parts of a path, percent-decoded.
pub(super) struct Path<T>(pub(super) T);

impl<T: DeserializeOwned + Send> FromRequestParts<Arc<Shared>> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, shared: &Arc<Shared>) -> Result<Self, Problem> {
        axum::extract::Path::<T>::from_request_parts(parts, shared)
            .await
            .map(|axum::extract::Path(path)| Self(path))
            .map_err(|_| {
                let error = crate::Error::invalid(OPERATION, "is not text in UTF-8, percent-encoded").field("path");
                Problem::new(StatusCode::BAD_REQUEST, error)
            })
    }
}

/// Refuses a key or name that is none: empty, too long, or with control characters, which have no business in keys and
/// would forge lines of logs.
pub(super) fn check_name(field: &str, name: &str) -> Result<(), Problem> {
    let wrong = |message: &str| Err(Problem::field(OPERATION, field, message));
    match name {
        "" => wrong("is empty"),
        _ if name.chars().count() > LONGEST_NAME => wrong("is longer than 200 characters"),
        _ if name.chars().any(char::is_control) => wrong("holds control characters"),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::depth;

    #[test]
    fn depth_counts_brackets_outside_strings() {
        for (json, expected) in
            [("1", 0), ("[]", 1), (r#"{"a":[{"b":"[[[["}]}"#, 3), (r#"["\"[[", [[]]]"#, 3), ("]]][", 1)]
        {
            assert_eq!(depth(json.as_bytes()), expected, "{json}");
        }
    }
}
