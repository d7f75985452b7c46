//! Where a pull begins, and how far its cut may go.
//!
//! A cut says that all that changed before it is staged. It is told by two clocks that people set, the source's and this
//! process', and either may be wrong: so a cut is never ahead of either of them, and one that is (set by hand, or reached while
//! clocks were wrong that were corrected since) is not believed.

use std::time::Duration;

use jiff::Timestamp;

use super::meter;
use super::{Engine, FetchQuery, Flow, Pulled, Source, SourcePage};
use crate::clock::{earlier, later};
use crate::model::{Cut, FlowId};
use crate::store::{PullLease, SyncTaskFilter};
use crate::{Cx, Disposition, Error, ErrorKind, Result};

/// How far the cut of a pull may go.
///
/// A row that is read before its time plus the overlap may still be joined by one that commits late. So the cut never passes
/// the moment when the pull began: the next pull then reads again what this one may have read too early, however long it
/// takes. A clock that runs ahead must not carry it on either: what is stamped by the corrected one would be left out.
#[derive(Debug, Clone, Copy)]
pub(super) struct Horizon(Timestamp);

impl Horizon {
    /// `cut`, or the horizon if that comes first.
    pub(super) fn bound(self, cut: Cut) -> Cut {
        if cut.cut_dt <= self.0 { cut } else { Cut { cut_dt: self.0, offset: 0 } }
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

    /// Fetches the first page. If the cut lies ahead, it is moved back first to the last one that does not.
    pub(super) async fn start_pull(
        &self,
        cx: &Cx,
        source: &dyn Source,
        lease: &mut PullLease,
        pulled: &mut Pulled,
    ) -> Result<Start> {
        let since = self.flow(cx.flow())?.since;
        loop {
            let query = FetchQuery {
                from: pulled.cut.map(|cut| earlier(cut.cut_dt, self.shared.settings.overlap())).or(since),
                after: None,
                page_size: self.shared.settings.page_size,
            };
            let (wall, began) = (cx.now(), cx.monotonic());
            let page = self.renewing(lease, self.fetch(cx, source, &query)).await?;
            let took = cx.monotonic().saturating_sub(began);
            let source_began = page.source_now.map(|now| earlier(now, took + Duration::from_secs(1)));
            let horizon = source_began.map_or(wall, |source| source.min(wall));
            // The clocks of two processes may differ a little, which is no reason to read anything again.
            let latest = later(horizon, self.shared.settings.overlap() / 10);
            match pulled.cut {
                Some(cut) if cut.cut_dt > latest => pulled.cut = self.move_back(cx, lease, cut, horizon).await?,
                _ => return Ok(Start { query, page, horizon: Horizon(horizon) }),
            }
        }
    }

    /// Moves a cut that lies ahead back to where an earlier pull had come, and takes the right to pull anew, which moving it
    /// ends.
    async fn move_back(&self, cx: &Cx, lease: &mut PullLease, ahead: Cut, latest: Timestamp) -> Result<Option<Cut>> {
        let flow = cx.flow();
        let back = self.last_cut_before(cx, latest).await?;
        tracing::warn!(
            %flow, cut = %ahead.cut_dt, back_to = back.map(|cut| cut.cut_dt.to_string()),
            "the cut lies ahead of the source's clock or of ours (was it set by hand, or was a clock corrected?), and what changed \
             before it would be left out; it is moved back to where an earlier pull had come"
        );
        meter::cut_moved_back(flow);
        self.shared.store.set_cut(flow, back).await?;
        *lease = self.acquire_pull(flow).await?.ok_or_else(|| {
            let message = "another process has begun to pull";
            Error::new(ErrorKind::Busy, Disposition::Retryable { after: None }, "pull", message)
        })?;
        Ok(back)
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
