//! The staging store of a core on another machine.

use std::collections::BTreeMap;
use std::time::Duration;

use async_trait::async_trait;
use futures::Stream;
use http::Method;
use http::header::{AUTHORIZATION, HeaderValue};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::Instant;

use super::config::ClientSettings;
use super::error::error;
use crate::engine::source_clock;
use crate::http::{Http, HttpRequest, HttpSettings};
use crate::model::{Counts, Cut, Entity, EntityKey, FlowId, SyncStatus, SyncTask, SyncTaskId, Version};
use crate::store::{
    Binding, Bound, Claim, Claimed, EntityFilter, Expired, Listing, NewSyncTask, Overview, PullLease, Push, PushedSync,
    Record, Settled, Settlement, StageBatch, Staging, StagingStore, SyncTaskFilter,
};
use crate::wire::{
    AcquirePull, Answer, AtTime, BindBody, ClaimBody, CloseBody, DeleteRecord, DueBody, EraseBody, FinishPull,
    HeldLease, ListEntities, ListSyncTasks, MoveCut, NextDue, Nothing, OfEntity, OfFlow, OfName, OfPull, OfRecord,
    OfRecords, OfSyncTask, PruneBody, PushBatch, RenewBody, RenewPull, ResyncBody, ResyncFailedBody, ResyncTaskBody,
    SetCut, SettleBody, StoreTime, WriteRecord,
};
use crate::{Disposition, Effect, Error, ErrorKind, Now, Result};

/// The first wait before a call is tried again; it doubles with each try.
const FIRST_WAIT: Duration = Duration::from_millis(100);

/// The longest wait between two tries.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A core on another machine. Cheap to clone.
///
/// Every operation of a staging store may be called again with the same arguments, so a call that failed for a time is
/// tried again for as long as [`ClientSettings::patience_ms`] says, whatever became of it before: the core is away or
/// busy, the answer was lost, too many requests. What the core refuses is an error at once, as the core had it.
#[derive(Debug, Clone)]
pub struct RemoteCore {
    http: Http,
    authorization: HeaderValue,
    patience: Duration,
}

impl RemoteCore {
    /// The core at `settings.url`. Nothing is sent yet.
    ///
    /// # Errors
    /// Of kind `Config`: a URL that is none, a token that no header can carry, certificates that cannot be read.
    pub fn new(settings: ClientSettings) -> Result<Self> {
        let mut http = HttpSettings::new(&settings.url).map_err(|error| error.field("url"))?;
        http.timeout = Duration::from_millis(settings.timeout_ms);
        http.max_body = settings.max_body;
        http.extra_ca_pem = settings.extra_ca_pem;
        http.tls_provider = settings.tls_provider;
        let mut authorization =
            HeaderValue::from_str(&format!("Bearer {}", settings.token.expose_secret())).map_err(|_| {
                Error::config("read token", "holds a line break or another character that no token has").field("token")
            })?;
        authorization.set_sensitive(true);
        Ok(Self { http: Http::new(http)?, authorization, patience: Duration::from_millis(settings.patience_ms) })
    }

    /// How many requests this core was sent, by this client and its clones.
    pub fn requests_sent(&self) -> u64 {
        self.http.requests_sent()
    }

    /// All entities that a filter lets through, page after page; no more than a page is held at a time.
    pub fn entities(&self, filter: EntityFilter) -> impl Stream<Item = Result<Entity>> + Send + '_ {
        use futures::{StreamExt, TryStreamExt};
        futures::stream::try_unfold(Some(filter), move |filter| async move {
            let Some(filter) = filter else { return Ok(None) };
            let page = self.list(&filter).await?;
            let rest = page.next.map(|next| EntityFilter { after: Some(next), ..filter });
            Ok::<_, Error>(Some((page.items, rest)))
        })
        .map_ok(|items| futures::stream::iter(items).map(Ok))
        .try_flatten()
    }

    async fn call<A: DeserializeOwned>(&self, operation: &'static str, name: &str, body: impl Serialize) -> Result<A> {
        let body = serde_json::to_vec(&body)
            .map_err(|error| Error::invalid(operation, "cannot be written as JSON").caused_by(error))?;
        let body = bytes::Bytes::from(body);
        let url = self.http.url(&format!("engine/{name}"))?;
        let deadline = Instant::now() + self.patience;
        let mut wait = FIRST_WAIT;
        loop {
            // Safe to repeat, whatever became of it: so nothing is ever uncertain here.
            let mut request =
                HttpRequest::new(operation, Effect::IdempotentWrite, Method::POST, url.clone()).json(body.clone());
            request.headers.insert(AUTHORIZATION, self.authorization.clone());
            let answer = match self.http.send(request).await {
                Ok(response) if response.status.is_success() => {
                    response.json::<Answer<A>>().map(|answer| answer.answer)
                }
                Ok(response) => Err(error(&response)),
                Err(error) => Err(error),
            };
            let failed = match answer {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            let Some(asked) = again(&failed) else { return Err(failed) };
            let pause = asked.unwrap_or_default().max(wait);
            // Whatever wait is asked for: a sum with it may be later than a clock can tell.
            if pause >= deadline.saturating_duration_since(Instant::now()) {
                return Err(failed);
            }
            tracing::debug!(error = %failed, ?pause, "a call to the core failed; trying again");
            tokio::time::sleep(pause).await;
            wait = (wait * 2).min(LONGEST_WAIT);
        }
    }
}

/// Whether a call is tried again, and the wait that the core asks for.
fn again(error: &Error) -> Option<Option<Duration>> {
    let passing = matches!(
        error.kind(),
        ErrorKind::Busy | ErrorKind::Store | ErrorKind::Timeout | ErrorKind::Unreachable | ErrorKind::Protocol
    );
    match error.disposition() {
        Disposition::Retryable { after } if passing => Some(after),
        Disposition::Uncertain if passing => Some(None),
        _ => None,
    }
}

#[async_trait]
impl StagingStore for RemoteCore {
    async fn time(&self) -> Result<Option<Timestamp>> {
        let told: StoreTime = self.call("read the store's clock", "now", Nothing {}).await?;
        Ok(Some(told.now))
    }

    async fn acquire_pull(
        &self,
        flow: &FlowId,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<PullLease>> {
        let body = AcquirePull { flow: flow.clone(), owner: owner.to_owned(), now, until };
        self.call("acquire pull", "acquire_pull", body).await
    }

    async fn renew_pull(&self, lease: &PullLease, until: Timestamp) -> Result<bool> {
        self.call("renew pull", "renew_pull", RenewPull { lease: lease.clone(), until }).await
    }

    async fn release_pull(&self, lease: &PullLease) -> Result<()> {
        self.call::<bool>("release pull", "release_pull", OfPull { lease: lease.clone() }).await.map(drop)
    }

    async fn stage(&self, batch: StageBatch) -> Result<Vec<Staging>> {
        self.call("stage", "stage", batch).await
    }

    async fn push(&self, flow: &FlowId, entities: Vec<Push>, now: Now) -> Result<Vec<Option<Staging>>> {
        self.call("push", "push", PushBatch { flow: flow.clone(), entities, now }).await
    }

    async fn record_pushed(&self, pushed: PushedSync) -> Result<()> {
        self.call::<bool>("record sync task", "record_pushed", pushed).await.map(drop)
    }

    async fn named(&self, flow: &FlowId, name: &str) -> Result<Option<EntityKey>> {
        self.call("read entity", "named", OfName { flow: flow.clone(), name: name.to_owned() }).await
    }

    async fn get(&self, key: &EntityKey) -> Result<Option<Entity>> {
        self.call("read entity", "get", OfEntity { key: key.clone() }).await
    }

    async fn claim(&self, claim: Claim<'_>) -> Result<Vec<Claimed>> {
        self.call("claim", "claim", ClaimBody::of(&claim)).await
    }

    async fn due(&self, flow: &FlowId, now: Timestamp, limit: usize) -> Result<Vec<String>> {
        self.call("find due", "due", DueBody { flow: flow.clone(), now, limit }).await
    }

    async fn next_due(&self, flow: &FlowId) -> Result<Option<Timestamp>> {
        let next: NextDue = self.call("find next due", "next_due", OfFlow { flow: flow.clone() }).await?;
        Ok(next.due_at)
    }

    async fn overview(&self, flow: &FlowId, now: Timestamp) -> Result<Overview> {
        self.call("count what is open", "overview", AtTime { flow: flow.clone(), now }).await
    }

    async fn renew(&self, leases: &[(EntityKey, u64)], until: Timestamp, due_at: Timestamp) -> Result<Vec<bool>> {
        let leases = leases.iter().map(|(key, token)| HeldLease { key: key.clone(), token: *token }).collect();
        self.call("renew leases", "renew", RenewBody { leases, until, due_at }).await
    }

    async fn bind(&self, bindings: Vec<Binding>) -> Result<Vec<Bound>> {
        self.call("bind", "bind", BindBody { bindings }).await
    }

    async fn settle(&self, now: Now, settlements: Vec<Settlement>) -> Result<Vec<Settled>> {
        self.call("settle", "settle", SettleBody { now, settlements }).await
    }

    async fn cut(&self, flow: &FlowId) -> Result<Option<Cut>> {
        self.call("read cut", "cut", OfFlow { flow: flow.clone() }).await
    }

    async fn set_cut(&self, flow: &FlowId, cut: Option<Cut>) -> Result<()> {
        self.call::<bool>("set cut", "set_cut", SetCut { flow: flow.clone(), cut }).await.map(drop)
    }

    async fn move_cut(&self, lease: &PullLease, cut: Option<Cut>) -> Result<()> {
        self.call::<bool>("move cut", "move_cut", MoveCut { lease: lease.clone(), cut }).await.map(drop)
    }

    async fn create_sync_task(&self, task: NewSyncTask) -> Result<()> {
        self.call::<bool>("record sync task", "create_sync_task", task).await.map(drop)
    }

    async fn finish_pull(&self, id: &SyncTaskId, now: Timestamp) -> Result<()> {
        self.call::<bool>("finish pull", "finish_pull", FinishPull { id: id.clone(), now }).await.map(drop)
    }

    async fn sync_task(&self, id: &SyncTaskId) -> Result<Option<SyncTask>> {
        self.call("read sync task", "sync_task", OfSyncTask { id: id.clone() }).await
    }

    async fn sync_task_counts(&self, id: &SyncTaskId) -> Result<Counts> {
        self.call("count sync task", "sync_task_counts", OfSyncTask { id: id.clone() }).await
    }

    async fn close_sync_task(&self, id: &SyncTaskId, status: SyncStatus, note: &str, now: Timestamp) -> Result<bool> {
        let body = CloseBody { id: id.clone(), status, note: note.to_owned(), now };
        self.call("close sync task", "close_sync_task", body).await
    }

    async fn delete_sync_task(&self, id: &SyncTaskId) -> Result<bool> {
        self.call("delete sync task", "delete_sync_task", OfSyncTask { id: id.clone() }).await
    }

    async fn list_sync_tasks(&self, filter: &SyncTaskFilter) -> Result<Listing<SyncTask>> {
        self.call("list sync tasks", "list_sync_tasks", ListSyncTasks { filter: filter.clone() }).await
    }

    async fn list(&self, filter: &EntityFilter) -> Result<Listing<Entity>> {
        self.call("list entities", "list", ListEntities { filter: filter.clone() }).await
    }

    async fn history(&self, key: &EntityKey) -> Result<Vec<Version>> {
        self.call("read history", "history", OfEntity { key: key.clone() }).await
    }

    async fn resync(&self, key: &EntityKey, now: Now) -> Result<bool> {
        self.call("do entity again", "resync", ResyncBody { key: key.clone(), now }).await
    }

    async fn resync_task(&self, id: &SyncTaskId, now: Now) -> Result<u64> {
        self.call("do sync task again", "resync_task", ResyncTaskBody { id: id.clone(), now }).await
    }

    async fn resync_failed(&self, flow: &FlowId, class: Option<&str>, now: Now) -> Result<u64> {
        let body = ResyncFailedBody { flow: flow.clone(), class: class.map(str::to_owned), now };
        self.call("do failures again", "resync_failed", body).await
    }

    async fn failures(&self, flow: &FlowId) -> Result<BTreeMap<String, u64>> {
        self.call("count failures", "failures", OfFlow { flow: flow.clone() }).await
    }

    async fn prune(&self, flow: &FlowId, expired: &Expired, limit: usize) -> Result<u64> {
        self.call("prune", "prune", PruneBody { flow: flow.clone(), expired: *expired, limit }).await
    }

    async fn erase(&self, key: &EntityKey, now: Timestamp) -> Result<bool> {
        self.call("erase", "erase", EraseBody { key: key.clone(), now }).await
    }

    async fn record(&self, name: &str) -> Result<Option<Record>> {
        self.call("read record", "record", OfRecord { name: name.to_owned() }).await
    }

    async fn records(&self, prefix: &str) -> Result<Vec<Record>> {
        self.call("read records", "records", OfRecords { prefix: prefix.to_owned() }).await
    }

    async fn write_record(&self, name: &str, rev: u64, value: &str) -> Result<bool> {
        // Whoever may only stage writes those of the clocks.
        let path = if name.starts_with(source_clock::PREFIX) { "note_clock" } else { "write_record" };
        self.call("write record", path, WriteRecord { name: name.to_owned(), rev, value: value.to_owned() }).await
    }

    async fn delete_record(&self, name: &str, rev: u64) -> Result<bool> {
        self.call("remove record", "delete_record", DeleteRecord { name: name.to_owned(), rev }).await
    }
}
