//! What an error means: by its code and never by its text, which is in the language of the user.

use datawald_core::http::HttpResponse;
use datawald_core::{Disposition, Effect, Error, ErrorKind};
use serde::Deserialize;
use serde_json::Value;

/// The session is unknown or over.
pub const SESSION: i64 = 301;
/// No matching record: not there, or an unknown code in what was sent, or an order that became a draft, or a site's own rule.
pub const NO_MATCH: i64 = -2028;
/// Somebody else has changed it meanwhile.
pub const CHANGED: i64 = -2039;
/// The key is taken.
pub const DUPLICATE: i64 = -10;
/// Not supported for this object, as cancelling what is closed.
pub const NOT_SUPPORTED: i64 = -5006;
/// A request that is not understood: the envelope of a batch, or a property that there is not.
pub const MALFORMED: i64 = -1000;

/// HTTP's status for a request that is refused for its size.
pub(super) const TOO_LARGE: i64 = 413;

/// The longest text of SAP's that an error repeats, in characters.
const TEXT_LIMIT: usize = 300;

/// An error as the Service Layer answers it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// SAP's code.
    pub code: i64,
    /// SAP's text, in the user's language; for people.
    pub text: String,
}

#[derive(Deserialize)]
struct Wire {
    error: WireError,
}

#[derive(Deserialize)]
struct WireError {
    code: Value,
    #[serde(default)]
    message: Value,
}

impl Problem {
    /// Reads an error of either root: its code is a number in v1 and text in v2, its text an object in v1 and text in v2.
    /// `None` for anything else.
    pub fn read(body: &[u8]) -> Option<Self> {
        let Wire { error } = serde_json::from_slice(body).ok()?;
        let code = match &error.code {
            Value::Number(number) => number.to_string().parse().ok()?,
            Value::String(text) => text.trim().parse().ok()?,
            _ => return None,
        };
        let text = match &error.message {
            Value::String(text) => text,
            Value::Object(parts) => parts.get("value").and_then(Value::as_str).unwrap_or_default(),
            _ => "",
        };
        let text = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(TEXT_LIMIT).collect();
        Some(Self { code, text })
    }
}

/// The error of a call that was not a success.
pub(super) fn of_answer(response: &HttpResponse) -> Error {
    of_part(response.status.as_u16(), &response.body, response.effect, response.operation)
        .or_else(|| response.busy_or_broken())
        .unwrap_or_else(|| unexpected(response))
}

/// The error that a status and a body mean, if SAP's error is in it and the server is not merely busy or broken.
pub(super) fn of_part(status: u16, body: &[u8], effect: Effect, operation: &'static str) -> Option<Error> {
    if matches!(status, 408 | 413 | 425 | 429 | 500..) {
        return None;
    }
    let problem = Problem::read(body)?;
    let said = if problem.text.trim().is_empty() { "without telling why" } else { problem.text.trim() };
    let error = match problem.code {
        SESSION => Error::new(
            ErrorKind::Unauthorized,
            Disposition::Retryable { after: None },
            operation,
            "the session is over",
        ),
        CHANGED => Error::new(
            ErrorKind::Refused,
            Disposition::Retryable { after: None },
            operation,
            "somebody else has changed it in SAP B1 meanwhile",
        ),
        NO_MATCH if effect == Effect::Read => {
            Error::new(ErrorKind::NotFound, Disposition::Rejected, operation, "is not in SAP B1")
        }
        _ if effect == Effect::Read => {
            Error::new(ErrorKind::Refused, Disposition::Permanent, operation, format!("SAP B1 refuses: {said}"))
        }
        _ => Error::refused(operation, format!("SAP B1 refuses: {said}")),
    };
    Some(error.code(problem.code.to_string()))
}

/// The error of a part of a batch.
pub(super) fn of_failed_part(status: u16, body: &[u8], operation: &'static str) -> Error {
    of_part(status, body, Effect::Write, operation).unwrap_or_else(|| {
        let message = format!("the Service Layer answers a part of the batch with HTTP {status} and no error of SAP's");
        Error::unknown_outcome(ErrorKind::Protocol, Effect::Write, operation, message).code(status.to_string())
    })
}

fn unexpected(response: &HttpResponse) -> Error {
    let (status, operation) = (response.status.as_u16(), response.operation);
    let error = match status {
        401 | 403 => Error::new(
            ErrorKind::Unauthorized,
            Disposition::Permanent,
            operation,
            "access is refused, and not by the Service Layer: is there a proxy before it?",
        ),
        404 | 405 => Error::config(
            operation,
            "this call is unknown at the configured address: is it that of a Service Layer (as https://host:50000)?",
        ),
        413 => Error::new(
            ErrorKind::TooLarge,
            Disposition::Permanent,
            operation,
            "the request is too large for the server: lower `requests.write_batch` or `max_request`",
        ),
        _ => {
            let looks_like_html = response.body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'<');
            let message = if looks_like_html {
                "an HTML page came instead of an answer: is there a proxy or a maintenance page before the Service Layer?"
            } else {
                "the answer is none that the Service Layer gives"
            };
            Error::unknown_outcome(ErrorKind::Protocol, response.effect, operation, message)
        }
    };
    error.code(status.to_string())
}

/// What of one request of `bytes` bytes is refused at the door for its size: for a write that is no reason to stop others.
/// Other errors stay as they are.
pub(super) fn alone(error: Error, effect: Effect, operation: &'static str, bytes: usize) -> Error {
    let what = match effect {
        Effect::Write => "order",
        Effect::IdempotentWrite => "customer",
        Effect::Read => return error,
    };
    if error.kind() != ErrorKind::TooLarge || !has_code(&error, TOO_LARGE) {
        return error;
    }
    let message = format!(
        "this {what} is too large for the server: {bytes} bytes with what goes around it; divide it, or have the server and \
         any proxy before it take larger requests"
    );
    Error::new(ErrorKind::TooLarge, Disposition::Rejected, operation, message).code(TOO_LARGE.to_string())
}

/// Whether SAP's error in it is `code`.
pub(super) fn has_code(error: &Error, code: i64) -> bool {
    error.code_text().and_then(|text| text.parse::<i64>().ok()) == Some(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_shapes() {
        let v1 = br#"{"error":{"code":-2028,"message":{"lang":"en-us","value":"No matching records found"}}}"#;
        let v2 =
            br#"{"error":{"code":"-2028","message":"No matching records found","details":[{"code":"","message":""}]}}"#;
        assert_eq!(Problem::read(v1), Problem::read(v2));
        assert_eq!(Problem::read(v1).unwrap().code, NO_MATCH);
        for other in [&b"{}"[..], b"<html>", b"", br#"{"error":{"code":"x"}}"#, br#"{"error":{"code":1.5}}"#] {
            assert_eq!(Problem::read(other), None);
        }
    }

    #[test]
    fn dispositions_by_code() {
        let of = |code: i64, effect| {
            let body = format!(r#"{{"error":{{"code":{code},"message":"Texto en otro idioma"}}}}"#);
            of_part(400, body.as_bytes(), effect, "test").unwrap().disposition()
        };
        assert_eq!(of(DUPLICATE, Effect::Write), Disposition::Rejected);
        assert_eq!(of(NOT_SUPPORTED, Effect::Write), Disposition::Rejected);
        assert_eq!(of(NO_MATCH, Effect::Write), Disposition::Rejected);
        assert_eq!(of(NO_MATCH, Effect::Read), Disposition::Rejected);
        assert_eq!(of(CHANGED, Effect::Write), Disposition::Retryable { after: None });
        assert_eq!(of(MALFORMED, Effect::Write), Disposition::Rejected);
        assert_eq!(of(702, Effect::Read), Disposition::Permanent);
        assert!(of_part(503, br#"{"error":{"code":-1,"message":"x"}}"#, Effect::Write, "test").is_none());
    }
}
