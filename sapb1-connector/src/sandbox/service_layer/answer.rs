//! Answers, before they go out alone or as part of a batch.

use serde_json::Value;

use super::error::{Refusal, Version};

/// An answer.
#[derive(Debug, Clone, Default)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    pub(super) fn json(version: Version, status: u16, body: &Value) -> Self {
        let kind = match version {
            Version::V1 => "application/json;odata=minimalmetadata;charset=utf-8",
            Version::V2 => "application/json;odata.metadata=minimal;charset=utf-8",
        };
        let mut headers = vec![("Content-Type", kind.to_owned())];
        if version == Version::V2 {
            headers.push(("OData-Version", "4.0".to_owned()));
        }
        Self { status, headers, body: serde_json::to_vec(body).unwrap_or_default() }
    }

    pub(super) fn no_content() -> Self {
        Self { status: 204, ..Self::default() }
    }

    pub(super) fn refusal(version: Version, refusal: &Refusal) -> Self {
        Self::json(version, refusal.status, &refusal.body(version))
    }

    pub(super) fn with(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(header, _)| header.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether the call was carried out.
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// What a status is called.
pub(super) fn phrase(status: u16) -> &'static str {
    axum::http::StatusCode::from_u16(status).ok().and_then(|status| status.canonical_reason()).unwrap_or("Unknown")
}
