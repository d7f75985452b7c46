//! How far the run is, for whoever waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use datawald_core::engine::{Applied, FetchQuery, Source, SourcePage, Target};
use datawald_core::store::Claimed;
use datawald_core::{Cx, Result};
use indicatif::{ProgressBar, ProgressStyle};
use jiff::Timestamp;

/// What was pulled and what was applied so far.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    pulled: AtomicU64,
    applied: AtomicU64,
}

impl Tally {
    /// Orders that were taken up, each as often as it was.
    pub(crate) fn applied(&self) -> u64 {
        self.applied.load(Ordering::Relaxed)
    }
}

/// A side that counts what passes through it.
pub(crate) struct Counted<T> {
    side: T,
    tally: Arc<Tally>,
}

impl<T> Counted<T> {
    /// Counts what passes through `side`.
    pub(crate) fn new(side: T, tally: &Arc<Tally>) -> Self {
        Self { side, tally: tally.clone() }
    }
}

#[async_trait]
impl<T: Source> Source for Counted<T> {
    async fn fetch(&self, cx: &Cx, query: &FetchQuery) -> Result<SourcePage> {
        let page = self.side.fetch(cx, query).await?;
        self.tally.pulled.fetch_add(page.entities.len() as u64, Ordering::Relaxed);
        Ok(page)
    }

    async fn count(&self, cx: &Cx, from: Option<Timestamp>) -> Result<Option<u64>> {
        self.side.count(cx, from).await
    }
}

#[async_trait]
impl<T: Target> Target for Counted<T> {
    async fn apply(&self, cx: &Cx, batch: &[Claimed]) -> Vec<Applied> {
        let results = self.side.apply(cx, batch).await;
        self.tally.applied.fetch_add(results.len() as u64, Ordering::Relaxed);
        results
    }

    fn settings_digest(&self) -> Option<String> {
        self.side.settings_digest()
    }
}

/// Shows the tally on the terminal until the future is dropped. Where there is no terminal, nothing is shown.
pub(crate) async fn show(tally: Arc<Tally>) {
    let bar = ProgressBar::new(0);
    if let Ok(style) = ProgressStyle::with_template("{bar:30} {pos} applied of {len} pulled, {elapsed}") {
        bar.set_style(style);
    }
    let clear = ClearOnDrop(bar);
    loop {
        clear.0.set_length(tally.pulled.load(Ordering::Relaxed));
        clear.0.set_position(tally.applied());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

struct ClearOnDrop(ProgressBar);

impl Drop for ClearOnDrop {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
