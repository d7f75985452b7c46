//! A server whose certificate is not trusted: nothing mends that but the configuration, on either side.

use std::error::Error as StdError;
use std::net::IpAddr;

use rustls::CertificateError::{self, Expired, ExpiredContext, NotValidForName, NotValidForNameContext};
use rustls::CertificateError::{NotValidYet, NotValidYetContext};

use crate::Error;

/// The error for a connection that failed because of the server's certificate; `None` if that is not why.
pub(super) fn refused(operation: &'static str, host: &str, error: &(dyn StdError + 'static)) -> Option<Error> {
    let reason = reason(error)?;
    if names_nobody(reason) {
        let kind = if host.parse::<IpAddr>().is_ok() { "IP" } else { "DNS" };
        let message = format!(
            "the certificate of {host} names no host, since its common name (CN) does not count: make one with a subject \
             alternative name, as `openssl req -x509 … -addext subjectAltName={kind}:{host}` does; nothing was sent"
        );
        return Some(Error::config(operation, message).field("extra_ca_pem"));
    }
    let (field, why) = match reason {
        NotValidForName | NotValidForNameContext { .. } => {
            ("base_url", "is for another name: use a name that it is for, or have one made for this name")
        }
        Expired | ExpiredContext { .. } => ("extra_ca_pem", "has expired: have it renewed on the server"),
        NotValidYet | NotValidYetContext { .. } => {
            ("extra_ca_pem", "is not valid yet: are the clocks right, here and on the server?")
        }
        _ => (
            "extra_ca_pem",
            "is not trusted: give it, or that of the authority that signed it, as the CA file of this connection",
        ),
    };
    Some(Error::config(operation, format!("the certificate of {host} {why}; nothing was sent")).field(field))
}

/// Whether a certificate has no names that count: none at all, or it is of the first version, which knows none.
fn names_nobody(reason: &CertificateError) -> bool {
    match reason {
        NotValidForNameContext { presented, .. } => presented.is_empty(),
        CertificateError::Other(other) => {
            matches!(other.0.downcast_ref(), Some(webpki::Error::UnsupportedCertVersion))
        }
        _ => false,
    }
}

/// What is wrong with the certificate, from the depth of what the HTTP client reports.
fn reason<'a>(error: &'a (dyn StdError + 'static)) -> Option<&'a CertificateError> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(rustls::Error::InvalidCertificate(reason)) = error.downcast_ref() {
            return Some(reason);
        }
        // An I/O error hides what it was made of from those who ask for its source.
        next = match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
