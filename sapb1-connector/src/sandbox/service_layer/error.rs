//! Refusals, in either shape.

use serde_json::{Value, json};

/// Which OData a call speaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Version {
    /// OData v3, at `/b1s/v1`.
    V1,
    /// OData v4, at `/b1s/v2`.
    V2,
}

impl Version {
    pub(super) fn root(self) -> &'static str {
        match self {
            Self::V1 => "/b1s/v1",
            Self::V2 => "/b1s/v2",
        }
    }

    /// An annotation's name: `odata.etag` or `@odata.etag`.
    pub(super) fn annotation(self, name: &str) -> String {
        match self {
            Self::V1 => format!("odata.{name}"),
            Self::V2 => format!("@odata.{name}"),
        }
    }
}

/// Why a call is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) code: i64,
    pub(super) text: String,
}

impl Refusal {
    pub(super) fn new(status: u16, code: i64, text: impl Into<String>) -> Self {
        Self { status, code, text: text.into() }
    }

    /// A request that cannot be understood.
    pub(super) fn malformed(text: impl Into<String>) -> Self {
        Self::new(400, -1000, text)
    }

    pub(super) fn unknown_property(name: &str, of: &str) -> Self {
        Self::malformed(format!("Property '{name}' of '{of}' is invalid"))
    }

    /// Data that SAP B1 does not take.
    pub(super) fn data(text: impl Into<String>) -> Self {
        Self::new(400, -5002, text)
    }

    pub(super) fn session() -> Self {
        Self::new(401, 301, "Invalid session or session already timeout.")
    }

    pub(super) fn no_match() -> Self {
        Self::new(404, -2028, "No matching records found (ODBC -2028)")
    }

    pub(super) fn unsupported() -> Self {
        Self::new(400, -5006, "The requested action is not supported for this object.")
    }

    pub(super) fn changed() -> Self {
        let text = "Another user or another operation modified data; to continue, open the window again (ODBC -2039)";
        Self::new(412, -2039, text)
    }

    pub(super) fn body(&self, version: Version) -> Value {
        match version {
            Version::V1 => {
                json!({ "error": { "code": self.code, "message": { "lang": "en-us", "value": self.text } } })
            }
            Version::V2 if self.status == 412 => {
                json!({ "error": { "code": self.code.to_string(), "message": self.text } })
            }
            Version::V2 => {
                let details = json!([{ "code": "", "message": "" }]);
                json!({ "error": { "code": self.code.to_string(), "details": details, "message": self.text } })
            }
        }
    }
}
