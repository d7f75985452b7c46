//! Why an order is not written: what was found, and what somebody has to do.

use datawald_core::model::EntityKey;
use datawald_core::store::Bound;
use datawald_core::{Concern, Error, ErrorKind};

use super::job::Job;

pub(super) fn unanswered(step: &'static str) -> Error {
    let disposition = datawald_core::Disposition::Uncertain;
    Error::new(ErrorKind::Protocol, disposition, step, "the step did not answer for this order").about(Concern::Entity)
}

pub(super) fn another_number(step: &'static str) -> Error {
    Error::config(step, "the step answered for another number of orders than it was asked for")
}

pub(super) fn gone(job: &Job<'_>) -> Error {
    let message = format!(
        "its document {} is not found under its reference {} any more, so it is neither changed nor made a second time: give \
         the document its reference back or, if it is gone, enter the order by hand under that reference; then re-sync it",
        job.claimed.target_id.as_deref().unwrap_or_default(),
        job.reference.value,
    );
    Error::invalid("look up order", message)
}

/// One document agrees with two orders, and is the other's already.
pub(super) fn taken(target_id: &str, by: &EntityKey) -> Error {
    Error::invalid("recognize document", Bound::taken_note(target_id, by))
}

/// Whoever holds it now finds out by himself.
pub(super) fn passed_on() -> Error {
    Error::fenced("bind", "the lease has passed to a successor; nothing was written")
}

pub(super) fn several(target_ids: &[String]) -> Error {
    let message = format!(
        "{} documents stand for this order ({}): cancel those that are too many in the backoffice, then re-sync it",
        target_ids.len(),
        target_ids.join(", ")
    );
    Error::invalid("look up order", message)
}

pub(super) fn cancelled_there(target_id: &str) -> Error {
    let message = format!(
        "its document {target_id} is cancelled in the backoffice, though the order stands in the frontend: cancel the order \
         there, or enter it by hand; a second document is not made"
    );
    Error::invalid("look up order", message)
}

pub(super) fn same_reference(other: &str) -> Error {
    let message = format!(
        "has the same reference as order {other}, so that one could not be told from the other: have `order_reference` make \
         them different"
    );
    Error::invalid("order_reference", message)
}
