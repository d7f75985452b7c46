//! Errors that say what to do.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

/// A result with datawald's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What an operation does to the other side. An error's disposition depends on it: a time-out of a read has done
/// nothing, a time-out of a write may have done everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// Reads only; may be repeated at will.
    Read,
    /// Writes, but twice is the same as once.
    IdempotentWrite,
    /// Writes, and twice is two documents.
    Write,
}

/// What the worker does about an error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disposition {
    /// Surely not carried out; try again, no sooner than `after` if the other side named a time.
    Retryable {
        /// The wait that the other side asked for; the engine waits an hour at most.
        after: Option<Duration>,
    },
    /// A write was sent and no trustworthy answer came: look it up before anything else.
    Uncertain,
    /// The other side, or validation, refused this one entity. The rest goes on.
    Rejected,
    /// Configuration, credentials or something unsupported: stops the flow; entities stay as they are.
    Permanent,
}

/// What went wrong, coarsely; for tests, metrics and alerts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// A setting is missing or wrong.
    Config,
    /// The other side does not know us, or does not let us.
    Unauthorized,
    /// Nobody in the chain implements this step.
    Unsupported,
    /// A source document could not be mapped: a field is missing or of the wrong type.
    Mapping,
    /// A value is well-formed but not acceptable (validation, reconciliation).
    Invalid,
    /// The other side refused, with its own code and message.
    Refused,
    /// What was asked for is not there.
    NotFound,
    /// No connection.
    Unreachable,
    /// No answer in time.
    Timeout,
    /// 429, 503 or the like.
    Busy,
    /// An answer that cannot be trusted: not JSON, cut short, of another shape.
    Protocol,
    /// An answer over the size limit.
    TooLarge,
    /// The staging store or the task queue failed.
    Store,
    /// A lease or a pull was lost to a successor.
    Fenced,
    /// The process is to end; see [`crate::engine::Engine::stop`].
    Stopped,
}

/// An error with its kind, what was being done, to which entity and field, and what to do about it.
///
/// The texts hold no secrets and no personal data: constructors are given names of fields, never the values of
/// customers' fields. It is cheap to clone, since one failure may concern every entity of a batch.
///
/// ```
/// use datawald_core::{Disposition, Error};
/// let error = Error::mapping("map order", "is missing").entity("order 000000013").field("items[0].sku");
/// assert_eq!(error.to_string(), "map order: order 000000013, field items[0].sku: is missing");
/// assert_eq!(error.disposition(), Disposition::Rejected);
/// ```
#[derive(Clone)]
pub struct Error(Box<Inner>);

#[derive(Clone)]
struct Inner {
    kind: ErrorKind,
    disposition: Disposition,
    operation: Cow<'static, str>,
    entity: Option<String>,
    field: Option<String>,
    code: Option<String>,
    message: String,
    source: Option<Arc<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error of any kind and disposition. The named constructors below fit nearly always.
    pub fn new(
        kind: ErrorKind,
        disposition: Disposition,
        operation: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        Self(Box::new(Inner {
            kind,
            disposition,
            operation: operation.into(),
            entity: None,
            field: None,
            code: None,
            message: message.into(),
            source: None,
        }))
    }

    /// A mistake in the configuration; permanent.
    pub fn config(operation: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Config, Disposition::Permanent, operation, message)
    }

    /// A step that nobody in the chain implements; permanent.
    pub fn unsupported(step: impl Into<Cow<'static, str>>) -> Self {
        Self::new(
            ErrorKind::Unsupported,
            Disposition::Permanent,
            step,
            "no agent in the chain implements this step; override it in yours or put an agency at the end of the chain",
        )
    }

    /// A source document that cannot be mapped; rejected.
    pub fn mapping(operation: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Mapping, Disposition::Rejected, operation, message)
    }

    /// A value that is not acceptable; rejected.
    pub fn invalid(operation: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Invalid, Disposition::Rejected, operation, message)
    }

    /// A refusal by the other side, in its words; rejected.
    pub fn refused(operation: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Refused, Disposition::Rejected, operation, message)
    }

    /// A failure of the staging store or the queue; retryable, since nothing was sent anywhere.
    pub fn store(operation: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Store, Disposition::Retryable { after: None }, operation, message)
    }

    /// A lease or pull that has passed to a successor; whoever sees it drops its work.
    pub fn fenced(operation: impl Into<Cow<'static, str>>, message: impl Into<String>) -> Self {
        Self::new(ErrorKind::Fenced, Disposition::Retryable { after: None }, operation, message)
    }

    /// A failure whose disposition follows from the effect of what was being done: an unknown failure of a
    /// [`Effect::Write`] is uncertain, of anything else retryable.
    pub fn unknown_outcome(
        kind: ErrorKind,
        effect: Effect,
        operation: impl Into<Cow<'static, str>>,
        message: impl Into<String>,
    ) -> Self {
        let disposition = match effect {
            Effect::Write => Disposition::Uncertain,
            Effect::Read | Effect::IdempotentWrite => Disposition::Retryable { after: None },
        };
        Self::new(kind, disposition, operation, message)
    }

    /// Names the entity, as `order 000000013`.
    #[must_use]
    pub fn entity(mut self, entity: impl Into<String>) -> Self {
        self.0.entity = Some(entity.into());
        self
    }

    /// Names the entity unless one is named already.
    #[must_use]
    pub fn or_entity(mut self, entity: impl FnOnce() -> String) -> Self {
        self.0.entity.get_or_insert_with(entity);
        self
    }

    /// Names the field, as a path (`items[0].sku`).
    #[must_use]
    pub fn field(mut self, field: impl Into<String>) -> Self {
        self.0.field = Some(field.into());
        self
    }

    /// The other side's own code.
    #[must_use]
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.0.code = Some(code.into());
        self
    }

    /// The error underneath. It is part of the text of [`Error::report`]: give none that holds data.
    #[must_use]
    pub fn caused_by(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into().into());
        self
    }

    /// The same error with another disposition.
    #[must_use]
    pub fn with_disposition(mut self, disposition: Disposition) -> Self {
        self.0.disposition = disposition;
        self
    }

    /// The same error in other words.
    #[must_use]
    pub fn with_message(mut self, message: impl Into<String>) -> Self {
        self.0.message = message.into();
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// What to do about it.
    pub fn disposition(&self) -> Disposition {
        self.0.disposition
    }

    /// What was being done.
    pub fn operation(&self) -> &str {
        &self.0.operation
    }

    /// The entity, if one is concerned.
    pub fn entity_text(&self) -> Option<&str> {
        self.0.entity.as_deref()
    }

    /// The field, if one is to blame.
    pub fn field_path(&self) -> Option<&str> {
        self.0.field.as_deref()
    }

    /// The other side's code, if it gave one.
    pub fn code_text(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// The message alone, without operation, entity and field.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// This error and all that caused it, in one line.
    pub fn report(&self) -> String {
        let mut text = self.to_string();
        let mut source = std::error::Error::source(self);
        while let Some(cause) = source {
            let cause_text = cause.to_string();
            if !text.contains(&cause_text) {
                text.push_str(": ");
                text.push_str(&cause_text);
            }
            source = cause.source();
        }
        text
    }

    /// The reason for an entity's `tx_note`: field and message, since the entity is known where it is read.
    pub fn note(&self) -> String {
        let mut text = String::new();
        if let Some(field) = &self.0.field {
            text.push_str(field);
            text.push_str(": ");
        }
        text.push_str(&self.0.message);
        if let Some(code) = &self.0.code {
            text.push_str(" [");
            text.push_str(code);
            text.push(']');
        }
        text
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Inner { operation, entity, field, code, message, .. } = &*self.0;
        write!(f, "{operation}: ")?;
        match (entity, field) {
            (Some(entity), Some(field)) => write!(f, "{entity}, field {field}: ")?,
            (Some(entity), None) => write!(f, "{entity}: ")?,
            (None, Some(field)) => write!(f, "field {field}: ")?,
            (None, None) => {}
        }
        write!(f, "{message}")?;
        match code {
            Some(code) => write!(f, " [{code}]"),
            None => Ok(()),
        }
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}/{:?}: {}", self.0.kind, self.0.disposition, self.report())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}
