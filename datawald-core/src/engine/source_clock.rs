//! Whether the clock that cuts go by was corrected since the last cut was reached.
//!
//! A cut is a time by the source's clock, and never ahead of ours. If both run ahead at once, nothing shows it while they do. What
//! shows is the correction: since the cut was reached, less time has passed by the source's clock than has passed. How much has
//! passed is told by two clocks that nobody sets: the monotonic one of the process that reached the cut, if that one pulls
//! again, and the store's. The store's stands still while nobody works, so it tells too little, but never too much: a difference
//! to it that shrinks is a correction, one that grows may be nothing at all.
//!
//! What the clocks showed stands in a record per flow. It is written before a cut is moved on, once a pull at most, and only
//! where the source's clock has gained on it, or another process pulls; so no pull that brings nothing writes it.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use tokio::sync::OnceCell;

use super::Engine;
use crate::clock::{earlier, later};
use crate::model::{Cut, FlowId};
use crate::{Cx, Error, Result};

/// How the names of these records begin.
pub(crate) const PREFIX: &str = "source-clock/";

/// A source tells its time by the second.
const RESOLUTION: Duration = Duration::from_secs(1);

/// What the clocks showed at one time.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Reading {
    /// The source's; ours, if the source tells no time.
    source: Timestamp,
    /// The store's.
    store: Timestamp,
    /// Whose monotonic clock `passed` is of.
    by: String,
    /// That clock, in microseconds.
    passed: i64,
}

/// When a pull asked for its first page.
pub(super) struct Asked {
    /// By our wall clock.
    pub(super) wall: Timestamp,
    /// By our monotonic clock.
    pub(super) at: Duration,
    store: Timestamp,
}

/// The source's clock as a pull has found it.
pub(super) struct SourceClock {
    flow: FlowId,
    /// As it was at most when the page was asked for.
    most: Reading,
    /// As it was at least when the page had come.
    least: Reading,
    known: Option<Reading>,
    rev: u64,
    noted: OnceCell<()>,
}

impl Reading {
    /// By how much the source's clock has fallen behind since `before`; negative if it has gained, or the store's has stood still.
    fn behind(&self, before: &Self) -> SignedDuration {
        let source = self.source.duration_since(before.source);
        let by_store = self.store.duration_since(before.store) - source;
        let passed = SignedDuration::from_micros(self.passed.saturating_sub(before.passed));
        if self.by == before.by { by_store.max(passed - source) } else { by_store }
    }
}

impl SourceClock {
    /// By how much the clock was corrected since the cut was reached, if by more than `tolerance`.
    pub(super) fn corrected(&self, tolerance: Duration) -> Option<Duration> {
        let behind = Duration::try_from(self.most.behind(self.known.as_ref()?)).ok()?;
        (behind > tolerance).then_some(behind)
    }

    /// What is to be noted before a cut is moved on by this clock; `None` if what is known says as much.
    fn news(&self, tolerance: Duration) -> Option<Reading> {
        let Some(known) = &self.known else { return Some(self.least.clone()) };
        let gained = self.least.source.duration_since(known.source) - self.least.store.duration_since(known.store);
        if self.least.by == known.by && gained <= SignedDuration::try_from(tolerance).unwrap_or(SignedDuration::MAX) {
            return None;
        }
        // What it has lost little by little is not forgotten, whoever pulls.
        let source = self.least.source.checked_sub(gained.min(SignedDuration::ZERO));
        Some(Reading { source: source.unwrap_or(self.least.source), ..self.least.clone() })
    }
}

impl Engine {
    /// The time, before a page is asked for.
    pub(super) async fn asking(&self, cx: &Cx) -> Result<Asked> {
        let (wall, at) = (cx.now(), cx.monotonic());
        Ok(Asked { wall, at, store: self.now().await?.store })
    }

    /// What a page that was asked for says of the source's clock, and what is known of it.
    pub(super) async fn source_clock(
        &self,
        cx: &Cx,
        asked: &Asked,
        source_now: Option<Timestamp>,
    ) -> Result<SourceClock> {
        let record = self.shared.store.record(&name(cx.flow())).await?;
        let took = if source_now.is_some() { cx.monotonic().saturating_sub(asked.at) } else { Duration::ZERO };
        let reading = |source, after: Duration| Reading {
            source,
            store: later(asked.store, after),
            by: self.shared.owner.clone(),
            passed: i64::try_from((asked.at + after).as_micros()).unwrap_or(i64::MAX),
        };
        let most = source_now.map_or(asked.wall, |source| later(source, RESOLUTION));
        Ok(SourceClock {
            flow: cx.flow().clone(),
            most: reading(most, Duration::ZERO),
            least: reading(source_now.unwrap_or(asked.wall), took),
            rev: record.as_ref().map_or(0, |record| record.rev),
            // One that somebody has changed is written anew.
            known: record.and_then(|record| serde_json::from_str(&record.value).ok()),
            noted: OnceCell::new(),
        })
    }

    /// Less than this is not told from what clocks differ by.
    pub(super) fn tolerance(&self) -> Duration {
        (self.shared.settings.overlap() / 10).max(self.shared.time.margin() + RESOLUTION * 2)
    }

    /// Notes what the clock shows, before a cut is moved on by it.
    pub(super) async fn note_source_clock(&self, clock: &SourceClock) -> Result<()> {
        let note = async || match clock.news(self.tolerance()) {
            Some(reading) => self.write_source_clock(clock, &reading).await,
            None => Ok(()),
        };
        clock.noted.get_or_try_init(note).await.copied()
    }

    /// Notes that the clock was corrected, once the cut is moved back.
    pub(super) async fn note_correction(&self, clock: &SourceClock) -> Result<()> {
        self.write_source_clock(clock, &clock.least).await
    }

    async fn write_source_clock(&self, clock: &SourceClock, reading: &Reading) -> Result<()> {
        let text = serde_json::to_string(reading)
            .map_err(|error| Error::store("note source's clock", "cannot be written as JSON").caused_by(error))?;
        // If somebody else has written it meanwhile, the right to pull has passed on, which the next step finds.
        self.shared.store.write_record(&name(&clock.flow), clock.rev, &text).await.map(drop)
    }
}

/// A cut before `cut`.
pub(super) fn before(cut: Cut, by: Duration) -> Cut {
    Cut { cut_dt: earlier(cut.cut_dt, by), offset: 0 }
}

fn name(flow: &FlowId) -> String {
    format!("{PREFIX}{}/{}", flow.table.name(), flow.frontend)
}
