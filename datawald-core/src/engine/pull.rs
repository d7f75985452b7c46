//! The pull: from the last cut, page by page, each staged durably before the next counts.

use std::time::Duration;

use tracing::{Instrument, debug_span, info_span};

use super::cut::{Horizon, Start};
use super::meter::{self, Part};
use super::staging::{is_refused, tell_refused};
use super::{Cursor, Engine, FetchQuery, Source, SourcePage};
use crate::clock::later;
use crate::model::{Cut, FlowId, SyncStatus, SyncTaskId};
use crate::queue::{Published, TaskMessage};
use crate::store::{NewSyncTask, PullLease, StageBatch, Staging};
use crate::{Checkpoint, Cx, Disposition, Error, ErrorKind, Result};

/// What a pull brought.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pulled {
    /// The sync task that its entities joined. That of a scheduled pull that brought nothing is not recorded.
    pub sync_task: SyncTaskId,
    /// Pages fetched.
    pub pages: u64,
    /// Entities that were not known.
    pub inserted: u64,
    /// Entities with new content.
    pub restaged: u64,
    /// Entities that have not changed and stay failed.
    pub still_failed: u64,
    /// Other entities that have not changed.
    pub unchanged: u64,
    /// The cut that was reached, if any.
    pub cut: Option<Cut>,
}

/// When the sync task of a pull is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Record {
    /// At once: somebody asked for the pull, and is told of it whatever it brings.
    AtOnce,
    /// With the first page that brings something: of the many pulls of an idle flow nothing stays.
    #[cfg_attr(not(feature = "scheduler"), expect(dead_code, reason = "schedules alone pull that often"))]
    WithNews,
}

/// How often one page is tried before the pull gives up; the next pull goes on from the same cut.
const PAGE_ATTEMPTS: u32 = 5;

/// The longest that a pull waits before it tries a page again.
const LONGEST_WAIT: Duration = Duration::from_secs(60);

impl Engine {
    /// Pulls a flow once: everything that changed since the last cut is staged and dispatched.
    ///
    /// # Errors
    /// Of kind `Busy` if somebody else is pulling the same flow, here or in another process. Otherwise what the source or the store answered; what
    /// was staged until then stays, and the next pull goes on from there.
    pub async fn pull(&self, flow: &FlowId) -> Result<Pulled> {
        self.try_pull(flow).await?.ok_or_else(|| {
            Error::new(
                ErrorKind::Busy,
                Disposition::Retryable { after: Some(self.shared.settings.pull_lease()) },
                "pull",
                format!("somebody else is pulling {flow}; a process that has died loses the right to by itself"),
            )
        })
    }

    /// As [`Engine::pull`]; `None` if somebody else is pulling the same flow.
    pub(super) async fn try_pull(&self, flow: &FlowId) -> Result<Option<Pulled>> {
        self.try_pull_into(flow, SyncTaskId::generate(), Record::AtOnce).await
    }

    /// As [`Engine::try_pull`], into the sync task `id`, which may be there from a pull that was cut off.
    pub(super) async fn try_pull_into(&self, flow: &FlowId, id: SyncTaskId, record: Record) -> Result<Option<Pulled>> {
        let known = self.flow(flow)?;
        let source = known
            .source
            .clone()
            .ok_or_else(|| Error::config("pull", format!("the flow {flow} has no source in this process")))?;
        let Ok(_turn) = known.pulling.try_lock() else { return Ok(None) };
        let paused = self.source_pause(flow).await?;
        let cx = self.cx(flow);
        cx.reached(Checkpoint::BeforePullLease);
        let Some(lease) = self.acquire_pull(flow).await? else { return Ok(None) };
        cx.reached(Checkpoint::AfterPullLease);
        if let Err(error) = self.probe_source(paused).await {
            self.shared.store.release_pull(&lease).await?;
            return Err(error);
        }
        let span = info_span!("pull", %flow, sync_task = %id);
        let pulled = self.pull_leased(&cx, &*source, lease, id, record).instrument(span).await;
        self.source_untold(flow).await?;
        pulled.map(Some)
    }

    pub(super) async fn acquire_pull(&self, flow: &FlowId) -> Result<Option<PullLease>> {
        let shared = &self.shared;
        let now = self.now().await?.store;
        let until = later(now, shared.settings.pull_lease());
        shared.store.acquire_pull(flow, &shared.owner, now, until).await
    }

    /// Pulls under a lease, into the sync task `id`, and gives the lease back.
    async fn pull_leased(
        &self,
        cx: &Cx,
        source: &dyn Source,
        lease: PullLease,
        id: SyncTaskId,
        record: Record,
    ) -> Result<Pulled> {
        let shared = &self.shared;
        let flow = cx.flow();
        let cut_before = shared.store.cut(flow).await?;
        let task = NewSyncTask { id: id.clone(), flow: flow.clone(), cut_before, now: cx.now() };
        if record == Record::AtOnce {
            shared.store.create_sync_task(task.clone()).await?;
            cx.reached(Checkpoint::AfterSyncTask);
        }
        self.end_cut_off(flow, &id).await?;

        let mut pulled = Pulled {
            sync_task: id,
            pages: 0,
            inserted: 0,
            restaged: 0,
            still_failed: 0,
            unchanged: 0,
            cut: cut_before,
        };
        let result = self.pull_pages(cx, source, &lease, &task, &mut pulled).await;
        if let Err(error) = &result {
            let note = format!("the pull ended early and goes on from its cut next time: {error}");
            let closing =
                shared.store.close_sync_task(&pulled.sync_task, SyncStatus::Incompleted, &note, cx.now()).await;
            if let Err(error) = closing {
                tracing::warn!(%error, "could not note why a pull ended");
            }
        }
        if let Err(error) = shared.store.release_pull(&lease).await {
            tracing::warn!(%error, "could not give the right to pull back; it ends by itself");
        }
        if result.is_ok() {
            let Pulled { pages, inserted, restaged, still_failed, unchanged, .. } = pulled;
            // A pull that brings nothing is nothing to tell, every minute.
            if inserted + restaged > 0 {
                tracing::info!(pages, inserted, restaged, still_failed, unchanged, "pulled");
            } else {
                tracing::debug!(pages, still_failed, unchanged, "pulled nothing new");
            }
        }
        result.map(|()| pulled)
    }

    async fn pull_pages(
        &self,
        cx: &Cx,
        source: &dyn Source,
        lease: &PullLease,
        task: &NewSyncTask,
        pulled: &mut Pulled,
    ) -> Result<()> {
        let Start { mut query, mut page, ref horizon } = self.start_pull(cx, source, lease, pulled).await?;
        loop {
            pulled.pages += 1;
            let next = page.next.take();
            match next {
                None => return self.finish_pull(cx, lease, task, page, horizon, pulled).await,
                Some(cursor) => {
                    if query.after.as_ref() == Some(&cursor) {
                        return Err(Error::new(
                            ErrorKind::Protocol,
                            Disposition::Permanent,
                            "pull",
                            "the source answers with the same next page again; its paging does not move on",
                        ));
                    }
                    query.after = Some::<Cursor>(cursor);
                    // While this page is made durable, the next one is on its way.
                    let both = async {
                        Ok(tokio::join!(
                            self.stage(cx, lease, task, page, horizon, pulled),
                            self.fetch(cx, source, &query)
                        ))
                    };
                    let (staged, fetched) = self.renewing(lease, both).await?;
                    staged?;
                    self.check_stop("pull")?;
                    page = fetched?;
                }
            }
        }
    }

    async fn finish_pull(
        &self,
        cx: &Cx,
        lease: &PullLease,
        task: &NewSyncTask,
        page: SourcePage,
        horizon: &Horizon,
        pulled: &mut Pulled,
    ) -> Result<()> {
        self.renewing(lease, self.stage(cx, lease, task, page, horizon, pulled)).await?;
        cx.reached(Checkpoint::BeforePullEnd);
        self.shared.store.finish_pull(&pulled.sync_task, cx.now()).await?;
        cx.reached(Checkpoint::AfterPullEnd);
        Ok(())
    }

    /// Fetches a page; waits and tries again where the source asks for that.
    pub(super) async fn fetch(&self, cx: &Cx, source: &dyn Source, query: &FetchQuery) -> Result<SourcePage> {
        let mut attempt = 0;
        loop {
            attempt += 1;
            cx.reached(Checkpoint::BeforeFetch);
            let fetched = source.fetch(cx, query).instrument(debug_span!("fetch", attempt)).await;
            match fetched {
                Ok(page) => {
                    cx.reached(Checkpoint::AfterFetch);
                    self.source_answered(cx.flow()).await?;
                    return Ok(page);
                }
                Err(error) => {
                    meter::failed(cx.flow(), Part::Source);
                    let Disposition::Retryable { after } = error.disposition() else {
                        return Err(self.source_failed(cx.flow(), error).await);
                    };
                    let wait = after.unwrap_or_default().max(self.shared.settings.backoff(attempt));
                    // A longer wait is for the next pull. A probe is one attempt.
                    if attempt >= PAGE_ATTEMPTS || wait > LONGEST_WAIT || self.is_probing(cx.flow()) {
                        return Err(self.source_failed(cx.flow(), error).await);
                    }
                    tracing::warn!(%error, attempt, ?wait, "fetching a page failed; trying again");
                    self.pause("pull", wait).await?;
                }
            }
        }
    }

    async fn stage(
        &self,
        cx: &Cx,
        lease: &PullLease,
        task: &NewSyncTask,
        page: SourcePage,
        horizon: &Horizon,
        pulled: &mut Pulled,
    ) -> Result<()> {
        let shared = &self.shared;
        let cut = page.reached.map(|reached| horizon.bound(reached));
        let staged: Vec<(String, bool, bool)> = page
            .entities
            .iter()
            .map(|entity| (entity.id.clone(), entity.intent.is_to_be_done(), is_refused(entity)))
            .collect();
        if let Some(cut) = cut {
            self.note_clock_of(cut, horizon, pulled).await?;
        }
        let now = self.due_now().await?;
        let until = later(self.now().await?.store, shared.settings.pull_lease());
        let batch = StageBatch {
            lease: lease.clone(),
            lease_until: until,
            sync_task: task.clone(),
            entities: page.entities,
            cut,
            now,
        };
        cx.reached(Checkpoint::BeforeStage);
        let span = debug_span!("stage", entities = staged.len());
        let stagings = match shared.store.stage(batch).instrument(span.clone()).await {
            Ok(stagings) => stagings,
            Err(error) => {
                meter::failed(cx.flow(), Part::Store);
                return Err(error);
            }
        };
        cx.reached(Checkpoint::AfterStage);
        meter::staged(cx.flow(), &stagings);
        let mut due = Vec::with_capacity(stagings.len());
        for (staging, (key, waits, refused)) in stagings.into_iter().zip(staged) {
            tracing::debug!(parent: &span, entity = key, staging = meter::staging_word(staging), "staged");
            *match staging {
                Staging::Inserted => &mut pulled.inserted,
                // A pull answers the second never: only what is handed over is tried again as it is.
                Staging::Restaged | Staging::Retried => &mut pulled.restaged,
                Staging::StillFailed => &mut pulled.still_failed,
                Staging::Unchanged => &mut pulled.unchanged,
            } += 1;
            if waits && staging.is_news() {
                due.push(key);
            } else if refused && staging.is_news() {
                tell_refused(&key);
            }
        }
        if let Some(cut) = cut {
            pulled.cut = Some(pulled.cut.map_or(cut, |before| if before.cut_dt > cut.cut_dt { before } else { cut }));
        }
        cx.reached(Checkpoint::BeforeDispatch);
        let span = debug_span!("dispatch", entities = due.len());
        self.dispatch(cx.flow(), due, Some(&pulled.sync_task)).instrument(span).await;
        cx.reached(Checkpoint::AfterDispatch);
        Ok(())
    }

    /// Publishes tasks for entities. What cannot be published only waits for the sweep; `false` if that is so for some.
    pub(super) async fn dispatch(&self, flow: &FlowId, mut keys: Vec<String>, sync_task: Option<&SyncTaskId>) -> bool {
        while !keys.is_empty() {
            let rest = keys.split_off(keys.len().min(self.shared.settings.batch));
            let message = TaskMessage { flow: flow.clone(), keys, sync_task: sync_task.cloned() };
            match self.shared.queue.publish(message).await {
                Ok(Published::Queued) => self.queue_works(),
                Ok(Published::Full) => return false,
                Err(error) => {
                    self.queue_failed(flow, &error);
                    return false;
                }
            }
            keys = rest;
        }
        true
    }
}
