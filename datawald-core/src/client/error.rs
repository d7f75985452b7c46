//! What the core's problems are here.

use std::time::Duration;

use crate::http::HttpResponse;
use crate::wire::ProblemBody;
use crate::{Disposition, Error, ErrorKind};

/// The error that an answer tells, as the core had it.
pub(super) fn error(response: &HttpResponse) -> Error {
    let Ok(problem) = serde_json::from_slice::<ProblemBody>(&response.body) else {
        return not_a_problem(response);
    };
    let kind = ErrorKind::from_word(&problem.kind).unwrap_or(ErrorKind::Protocol);
    let disposition = match problem.disposition.as_str() {
        "retryable" => Disposition::Retryable { after: problem.retry_after_ms.map(Duration::from_millis) },
        "rejected" => Disposition::Rejected,
        "permanent" => Disposition::Permanent,
        _ => Disposition::Uncertain,
    };
    // What is wrong with this caller's credentials is told in his own words.
    let operation = if response.status.as_u16() == 401 {
        response.operation.to_owned()
    } else {
        problem.operation.unwrap_or_else(|| response.operation.to_owned())
    };
    let message = match &problem.entity {
        Some(entity) => problem.detail.strip_prefix(&format!("{entity}: ")).unwrap_or(&problem.detail).to_owned(),
        None => problem.detail,
    };
    let mut error = Error::new(kind, disposition, operation, message);
    if let Some(entity) = problem.entity {
        error = error.entity(entity);
    }
    if let Some(field) = problem.errors.into_iter().next() {
        error = error.field(field.path);
    }
    match problem.code {
        Some(code) => error.code(code),
        None => error,
    }
}

/// An answer of something between here and the core, or of no core at all.
fn not_a_problem(response: &HttpResponse) -> Error {
    if let Some(error) = response.busy_or_broken() {
        return error;
    }
    let status = response.status.as_u16();
    let message = format!("the answer (HTTP {status}) is not the core's: does the URL lead to its API?");
    Error::new(ErrorKind::Protocol, Disposition::Permanent, response.operation, message).code(status.to_string())
}
