//! Store files: what is no store is left alone and told, and no acknowledged change is lost to a killed process.
#![cfg(feature = "sqlite")]
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "helpers of tests: a failure is a panic, and what is not tested is told"
)]

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use datawald_core::model::{EntityKey, Fingerprint, Intent};
use datawald_core::store::{EntityFilter, Expired, SqliteStore, StageEntity, StagingStore};
use datawald_core::{Disposition, Error, ErrorKind};
use rusqlite::Connection;
use tempfile::TempDir;

use common::{batch, begin, child, entity, flow, pass, start};

mod common;

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.db");
    (folder, path)
}

/// Opening fails with a `Config` error that names the path and says what to do, and leaves the file as it is.
fn refused(path: &Path, says: &str) -> Error {
    let before = std::fs::read(path).ok();
    let error = SqliteStore::open(path).unwrap_err();
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::Config, Disposition::Permanent), "{error:?}");
    let text = error.to_string();
    assert!(text.contains(says) && text.contains(&path.display().to_string()), "{text}");
    assert_eq!(std::fs::read(path).ok(), before, "the file was changed");
    error
}

#[test]
fn what_is_no_database_is_left_alone() {
    let (_folder, path) = folder();
    for content in ["x".to_owned(), "{\"orders\": []}\n".repeat(400), "SQLite format 3".to_owned()] {
        std::fs::write(&path, &content).unwrap();
        refused(&path, "is not a store: it was left as it is");
    }
}

#[test]
fn another_applications_database_is_left_alone() {
    let (_folder, path) = folder();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("CREATE TABLE customers (email TEXT); INSERT INTO customers VALUES ('a@b.c')").unwrap();
    drop(other);
    refused(&path, "another application's SQLite database");
    let other = Connection::open(&path).unwrap();
    other.execute_batch("DROP TABLE customers; VACUUM; PRAGMA application_id = 7; PRAGMA user_version = 3").unwrap();
    drop(other);
    refused(&path, "another application's SQLite database");
}

#[test]
fn a_newer_releases_store_is_left_alone() {
    let (_folder, path) = folder();
    drop(SqliteStore::open(&path).unwrap());
    Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = refused(&path, "newer release");
    assert!(error.to_string().contains("its format is 99"), "{error}");
}

/// It told entities apart by their numbers: which records of the source they were cannot be told from it.
#[test]
fn an_older_releases_store_is_left_alone() {
    let (_folder, path) = folder();
    drop(SqliteStore::open(&path).unwrap());
    for format in 1..4 {
        Connection::open(&path).unwrap().pragma_update(None, "user_version", format).unwrap();
        let error = refused(&path, "older release");
        assert!(error.to_string().contains(&format!("its format is {format}")), "{error}");
    }
}

/// What it holds stays, and it is of this release's format afterwards.
#[tokio::test]
async fn the_last_releases_store_is_brought_up_to_date() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).unwrap();
    let lease = begin(&store, &flow()).await;
    store.stage(batch(&lease, vec![entity("1", "raw")])).await.unwrap();
    store.finish_pull(&pass(), start()).await.unwrap();
    drop(store);
    let old = Connection::open(&path).unwrap();
    let undo = "DROP INDEX sync_tasks_open; ALTER TABLE sync_tasks DROP COLUMN pulled_at;
                DROP VIEW entities_v; DROP INDEX entities_failed; DROP INDEX entities_target;
                DROP INDEX documents_raw; DROP INDEX history_replaced;
                ALTER TABLE entities DROP COLUMN failure; ALTER TABLE entities DROP COLUMN erased_at;
                CREATE VIEW entities_v AS SELECT id, status FROM entities;
                PRAGMA user_version = 4;
                INSERT INTO entities SELECT 77, 'orders', 'shop', '7', '7', 1, 'F', 'is closed', NULL, NULL, NULL, 0,
                    'apply', '', 'new', NULL, 1, 'print', 1, 0, 1, 0, NULL, NULL, NULL, 0, 0;
                INSERT INTO documents VALUES (77, '{}', '{}')";
    old.execute_batch(undo).unwrap();
    drop(old);
    for _ in 0..2 {
        let db = Connection::open(&path).unwrap();
        drop(SqliteStore::open(&path).unwrap());
        let failure = "SELECT failure FROM entities_v WHERE id = '7'";
        assert_eq!(db.query_row(failure, [], |row| row.get::<_, String>(0)).unwrap(), "refused");
        drop(db);
        let store = SqliteStore::open(&path).unwrap();
        let task = store.sync_task(&pass()).await.unwrap().unwrap();
        assert_eq!((task.pulled, task.pulled_at), (true, None));
        assert_eq!(store.sync_task_counts(&pass()).await.unwrap().new, 1);
    }
}

/// One that ended when it was staged, with documents of several pages.
fn ended(id: &str, content: usize) -> StageEntity {
    let text = format!("{content} mallory@example.com ").repeat(1_000);
    StageEntity {
        intent: Intent::Ignore("is pending".into()),
        fingerprint: Fingerprint::of(text.as_bytes()),
        doc: text.clone(),
        ..entity(id, &text)
    }
}

/// Not only from what is found in it.
#[tokio::test]
async fn what_is_erased_is_gone_from_the_file() {
    let (folder, path) = folder();
    let store = SqliteStore::open(&path).unwrap();
    let lease = begin(&store, &flow()).await;
    let tells = || {
        let files = std::fs::read_dir(folder.path()).unwrap().map(|file| std::fs::read(file.unwrap().path()).unwrap());
        files.filter(|bytes| bytes.windows(7).any(|bytes| bytes == b"mallory")).count()
    };
    for content in 0..30 {
        store.stage(batch(&lease, vec![ended("1", content)])).await.unwrap();
    }
    assert!(tells() > 0);
    assert!(store.erase(&EntityKey::new(&flow(), "1"), start()).await.unwrap());
    drop(store);
    assert_eq!(tells(), 0);
}

#[tokio::test]
async fn what_is_removed_makes_room_for_what_comes() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).unwrap();
    let lease = begin(&store, &flow()).await;
    let pages = || {
        let db = Connection::open(&path).unwrap();
        db.query_row("PRAGMA page_count", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    let after = Some(start() + jiff::SignedDuration::from_hours(1));
    let expired = Expired { runs: after, versions: after, raw: after };
    let mut sizes = Vec::new();
    for content in 0..12 {
        let page = (0..10).map(|n| ended(&n.to_string(), content)).collect();
        store.stage(batch(&lease, page)).await.unwrap();
        while store.prune(&flow(), &expired, 7).await.unwrap() > 0 {}
        sizes.push(pages());
    }
    assert_eq!(sizes[2], sizes[11], "{sizes:?}");
}

#[test]
fn an_empty_file_becomes_a_store() {
    let (_folder, path) = folder();
    std::fs::write(&path, "").unwrap();
    SqliteStore::open(&path).unwrap();
    SqliteStore::open(&path).unwrap();
}

#[test]
fn paths_that_cannot_be_are_told() {
    let (folder, path) = folder();
    refused(folder.path(), "is a folder or a device; name a file");
    refused(&folder.path().join("no/such/store.db"), "is not a folder; create it");
    std::fs::write(&path, "").unwrap();
    refused(&path.join("store.db"), "is not a folder; create it");
    if cfg!(unix) {
        refused(Path::new("/dev/null"), "is a folder or a device; name a file");
    }
    let error = SqliteStore::open("").unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
}

/// As root, permissions stop nobody; what stops everybody is a file system that takes no files of ours.
#[cfg(target_os = "linux")]
#[test]
fn a_place_that_takes_no_files_is_told() {
    for folder in ["/proc", "/sys/kernel"] {
        if Path::new(folder).is_dir() {
            refused(&Path::new(folder).join("datawald.db"), "let the user of this process write");
        }
    }
}

#[test]
fn a_file_marked_read_only_is_told() {
    let (_folder, path) = folder();
    drop(SqliteStore::open(&path).unwrap());
    let mut permissions = std::fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    std::fs::set_permissions(&path, permissions).unwrap();
    let writable = || std::fs::OpenOptions::new().append(true).open(&path).is_ok();
    // Root may write all the same, unless the file is marked immutable.
    let chattr = |flag: &str| Command::new("chattr").arg(flag).arg(&path).stderr(Stdio::null()).status();
    let marked = writable() && chattr("+i").is_ok_and(|status| status.success());
    let opened = if writable() { None } else { Some(SqliteStore::open(&path)) };
    if marked {
        assert!(chattr("-i").unwrap().success());
    }
    let Some(opened) = opened else {
        println!("nothing here keeps this user from writing: not tested");
        return;
    };
    let error = opened.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("store.db` is read-only"), "{error}");
}

/// Runs a role of `common` on a file system of its own, mounted over `folder` with `options`; `None` where this user
/// may not mount.
fn on_a_disk(folder: &Path, options: &str, role: &str) -> Option<String> {
    let mount = format!("mount -t tmpfs {options} \"$0\" && exec \"$@\"");
    let own = child(role, &folder.join("store.db"));
    let output = Command::new("unshare")
        .args(["--map-root-user", "--mount", "sh", "-c", &mount])
        .arg(folder)
        .arg(own.get_program())
        .args(own.get_args())
        .envs(own.get_envs().filter_map(|(name, value)| Some((name, value?))))
        .output()
        .ok()?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    if !text.contains("child begins") {
        println!("no disk could be mounted here: not tested ({})", String::from_utf8_lossy(&output.stderr));
        return None;
    }
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    Some(text)
}

#[test]
fn a_read_only_disk_is_told() {
    let (folder, path) = folder();
    if let Some(text) = on_a_disk(folder.path(), "-o ro tmpfs", "open") {
        assert!(text.contains("Config/Permanent") && text.contains(&path.display().to_string()), "{text}");
        assert!(text.contains("cannot be opened or made"), "{text}");
    }
}

#[test]
fn a_full_disk_loses_nothing() {
    let (folder, path) = folder();
    if let Some(text) = on_a_disk(folder.path(), "-o size=3m tmpfs", "fill") {
        assert!(text.contains("Store/Retryable") && text.contains(&path.display().to_string()), "{text}");
        assert!(text.contains("is full: nothing was written; make room"), "{text}");
        assert!(text.contains("all that was acknowledged is there"), "{text}");
    }
}

#[tokio::test]
async fn a_damaged_page_is_told() {
    let (_folder, path) = folder();
    let store = SqliteStore::open(&path).unwrap();
    let lease = begin(&store, &flow()).await;
    let entities = (0..500).map(|n| entity(&n.to_string(), &"street 1".repeat(200))).collect();
    store.stage(batch(&lease, entities)).await.unwrap();
    drop(store);
    let mut bytes = std::fs::read(&path).unwrap();
    let pages = bytes.len() / 8_192;
    for page in 20..pages {
        bytes[page * 8_192..page * 8_192 + 64].fill(0xee);
    }
    std::fs::write(&path, bytes).unwrap();
    let store = SqliteStore::open(&path).unwrap();
    let read = store.list(&EntityFilter { limit: 1_000, ..EntityFilter::default() }).await.unwrap_err();
    let written = store.stage(batch(&lease, vec![entity("499", "new")])).await.unwrap_err();
    for error in [read, written] {
        assert_eq!(error.kind(), ErrorKind::Store);
        let text = error.report();
        assert!(text.contains("is damaged") && text.contains("store.db") && !text.contains("street"), "{text}");
    }
}

#[tokio::test]
async fn a_closed_store_is_one_file_that_an_operator_can_read() {
    let (folder, path) = folder();
    let store = SqliteStore::open(&path).unwrap();
    let lease = begin(&store, &flow()).await;
    store.stage(batch(&lease, vec![entity("1", "the raw text")])).await.unwrap();
    assert!(store.sync_task(&pass()).await.unwrap().is_some());
    assert_eq!(store.path(), path);
    // The store's clock, half a minute before the entity is due.
    let clock = (start().as_microsecond() - 30_000_000).to_string();
    assert!(store.write_record("clock", 0, &clock).await.unwrap());
    drop(store);
    // Beside it, the empty file that processes lock; it stays, since another one may have it locked.
    let mut files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    files.sort();
    assert_eq!(files, ["store.db", "store.db-lock"]);
    let operator = Connection::open(&path).unwrap();
    let sql = "SELECT \"table\" || ' ' || frontend || ' ' || id || ' ' || name || ' ' || status || ' ' ||
               due_in_seconds || ' ' || created_at || ' ' || raw FROM entities_v";
    let shown: String = operator.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(shown, "orders mage2 1 number 1 N 30 2026-01-01T00:00:00Z the raw text");
    let shown: String = operator.query_row("SELECT started_at FROM sync_tasks_v", [], |row| row.get(0)).unwrap();
    assert_eq!(shown, "2026-01-01T00:00:00Z");
    let health: String = operator.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(health, "ok");
}

#[tokio::test]
async fn the_log_does_not_grow_without_end() {
    const MEGABYTE: usize = 1_000_000;
    let (_folder, path) = folder();
    let log = || std::fs::metadata(path.with_extension("db-wal")).unwrap().len() as usize;
    let store = SqliteStore::open(&path).unwrap();
    let lease = begin(&store, &flow()).await;
    // An operator's tool that keeps a transaction open holds the log, but nobody up.
    let operator = Connection::open(&path).unwrap();
    operator.execute_batch("BEGIN; SELECT count(*) FROM entities").unwrap();
    for n in 0..70 {
        store.stage(batch(&lease, vec![entity(&n.to_string(), &"r".repeat(MEGABYTE))])).await.unwrap();
    }
    assert!(log() > 70 * MEGABYTE);
    operator.execute_batch("COMMIT").unwrap();
    for n in 70..74 {
        store.stage(batch(&lease, vec![entity(&n.to_string(), "r")])).await.unwrap();
    }
    assert!(log() < 20 * MEGABYTE, "{}", log());
}
