//! Whether a document that was found is the order's own.
//!
//! A number says little: two stores may use the same one, prefixes may collide, and people enter documents by hand. What is
//! taken for an order's document, though it is somebody else's, loses the order without a word.

use datawald_core::model::{Intent, Order};
use datawald_core::{Cx, Error, Result};

use super::job::FoundJob;
use crate::{Backoffice, NativeOrder};

/// What is known of a document before anything is made of the order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Known {
    /// It is this order's: it is recorded, or bears its mark.
    Ours,
    /// It bears the mark of another.
    Theirs,
    /// It bears no mark: it has to be compared with what would be made.
    Unmarked,
}

impl FoundJob<'_> {
    /// Whose document it is, as far as that shows by itself.
    pub(super) fn known(&self) -> Known {
        match &self.document.mark {
            Some(mark) if *mark == self.job.mark() => Known::Ours,
            // Even if its key is recorded: SAP B1 RESTful answers the key of whatever it finds first under the number.
            Some(_) => Known::Theirs,
            None if self.job.is_recorded(&self.document.target_id) => Known::Ours,
            None => Known::Unmarked,
        }
    }

    /// Whether the document has to come to what the order does: not if it is cancelled, or is to be, or is to stay as it is.
    pub(super) fn must_follow(&self) -> bool {
        self.job.claimed.intent == Intent::Apply && !self.cancelled
    }

    /// Whether it is enough to know whose it is: it is recorded in the version that is claimed.
    pub(super) fn is_settled(&self) -> bool {
        self.job.is_recorded(&self.document.target_id) && !self.job.is_newer()
    }
}

/// Refuses a document without a mark that does not agree with what `order` makes: the order as it was when it may have been
/// written.
pub(super) async fn recognize(
    backoffice: &dyn Backoffice,
    cx: &Cx,
    found: &FoundJob<'_>,
    order: &Order,
    made: &NativeOrder,
) -> Result<()> {
    match backoffice.recognize_order(cx, order, made, &found.document).await? {
        true => Ok(()),
        false => Err(not_ours(found, Some(made))),
    }
}

/// Refuses a document whose total is not what the order's would be now.
pub(super) fn check_total(found: &FoundJob<'_>, made: &NativeOrder) -> Result<()> {
    match (found.document.total, &made.totals) {
        (Some(stands), Some(totals)) if stands != totals.document => Err(cannot_follow(found, made)),
        _ => Ok(()),
    }
}

/// The refusal of a document that is somebody else's.
pub(super) fn not_ours(found: &FoundJob<'_>, made: Option<&NativeOrder>) -> Error {
    let (document, job) = (&found.document, &found.job);
    let mut message = format!(
        "document {} stands under its reference {}, but is not shown to be its own: ",
        document.target_id, job.reference.value
    );
    match (&document.mark, made.and_then(|made| made.totals.as_ref())) {
        (Some(mark), _) => message.push_str(&format!("it bears the mark of {mark}, not of {}", job.mark())),
        (None, Some(totals)) => message.push_str(&format!(
            "it comes to {} {} for customer {}, the order would be {} {}",
            document.total.map(|total| total.to_string()).unwrap_or_else(|| "an unknown total".into()),
            document.currency.as_deref().unwrap_or_default(),
            document.customer.as_deref().unwrap_or("unknown"),
            totals.document,
            job.order.currency,
        )),
        (None, None) => message.push_str("what the order would be cannot be made"),
    }
    message.push_str(
        ". If it is another\'s, give that one another reference (or this shop a prefix of its own); if it is this order\'s, \
         entered by hand, correct it or report the outcome by hand; then re-sync the order",
    );
    Error::invalid("recognize document", message)
}

fn cannot_follow(found: &FoundJob<'_>, made: &NativeOrder) -> Error {
    let totals = made.totals.as_ref().map(|totals| totals.document.to_string()).unwrap_or_default();
    let message = format!(
        "its document {} comes to {}, and the order comes to {totals} {} now: an open document cannot follow by itself. \
         Correct it by hand or cancel it there, then re-sync the order",
        found.document.target_id,
        found.document.total.map(|total| total.to_string()).unwrap_or_default(),
        found.job.order.currency,
    );
    Error::invalid("recognize document", message).field("grand_total")
}
