//! What went wrong, as the API tells it: RFC 9457 problem details.

use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::wire::{FieldError, ProblemBody};
use crate::{Disposition, Error, ErrorKind};

/// A refusal or a failure on its way to a caller.
#[derive(Debug)]
pub(crate) struct Problem(Box<Told>);

#[derive(Debug)]
struct Told {
    status: StatusCode,
    error: Error,
    fields: Vec<(String, String)>,
}

impl Problem {
    pub(crate) fn new(status: StatusCode, error: Error) -> Self {
        let fields = error.field_path().map(|path| (path.to_owned(), error.message().to_owned()));
        Self(Box::new(Told { status, fields: fields.into_iter().collect(), error }))
    }

    /// The request is not one that can be understood.
    pub(crate) fn bad_request(operation: &'static str, message: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, Error::invalid(operation, message))
    }

    /// A field is not acceptable.
    pub(crate) fn field(operation: &'static str, path: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(StatusCode::UNPROCESSABLE_ENTITY, Error::invalid(operation, message).field(path))
    }

    /// There is no such thing.
    pub(crate) fn not_found(operation: &'static str, message: impl Into<String>) -> Self {
        let error = Error::new(ErrorKind::NotFound, Disposition::Rejected, operation, message);
        Self::new(StatusCode::NOT_FOUND, error)
    }

    /// Somebody else was quicker, or holds it.
    pub(crate) fn conflict(operation: &'static str, message: impl Into<String>) -> Self {
        let error = Error::new(ErrorKind::Fenced, Disposition::Rejected, operation, message);
        Self::new(StatusCode::CONFLICT, error)
    }

    /// Too much at once; again after `wait`.
    pub(crate) fn wait(status: StatusCode, operation: &'static str, message: &str, wait: Duration) -> Self {
        let error = Error::new(ErrorKind::Busy, Disposition::Retryable { after: Some(wait) }, operation, message);
        Self::new(status, error)
    }

    /// The error that it tells.
    pub(crate) fn into_error(self) -> Error {
        self.0.error
    }
}

impl From<Error> for Problem {
    /// What the store, the queue or the engine answered.
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            ErrorKind::NotFound => StatusCode::NOT_FOUND,
            ErrorKind::Invalid | ErrorKind::Mapping | ErrorKind::Refused => StatusCode::UNPROCESSABLE_ENTITY,
            ErrorKind::Fenced => StatusCode::CONFLICT,
            ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            // The core's own troubles: with its store, its queue or its configuration. Trying again may help.
            _ => StatusCode::SERVICE_UNAVAILABLE,
        };
        if status == StatusCode::SERVICE_UNAVAILABLE {
            tracing::error!(error = %error.report(), "a request to the API failed");
        }
        Self::new(status, error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Told { status, error, fields } = *self.0;
        let kind = error.kind().as_str();
        let (disposition, after) = match error.disposition() {
            Disposition::Retryable { after } => ("retryable", after),
            Disposition::Uncertain => ("uncertain", None),
            Disposition::Rejected => ("rejected", None),
            Disposition::Permanent => ("permanent", None),
        };
        let detail = match error.entity_text() {
            Some(entity) => format!("{entity}: {}", error.message()),
            None => error.message().to_owned(),
        };
        let body = ProblemBody {
            type_uri: format!("urn:datawald:problem:{kind}"),
            title: status.canonical_reason().unwrap_or("Problem").to_owned(),
            status: status.as_u16(),
            detail,
            kind: kind.to_owned(),
            disposition: disposition.to_owned(),
            retry_after_ms: after.map(|after| u64::try_from(after.as_millis()).unwrap_or(u64::MAX)),
            entity: error.entity_text().map(str::to_owned),
            operation: Some(error.operation().to_owned()),
            code: error.code_text().map(str::to_owned),
            errors: fields.into_iter().map(|(path, detail)| FieldError { path, detail }).collect(),
        };
        let mut response = (status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(after) = after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(after.as_secs().max(1)));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"datawald\""));
        }
        response
    }
}
