//! Why a server cannot be had.

use std::fmt;

/// What the functions of this module return.
pub type Result<T, E = ServerError> = std::result::Result<T, E>;

/// Why a server cannot be had, or does not do what it was told; the text says what to do about it.
pub struct ServerError(String);

impl ServerError {
    pub(super) fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// `what` was tried, and this error came of it.
    pub fn of(what: impl fmt::Display) -> impl FnOnce(std::io::Error) -> Self {
        move |error| Self(format!("{what}: {error}"))
    }
}

impl fmt::Display for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// As [`fmt::Display`]: it is what `unwrap` shows in a test, with the lines of a log in it.
impl fmt::Debug for ServerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for ServerError {}
