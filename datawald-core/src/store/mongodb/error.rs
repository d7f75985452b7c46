//! MongoDB's errors in datawald's words. The connection string is never told, only hosts: it may hold a password.

use mongodb::error::{Error as DriverError, ErrorKind as Kind};
use mongodb::options::ClientOptions;

use crate::{Disposition, Error, ErrorKind};

/// "Unauthorized": the user may not do this. See MongoDB's list of error codes.
const UNAUTHORIZED: i32 = 13;
/// "AuthenticationFailed".
const AUTHENTICATION_FAILED: i32 = 18;
/// A unique index has the key already.
pub(super) const DUPLICATE_KEY: i32 = 11_000;
/// "WriteConflict": another change was quicker.
pub(super) const WRITE_CONFLICT: i32 = 112;
/// "BSONObjectTooLarge", and the older code of a document that grew too large.
const TOO_LARGE: [i32; 2] = [10_334, 17_419];
/// "OutOfDiskSpace".
const DISK_FULL: i32 = 14_031;
/// Shutting down, stepping down, no primary, interrupted, timed out: the next try may find another server in charge.
const AWAY: [i32; 14] = [6, 7, 50, 64, 89, 91, 189, 262, 9_001, 10_107, 11_600, 11_602, 13_435, 13_436];

/// Host and port of every server that the settings name.
pub(super) fn hosts(options: &ClientOptions) -> String {
    options.hosts.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Whether the same command may succeed in a moment.
pub(super) fn is_away(error: &DriverError) -> bool {
    match &*error.kind {
        Kind::Io(_) | Kind::ConnectionPoolCleared { .. } | Kind::ServerSelection { .. } | Kind::DnsResolve { .. } => {
            true
        }
        Kind::Command(command) => is_away_code(command.code),
        _ => error.contains_label("RetryableWriteError"),
    }
}

/// Whether a code says that the server cannot answer just now.
pub(super) fn is_away_code(code: i32) -> bool {
    AWAY.contains(&code)
}

/// A failure while the store was at work.
pub(super) fn at_work(operation: &'static str, hosts: &str, error: DriverError) -> Error {
    let code = match &*error.kind {
        Kind::Command(command) => Some(command.code),
        _ => None,
    };
    if matches!(&*error.kind, Kind::Authentication { .. }) || code == Some(AUTHENTICATION_FAILED) {
        return refused(operation, hosts).caused_by(error);
    }
    if is_away(&error) {
        let message = format!(
            "no MongoDB server of {hosts} answers: nothing is lost, and it is tried again; is the server running, and \
             reachable from here?"
        );
        return Error::new(ErrorKind::Unreachable, Disposition::Retryable { after: None }, operation, message)
            .caused_by(error);
    }
    match code {
        Some(code) => by_code(operation, hosts, code).caused_by(error),
        None => Error::store(operation, format!("MongoDB at {hosts} could not carry it out")).caused_by(error),
    }
}

/// A failure that the server told by code.
pub(super) fn by_code(operation: &'static str, hosts: &str, code: i32) -> Error {
    let error = match code {
        UNAUTHORIZED => Error::new(
            ErrorKind::Unauthorized,
            Disposition::Permanent,
            operation,
            format!("MongoDB at {hosts} does not let this user do that; give it the role `readWrite` on the database"),
        ),
        AUTHENTICATION_FAILED => refused(operation, hosts),
        code if TOO_LARGE.contains(&code) => Error::new(
            ErrorKind::TooLarge,
            Disposition::Rejected,
            operation,
            "a document is larger than MongoDB can hold (16 MB)",
        ),
        DISK_FULL => Error::store(operation, format!("the disk of MongoDB at {hosts} is full: make room")),
        _ => Error::store(operation, format!("MongoDB at {hosts} could not carry it out")),
    };
    error.code(code.to_string())
}

fn refused(operation: &'static str, hosts: &str) -> Error {
    Error::new(
        ErrorKind::Unauthorized,
        Disposition::Permanent,
        operation,
        format!(
            "MongoDB at {hosts} refused the credentials; check user, password and `authSource` of the connection string"
        ),
    )
}

/// A failure to open the store: mostly something that somebody has to mend.
pub(super) fn at_open(operation: &'static str, hosts: &str, error: DriverError) -> Error {
    let told = at_work(operation, hosts, error);
    match told.kind() {
        ErrorKind::Unreachable => {
            let message = format!(
                "no MongoDB server of {hosts} answers; start it, or correct host and port (and `tls=true`, if it wants \
                 TLS) in the connection string"
            );
            Error::new(ErrorKind::Unreachable, told.disposition(), operation, message).caused_by(told)
        }
        _ => told,
    }
}
