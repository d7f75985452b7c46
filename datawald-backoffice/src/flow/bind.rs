//! Recording what orders are known by in the ERP: their references before they are written, and their documents when they are
//! found.
//!
//! Whoever comes after a worker that was killed looks an order up under the reference that it was sent under, whatever the rules
//! say by then. And of two orders that a document agrees with, one gets it.

use datawald_core::store::{Binding, Bound};
use datawald_core::{Cx, Error, Result};

use super::job::Job;
use super::refusals::{passed_on, taken};

/// Records each order under its reference, with the key of its document if that was found; answers which of them may go on.
/// What is recorded as it is costs nothing.
pub(super) async fn bind(cx: &Cx, orders: &[(&Job<'_>, Option<&str>)]) -> Vec<Result<()>> {
    let mut answers: Vec<Result<()>> = orders.iter().map(|_| Ok(())).collect();
    let mut bindings = Vec::new();
    let mut places = Vec::new();
    for ((job, found), answer) in orders.iter().zip(&mut answers) {
        let is_new = job.claimed.reference.is_none() || found.is_some_and(|found| !job.is_recorded(found));
        if is_new {
            bindings.push(binding(job, *found));
            places.push((*found, answer));
        }
    }
    if bindings.is_empty() {
        return answers;
    }
    let bound = cx.bind(bindings).await;
    for (place, (found, answer)) in places.into_iter().enumerate() {
        *answer = match bound.as_ref().map(|bound| bound.get(place)) {
            Err(error) => Err(error.clone()),
            Ok(Some(Bound::Done)) => Ok(()),
            Ok(Some(Bound::Taken { by })) => Err(taken(found.unwrap_or_default(), by)),
            Ok(Some(Bound::Fenced)) => Err(passed_on()),
            Ok(None) => Err(Error::store("bind", "the store did not answer for this order")),
        };
    }
    answers
}

fn binding(job: &Job<'_>, found: Option<&str>) -> Binding {
    Binding {
        key: job.claimed.key.clone(),
        token: job.claimed.token,
        reference: job.stored_reference().unwrap_or_default(),
        target_id: found.map(str::to_owned),
    }
}
