//! Where a pull begins, and how far its cut may go.
//!
//! A cut says that all that changed before it is staged. It is told by two clocks that people set, the source's and this
//! process', and either may be wrong: so a cut is never ahead of either of them, and one that is (set by hand, or reached while
//! clocks were wrong that were corrected since) is not believed.

use std::time::Duration;

use jiff::Timestamp;

use super::meter;
use super::source_clock::{SourceClock, before};
use super::{Engine, FetchQuery, Flow, Pulled, Source, SourcePage};
use crate::clock::{earlier, later};
use crate::model::{Cut, FlowId};
use crate::store::{PullLease, SyncTaskFilter};
use crate::{Cx, Error, Result};

/// How far the cut of a pull may go.
///
/// A row that is read before its time plus the overlap may still be joined by one that commits late. So the cut never passes
/// the moment when the pull began: the next pull then reads again what this one may have read too early, however long it
/// takes. A clock that runs ahead must not carry it on either: what is stamped by the corrected one would be left out.
pub(super) struct Horizon {
    latest: Timestamp,
    clock: SourceClock,
}

impl Horizon {
    /// `cut`, or the horizon if that comes first.
    pub(super) fn bound(&self, cut: Cut) -> Cut {
        if cut.cut_dt <= self.latest { cut } else { Cut { cut_dt: self.latest, offset: 0 } }
    }
}

/// The beginning of a pull: its first page, and what the next ones go by.
pub(super) struct Start {
    pub(super) query: FetchQuery,
    pub(super) page: SourcePage,
    pub(super) horizon: Horizon,
}

impl Engine {
    /// How many records the first pull of a flow would bring; `None` if it was pulled before, or if its source cannot tell. It
    /// reads, and nothing else.
    ///
    /// # Errors
    /// Of the store and of the source; of kind `Config` if the flow has no source in this process.
    pub async fn count_first_pull(&self, flow: &FlowId) -> Result<Option<u64>> {
        let Flow { source, since, .. } = self.flow(flow)?;
        let source = source
            .as_ref()
            .ok_or_else(|| Error::config("count records", format!("the flow {flow} has no source in this process")))?;
        match self.shared.store.cut(flow).await? {
            Some(_) => Ok(None),
            None => source.count(&self.cx(flow), *since).await,
        }
    }

    /// Fetches the first page. If the cut lies ahead, it is moved back first to the last one that does not; and if the clock
    /// that it was reached by was corrected since, by as much.
    pub(super) async fn start_pull(
        &self,
        cx: &Cx,
        source: &dyn Source,
        lease: &PullLease,
        pulled: &mut Pulled,
    ) -> Result<Start> {
        let since = self.flow(cx.flow())?.since;
        loop {
            let query = FetchQuery {
                from: pulled.cut.map(|cut| earlier(cut.cut_dt, self.shared.settings.overlap())).or(since),
                after: None,
                page_size: self.shared.settings.page_size,
            };
            let asked = self.asking(cx).await?;
            let page = self.renewing(lease, self.fetch(cx, source, &query)).await?;
            let took = cx.monotonic().saturating_sub(asked.at);
            let source_began = page.source_now.map(|now| earlier(now, took + Duration::from_secs(1)));
            let horizon = source_began.map_or(asked.wall, |source| source.min(asked.wall));
            let clock = self.source_clock(cx, &asked, page.source_now).await?;
            // The clocks of two processes may differ a little, which is no reason to read anything again.
            let latest = later(horizon, self.shared.settings.overlap() / 10);
            let Some(cut) = pulled.cut else {
                return Ok(Start { query, page, horizon: Horizon { latest: horizon, clock } });
            };
            if cut.cut_dt > latest {
                let back = self.last_cut_before(cx, horizon).await?;
                tracing::warn!(
                    flow = %cx.flow(), cut = %cut.cut_dt, back_to = back.map(|cut| cut.cut_dt.to_string()),
                    "the cut lies ahead of the source's clock or of ours (was it set by hand, or was a clock corrected?), and \
                     what changed before it would be left out; it is moved back to where an earlier pull had come"
                );
                self.move_back(lease, pulled, back).await?;
                continue;
            }
            let Some(by) = clock.corrected(self.tolerance()) else {
                return Ok(Start { query, page, horizon: Horizon { latest: horizon, clock } });
            };
            let back = before(cut, by);
            tracing::warn!(
                flow = %cx.flow(), cut = %cut.cut_dt, back_to = %back.cut_dt,
                "the source's clock was set back since the cut was reached, and what changed since then would be left out; the \
                 cut is moved back by as much"
            );
            self.move_back(lease, pulled, Some(back)).await?;
            // Whoever ends before this moves it back once more.
            self.note_correction(&clock).await?;
        }
    }

    /// Moves a cut that is not to be believed back, as long as nobody else has set it.
    async fn move_back(&self, lease: &PullLease, pulled: &mut Pulled, back: Option<Cut>) -> Result<()> {
        meter::cut_moved_back(&lease.flow);
        self.shared.store.move_cut(lease, back).await?;
        pulled.cut = back;
        Ok(())
    }

    /// Notes by which clock a cut is about to be moved on, if it is.
    pub(super) async fn note_clock_of(&self, cut: Cut, horizon: &Horizon, pulled: &Pulled) -> Result<()> {
        match pulled.cut {
            Some(stands) if stands.cut_dt >= cut.cut_dt => Ok(()),
            _ => self.note_source_clock(&horizon.clock).await,
        }
    }

    /// The cut that the newest pull had reached which was not ahead.
    async fn last_cut_before(&self, cx: &Cx, latest: Timestamp) -> Result<Option<Cut>> {
        let mut filter = SyncTaskFilter { flow: Some(cx.flow().clone()), status: None, after: None, limit: 100 };
        loop {
            let listing = self.shared.store.list_sync_tasks(&filter).await?;
            let cuts = listing.items.iter().flat_map(|task| [task.cut_after, task.cut_before]).flatten();
            if let Some(cut) = cuts.into_iter().find(|cut| cut.cut_dt <= latest) {
                return Ok(Some(cut));
            }
            match listing.next {
                Some(next) => filter.after = Some(next),
                None => return Ok(None),
            }
        }
    }
}
