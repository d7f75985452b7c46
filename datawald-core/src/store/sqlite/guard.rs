//! Watches over the file itself: that it is still the one that was opened, and that no second store takes its place while
//! a process works on the first.
//!
//! SQLite goes on with a file that was deleted, since the system keeps it until it is closed. Another process would find
//! nothing at the path, make a new store, and both would bring every order to the other side. So each process holds a
//! shared lock on a file beside the store, a new store is made only by whoever has that lock alone, and nothing is
//! written once the file at the path is another one.

use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::open::beside;
use super::owner;
use crate::{Error, Result};

/// How long to wait between two tries for the lock.
const PAUSE: Duration = Duration::from_millis(10);

/// A store's file that is in use.
pub(super) struct Guard {
    path: PathBuf,
    identity: Option<Identity>,
    /// Held as long as the store is open; the system lets go of it when the process dies.
    _lock: Option<File>,
}

/// Tells a file from another at the same path.
type Identity = (u64, u64);

impl Guard {
    /// Has `open` open or make the store at `path` while nobody else makes one.
    pub(super) fn over<T>(path: &Path, patience: Duration, open: impl FnOnce() -> Result<T>) -> Result<(T, Self)> {
        let lock = lock(path, patience)?;
        let opened = open()?;
        if let Some(lock) = &lock {
            // Made or found: from here on others may use it, too. Between the two locks it can only be deleted, which shows.
            let shared = lock.unlock().and_then(|()| lock.lock_shared());
            shared.map_err(|error| cannot_lock(path).caused_by(error))?;
        }
        Ok((opened, Self { path: path.to_owned(), identity: identity(path), _lock: lock }))
    }

    /// Refuses to go on if the file is not the one that was opened.
    pub(super) fn check(&self, operation: &'static str) -> Result<()> {
        if self.identity.is_none() || identity(&self.path) == self.identity {
            return Ok(());
        }
        let message = format!(
            "`{}` was deleted or replaced while it was in use: nothing was written. Stop every process that uses it and wait \
             for a settle delay (`settle_delay_ms`), so that what was sent is done; then start with the file put back, or \
             with a new one, for which every order is pulled again and found on the other side",
            self.path.display()
        );
        Err(Error::config(operation, message))
    }
}

/// The lock of the store at `path`: alone if there is no store yet, else shared. `None` where there is no file to lock, since
/// the folder is not there or cannot be written; opening the store tells more.
fn lock(path: &Path, patience: Duration) -> Result<Option<File>> {
    let name = beside(path, "-lock");
    owner::make(&name);
    let Ok(file) = File::options().create(true).truncate(false).write(true).open(name) else {
        return Ok(None);
    };
    let began = Instant::now();
    loop {
        // A file of no bytes is one that somebody is about to make a store of.
        let there = std::fs::metadata(path).is_ok_and(|data| data.len() > 0);
        let locked = if there { file.try_lock_shared() } else { file.try_lock() };
        match locked {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) if began.elapsed() < patience => std::thread::sleep(PAUSE),
            Err(TryLockError::WouldBlock) => {
                let message = format!(
                    "nothing is at `{}`, but another process still works on the store that was there: two stores would bring \
                     every order to the other side twice. Stop that process (`fuser` finds it) and wait for a settle \
                     delay, then start again",
                    path.display()
                );
                return Err(Error::config("open store", message));
            }
            // Some file systems know no locks.
            Err(TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Unsupported => return Ok(None),
            Err(TryLockError::Error(error)) => return Err(cannot_lock(path).caused_by(error)),
        }
    }
}

fn cannot_lock(path: &Path) -> Error {
    Error::config(
        "open store",
        format!("the file beside `{}` whose name ends in `-lock` cannot be locked", path.display()),
    )
}

#[cfg(unix)]
fn identity(path: &Path) -> Option<Identity> {
    use std::os::unix::fs::MetadataExt;
    let data = std::fs::metadata(path).ok()?;
    Some((data.dev(), data.ino()))
}

/// Where a file in use cannot be deleted, there is nothing to find out.
#[cfg(not(unix))]
fn identity(_: &Path) -> Option<Identity> {
    None
}

#[cfg(all(test, unix))]
mod tests {
    use std::path::Path;
    use std::time::Duration;

    use crate::Disposition;
    use crate::model::{FlowId, Table};
    use crate::store::{SqliteSettings, SqliteStore, StagingStore};

    fn open(path: &Path) -> crate::Result<SqliteStore> {
        SqliteStore::open_with(path, SqliteSettings { busy_timeout: Duration::from_millis(200), ..Default::default() })
    }

    #[tokio::test]
    async fn a_deleted_file_is_not_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let store = open(&path).unwrap();
        let flow = FlowId::new(Table::Orders, "mage2");
        store.set_cut(&flow, None).await.unwrap();
        std::fs::remove_file(&path).unwrap();
        let error = store.set_cut(&flow, None).await.unwrap_err();
        assert_eq!(error.disposition(), Disposition::Permanent);
        assert!(error.to_string().contains("deleted or replaced"), "{error}");
        // Nor is what it holds told any more, as if all were well.
        assert_eq!(store.next_due(&flow).await.unwrap_err().disposition(), Disposition::Permanent);

        // Nobody makes a second one as long as somebody has the first.
        let error = open(&path).unwrap_err();
        assert!(error.to_string().contains("another process still works"), "{error}");
        assert!(!path.exists());
        drop(store);
        open(&path).unwrap();
    }

    #[tokio::test]
    async fn a_replaced_file_is_not_gone_on_with() {
        let folder = tempfile::tempdir().unwrap();
        let (path, other) = (folder.path().join("store.db"), folder.path().join("other.db"));
        let store = open(&path).unwrap();
        drop(open(&other).unwrap());
        std::fs::rename(&other, &path).unwrap();
        let error = store.set_cut(&FlowId::new(Table::Orders, "mage2"), None).await.unwrap_err();
        assert!(error.to_string().contains("deleted or replaced"), "{error}");
    }

    #[test]
    fn many_make_one_store_together() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let path = path.clone();
                std::thread::spawn(move || SqliteStore::open(&path).map(drop))
            })
            .collect();
        for thread in threads {
            thread.join().unwrap().unwrap();
        }
    }
}
