//! Who may read a store. It holds names, addresses and what people bought, so it is its owner's alone.

use std::path::Path;

#[cfg(unix)]
use super::open::beside;

/// Makes the file of a new store, readable for its owner alone; SQLite gives those beside it the same rights. Where that fails,
/// opening the store tells why.
#[cfg(unix)]
pub(super) fn make(path: &Path) {
    use std::os::unix::fs::OpenOptionsExt;
    let _ = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
}

/// Takes from all others the rights that they have to a store and the files beside it, as one of an older release has given
/// them.
#[cfg(unix)]
pub(super) fn keep(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    for suffix in ["", "-wal", "-shm", "-lock"] {
        let file = beside(path, suffix);
        let Ok(data) = std::fs::metadata(&file) else { continue };
        let mode = data.permissions().mode();
        if mode & 0o077 != 0
            && let Err(error) = std::fs::set_permissions(&file, std::fs::Permissions::from_mode(mode & 0o700))
        {
            let file = file.display();
            tracing::warn!(%file, %error, "others can read the store, and its owner only can forbid it: `chmod go= FILE`");
        }
    }
}

/// Files have no such rights here; they have those of their folder.
#[cfg(not(unix))]
pub(super) fn make(_: &Path) {}

/// As above.
#[cfg(not(unix))]
pub(super) fn keep(_: &Path) {}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use crate::model::{FlowId, Table};
    use crate::store::{SqliteStore, StagingStore};

    #[tokio::test]
    async fn a_store_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let flow = FlowId::new(Table::Orders, "mage2");
        for _ in 0..2 {
            let store = SqliteStore::open(&path).unwrap();
            store.set_cut(&flow, None).await.unwrap();
            store.cut(&flow).await.unwrap();
            let mut names = Vec::new();
            for file in std::fs::read_dir(folder.path()).unwrap() {
                let file = file.unwrap();
                assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600, "{file:?}");
                names.push(file.file_name().into_string().unwrap());
            }
            names.sort();
            assert_eq!(names, ["store.db", "store.db-lock", "store.db-shm", "store.db-wal"]);
            drop(store);
            // As an older release has left it.
            for name in ["store.db", "store.db-lock"] {
                std::fs::set_permissions(folder.path().join(name), std::fs::Permissions::from_mode(0o644)).unwrap();
            }
        }
    }

    #[test]
    fn to_look_at_a_store_makes_and_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.db");
        let files = || {
            let files = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name());
            let mut files: Vec<_> = files.map(|name| name.into_string().unwrap()).collect();
            files.sort();
            files
        };
        assert!(!SqliteStore::look(&path).unwrap());
        assert_eq!(files(), [""; 0]);
        let error = SqliteStore::look(folder.path().join("no/such/store.db")).unwrap_err();
        assert!(error.to_string().contains("is not a folder; create it"), "{error}");

        let store = SqliteStore::open(&path).unwrap();
        assert!(SqliteStore::look(&path).unwrap(), "while it is in use");
        drop(store);
        let (before, bytes) = (files(), std::fs::read(&path).unwrap());
        assert!(SqliteStore::look(&path).unwrap());
        assert_eq!((files(), std::fs::read(&path).unwrap()), (before, bytes));
        assert_eq!(files(), ["store.db", "store.db-lock"]);
    }
}
