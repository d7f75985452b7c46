//! What RabbitMQ's failures mean.

use lapin::protocol::{AMQPErrorKind, AMQPHardError, AMQPSoftError};

use super::config::Address;
use crate::{Disposition, Error, ErrorKind};

const RETRYABLE: Disposition = Disposition::Retryable { after: None };

/// An error of an exchange over a connection.
///
/// All of them but what names a mistake are retryable: the store knows what is due, so that doing it twice is harmless.
pub(super) fn exchange(operation: &'static str, address: &Address, error: lapin::Error) -> Error {
    let at = &address.shown;
    if let lapin::ErrorKind::ProtocolError(said) = error.kind() {
        let code = said.kind().to_string();
        let code = code.rsplit(' ').next().unwrap_or_default().to_owned();
        let text = said.get_message().to_string();
        return match said.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => Error::new(
                ErrorKind::Unauthorized,
                Disposition::Permanent,
                operation,
                format!(
                    "the user may not do this at RabbitMQ at {at} ({text}): give it the permissions to configure, write \
                     and read the queues of the prefix"
                ),
            ),
            AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED | AMQPSoftError::RESOURCELOCKED) => {
                Error::config(operation, format!("RabbitMQ at {at} refuses: {text}"))
            }
            AMQPErrorKind::Hard(AMQPHardError::CONNECTIONFORCED) => Error::new(
                ErrorKind::Unreachable,
                RETRYABLE,
                operation,
                format!("RabbitMQ at {at} closed the connection ({text})"),
            ),
            _ => Error::store(operation, format!("RabbitMQ at {at} failed: {text}")),
        }
        .code(code);
    }
    let message = format!("the connection to RabbitMQ at {at} was lost; it is made again when it is needed");
    Error::new(ErrorKind::Unreachable, RETRYABLE, operation, message).caused_by(error)
}

/// An error of declaring the queue `name`.
pub(super) fn declaring(operation: &'static str, address: &Address, name: &str, error: lapin::Error) -> Error {
    let said = match error.kind() {
        lapin::ErrorKind::ProtocolError(said) => said,
        _ => return exchange(operation, address, error),
    };
    match said.kind() {
        AMQPErrorKind::Soft(AMQPSoftError::PRECONDITIONFAILED) => Error::config(
            operation,
            format!(
                "the queue `{name}` is there already with other properties ({}): give `capacity`, `dead_capacity` and \
                 `delivery_limit` the values that it was made with, choose another `prefix`, or delete it (what is due is \
                 still known to the store)",
                said.get_message()
            ),
        )
        .code("PRECONDITION-FAILED"),
        AMQPErrorKind::Soft(AMQPSoftError::RESOURCELOCKED) => Error::config(
            operation,
            format!("the queue `{name}` belongs to another connection alone: choose another `prefix`, or delete it"),
        )
        .code("RESOURCE-LOCKED"),
        _ => exchange(operation, address, error),
    }
}

/// An error of making a connection.
pub(super) fn connecting(operation: &'static str, address: &Address, error: lapin::Error) -> Error {
    let at = &address.shown;
    let unreachable = |message: String| Error::new(ErrorKind::Unreachable, RETRYABLE, operation, message);
    match error.kind() {
        lapin::ErrorKind::ProtocolError(said) => match said.kind() {
            AMQPErrorKind::Soft(AMQPSoftError::ACCESSREFUSED) => Error::config(
                operation,
                format!("RabbitMQ at {at} refused the user name or the password: correct them in the URI"),
            )
            .field("uri")
            .code("ACCESS-REFUSED"),
            AMQPErrorKind::Hard(AMQPHardError::NOTALLOWED) => Error::config(
                operation,
                format!(
                    "RabbitMQ at {at} does not let the user into the virtual host `{}`: is it there, has the user \
                     permissions in it? A URI that ends in a slash asks for the one with the empty name; leave the slash \
                     away for `/`",
                    address.uri.vhost
                ),
            )
            .field("uri")
            .code("NOT-ALLOWED"),
            _ => exchange(operation, address, error),
        },
        lapin::ErrorKind::IOError(cause) => {
            let tls = cause.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
            match (tls, cause.kind()) {
                (Some(rustls::Error::InvalidCertificate(_)), _) => Error::config(
                    operation,
                    format!(
                        "the certificate of {at} is not trusted: name its authority in `ca_file`, and the host as its \
                         certificate does"
                    ),
                )
                .field("uri")
                .caused_by(error),
                (Some(_), _) => Error::config(
                    operation,
                    format!("no TLS with {at}: does this port speak it (amqps is 5671, amqp 5672)?"),
                )
                .field("uri")
                .caused_by(error),
                (None, std::io::ErrorKind::ConnectionRefused) => {
                    unreachable(format!("nobody listens at {at}: is RabbitMQ running there?")).caused_by(error)
                }
                (None, std::io::ErrorKind::TimedOut) => {
                    let message = format!("no connection to RabbitMQ at {at} in time: is it there, and is it well?");
                    Error::new(ErrorKind::Timeout, RETRYABLE, operation, message).caused_by(error)
                }
                (None, std::io::ErrorKind::ConnectionAborted | std::io::ErrorKind::UnexpectedEof) => unreachable(format!(
                    "{at} closed the connection: is RabbitMQ still starting, or does this port want TLS (amqps)?"
                ))
                .caused_by(error),
                _ => unreachable(format!("no connection to RabbitMQ at {at}")).caused_by(error),
            }
        }
        lapin::ErrorKind::ParsingError(_) | lapin::ErrorKind::InvalidProtocolVersion(_) => {
            Error::config(operation, format!("what answers at {at} does not speak AMQP 0-9-1: is the port right?"))
                .field("uri")
        }
        _ => unreachable(format!("no connection to RabbitMQ at {at}")).caused_by(error),
    }
}

/// No answer in time.
pub(super) fn late(operation: &'static str, address: &Address, limit: std::time::Duration) -> Error {
    let message = format!("no answer from RabbitMQ at {} within {} ms", address.shown, limit.as_millis());
    Error::new(ErrorKind::Timeout, RETRYABLE, operation, message)
}

/// RabbitMQ blocks publishers.
pub(super) fn blocked(operation: &'static str, address: &Address, reason: &str) -> Error {
    let message = format!("RabbitMQ at {} blocks publishers: {reason}", address.shown);
    Error::new(ErrorKind::Busy, RETRYABLE, operation, message)
}

/// The queue was closed by its own process.
pub(super) fn closed(operation: &'static str) -> Error {
    Error::store(operation, "the queue was closed; connect again")
}
