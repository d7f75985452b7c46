//! Error answers: Magento's message with its parameters filled in, and what follows from the status.

use std::borrow::Cow;

use datawald_core::http::HttpResponse;
use datawald_core::{Disposition, Error, ErrorKind};
use serde::Deserialize;
use serde_json::Value;

/// The longest message that is passed on.
const LONGEST: usize = 600;

/// The body of an error answer: `message` with `%1` or `%name` in it, `parameters` as a list or as an object, and
/// sometimes more errors of the same form. A `trace`, in developer mode, is left out.
#[derive(Default, Deserialize)]
#[serde(default)]
struct ErrorBody {
    message: Value,
    parameters: Value,
    errors: Value,
}

/// Magento's message out of the body of an error answer, in one line, its parameters filled in. `None` if the body has
/// none.
///
/// Words with an `@` are masked: parameters may hold a customer's email, which belongs in no log.
///
/// ```
/// use mage2_connector::render_message;
/// let body = br#"{"message": "No such entity with %fieldName = %fieldValue",
///                 "parameters": {"fieldName": "email", "fieldValue": "jane@example.com"}}"#;
/// assert_eq!(render_message(body).as_deref(), Some("No such entity with email = [hidden]"));
/// ```
pub fn render_message(body: &[u8]) -> Option<String> {
    let body: ErrorBody = serde_json::from_slice(body).ok()?;
    let mut text = fill(body.message.as_str()?, &body.parameters);
    for more in body.errors.as_array().into_iter().flatten() {
        if let Some(message) = more.get("message").and_then(Value::as_str) {
            text.push_str("; ");
            text.push_str(&fill(message, more.get("parameters").unwrap_or(&Value::Null)));
        }
    }
    Some(presentable(&text))
}

/// Puts parameters into a message: `%1` is the first of a list (or the entry `1` or, as Magento counts from nought, `0`
/// of an object), `%name` the entry of that name. What is not given stays as it is.
fn fill(message: &str, parameters: &Value) -> String {
    let mut text = String::with_capacity(message.len() + 32);
    let mut rest = message;
    while let Some(at) = rest.find('%') {
        text.push_str(&rest[..at]);
        let name = &rest[at + 1..];
        let end = name.find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(name.len());
        match lookup(parameters, &name[..end]) {
            Some((value, used)) => {
                text.push_str(&value);
                rest = &name[used..];
            }
            None => {
                text.push('%');
                rest = name;
            }
        }
    }
    text.push_str(rest);
    text
}

/// The value of the longest beginning of `name` that is a parameter, and how long that is.
fn lookup<'a>(parameters: &'a Value, name: &str) -> Option<(Cow<'a, str>, usize)> {
    let digits = name.bytes().take_while(u8::is_ascii_digit).count();
    if digits > 0 {
        let value = match parameters {
            Value::Array(list) => list.get(name[..digits].parse::<usize>().ok()?.checked_sub(1)?),
            Value::Object(map) => map.get(&name[..digits]),
            _ => None,
        };
        return Some((written(value?), digits));
    }
    let map = parameters.as_object()?;
    (1..=name.len()).rev().find_map(|end| Some((written(map.get(&name[..end])?), end)))
}

fn written(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

/// One line, without control characters, emails masked, of bearable length.
fn presentable(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()) {
        if !line.is_empty() {
            line.push(' ');
        }
        if word.contains('@') { line.push_str("[hidden]") } else { line.push_str(word) }
    }
    if let Some((at, _)) = line.char_indices().nth(LONGEST) {
        line.truncate(at);
        line.push('…');
    }
    line
}

/// The error of an answer whose status is no success.
///
/// | status | kind | disposition |
/// |---|---|---|
/// | 408, 425, 429, 5xx | `Busy` | retryable, after `Retry-After` if it is given; an unexplained 5xx after a write is uncertain |
/// | 401, 403 | `Unauthorized` | permanent; a gate before Magento that asks for HTTP Basic is told from Magento |
/// | 404 with Magento's JSON | `NotFound` | rejected |
/// | other 4xx with Magento's JSON | `Refused` | rejected |
/// | 4xx without it, and others | `Config` | permanent: it was not Magento that answered |
pub(super) fn failure(response: &HttpResponse) -> Error {
    let status = response.status.as_u16();
    let told = render_message(&response.body);
    if let Some(error) = response.busy_or_broken() {
        return match told {
            Some(told) => {
                let message = format!("{}; Magento says: {told}", error.message());
                let told = Error::new(error.kind(), error.disposition(), response.operation, message);
                told.about(error.concern()).code(status.to_string())
            }
            None => error,
        };
    }
    let said = |told: &Option<String>| told.as_ref().map_or(String::new(), |told| format!("; Magento says: {told}"));
    let error = match status {
        401 if response.asks_for_basic() => Error::new(
            ErrorKind::Unauthorized,
            Disposition::Permanent,
            response.operation,
            "not Magento, but a gate before it asks for a user and a password (HTTP Basic), as staging sites have one. It and \
             Magento both want the header `Authorization`, and a request has only one: let the gate pass /rest, or the \
             address of this machine, or a header that is configured under `headers`",
        ),
        401 => Error::new(
            ErrorKind::Unauthorized,
            Disposition::Permanent,
            response.operation,
            format!(
                "Magento does not accept the credentials, or they lack the right: check the token or user and the \
                 integration's resources{}",
                said(&told)
            ),
        ),
        403 => Error::new(
            ErrorKind::Unauthorized,
            Disposition::Permanent,
            response.operation,
            format!("Magento, or a firewall before it, forbids the request{}", said(&told)),
        ),
        _ => match told {
            Some(told) if status == 404 => {
                Error::new(ErrorKind::NotFound, Disposition::Rejected, response.operation, told)
            }
            Some(told) => Error::refused(response.operation, told),
            None => Error::config(
                response.operation,
                format!("HTTP {status} and not in Magento's words: does `base_url` lead to a Magento 2 shop?"),
            ),
        },
    };
    error.code(status.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_every_form_of_parameters() {
        let cases = [
            (r#"{"message":"a %1 b %2","parameters":["x",2]}"#, "a x b 2"),
            (r#"{"message":"%field is %fieldName","parameters":{"field":"A","fieldName":"B"}}"#, "A is B"),
            (r#"{"message":"100% of %value","parameters":{"value":null}}"#, "100% of null"),
            (r#"{"message":"%1 and %missing","parameters":{"1":"one"}}"#, "one and %missing"),
            (r#"{"message":"%1st%","parameters":["x"]}"#, "xst%"),
            (r#"{"message":"no"}"#, "no"),
            (r#"{"message":"m","errors":[{"message":"%1!","parameters":["e"]},{"message":"f"}]}"#, "m; e!; f"),
            (r#"{"message":"to %1,\nthen","parameters":["a b@c.example"]}"#, "to a [hidden] then"),
        ];
        for (body, wanted) in cases {
            assert_eq!(render_message(body.as_bytes()).as_deref(), Some(wanted), "{body}");
        }
        for body in ["", "<html>", "[]", "{}", r#"{"message":5}"#] {
            assert_eq!(render_message(body.as_bytes()), None, "{body}");
        }
    }

    #[test]
    fn long_messages_are_cut() {
        let body = format!(r#"{{"message":"{}"}}"#, "é".repeat(5000));
        assert_eq!(render_message(body.as_bytes()).map(|text| text.chars().count()), Some(LONGEST + 1));
    }
}
