//! Whether a document that was found is the order's own.
//!
//! A number says little: two stores may use the same one, prefixes may collide, and people enter documents by hand. What is
//! taken for an order's document, though it is somebody else's, loses the order without a word.

use datawald_core::model::Intent;
use datawald_core::{Cx, Disposition, Error, Result};

use super::document::Document;
use super::job::{FoundJob, Job};
use super::results::Results;
use super::write;
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
        self.job.is_recorded(&self.document.target_id) && !self.job.claimed.is_newer()
    }
}

/// Lets those of the documents without a mark through that agree with what their order makes, as it is now or as it was when it
/// may have been written. What that takes is made in one go.
pub(super) async fn recognize<'a>(
    backoffice: &dyn Backoffice,
    cx: &Cx,
    unmarked: Vec<FoundJob<'a>>,
    results: &mut Results,
) -> Vec<FoundJob<'a>> {
    let mut readable = Vec::with_capacity(unmarked.len());
    for found in unmarked {
        match found.job.earlier() {
            Ok(earlier) => readable.push((found, earlier)),
            Err(error) => results.set(&found.job, Err(error)),
        }
    }
    let all: Vec<&Job<'_>> = readable.iter().flat_map(|(found, earlier)| versions(found, earlier)).collect();
    let mut made = write::make_of(backoffice, cx, &all).await.into_iter();
    let mut ours = Vec::with_capacity(readable.len());
    for (mut found, earlier) in readable {
        let versions = versions(&found, &earlier);
        let made: Vec<_> = made.by_ref().take(versions.len()).collect();
        match compare(backoffice, cx, &found, &versions, made).await {
            Ok(now) => {
                found.made = now;
                ours.push(found);
            }
            Err(error) => results.set(&found.job, Err(error)),
        }
    }
    ours
}

/// The versions whose document it may be: the one that it is now, and earlier ones. Of what could not be mapped, nothing can be
/// made to compare.
fn versions<'b, 'a>(found: &'b FoundJob<'a>, earlier: &'b [Job<'a>]) -> Vec<&'b Job<'a>> {
    let now = (!found.job.claimed.doc.is_empty()).then_some(&found.job);
    now.into_iter().chain(earlier).collect()
}

/// Refuses a document that agrees with no version; answers what would be made of the order now, if it is that which agrees.
async fn compare(
    backoffice: &dyn Backoffice,
    cx: &Cx,
    found: &FoundJob<'_>,
    versions: &[&Job<'_>],
    made: Vec<Result<Document>>,
) -> Result<Option<NativeOrder>> {
    let (mut others, mut failure) = (Vec::new(), None);
    for (job, made) in versions.iter().zip(made) {
        match made {
            Ok(Document::Ready(made)) => {
                if backoffice.recognize_order(cx, &job.order, &made, &found.document).await? {
                    return Ok(std::ptr::eq(*job, &found.job).then_some(made));
                }
                others.push(made);
            }
            Ok(Document::Ignore(_)) => {}
            Err(error) => failure = Some(error),
        }
    }
    Err(match failure {
        // What could not be asked may agree yet.
        Some(error) if others.is_empty() || error.disposition() != Disposition::Rejected => error,
        _ => not_ours(found, &others),
    })
}

/// Refuses a document whose total is not what the order's would be now.
pub(super) fn check_total(found: &FoundJob<'_>, made: &NativeOrder) -> Result<()> {
    match (found.document.total, &made.totals) {
        (Some(stands), Some(totals)) if stands != totals.document => Err(cannot_follow(found, made)),
        _ => Ok(()),
    }
}

/// The refusal of a document that is somebody else's.
pub(super) fn not_ours(found: &FoundJob<'_>, made: &[NativeOrder]) -> Error {
    let (document, job) = (&found.document, &found.job);
    let mut message = format!(
        "document {} stands under its reference {}, but is not shown to be its own: ",
        document.target_id, job.reference.value
    );
    let mut totals: Vec<String> =
        made.iter().filter_map(|made| Some(made.totals.as_ref()?.document.to_string())).collect();
    totals.dedup();
    match &document.mark {
        Some(mark) => message.push_str(&format!("it bears the mark of {mark}, not of {}", job.mark())),
        None if totals.is_empty() => {
            message.push_str("what the order would be cannot be made");
            if let Intent::Reject(reason) = &job.claimed.intent {
                message.push_str(&format!(" ({reason})"));
            }
        }
        None => message.push_str(&format!(
            "it comes to {} {} for customer {}, the order would be {} {}",
            document.total.map(|total| total.to_string()).unwrap_or_else(|| "an unknown total".into()),
            document.currency.as_deref().unwrap_or_default(),
            document.customer.as_deref().unwrap_or("unknown"),
            totals.join(" or "),
            job.order.currency,
        )),
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
