//! Writing: one thread, which commits together what waits together.
//!
//! A commit costs a flush to the disk, whatever is in it. So all that waits when a transaction begins goes into it, each
//! piece of work in a savepoint of its own: one that fails is undone alone. Answers are given after the commit.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::{mpsc, oneshot};

use super::error::at_work;
use super::guard::Guard;
use crate::{Error, Result};

/// Pieces of work in one transaction at most.
const GROUP: usize = 64;

/// The size of the write-ahead log at which the writer insists on starting it over, in bytes. Readers that never pause
/// would let it grow without end.
const LOG_LIMIT: u64 = 64 * 1024 * 1024;

/// How long the writer waits for readers when it insists.
const LOG_WAIT: Duration = Duration::from_millis(100);

/// Answers the caller once it is known whether the transaction was committed.
type Answer = Box<dyn FnOnce(std::result::Result<(), Fault>) + Send>;

/// A piece of work, given the connection in a transaction, or none if no transaction could be begun.
type Job = Box<dyn FnOnce(Option<&Connection>) -> Answer + Send>;

/// Why a whole transaction did not happen. Copied for every caller, which [`rusqlite::Error`] cannot be.
#[derive(Clone, Copy)]
struct Fault(Option<rusqlite::ffi::Error>);

impl Fault {
    fn new(error: &rusqlite::Error) -> Self {
        Self(error.sqlite_error().copied())
    }

    fn error(self, operation: &'static str, path: &Path) -> Error {
        match self.0 {
            Some(code) => at_work(operation, path, rusqlite::Error::SqliteFailure(code, None)),
            None => Error::store(operation, "the transaction was undone by another failure; try again"),
        }
    }
}

/// The writer's end that callers hold.
pub(super) struct Writer {
    path: PathBuf,
    mode: Mode,
}

enum Mode {
    /// A thread of its own.
    Thread { jobs: Option<mpsc::Sender<Job>>, thread: Mutex<Option<JoinHandle<()>>>, guard: Arc<Guard> },
    /// The caller's thread, each piece of work in a transaction of its own.
    #[cfg(feature = "testing")]
    InLine(Arc<Mutex<Connection>>),
}

impl Writer {
    /// Starts the thread. `waiting` bounds the work that waits for it.
    pub(super) fn start(
        connection: Connection,
        guard: Arc<Guard>,
        path: &Path,
        waiting: usize,
        busy: Duration,
    ) -> Result<Self> {
        let (jobs, inbox) = mpsc::channel(waiting.clamp(1, 1 << 16));
        let mut log = Log { file: log_file(path), insist_at: LOG_LIMIT, busy };
        let thread = std::thread::Builder::new()
            .name("datawald-store".into())
            .spawn(move || run(&connection, inbox, &mut log))
            .map_err(|error| Error::store("open store", "no thread could be started").caused_by(error))?;
        let mode = Mode::Thread { jobs: Some(jobs), thread: Mutex::new(Some(thread)), guard };
        Ok(Self { path: path.to_owned(), mode })
    }

    /// A writer that has the work done on the thread of whoever calls, on a connection that others read from.
    #[cfg(feature = "testing")]
    pub(super) fn in_line(connection: Arc<Mutex<Connection>>, path: &Path) -> Self {
        Self { path: path.to_owned(), mode: Mode::InLine(connection) }
    }

    /// Has `work` done in a transaction and answers once it is on the disk.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        operation: &'static str,
        work: impl FnOnce(&Connection) -> std::result::Result<T, WorkError> + Send + 'static,
    ) -> Result<T> {
        let stopped = || Error::store(operation, "the store's writer has stopped; open the store again");
        let (reply, answer) = oneshot::channel::<Result<T>>();
        let path = self.path.clone();
        let job: Job = Box::new(move |connection| {
            let result = connection.map(|connection| in_savepoint(connection, work));
            Box::new(move |committed| {
                let result = match (result, committed) {
                    (Some(Err(WorkError::Sqlite(error))), _) => Err(at_work(operation, &path, error)),
                    (Some(Err(WorkError::Refused(error))), _) => Err(error),
                    (_, Err(fault)) => Err(fault.error(operation, &path)),
                    (Some(Ok(value)), Ok(())) => Ok(value),
                    (None, Ok(())) => Err(Fault(None).error(operation, &path)),
                };
                // Nobody waits any more if the caller was dropped; the work stands all the same.
                let _ = reply.send(result);
            })
        });
        match &self.mode {
            Mode::Thread { jobs, guard, .. } => {
                guard.check(operation)?;
                jobs.as_ref().ok_or_else(stopped)?.send(job).await.map_err(|_| stopped())?;
            }
            #[cfg(feature = "testing")]
            Mode::InLine(connection) => {
                let connection = connection.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                transact(&connection, &mut vec![job].drain(..));
            }
        }
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }
}

impl Drop for Writer {
    /// Waits until all that was handed over is on the disk and the log is back in the file.
    fn drop(&mut self) {
        match &mut self.mode {
            Mode::Thread { jobs, thread, .. } => {
                *jobs = None;
                if let Some(thread) = thread.get_mut().ok().and_then(Option::take) {
                    let _ = thread.join();
                }
            }
            #[cfg(feature = "testing")]
            Mode::InLine(_) => {}
        }
    }
}

/// Why a piece of work was not done.
pub(super) enum WorkError {
    /// SQLite failed.
    Sqlite(rusqlite::Error),
    /// The contract refuses it.
    Refused(Error),
}

impl From<rusqlite::Error> for WorkError {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sqlite(error)
    }
}

fn run(connection: &Connection, mut inbox: mpsc::Receiver<Job>, log: &mut Log) {
    let mut group = Vec::with_capacity(GROUP);
    while inbox.blocking_recv_many(&mut group, GROUP) > 0 {
        let mut jobs = std::mem::take(&mut group);
        let mut rest = jobs.drain(..);
        while rest.len() > 0 {
            transact(connection, &mut rest);
        }
        drop(rest);
        group = jobs;
        log.tend(connection);
    }
}

/// Does jobs in one transaction and answers them. Stops early if a job's failure undid the transaction.
fn transact(connection: &Connection, jobs: &mut std::vec::Drain<'_, Job>) {
    let mut answers = Vec::with_capacity(jobs.len());
    let begun = execute(connection, "BEGIN IMMEDIATE");
    let outcome = match begun {
        Err(error) => {
            // Nothing can be written now: every job is answered so, untried.
            answers.extend(jobs.by_ref().map(|job| job(None)));
            Err(Fault::new(&error))
        }
        Ok(()) => {
            for job in jobs.by_ref() {
                answers.push(job(Some(connection)));
                if connection.is_autocommit() {
                    break;
                }
            }
            if connection.is_autocommit() {
                // Some failures (a full disk) undo the whole transaction, what went before included.
                Err(Fault(None))
            } else {
                execute(connection, "COMMIT").map_err(|error| {
                    let fault = Fault::new(&error);
                    if !connection.is_autocommit() {
                        let _ = execute(connection, "ROLLBACK");
                    }
                    fault
                })
            }
        }
    };
    for answer in answers {
        answer(outcome);
    }
}

fn execute(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(|_| ())
}

/// Does work so that its failure undoes it and nothing else.
fn in_savepoint<T>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> std::result::Result<T, WorkError>,
) -> std::result::Result<T, WorkError> {
    execute(connection, "SAVEPOINT job")?;
    match work(connection) {
        Ok(value) => {
            execute(connection, "RELEASE job")?;
            Ok(value)
        }
        Err(error) => {
            if !connection.is_autocommit() {
                let undone = execute(connection, "ROLLBACK TO job").and_then(|()| execute(connection, "RELEASE job"));
                if undone.is_err() {
                    // Half a piece of work must not be committed: give up the whole transaction.
                    let _ = execute(connection, "ROLLBACK");
                }
            }
            Err(error)
        }
    }
}

/// Watches the size of the write-ahead log.
struct Log {
    file: PathBuf,
    insist_at: u64,
    busy: Duration,
}

impl Log {
    fn tend(&mut self, connection: &Connection) {
        let size = std::fs::metadata(&self.file).map(|data| data.len()).unwrap_or(0);
        if size < self.insist_at {
            return;
        }
        let _ = connection.busy_timeout(LOG_WAIT);
        let done = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
        let _ = connection.busy_timeout(self.busy);
        self.insist_at = match done {
            Ok(0) => LOG_LIMIT,
            // Somebody reads in it for long: not again before it has grown by as much again.
            _ => {
                tracing::warn!(bytes = size, "the store's write-ahead log cannot be cut back: a reader holds it");
                size.saturating_add(LOG_LIMIT)
            }
        };
    }
}

fn log_file(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-wal");
    name.into()
}
