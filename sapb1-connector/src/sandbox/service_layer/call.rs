//! A call: an HTTP request, or a part of a batch.

use axum::body::Bytes;
use axum::http::{HeaderMap, Method};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value};

use super::error::{Refusal, Version};

/// A call below a service root.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub(super) version: Version,
    pub(super) method: Method,
    /// Below the root, percent signs decoded.
    pub(super) path: String,
    /// As it came.
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Call {
    /// A call of `target`: a path with a query, below the root.
    pub(super) fn new(version: Version, method: Method, target: &str, headers: HeaderMap, body: Bytes) -> Self {
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let path = percent_decode_str(path).decode_utf8_lossy().into_owned();
        let mut call = Self { version, method, path, query: query.to_owned(), headers, body };
        // For clients that have no PATCH.
        if call.method == Method::POST
            && let Some(Ok(method)) = call.header("x-http-method-override").map(|name| name.parse::<Method>())
        {
            call.method = method;
        }
        call
    }

    /// Whether it writes: whatever is no GET, nor an action of the company that only tells something.
    pub(super) fn writes(&self) -> bool {
        let tells = ["/CompanyService_Get", "/SBOBobService_Get"].iter().any(|start| self.path.starts_with(start));
        self.method != Method::GET && !tells
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// What `Prefer` asks for.
    fn preferences(&self) -> impl Iterator<Item = &str> {
        let values = self.headers.get_all("prefer").iter().filter_map(|value| value.to_str().ok());
        values.flat_map(|value| value.split([',', ';'])).map(str::trim)
    }

    pub(super) fn wants_no_content(&self) -> bool {
        self.preferences().any(|preference| preference == "return-no-content" || preference == "return=minimal")
    }

    /// The page size that is asked for.
    pub(super) fn page_size(&self) -> Option<usize> {
        self.preferences().find_map(|preference| {
            let (name, value) = preference.split_once('=')?;
            let name = name.trim();
            (name == "odata.maxpagesize" || name == "maxpagesize").then(|| value.trim().parse().ok())?
        })
    }

    /// The parameters of the query, decoded, in order; empty ones left out.
    pub(super) fn parameters(&self) -> Vec<(String, String)> {
        let decode = |text: &str| percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned();
        let pairs = self.query.split('&').filter(|pair| !pair.is_empty());
        pairs
            .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
            .map(|(name, value)| (decode(name), decode(value)))
            .collect()
    }

    /// The body, which must be a JSON object.
    pub(super) fn object(&self) -> Result<Map<String, Value>, Refusal> {
        match serde_json::from_slice(&self.body) {
            Ok(Value::Object(object)) => Ok(object),
            _ => Err(Refusal::malformed("Invalid JSON in the body of the request")),
        }
    }
}
