//! What an answer's status means: 201 is success, 501 a failed call, and nothing else is expected.

use datawald_core::http::HttpResponse;
use datawald_core::{Concern, Error, ErrorKind, Result};

use super::traceback::Traceback;

/// The answer if it is a success; else the error that it means.
pub(super) fn success(response: HttpResponse) -> Result<HttpResponse> {
    let status = response.status.as_u16();
    let operation = response.operation;
    match status {
        201 => Ok(response),
        501 => {
            let message = match serde_json::from_slice::<String>(&response.body) {
                Ok(text) => format!("SAP B1 RESTful failed: {}", Traceback::read(&text, &[]).summary()),
                Err(_) => "SAP B1 RESTful failed without telling why".to_owned(),
            };
            let error = Error::unknown_outcome(ErrorKind::Refused, response.effect, operation, message);
            // It fails so over an order, and when its database is away.
            Err(error.about(Concern::Unclear).code("501"))
        }
        404 | 405 => Err(Error::config(
            operation,
            "this call is unknown at the configured address: is the URL that of SAP B1 RESTful (as http://host:5000)?",
        )
        .code(status.to_string())),
        413 => Err(Error::config(operation, "the request is too large for the server: lower `requests.write_batch`")
            .code("413")),
        _ => Err(response.busy_or_broken().unwrap_or_else(|| {
            let looks_like_html = response.body.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'<');
            let message = if looks_like_html {
                "an HTML page came instead of an answer: is there a proxy or a maintenance page before SAP B1 RESTful?"
            } else {
                "the answer has a status that SAP B1 RESTful never gives"
            };
            Error::unknown_outcome(ErrorKind::Protocol, response.effect, operation, message).code(status.to_string())
        })),
    }
}
