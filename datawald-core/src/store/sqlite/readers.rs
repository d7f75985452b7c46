//! Reading: a few connections of their own, which neither wait for the writer nor hold it up.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, TransactionBehavior};
use tokio::sync::Semaphore;

use super::error::at_work;
use super::guard::Guard;
use super::open;
use crate::{Error, Result};

/// Connections that read, opened as they are needed.
pub(super) struct Readers {
    path: PathBuf,
    busy_timeout: Duration,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
    /// None for a store in memory.
    guard: Option<Arc<Guard>>,
    /// The one connection of a store that works in line, which writes too.
    #[cfg(feature = "testing")]
    in_line: Option<Arc<Mutex<Connection>>>,
}

impl Readers {
    pub(super) fn new(path: &Path, busy_timeout: Duration, most: usize, guard: Arc<Guard>) -> Arc<Self> {
        let permits = Arc::new(Semaphore::new(most.clamp(1, Semaphore::MAX_PERMITS)));
        Arc::new(Self {
            path: path.to_owned(),
            busy_timeout,
            idle: Mutex::default(),
            permits,
            guard: Some(guard),
            #[cfg(feature = "testing")]
            in_line: None,
        })
    }

    /// Readers that read on the thread of whoever calls, from a connection that is written to as well.
    #[cfg(feature = "testing")]
    pub(super) fn in_line(connection: Arc<Mutex<Connection>>, path: &Path) -> Arc<Self> {
        let (idle, permits) = (Mutex::default(), Arc::new(Semaphore::new(1)));
        let (path, busy_timeout) = (path.to_owned(), Duration::ZERO);
        Arc::new(Self { path, busy_timeout, idle, permits, guard: None, in_line: Some(connection) })
    }

    /// Runs `query` on a thread that may block, in one snapshot of the file.
    pub(super) async fn read<T: Send + 'static>(
        self: &Arc<Self>,
        operation: &'static str,
        query: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T> {
        #[cfg(feature = "testing")]
        if let Some(connection) = &self.in_line {
            let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
            return in_snapshot(&mut connection, query).map_err(|error| at_work(operation, &self.path, error));
        }
        if let Some(guard) = &self.guard {
            guard.check(operation)?;
        }
        let permit = Arc::clone(&self.permits)
            .acquire_owned()
            .await
            .map_err(|error| Error::store(operation, "the store is closed").caused_by(error))?;
        let readers = Arc::clone(self);
        let task = tokio::task::spawn_blocking(move || {
            let result = readers.run(query).map_err(|error| at_work(operation, &readers.path, error));
            drop(permit);
            result
        });
        task.await.unwrap_or_else(|error| Err(Error::store(operation, "the read was broken off").caused_by(error)))
    }

    fn run<T>(&self, query: impl FnOnce(&Connection) -> rusqlite::Result<T>) -> rusqlite::Result<T> {
        let idle = self.idle().pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => open::reader(&self.path, self.busy_timeout)?,
        };
        let answer = in_snapshot(&mut connection, query)?;
        // After an error the connection is not kept.
        self.idle().push(connection);
        Ok(answer)
    }

    /// Closes the connections that rest.
    pub(super) fn close(&self) {
        self.permits.close();
        self.idle().clear();
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Connection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn in_snapshot<T>(
    connection: &mut Connection,
    query: impl FnOnce(&Connection) -> rusqlite::Result<T>,
) -> rusqlite::Result<T> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
    let answer = query(&transaction)?;
    transaction.commit()?;
    Ok(answer)
}
