//! Opening a store file: checks before anything is written, then settings and schema.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rusqlite::config::DbConfig;
use rusqlite::{Connection, ErrorCode, MAIN_DB, OpenFlags, TransactionBehavior};
use url::Url;

use super::error::{at_open, no_folder, not_a_store, read_only};
use super::owner;
use super::schema::{APPLICATION_ID, CREATE, UPDATABLE, UPDATE, VERSION};
use crate::{Error, Result};

const OPERATION: &str = "open store";

/// Statements kept prepared per connection; there are some forty.
const PREPARED: usize = 64;

/// Bytes per page of a new file. Documents of some kilobytes take few pages so: measured, a third more orders per second
/// than with SQLite's 4,096.
const PAGE: i64 = 8_192;

/// Bytes of the write-ahead log.
const LOG: i64 = 16 * 1_024 * 1_024;

/// Bytes of the writer's page cache.
const CACHE: i64 = 16 * 1_024 * 1_024;

/// What stands in a file before it is touched.
enum Found {
    /// Nothing yet.
    Empty,
    /// A store of an earlier version, to be brought up to date.
    Older,
    /// A store of this version.
    Store,
}

/// Opens or creates the store at `path` for writing.
pub(super) fn writer(path: &Path, busy_timeout: Duration) -> Result<Connection> {
    check_file(path)?;
    owner::make(path);
    let fail = |error| at_open(path, error);
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let mut connection = Connection::open_with_flags(path, flags).map_err(fail)?;
    connection.busy_timeout(busy_timeout).map_err(fail)?;
    // SQLite quietly opens a file for reading if it may not write to it.
    if connection.is_readonly(MAIN_DB).map_err(fail)? {
        return Err(Error::config(OPERATION, read_only(path)));
    }
    let found = inspect(&connection, path)?;
    if let Found::Empty = found {
        connection.pragma_update(None, "page_size", PAGE).map_err(fail)?;
    } else {
        owner::keep(path);
    }
    write_ahead(&connection, path, busy_timeout)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(fail)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(fail)?;
    // What is removed is gone from the file, too, and not only from what is found in it.
    connection.pragma_update(None, "secure_delete", true).map_err(fail)?;
    // The log goes back into the file at this size, and is cut back to it when it starts over after having grown.
    connection.pragma_update(None, "wal_autocheckpoint", LOG / PAGE).map_err(fail)?;
    connection.pragma_update(None, "journal_size_limit", LOG).map_err(fail)?;
    connection.pragma_update(None, "cache_size", -CACHE / 1_024).map_err(fail)?;
    keep_prepared(&connection).map_err(fail)?;
    if !matches!(found, Found::Store) {
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
        // Another process may have been quicker.
        match inspect(&transaction, path)? {
            Found::Store => {}
            Found::Older => {
                transaction.execute_batch(UPDATE).map_err(fail)?;
                transaction.pragma_update(None, "user_version", VERSION).map_err(fail)?;
            }
            Found::Empty => {
                transaction.execute_batch(CREATE).map_err(fail)?;
                transaction.pragma_update(None, "application_id", APPLICATION_ID).map_err(fail)?;
                transaction.pragma_update(None, "user_version", VERSION).map_err(fail)?;
            }
        }
        transaction.pragma_update(None, "user_version", VERSION).map_err(fail)?;
        transaction.commit().map_err(fail)?;
    }
    // Proves that it can be written: a read-only disk shows only now.
    connection.execute_batch("BEGIN IMMEDIATE; COMMIT").map_err(fail)?;
    Ok(connection)
}

/// Whether there is a store at `path`. Nothing is made or changed, not even for a moment: no file beside it either.
pub(super) fn look(path: &Path) -> Result<bool> {
    check_file(path)?;
    let fail = |error| at_open(path, error);
    if std::fs::metadata(path).is_ok_and(|data| data.len() > 0) {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let url = Url::from_file_path(path).ok().filter(|_| !beside(path, "-wal").exists());
        let connection = match url {
            // With a log, others may work on it, or it tells what has not come into the file yet.
            None => Connection::open_with_flags(path, flags),
            Some(mut url) => {
                url.set_query(Some("immutable=1"));
                Connection::open_with_flags(url.as_str(), flags)
            }
        };
        return Ok(matches!(inspect(&connection.map_err(fail)?, path)?, Found::Older | Found::Store));
    }
    match path.parent() {
        Some(folder) if !folder.is_dir() => Err(Error::config(OPERATION, no_folder(path, folder))),
        Some(folder) if std::fs::metadata(folder).is_ok_and(|data| data.permissions().readonly()) => {
            Err(Error::config(OPERATION, read_only(path)))
        }
        _ => Ok(false),
    }
}

/// The file beside a store whose name ends in `suffix`.
pub(super) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// A new store in memory, for one connection.
#[cfg(feature = "testing")]
pub(super) fn in_memory() -> rusqlite::Result<Connection> {
    let connection = Connection::open_in_memory()?;
    connection.pragma_update(None, "foreign_keys", true)?;
    keep_prepared(&connection)?;
    connection.execute_batch(CREATE)?;
    Ok(connection)
}

/// Refuses what is no file, and files that do not begin as SQLite's do: SQLite takes a file of a few bytes for an empty
/// database and would write over it.
fn check_file(path: &Path) -> Result<()> {
    const BEGIN: &[u8; 16] = b"SQLite format 3\0";
    let Ok(data) = std::fs::metadata(path) else {
        // Nothing there, or nothing that may be looked at: opening it tells more.
        return Ok(());
    };
    if !data.is_file() {
        return Err(Error::config(OPERATION, format!("`{}` is a folder or a device; name a file", path.display())));
    }
    let mut begin = Vec::new();
    let read = std::fs::File::open(path).and_then(|file| file.take(BEGIN.len() as u64).read_to_end(&mut begin));
    if read.is_ok() && !begin.is_empty() && begin != BEGIN {
        return Err(Error::config(OPERATION, not_a_store(path)));
    }
    Ok(())
}

/// Opens a connection that only reads.
pub(super) fn reader(path: &Path, busy_timeout: Duration) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(busy_timeout)?;
    keep_prepared(&connection)?;
    Ok(connection)
}

/// Prepares each statement once. Otherwise SQLite plans a statement anew for each new value of a `LIMIT`, and of a column
/// that a partial index names.
fn keep_prepared(connection: &Connection) -> rusqlite::Result<()> {
    connection.set_prepared_statement_cache_capacity(PREPARED);
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    Ok(())
}

/// Tells what a file is without changing it.
fn inspect(connection: &Connection, path: &Path) -> Result<Found> {
    let fail = |error| at_open(path, error);
    // One snapshot for all three: another process may be creating the store between two reads.
    connection.execute_batch("SAVEPOINT inspect").map_err(fail)?;
    let read = || {
        let number = |name: &str| connection.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
        let objects = connection.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get::<_, i64>(0))?;
        Ok((number("application_id")?, number("user_version")?, objects))
    };
    let read = read();
    connection.execute_batch("RELEASE inspect").map_err(fail)?;
    let (application, version, objects) = read.map_err(fail)?;
    match (application, version, objects) {
        (0, 0, 0) => Ok(Found::Empty),
        (APPLICATION_ID, VERSION, _) => Ok(Found::Store),
        (APPLICATION_ID, UPDATABLE, _) => Ok(Found::Older),
        (APPLICATION_ID, older @ 1..UPDATABLE, _) => Err(Error::config(
            OPERATION,
            format!(
                "`{}` was made by an older release (its format is {older}, this release knows {VERSION}), which told orders \
                 apart by their numbers alone: it was left as it is; name another path, and every order is pulled again and \
                 found on the other side by its number",
                path.display()
            ),
        )),
        (APPLICATION_ID, newer, _) if newer > VERSION => Err(Error::config(
            OPERATION,
            format!(
                "`{}` was made by a newer release (its format is {newer}, this release knows {VERSION}): it was left as \
                 it is; run that release, or name another path",
                path.display()
            ),
        )),
        (APPLICATION_ID, ..) => Err(Error::config(OPERATION, not_a_store(path))),
        _ => Err(Error::config(
            OPERATION,
            format!(
                "`{}` is another application's SQLite database: it was left as it is; name another path",
                path.display()
            ),
        )),
    }
}

/// Switches to write-ahead logging. SQLite does not wait for others here by itself.
fn write_ahead(connection: &Connection, path: &Path, busy_timeout: Duration) -> Result<()> {
    let started = Instant::now();
    loop {
        match connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get::<_, String>(0)) {
            Ok(mode) if mode.eq_ignore_ascii_case("wal") => return Ok(()),
            Ok(_) => {
                return Err(Error::config(
                    OPERATION,
                    format!(
                        "`{}` lies on a disk without shared memory between processes (a network share?); name a path \
                         on a local disk",
                        path.display()
                    ),
                ));
            }
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) && started.elapsed() < busy_timeout =>
            {
                std::thread::sleep(Duration::from_millis(5));
            }
            Err(error) => return Err(at_open(path, error)),
        }
    }
}
