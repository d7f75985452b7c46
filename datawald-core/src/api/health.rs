//! Whether a host lives and is ready.

use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::Pause;

/// Something that a host needs in order to work.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Part {
    /// What it is (`store`, `queue`, `mage2`).
    pub name: String,
    /// Whether it is there.
    pub ready: bool,
    /// What is missing, in words; no secrets, since health is told without a token.
    pub detail: String,
}

/// Tells what a host needs and what of it is missing. It is asked at each request of `/health/ready`: it should know, not
/// find out.
pub trait Readiness: Send + Sync {
    /// The parts.
    fn parts(&self) -> Vec<Part>;
}

/// Whether a host is ready.
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Health {
    /// `ok`, or `missing` if a part is.
    pub(super) status: &'static str,
    /// The parts.
    pub(super) parts: Vec<Part>,
    /// The flows that wait for a side that cannot be used. A host is ready all the same: they go on by themselves.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) pauses: Vec<Pause>,
}

impl Health {
    pub(super) fn of(parts: Vec<Part>) -> Self {
        let status = if parts.iter().all(|part| part.ready) { "ok" } else { "missing" };
        Self { status, parts, pauses: Vec::new() }
    }
}
