//! The store: opening it, and the contract handed to the rooms that carry it out.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use mongodb::Client;
use mongodb::event::EventHandler;
use mongodb::event::command::CommandEvent;
use mongodb::options::ClientOptions;
use secrecy::ExposeSecret;

use super::commands::Commands;
use super::config::MongoSettings;
use super::error::{at_open, hosts};
use super::{bind, erase, layout, lists, overview, prune, pulls, pushed, records, settle, stage, tasks, work};
use crate::model::{Counts, Cut, Entity, EntityKey, FlowId, SyncStatus, SyncTask, SyncTaskId, Version};
use crate::store::{
    Binding, Bound, Claim, Claimed, EntityFilter, Expired, Listing, NewSyncTask, Overview, PullLease, Push, PushedSync,
    Record, Settled, Settlement, StageBatch, Staging, StagingStore, SyncTaskFilter, check_record,
};
use crate::{Error, Now, Result};

/// The database, if nothing names another.
const DATABASE: &str = "datawald";

/// How long one look for a server lasts at most; patience is made of several.
const SELECTION: Duration = Duration::from_secs(5);

/// A staging store in a MongoDB database, from version 6 on: a standalone server or a replica set. Cheap to clone.
///
/// Every write is acknowledged by most of the servers and their journals before it counts. While no server answers, a call
/// waits and tries again, as long as [`MongoSettings::patience_ms`] says. The collections are `entities`, `history`,
/// `sync_tasks`, `sightings`, `flows`, `records` and `meta`; an entity's `_id` is `table/frontend/source key`.
///
/// One deviation from "nothing of it has happened or all of it has": a page whose staging fails may be staged in part. Its
/// cut is not, so the next pull reads it again; a pull whose right has passed on changes no entity that a later one has
/// staged.
///
/// ```no_run
/// # async fn example() -> datawald_core::Result<()> {
/// use datawald_core::store::{MongoSettings, MongoStore};
/// let store = MongoStore::connect(MongoSettings::new("mongodb://localhost:27017/staging")).await?;
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct MongoStore {
    commands: Commands,
}

impl fmt::Debug for MongoStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MongoStore")
            .field("hosts", &self.commands.hosts)
            .field("database", &self.commands.database.name())
            .finish_non_exhaustive()
    }
}

impl MongoStore {
    /// Connects, makes the store in the database if there is none, and sees to its indexes.
    ///
    /// # Errors
    /// Of kind `Config`: a connection string that is none, a database that is another program's or of a later version.
    /// `Unauthorized`: refused credentials, or too few rights. `Unreachable`: no server answered within
    /// [`MongoSettings::connect_timeout_ms`].
    pub async fn connect(settings: MongoSettings) -> Result<Self> {
        let patience = Duration::from_millis(settings.patience_ms);
        let mut commands = Self::reach(settings).await?;
        layout::prepare(&commands).await?;
        commands.patience = patience;
        Ok(Self { commands })
    }

    /// Whether there is a store in the database that [`MongoStore::connect`] would take; `false` if it would make one. Nothing
    /// is written.
    ///
    /// # Errors
    /// As [`MongoStore::connect`], as far as that can be told without writing.
    pub async fn look(settings: MongoSettings) -> Result<bool> {
        let store = Self { commands: Self::reach(settings).await? };
        let there = layout::look(&store.commands).await;
        store.close().await;
        there
    }

    async fn reach(settings: MongoSettings) -> Result<Commands> {
        const OPERATION: &str = "open store";
        let connect = Duration::from_millis(settings.connect_timeout_ms);
        let uri = settings.uri.expose_secret();
        let mut options = ClientOptions::parse(uri).await.map_err(|error| {
            let told = Error::config(
                OPERATION,
                "the MongoDB connection string cannot be read; it is to look like \
                 mongodb://user:password@host:27017/database?option=value, with everything but letters and digits in \
                 user and password percent-encoded (and the name of a mongodb+srv:// one must be known to the DNS)",
            )
            .field("uri");
            // The driver's words may repeat a part of the connection string, and with it a password.
            if uri.contains('@') { told } else { told.caused_by(error) }
        })?;
        let sent = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&sent);
        options.command_event_handler = Some(EventHandler::callback(move |event| {
            if matches!(event, CommandEvent::Started(_)) {
                count.fetch_add(1, Ordering::Relaxed);
            }
        }));
        options.app_name.get_or_insert_with(|| "datawald".to_owned());
        // So that the first can tell why it failed before the time is over.
        options.server_selection_timeout = Some(SELECTION.min(connect / 2));
        options.connect_timeout = Some(SELECTION.min(connect));
        // What is compared and set must be what stands on the primary.
        options.selection_criteria = None;
        options.read_concern = None;
        let hosts = hosts(&options);
        let name =
            settings.database.or_else(|| options.default_database.clone()).unwrap_or_else(|| DATABASE.to_owned());
        let client = Client::with_options(options).map_err(|error| at_open(OPERATION, &hosts, error))?;
        let commands = Commands { database: client.database(&name), hosts, patience: connect, sent };
        commands.reach(OPERATION).await?;
        Ok(commands)
    }

    /// Where it is, for people: database and hosts, never credentials.
    pub fn place(&self) -> String {
        format!("the database `{}` of MongoDB at {}", self.commands.database.name(), self.commands.hosts)
    }

    /// How many commands this store has sent, those of opening it included.
    pub fn commands_sent(&self) -> u64 {
        self.commands.sent()
    }

    /// Ends the connections. What is asked of the store afterwards, of its clones too, is an error.
    ///
    /// A process that ends need not call it; one that does ends without the driver's tasks being broken off.
    pub async fn close(&self) {
        self.commands.database.client().clone().shutdown().immediate(true).await;
    }

    #[cfg(test)]
    pub(super) fn commands(&self) -> &Commands {
        &self.commands
    }
}

#[async_trait]
impl StagingStore for MongoStore {
    async fn acquire_pull(
        &self,
        flow: &FlowId,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<PullLease>> {
        pulls::acquire(&self.commands, flow, owner, now, until).await
    }

    async fn renew_pull(&self, lease: &PullLease, until: Timestamp) -> Result<bool> {
        pulls::prolong(&self.commands, lease, until).await
    }

    async fn release_pull(&self, lease: &PullLease) -> Result<()> {
        pulls::release(&self.commands, lease).await
    }

    async fn stage(&self, batch: StageBatch) -> Result<Vec<Staging>> {
        stage::stage(&self.commands, batch).await
    }

    async fn push(&self, flow: &FlowId, entities: Vec<Push>, now: Now) -> Result<Vec<Option<Staging>>> {
        stage::push(&self.commands, flow, entities, now).await
    }

    async fn record_pushed(&self, pushed: PushedSync) -> Result<()> {
        pushed::record(&self.commands, pushed).await
    }

    async fn named(&self, flow: &FlowId, name: &str) -> Result<Option<EntityKey>> {
        lists::named(&self.commands, flow, name).await
    }

    async fn get(&self, key: &EntityKey) -> Result<Option<Entity>> {
        lists::get(&self.commands, key).await
    }

    async fn claim(&self, claim: Claim<'_>) -> Result<Vec<Claimed>> {
        work::claim(&self.commands, &claim).await
    }

    async fn due(&self, flow: &FlowId, now: Timestamp, limit: usize) -> Result<Vec<String>> {
        work::due(&self.commands, flow, now, limit).await
    }

    async fn next_due(&self, flow: &FlowId) -> Result<Option<Timestamp>> {
        work::next_due(&self.commands, flow).await
    }

    async fn overview(&self, flow: &FlowId, now: Timestamp) -> Result<Overview> {
        overview::overview(&self.commands, flow, now).await
    }

    async fn renew(&self, leases: &[(EntityKey, u64)], until: Timestamp, due_at: Timestamp) -> Result<Vec<bool>> {
        work::renew(&self.commands, leases, until, due_at).await
    }

    async fn bind(&self, bindings: Vec<Binding>) -> Result<Vec<Bound>> {
        bind::bind(&self.commands, &bindings).await
    }

    async fn settle(&self, now: Now, settlements: Vec<Settlement>) -> Result<Vec<Settled>> {
        settle::settle(&self.commands, now, settlements).await
    }

    async fn cut(&self, flow: &FlowId) -> Result<Option<Cut>> {
        pulls::cut(&self.commands, flow).await
    }

    async fn set_cut(&self, flow: &FlowId, cut: Option<Cut>) -> Result<()> {
        pulls::set_cut(&self.commands, flow, cut).await
    }

    async fn move_cut(&self, lease: &PullLease, cut: Option<Cut>) -> Result<()> {
        pulls::move_back(&self.commands, lease, cut).await
    }

    async fn create_sync_task(&self, task: NewSyncTask) -> Result<()> {
        tasks::create(&self.commands, task).await
    }

    async fn finish_pull(&self, id: &SyncTaskId, now: Timestamp) -> Result<()> {
        tasks::finish_pull(&self.commands, id, now).await
    }

    async fn sync_task(&self, id: &SyncTaskId) -> Result<Option<SyncTask>> {
        Ok(tasks::find(&self.commands, "read sync task", id).await?.map(|task| task.task()))
    }

    async fn sync_task_counts(&self, id: &SyncTaskId) -> Result<Counts> {
        tasks::counts(&self.commands, id).await
    }

    async fn close_sync_task(&self, id: &SyncTaskId, status: SyncStatus, note: &str, now: Timestamp) -> Result<bool> {
        tasks::close(&self.commands, id, status, note, now).await
    }

    async fn delete_sync_task(&self, id: &SyncTaskId) -> Result<bool> {
        tasks::delete(&self.commands, id).await
    }

    async fn list_sync_tasks(&self, filter: &SyncTaskFilter) -> Result<Listing<SyncTask>> {
        tasks::list(&self.commands, filter).await
    }

    async fn list(&self, filter: &EntityFilter) -> Result<Listing<Entity>> {
        lists::list(&self.commands, filter).await
    }

    async fn history(&self, key: &EntityKey) -> Result<Vec<Version>> {
        lists::history(&self.commands, key).await
    }

    async fn resync(&self, key: &EntityKey, now: Now) -> Result<bool> {
        work::resync(&self.commands, key, now).await
    }

    async fn resync_task(&self, id: &SyncTaskId, now: Now) -> Result<u64> {
        tasks::resync(&self.commands, id, now).await
    }

    async fn resync_failed(&self, flow: &FlowId, class: Option<&str>, now: Now) -> Result<u64> {
        work::resync_failed(&self.commands, flow, class, now).await
    }

    async fn failures(&self, flow: &FlowId) -> Result<BTreeMap<String, u64>> {
        work::failures(&self.commands, flow).await
    }

    async fn prune(&self, flow: &FlowId, expired: &Expired, limit: usize) -> Result<u64> {
        prune::prune(&self.commands, flow, expired, limit).await
    }

    async fn erase(&self, key: &EntityKey, now: Timestamp) -> Result<bool> {
        erase::erase(&self.commands, key, now).await
    }

    async fn record(&self, name: &str) -> Result<Option<Record>> {
        records::find(&self.commands, name).await
    }

    async fn records(&self, prefix: &str) -> Result<Vec<Record>> {
        records::list(&self.commands, prefix).await
    }

    async fn write_record(&self, name: &str, rev: u64, value: &str) -> Result<bool> {
        check_record(name, value)?;
        records::write(&self.commands, name, rev, value).await
    }

    async fn delete_record(&self, name: &str, rev: u64) -> Result<bool> {
        records::delete(&self.commands, name, rev).await
    }
}
