//! Staging that others ask for: pages that are pulled on other machines, and what a source hands over by itself.

use super::Engine;
use crate::model::{FlowId, Intent};
use crate::store::{Push, PushedSync, StageBatch, StageEntity, Staging};
use crate::{Clock, Error, ErrorKind, Now, Result};

impl Engine {
    /// Stages entities outside a pull and dispatches what is to be done; see
    /// [`StagingStore::push`](crate::store::StagingStore::push).
    ///
    /// # Errors
    /// Of kind `Invalid` if the engine has flows and this is none of them: it would stay N for ever. Of the store. A queue that
    /// is away only delays.
    pub async fn push(&self, flow: &FlowId, entities: Vec<Push>) -> Result<Vec<Option<Staging>>> {
        self.push_at(flow, entities, self.due_now().await?).await
    }

    pub(crate) async fn push_at(&self, flow: &FlowId, entities: Vec<Push>, now: Now) -> Result<Vec<Option<Staging>>> {
        self.check_taken(flow)?;
        let keys: Vec<_> = entities.iter().map(|push| to_be_done(&push.entity)).collect();
        let refused = entities.iter().map(|push| is_refused(&push.entity).then(|| push.entity.id.clone())).collect();
        let staged = self.shared.store.push(flow, entities, now).await?;
        news(refused, staged.iter().copied()).iter().for_each(|id| tell_refused(id));
        let due = news(keys, staged.iter().copied());
        self.dispatch(flow, due, None).await;
        Ok(staged)
    }

    /// Records entities that were pushed as a sync task, and dispatches those that were not unchanged; see
    /// [`StagingStore::record_pushed`](crate::store::StagingStore::record_pushed).
    ///
    /// # Errors
    /// Of the store. A queue that is away only delays.
    pub async fn record_pushed(&self, pushed: PushedSync) -> Result<()> {
        let (flow, id) = (pushed.task.flow.clone(), pushed.task.id.clone());
        self.check_taken(&flow)?;
        let due = pushed.members.iter().filter(|member| !member.unchanged).map(|member| member.id.clone()).collect();
        self.shared.store.record_pushed(pushed).await?;
        self.dispatch(&flow, due, Some(&id)).await;
        Ok(())
    }

    /// Stages a page for a pull that goes on elsewhere, and dispatches what is to be done; see
    /// [`StagingStore::stage`](crate::store::StagingStore::stage).
    ///
    /// # Errors
    /// Of the store. A queue that is away only delays.
    pub async fn stage_page(&self, batch: StageBatch) -> Result<Vec<Staging>> {
        let (flow, id) = (batch.lease.flow.clone(), batch.sync_task.id.clone());
        self.check_taken(&flow)?;
        let keys: Vec<_> = batch.entities.iter().map(to_be_done).collect();
        let staged = self.shared.store.stage(batch).await?;
        let due = news(keys, staged.iter().copied().map(Some));
        self.dispatch(&flow, due, Some(&id)).await;
        Ok(staged)
    }

    /// Refuses what is no flow of this engine. One that was built without flows, over a store that others apply from, takes
    /// all.
    fn check_taken(&self, flow: &FlowId) -> Result<()> {
        let known: Vec<FlowId> = self.shared.flows.iter().map(|flow| flow.id.clone()).collect();
        if known.is_empty() { Ok(()) } else { check_taken(flow, &known) }
    }

    /// What this engine takes for the time.
    pub fn clock(&self) -> &dyn Clock {
        &*self.shared.clock
    }

    /// Wakes a worker for an entity that is due again.
    #[cfg(feature = "api")]
    pub(crate) async fn dispatch_again(&self, flow: &FlowId, id: String) {
        self.dispatch(flow, vec![id], None).await;
    }

    #[cfg(feature = "api")]
    pub(crate) fn shared_clock(&self) -> std::sync::Arc<dyn Clock> {
        self.shared.clock.clone()
    }
}

/// Refuses what is none of the `known` flows: nobody would ever apply it.
pub(crate) fn check_taken(flow: &FlowId, known: &[FlowId]) -> Result<()> {
    if known.contains(flow) {
        return Ok(());
    }
    let known: Vec<String> = known.iter().map(FlowId::to_string).collect();
    let message = format!(
        "there is no flow of {flow}, so that what is staged of it would wait for ever; there are flows of: {}",
        known.join(", ")
    );
    Err(Error::invalid("stage", message))
}

/// Its key, if a worker is to take it up.
fn to_be_done(entity: &StageEntity) -> Option<String> {
    entity.intent.is_to_be_done().then(|| entity.id.clone())
}

/// Whether it fails at once, since it cannot be mapped or is not valid.
pub(super) fn is_refused(entity: &StageEntity) -> bool {
    matches!(entity.intent, Intent::Reject(_))
}

/// Tells of an entity that has failed as it was staged: no worker takes it up, who would tell.
pub(super) fn tell_refused(id: &str) {
    tracing::warn!(entity = id, class = ErrorKind::Mapping.as_str(), "failed; its note says why");
}

/// Of those that are new, the keys.
fn news(keys: Vec<Option<String>>, staged: impl Iterator<Item = Option<Staging>>) -> Vec<String> {
    let fresh = |staging: Option<Staging>| staging.is_some_and(Staging::is_news);
    keys.into_iter().zip(staged).filter(|(_, staging)| fresh(*staging)).filter_map(|(key, _)| key).collect()
}
