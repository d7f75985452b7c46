//! SQLite's errors in datawald's words. SQLite names tables and columns in its messages, never values.

use std::path::Path;

use rusqlite::ErrorCode;

use crate::{Disposition, Error, ErrorKind};

/// A failure while the store was at work.
pub(super) fn at_work(operation: &'static str, path: &Path, error: rusqlite::Error) -> Error {
    let path = path.display();
    let message = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => format!("the disk of `{path}` is full: nothing was written; make room"),
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            format!("another process has held `{path}` for too long: nothing was written; look for it with `fuser`")
        }
        Some(ErrorCode::ReadOnly) => format!("`{path}` has become read-only: nothing was written; make it writable"),
        Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
            // It does not mend itself: to try again would only hide it.
            let message = format!(
                "`{path}` is damaged: stop the service, keep a copy, check it with `PRAGMA integrity_check`, and restore a \
                 backup or save what is readable with sqlite3's `.recover`"
            );
            return Error::new(ErrorKind::Store, Disposition::Permanent, operation, message).caused_by(error);
        }
        Some(ErrorCode::SystemIoFailure) => format!("the disk of `{path}` fails to read or write; check the disk"),
        Some(ErrorCode::TooBig) => {
            return Error::new(
                ErrorKind::TooLarge,
                Disposition::Rejected,
                operation,
                "a text is longer than the store can hold (1 GB)",
            );
        }
        _ => format!("`{path}` could not be read or written"),
    };
    Error::store(operation, message).caused_by(error)
}

/// A failure to open a store: mostly a path or a permission that somebody has to mend.
pub(super) fn at_open(path: &Path, error: rusqlite::Error) -> Error {
    const OPERATION: &str = "open store";
    let shown = path.display();
    let message = match error.sqlite_error_code() {
        Some(ErrorCode::NotADatabase) => not_a_store(path),
        Some(ErrorCode::ReadOnly) => read_only(path),
        Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => match path.parent() {
            Some(folder) if !folder.as_os_str().is_empty() && !folder.is_dir() => no_folder(path, folder),
            _ => format!(
                "`{shown}` cannot be opened or made: let the user of this process write to the file and to its folder, \
                 or name another path"
            ),
        },
        _ => return at_work(OPERATION, path, error),
    };
    Error::config(OPERATION, message).caused_by(error)
}

/// What to say of a file that SQLite does not know.
pub(super) fn not_a_store(path: &Path) -> String {
    format!("`{}` is not a store: it was left as it is; name another path or move it away", path.display())
}

/// What to say of a path whose folder is not there.
pub(super) fn no_folder(path: &Path, folder: &Path) -> String {
    format!(
        "`{}` cannot be made: `{}` is not a folder; create it or name another path",
        path.display(),
        folder.display()
    )
}

/// What to say of a file that cannot be written.
pub(super) fn read_only(path: &Path) -> String {
    format!(
        "`{}` is read-only: a store needs to write to the file and to its folder; mount or permit it so, or name \
         another path",
        path.display()
    )
}
