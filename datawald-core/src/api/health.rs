//! Whether a host lives and is ready.

use serde::Serialize;
use utoipa::ToSchema;

use crate::engine::Pause;

/// Something that a host needs in order to work, or that it works with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct Part {
    /// What it is (`store`, `queue`, `mage2`).
    pub name: String,
    /// Whether it is there.
    pub ready: bool,
    /// Whether this process can do nothing without it. Of others (a shop, an ERP) the process is told, and works on as it can:
    /// to start it anew would mend nothing.
    pub required: bool,
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
    /// `ok`; `degraded` if something is missing that the process can do without for a while; `missing` if it cannot.
    pub(super) status: &'static str,
    /// The parts.
    pub(super) parts: Vec<Part>,
    /// The flows that wait for a side that cannot be used. A host is ready all the same: they go on by themselves.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) pauses: Vec<Pause>,
}

impl Health {
    pub(super) fn of(parts: Vec<Part>) -> Self {
        Self { status: standing(&parts), parts, pauses: Vec::new() }
    }
}

/// What parts come to: `missing` if a required one is not there, `degraded` if another is not, else `ok`. A process is ready
/// unless something is `missing`.
pub fn standing(parts: &[Part]) -> &'static str {
    match parts.iter().filter(|part| !part.ready).map(|part| part.required).max() {
        None => "ok",
        Some(false) => "degraded",
        Some(true) => "missing",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_ready_while_a_side_is_away() {
        let part = |required, ready| Part { name: "x".into(), ready, required, detail: String::new() };
        assert_eq!(standing(&[]), "ok");
        assert_eq!(standing(&[part(true, true), part(false, true)]), "ok");
        assert_eq!(standing(&[part(true, true), part(false, false)]), "degraded");
        assert_eq!(standing(&[part(false, false), part(true, false)]), "missing");
    }
}
