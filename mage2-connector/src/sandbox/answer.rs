//! Answers, and Magento's way of refusing.

use serde_json::{Value, json};

/// What the sandbox answers, before faults damage it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: String,
    pub(super) retry_after: Option<u64>,
}

impl Answer {
    pub(super) fn ok(body: String) -> Self {
        Self { status: 200, body, retry_after: None }
    }

    /// An error with a message and its parameters, as Magento writes them.
    pub(super) fn error(status: u16, message: &str, parameters: Value) -> Self {
        let mut body = json!({ "message": message });
        if !parameters.is_null() {
            body["parameters"] = parameters;
        }
        Self { status, body: body.to_string(), retry_after: None }
    }

    /// No token, a wrong one, or one that has expired.
    pub(super) fn not_authorized(resource: &str) -> Self {
        Self::error(401, "The consumer isn't authorized to access %resources.", json!({ "resources": resource }))
    }

    pub(super) fn required(field: &str) -> Self {
        Self::error(400, "\"%fieldName\" is required. Enter and try again.", json!({ "fieldName": field }))
    }

    /// A column that the table does not have. Magento in production mode hides this behind `Internal Error. Details are
    /// available in Magento log file.`; the sandbox tells.
    pub(super) fn unknown_column(column: &str) -> Self {
        Self::error(400, "Column not found: 1054 Unknown column '%1' in 'where clause'", json!([column]))
    }

    pub(super) fn no_such_order() -> Self {
        Self::error(404, "The entity that was requested doesn't exist. Verify the entity and try again.", Value::Null)
    }

    pub(super) fn no_such_store() -> Self {
        Self::error(404, "The store that was requested wasn't found. Verify the store and try again.", Value::Null)
    }

    pub(super) fn no_such_route() -> Self {
        Self::error(404, "Request does not match any route.", Value::Null)
    }
}
