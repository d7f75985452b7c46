//! Exceptions as the service's Python shows them.

use std::fmt::Write;

/// An exception: its class and message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct PyError {
    pub(super) class: &'static str,
    pub(super) message: String,
}

impl PyError {
    pub(super) fn new(class: &'static str, message: impl Into<String>) -> Self {
        Self { class, message: message.into() }
    }

    /// A key that is missing from a dictionary.
    pub(super) fn key(key: &str) -> Self {
        Self::new("KeyError", format!("'{key}'"))
    }

    /// What indexing the row that is not there gives.
    pub(super) fn no_row() -> Self {
        Self::new("TypeError", "'NoneType' object has no attribute '__getitem__'")
    }

    /// A refusal in SAP's words.
    pub(super) fn sap(code: i32, text: &str) -> Self {
        Self::new("Exception", format!("({code}, u'{}')", text.replace('\'', "\\'")))
    }

    /// The traceback.
    pub(super) fn traceback(&self, function: &str) -> String {
        let mut text = String::with_capacity(200);
        // Writing to a String does not fail.
        let _ = writeln!(text, "Traceback (most recent call last):");
        let _ = writeln!(text, "  File \"C:\\sap-b1-restful\\api\\v1\\sapb1api.py\", in {function}");
        let _ = match self.message.as_str() {
            "" => writeln!(text, "{}", self.class),
            message => writeln!(text, "{}: {message}", self.class),
        };
        text
    }
}
