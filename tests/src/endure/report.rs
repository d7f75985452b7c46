//! What came of a run: a table for people, a file for programs.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use serde::Serialize;

use super::chaos::Chaos;
use super::judge::Verdict;
use super::members::Members;
use super::plan::{Mover, Plan, Store};
use super::shop::Shop;

/// What came of a run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// What happened when.
    pub seed: u64,
    /// `datawald`, `celery` or `loop`.
    pub mover: &'static str,
    /// `sqlite`, `servers` or `no store`.
    pub store: &'static str,
    /// The way into SAP B1.
    pub way: &'static str,
    /// How long it took, with the calm at the end.
    pub seconds: u64,
    /// The count.
    pub verdict: Verdict,
    /// Edits at the shop.
    pub edits: u64,
    /// How often each thing befell.
    pub befell: BTreeMap<String, u64>,
    /// Calls that waited for a SAP B1 that did not go on.
    pub calls_stalled: u64,
    /// How often a process was started.
    pub started: u64,
    /// How often processes ended by themselves, by how.
    pub ended: BTreeMap<String, u64>,
    /// What the processes printed, and the store's file.
    pub folder: PathBuf,
}

impl Report {
    pub(super) fn new(
        plan: &Plan,
        verdict: Verdict,
        shop: &Shop,
        members: &Members,
        chaos: &Chaos,
        took: Duration,
    ) -> Self {
        let (started, ended) = members.figures();
        let (mover, store) = match (plan.mover, plan.store) {
            (Mover::Datawald, Store::Sqlite) => ("datawald", "sqlite"),
            (Mover::Datawald, Store::Servers) => ("datawald", "servers"),
            (Mover::Celery, _) => ("celery", "servers"),
            (Mover::Loop, _) => ("loop", "no store"),
        };
        Self {
            seed: plan.seed,
            mover,
            store,
            way: plan.way.name(),
            seconds: took.as_secs(),
            verdict,
            edits: shop.edits(),
            befell: chaos.befell().iter().map(|(what, times)| ((*what).to_owned(), *times)).collect(),
            calls_stalled: chaos.world().b1.counters().stalled,
            started,
            ended: ended.clone(),
            folder: chaos.world().folder().to_owned(),
        }
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let of = &self.verdict;
        let mut row = |what: &str, figure: u64, orders: &[u64]| {
            writeln!(f, "| {what:<44} | {figure:>8} | {}", Verdict::some(orders))
        };
        row("orders", of.orders, &[])?;
        row("staged", of.staged, &[])?;
        row("documents that stand", of.documents, &[])?;
        row("S with their one document", of.applied, &[])?;
        row("F with a reason", of.failed_with_reason, &[])?;
        row("doubled", of.doubled.len() as u64, &of.doubled)?;
        row("  of which F, so that somebody hears of it", of.doubled_and_told, &[])?;
        row("never staged", of.unstaged.len() as u64, &of.unstaged)?;
        row("lost: S without a document", of.lost.len() as u64, &of.lost)?;
        row("S on another document", of.mistaken.len() as u64, &of.mistaken)?;
        row("of another total than was charged", of.wrong_total.len() as u64, &of.wrong_total)?;
        row("silent", of.silent.len() as u64, &of.silent)?;
        row("waiting", of.waiting.len() as u64, &of.waiting)?;
        row("documents of no order", of.strays, &[])?;
        row("edits", self.edits, &[])?;
        row("calls that a stall held", self.calls_stalled, &[])?;
        row("processes started", self.started, &[])?;
        for (what, times) in self.befell.iter().chain(&self.ended) {
            row(what, *times, &[])?;
        }
        for (reason, orders) in &of.reasons {
            writeln!(f, "F, {orders}: {reason}")?;
        }
        let good = if of.is_good() { "good" } else { "WRONG" };
        write!(
            f,
            "{good}: {}, seed {}, over {} and {}, {} s",
            self.mover, self.seed, self.store, self.way, self.seconds
        )
    }
}
