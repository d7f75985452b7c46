//! What the engine counts and times, through the `metrics` facade: nothing is kept unless a program installs a recorder.
//!
//! Labels are the table, the frontend's name and words of ours: a handful of values, never an entity or an error's text.

use std::time::Duration;

use metrics::{Label, Unit, counter, describe_counter, describe_gauge, describe_histogram, gauge, histogram};

use super::pause::Side;
use crate::model::FlowId;
use crate::store::{Outcome, Staging};

const PAGES: &str = "datawald_pages_total";
const STAGED: &str = "datawald_staged_total";
const CLAIMED: &str = "datawald_claimed_total";
const OUTCOMES: &str = "datawald_outcomes_total";
const APPLY: &str = "datawald_apply_seconds";
const FAILURES: &str = "datawald_failures_total";
const LEASES_LOST: &str = "datawald_leases_lost_total";
const CUTS_MOVED_BACK: &str = "datawald_cuts_moved_back_total";
const PRUNED: &str = "datawald_pruned_total";
const PAUSED: &str = "datawald_flow_paused";

/// Tells the installed recorder of the `metrics` facade what the engine's metrics mean.
///
/// | name | labels | |
/// |---|---|---|
/// | `datawald_pages_total` | | pages pulled |
/// | `datawald_staged_total` | `kind`: inserted, restaged, still_failed, unchanged | entities pulled and staged |
/// | `datawald_claimed_total` | | entities that workers took up |
/// | `datawald_outcomes_total` | `status`: success, cancelled, ignored, failed, retry, in_doubt, released | outcomes written |
/// | `datawald_apply_seconds` | | histogram: how long a batch took on the other side, its look-up included |
/// | `datawald_failures_total` | `part`: source, store, queue, target | failures of what the engine works with |
/// | `datawald_leases_lost_total` | | entities whose lease ran out or passed to a successor |
/// | `datawald_cuts_moved_back_total` | | cuts that lay ahead of the source's clock or of ours |
/// | `datawald_pruned_total` | | sync tasks, entities in them, versions and source's documents that were removed, no longer kept |
/// | `datawald_flow_paused` | `side`: source, target | gauge: 1 while the flow waits for a side that cannot be used, else 0; as far as this process knows |
///
/// Each has the labels `table` and `frontend` too.
pub fn describe_metrics() {
    describe_counter!(PAGES, "Pages pulled");
    describe_counter!(STAGED, "Entities pulled and staged, by what staging did");
    describe_counter!(CLAIMED, "Entities that workers took up");
    describe_counter!(OUTCOMES, "Outcomes written, by status");
    describe_histogram!(APPLY, Unit::Seconds, "How long a batch took on the other side, its look-up included");
    describe_counter!(FAILURES, "Failures of what the engine works with: source, store, queue, target");
    describe_counter!(LEASES_LOST, "Entities whose lease ran out or passed to a successor");
    describe_counter!(CUTS_MOVED_BACK, "Cuts that lay ahead of the source's clock or of ours");
    describe_counter!(PRUNED, "Sync tasks, versions and documents removed, no longer kept");
    describe_gauge!(PAUSED, "1 while the flow waits for a side that cannot be used, else 0");
}

fn labels(flow: &FlowId) -> Vec<Label> {
    vec![Label::new("table", flow.table.name()), Label::new("frontend", flow.frontend.clone())]
}

fn labels_and(flow: &FlowId, name: &'static str, value: &'static str) -> Vec<Label> {
    let mut labels = labels(flow);
    labels.push(Label::new(name, value));
    labels
}

/// A page was staged: so many of each kind.
pub(super) fn staged(flow: &FlowId, stagings: &[Staging]) {
    counter!(PAGES, labels(flow)).increment(1);
    for kind in [Staging::Inserted, Staging::Restaged, Staging::StillFailed, Staging::Unchanged] {
        let count = stagings.iter().filter(|staging| **staging == kind).count() as u64;
        if count > 0 {
            counter!(STAGED, labels_and(flow, "kind", staging_word(kind))).increment(count);
        }
    }
}

/// Entities were taken up, some of them after the lease of somebody else ran out.
pub(super) fn claimed(flow: &FlowId, count: usize, lost: usize) {
    if count > 0 {
        counter!(CLAIMED, labels(flow)).increment(count as u64);
    }
    leases_lost(flow, lost);
}

/// Leases ran out or passed to successors.
pub(super) fn leases_lost(flow: &FlowId, count: usize) {
    if count > 0 {
        counter!(LEASES_LOST, labels(flow)).increment(count as u64);
    }
}

/// A cut lay ahead.
pub(super) fn cut_moved_back(flow: &FlowId) {
    counter!(CUTS_MOVED_BACK, labels(flow)).increment(1);
}

/// So much was removed.
pub(super) fn pruned(flow: &FlowId, count: u64) {
    if count > 0 {
        counter!(PRUNED, labels(flow)).increment(count);
    }
}

/// A flow waits for one of its sides, or does not.
pub(super) fn paused(flow: &FlowId, side: Side, paused: bool) {
    gauge!(PAUSED, labels_and(flow, "side", side.as_str())).set(if paused { 1.0 } else { 0.0 });
}

/// A batch was applied.
pub(super) fn applied(flow: &FlowId, took: Duration) {
    histogram!(APPLY, labels(flow)).record(took);
}

/// An outcome was written.
pub(super) fn settled(flow: &FlowId, outcome: &Outcome) {
    counter!(OUTCOMES, labels_and(flow, "status", outcome_word(outcome))).increment(1);
}

/// A part of what the engine works with.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    Source,
    Store,
    Queue,
    Target,
}

/// A part failed.
pub(super) fn failed(flow: &FlowId, part: Part) {
    let word = match part {
        Part::Source => "source",
        Part::Store => "store",
        Part::Queue => "queue",
        Part::Target => "target",
    };
    counter!(FAILURES, labels_and(flow, "part", word)).increment(1);
}

/// What staging did, in a word for labels and traces.
pub(super) fn staging_word(staging: Staging) -> &'static str {
    match staging {
        Staging::Inserted => "inserted",
        Staging::Restaged => "restaged",
        Staging::Retried => "retried",
        Staging::StillFailed => "still_failed",
        Staging::Unchanged => "unchanged",
    }
}

/// An outcome, in a word for labels and traces.
pub(super) fn outcome_word(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Success { .. } => "success",
        Outcome::Cancelled { .. } => "cancelled",
        Outcome::Ignored { .. } => "ignored",
        Outcome::Failed { .. } => "failed",
        Outcome::Retry { .. } => "retry",
        Outcome::InDoubt { .. } => "in_doubt",
        Outcome::Release => "released",
    }
}
