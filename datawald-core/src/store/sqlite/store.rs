//! [`SqliteStore`] and its [`StagingStore`].

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;

use super::columns::micros;
use super::guard::Guard;
use super::readers::Readers;
use super::work::OwnedClaim;
use super::writer::Writer;
use super::{bind, erase, lists, open, overview, prune, records, stage, tasks, work};
use crate::model::{Counts, Cut, Entity, EntityKey, FlowId, SyncStatus, SyncTask, SyncTaskId, Version};
use crate::store::paging::{after, page, page_size};
use crate::store::{
    Binding, Bound, Claim, Claimed, EntityFilter, Expired, Listing, NewSyncTask, Overview, PullLease, Push, PushedSync,
    Record, Settled, Settlement, StageBatch, Staging, StagingStore, SyncTaskFilter, check_record,
};
use crate::{Error, Now, Result};

/// Settings of a [`SqliteStore`]. The defaults fit one service on one machine.
#[derive(Debug, Clone)]
pub struct SqliteSettings {
    /// Queries that run at once, each with a connection of its own (at least 1; 4 by default).
    pub readers: usize,
    /// How long to wait for another process that writes to the same file (30 s by default).
    pub busy_timeout: Duration,
    /// Changes that wait for the writer before callers have to wait to hand theirs over (256 by default).
    pub waiting_writes: usize,
}

impl Default for SqliteSettings {
    fn default() -> Self {
        Self { readers: 4, busy_timeout: Duration::from_secs(30), waiting_writes: 256 }
    }
}

/// The embedded store: one SQLite file.
///
/// A change is answered once it is on the disk. Changes that come at the same time share a flush of the disk. Several
/// processes may open one file; their writes wait for each other. Beside the file stand `-wal` and `-shm` while it is
/// open; dropping the store folds them back in, and waits for that. On Unix nobody but the owner of the files may read them,
/// since they hold what people bought and where they live: an operator of another user needs the owner's rights (`sudo -u`).
///
/// What is removed is overwritten in the file, and makes room for what comes: the file grows no further, and does not shrink.
/// `VACUUM` (by any SQLite tool, while no process has the store open) gives the room back to the disk. The log beside the file
/// may hold what was removed until every process has closed the store.
///
/// The views `entities_v`, `sync_tasks_v` and `cuts_v` show the file's content to an operator with any SQLite tool.
///
/// ```
/// # async fn example() -> datawald_core::Result<()> {
/// use datawald_core::model::{FlowId, Table};
/// use datawald_core::store::{SqliteStore, StagingStore};
/// # let folder = tempfile::tempdir().unwrap();
/// # let path = folder.path().join("datawald.db");
/// let store = SqliteStore::open(&path)?;
/// assert_eq!(store.cut(&FlowId::new(Table::Orders, "mage2")).await?, None);
/// # Ok(())
/// # }
/// # tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(example()).unwrap();
/// ```
#[derive(Clone)]
pub struct SqliteStore(Arc<Inner>);

struct Inner {
    path: PathBuf,
    readers: Arc<Readers>,
    writer: Writer,
}

impl Drop for Inner {
    /// The readers first: the connection that closes last folds the log into the file, and it must be one that writes.
    fn drop(&mut self) {
        self.readers.close();
    }
}

impl fmt::Debug for SqliteStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SqliteStore").field("path", &self.0.path).finish_non_exhaustive()
    }
}

impl SqliteStore {
    /// Opens the store at `path`, or makes it if nothing is there. Its folder must exist.
    ///
    /// # Errors
    /// Of kind `Config` if the path cannot be written, or holds something else: another application's database, a
    /// newer or an older release's store, a file that is no database. Such a file is left as it is. Also if nothing is there
    /// while another process still works on the store that was.
    pub fn open(path: impl AsRef<Path>) -> Result<Self> {
        Self::open_with(path, SqliteSettings::default())
    }

    /// As [`SqliteStore::open`], with settings.
    ///
    /// # Errors
    /// As [`SqliteStore::open`].
    pub fn open_with(path: impl AsRef<Path>, settings: SqliteSettings) -> Result<Self> {
        let path = absolute(path.as_ref())?;
        let (connection, guard) =
            Guard::over(&path, settings.busy_timeout, || open::writer(&path, settings.busy_timeout))?;
        let guard = Arc::new(guard);
        let writer = Writer::start(connection, guard.clone(), &path, settings.waiting_writes, settings.busy_timeout)?;
        let readers = Readers::new(&path, settings.busy_timeout, settings.readers, guard);
        Ok(Self(Arc::new(Inner { path, readers, writer })))
    }

    /// Whether there is a store at `path` that [`SqliteStore::open`] would take; `false` if it would make one. Nothing is made or
    /// changed.
    ///
    /// # Errors
    /// As [`SqliteStore::open`], as far as that can be told without writing.
    pub fn look(path: impl AsRef<Path>) -> Result<bool> {
        open::look(&absolute(path.as_ref())?)
    }

    /// A new store in memory, for tests: the same code as for a file, done on the thread of whoever calls, so that it goes
    /// with a paused clock and comes out alike each time. Clones are handles of the same store.
    ///
    /// # Errors
    /// Of kind `Store` if there is no memory for it.
    #[cfg(feature = "testing")]
    pub fn in_memory() -> Result<Self> {
        let path = PathBuf::from(":memory:");
        let connection = open::in_memory()
            .map_err(|error| Error::store("open store", "cannot be made in memory").caused_by(error))?;
        let connection = Arc::new(std::sync::Mutex::new(connection));
        let writer = Writer::in_line(connection.clone(), &path);
        let readers = Readers::in_line(connection, &path);
        Ok(Self(Arc::new(Inner { path, readers, writer })))
    }

    /// The file; `:memory:` of a store in memory.
    pub fn path(&self) -> &Path {
        &self.0.path
    }
}

/// Absolute, so that a later change of the working directory, or a name like `:memory:`, means nothing.
fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).map_err(|error| {
        Error::config("open store", "the path of the store is empty or not a path; name a file").caused_by(error)
    })
}

#[async_trait]
impl StagingStore for SqliteStore {
    async fn acquire_pull(
        &self,
        flow: &FlowId,
        owner: &str,
        now: Timestamp,
        until: Timestamp,
    ) -> Result<Option<PullLease>> {
        let (flow, owner) = (flow.clone(), owner.to_owned());
        self.0.writer.write("acquire pull", move |db| stage::acquire_pull(db, flow, owner, now, until)).await
    }

    async fn renew_pull(&self, lease: &PullLease, until: Timestamp) -> Result<bool> {
        let lease = lease.clone();
        self.0.writer.write("renew pull", move |db| stage::renew_pull(db, &lease, until)).await
    }

    async fn release_pull(&self, lease: &PullLease) -> Result<()> {
        let lease = lease.clone();
        self.0.writer.write("release pull", move |db| stage::release_pull(db, &lease)).await
    }

    async fn stage(&self, batch: StageBatch) -> Result<Vec<Staging>> {
        self.0.writer.write("stage", move |db| stage::stage(db, batch)).await
    }

    async fn push(&self, flow: &FlowId, entities: Vec<Push>, now: Now) -> Result<Vec<Option<Staging>>> {
        let flow = flow.clone();
        self.0.writer.write("push", move |db| stage::push(db, &flow, &entities, now)).await
    }

    async fn record_pushed(&self, pushed: PushedSync) -> Result<()> {
        self.0.writer.write("record sync task", move |db| stage::record_pushed(db, &pushed)).await
    }

    async fn named(&self, flow: &FlowId, name: &str) -> Result<Option<EntityKey>> {
        let (flow, name) = (flow.clone(), name.to_owned());
        self.0.readers.read("read entity", move |db| lists::named(db, &flow, &name)).await
    }

    async fn get(&self, key: &EntityKey) -> Result<Option<Entity>> {
        let key = key.clone();
        self.0.readers.read("read entity", move |db| lists::get(db, &key)).await
    }

    async fn claim(&self, claim: Claim<'_>) -> Result<Vec<Claimed>> {
        let claim = OwnedClaim::from(claim);
        self.0.writer.write("claim", move |db| work::claim(db, &claim)).await
    }

    async fn due(&self, flow: &FlowId, now: Timestamp, limit: usize) -> Result<Vec<String>> {
        let flow = flow.clone();
        self.0.readers.read("find due", move |db| work::due(db, &flow, now, limit)).await
    }

    async fn next_due(&self, flow: &FlowId) -> Result<Option<Timestamp>> {
        let flow = flow.clone();
        self.0.readers.read("find next due", move |db| work::next_due(db, &flow)).await
    }

    async fn overview(&self, flow: &FlowId, now: Timestamp) -> Result<Overview> {
        let flow = flow.clone();
        self.0.readers.read("count what is open", move |db| overview::overview(db, &flow, now)).await
    }

    async fn renew(&self, leases: &[(EntityKey, u64)], until: Timestamp, due_at: Timestamp) -> Result<Vec<bool>> {
        let leases = leases.to_vec();
        self.0.writer.write("renew leases", move |db| work::renew(db, &leases, until, due_at)).await
    }

    async fn bind(&self, bindings: Vec<Binding>) -> Result<Vec<Bound>> {
        self.0.writer.write("bind", move |db| bind::bind(db, &bindings)).await
    }

    async fn settle(&self, now: Now, settlements: Vec<Settlement>) -> Result<Vec<Settled>> {
        self.0.writer.write("settle", move |db| work::settle(db, now, settlements)).await
    }

    async fn cut(&self, flow: &FlowId) -> Result<Option<Cut>> {
        let flow = flow.clone();
        self.0.readers.read("read cut", move |db| stage::cut(db, &flow)).await
    }

    async fn set_cut(&self, flow: &FlowId, cut: Option<Cut>) -> Result<()> {
        let flow = flow.clone();
        self.0.writer.write("set cut", move |db| stage::set_cut(db, &flow, cut)).await
    }

    async fn move_cut(&self, lease: &PullLease, cut: Option<Cut>) -> Result<()> {
        let lease = lease.clone();
        self.0.writer.write("move cut", move |db| stage::move_cut(db, &lease, cut)).await
    }

    async fn create_sync_task(&self, task: NewSyncTask) -> Result<()> {
        self.0.writer.write("record sync task", move |db| tasks::create(db, &task)).await
    }

    async fn finish_pull(&self, id: &SyncTaskId, now: Timestamp) -> Result<()> {
        let id = id.clone();
        self.0.writer.write("finish pull", move |db| tasks::finish_pull(db, &id, now)).await
    }

    async fn sync_task(&self, id: &SyncTaskId) -> Result<Option<SyncTask>> {
        let id = id.clone();
        self.0.readers.read("read sync task", move |db| tasks::find(db, &id)).await
    }

    async fn sync_task_counts(&self, id: &SyncTaskId) -> Result<Counts> {
        let id = id.clone();
        self.0.readers.read("count sync task", move |db| tasks::counts(db, &id)).await
    }

    async fn close_sync_task(&self, id: &SyncTaskId, status: SyncStatus, note: &str, now: Timestamp) -> Result<bool> {
        let (id, note) = (id.clone(), note.to_owned());
        self.0.writer.write("close sync task", move |db| tasks::close(db, &id, status, &note, now)).await
    }

    async fn delete_sync_task(&self, id: &SyncTaskId) -> Result<bool> {
        let id = id.clone();
        self.0.writer.write("delete sync task", move |db| tasks::delete(db, &id)).await
    }

    async fn list_sync_tasks(&self, filter: &SyncTaskFilter) -> Result<Listing<SyncTask>> {
        let SyncTaskFilter { flow, status, after: cursor, limit } = filter.clone();
        let (start, size) = (after(cursor.as_deref())?, page_size(limit));
        let tasks = self
            .0
            .readers
            .read("list sync tasks", move |db| tasks::list(db, flow.as_ref(), status, start, size + 1))
            .await?;
        page(tasks, size, |task| (micros(task.started_at), task.id.as_str().to_owned()))
    }

    async fn list(&self, filter: &EntityFilter) -> Result<Listing<Entity>> {
        let (start, size) = (after(filter.after.as_deref())?, page_size(filter.limit));
        let filter = filter.clone();
        let entities =
            self.0.readers.read("list entities", move |db| lists::list(db, &filter, start, size + 1)).await?;
        page(entities, size, |entity| {
            [entity.key.table.name().to_owned(), entity.key.frontend.clone(), entity.key.id.clone()]
        })
    }

    async fn history(&self, key: &EntityKey) -> Result<Vec<Version>> {
        let key = key.clone();
        self.0.readers.read("read history", move |db| lists::history(db, &key)).await
    }

    async fn resync(&self, key: &EntityKey, now: Now) -> Result<bool> {
        let key = key.clone();
        self.0.writer.write("do entity again", move |db| work::resync(db, &key, now)).await
    }

    async fn resync_task(&self, id: &SyncTaskId, now: Now) -> Result<u64> {
        let id = id.clone();
        self.0.writer.write("do sync task again", move |db| work::resync_task(db, &id, now)).await
    }

    async fn resync_failed(&self, flow: &FlowId, class: Option<&str>, now: Now) -> Result<u64> {
        let (flow, class) = (flow.clone(), class.map(str::to_owned));
        self.0.writer.write("do failures again", move |db| work::resync_failed(db, &flow, class.as_deref(), now)).await
    }

    async fn failures(&self, flow: &FlowId) -> Result<BTreeMap<String, u64>> {
        let flow = flow.clone();
        self.0.readers.read("count failures", move |db| work::failures(db, &flow)).await
    }

    async fn prune(&self, flow: &FlowId, expired: &Expired, limit: usize) -> Result<u64> {
        let (flow, expired) = (flow.clone(), *expired);
        self.0.writer.write("prune", move |db| prune::prune(db, &flow, &expired, limit)).await
    }

    async fn erase(&self, key: &EntityKey, now: Timestamp) -> Result<bool> {
        let key = key.clone();
        self.0.writer.write("erase", move |db| erase::erase(db, &key, now)).await
    }

    async fn record(&self, name: &str) -> Result<Option<Record>> {
        let name = name.to_owned();
        self.0.readers.read("read record", move |db| records::find(db, &name)).await
    }

    async fn records(&self, prefix: &str) -> Result<Vec<Record>> {
        let prefix = prefix.to_owned();
        self.0.readers.read("read records", move |db| records::list(db, &prefix)).await
    }

    async fn write_record(&self, name: &str, rev: u64, value: &str) -> Result<bool> {
        check_record(name, value)?;
        let (name, value) = (name.to_owned(), value.to_owned());
        self.0.writer.write("write record", move |db| records::write(db, &name, rev, &value)).await
    }

    async fn delete_record(&self, name: &str, rev: u64) -> Result<bool> {
        let name = name.to_owned();
        self.0.writer.write("remove record", move |db| records::delete(db, &name, rev)).await
    }
}
