//! Answers, and Magento's way of refusing.

use serde_json::{Value, json};
use uuid::Uuid;

/// What the sandbox answers, before faults damage it.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    pub(super) retry_after: Option<u64>,
}

impl Answer {
    pub(super) fn ok(body: String) -> Self {
        Self { status: 200, body: body.into_bytes(), retry_after: None }
    }

    /// An error with a message and its parameters, as Magento writes them.
    pub(super) fn error(status: u16, message: &str, parameters: Value) -> Self {
        let mut body = json!({ "message": message });
        if !parameters.is_null() {
            body["parameters"] = parameters;
        }
        Self { status, body: body.to_string().into_bytes(), retry_after: None }
    }

    /// No token, a wrong one, or one that has expired.
    pub(super) fn not_authorized(resource: &str) -> Self {
        Self::error(401, "The consumer isn't authorized to access %resources.", json!({ "resources": resource }))
    }

    pub(super) fn required(field: &str) -> Self {
        Self::error(400, "\"%fieldName\" is required. Enter and try again.", json!({ "fieldName": field }))
    }

    /// Whatever Magento did not foresee: a column that the table does not have, a row that cannot be serialised. In production mode
    /// it tells no more than the number under which its log does.
    pub(super) fn internal_error() -> Self {
        let number = Uuid::now_v7().simple();
        let message = format!("Internal Error. Details are available in Magento log file. Report ID: webapi-{number}");
        Self::error(500, &message, Value::Null)
    }

    /// A page size above the limit that is configured.
    pub(super) fn too_large_a_page(most: usize) -> Self {
        Self::error(400, "Maximum SearchCriteria pageSize is %max", json!({ "max": most }))
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
