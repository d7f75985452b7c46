//! TLS: one provider (ring), handed over explicitly, so that no client ever panics for want of one.

mod handed_over;

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::crypto::ring;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;

use crate::{Error, Result};
use handed_over::HandedOver;

/// A client configuration that trusts the operating system's authorities and the certificates in `extra_ca_pem`: what they
/// sign, and the servers that show one of them as their own.
///
/// A certificate of a server that is one of `extra_ca_pem`, byte for byte, is trusted for the names in it and for as long as
/// it is valid, whoever signed it and whatever else it says. `openssl req -x509` makes such certificates: signed by
/// themselves and marked as an authority's.
///
/// # Errors
/// Of kind `Config` if the PEM text holds no certificate, or the system has no store of authorities.
#[cfg_attr(not(feature = "http"), allow(unreachable_pub, reason = "public with the HTTP layer alone"))]
pub fn tls_config(extra_ca_pem: Option<&str>) -> Result<ClientConfig> {
    let operation = "set up TLS";
    let provider = Arc::new(ring::default_provider());
    let roots: Vec<CertificateDer<'static>> = match extra_ca_pem {
        None => Vec::new(),
        Some(pem) => CertificateDer::pem_slice_iter(pem.as_bytes())
            .collect::<std::result::Result<_, _>>()
            .map_err(|_| Error::config(operation, "the configured CA file is not PEM"))?,
    };
    if extra_ca_pem.is_some() && roots.is_empty() {
        return Err(Error::config(operation, "the configured CA file holds no certificate"));
    }
    let verifier = Verifier::new_with_extra_roots(roots.clone(), provider.clone()).map_err(|error| {
        Error::config(
            operation,
            "no certificate authorities: install the system's `ca-certificates` or configure a CA file",
        )
        .caused_by(error)
    })?;
    let algorithms = provider.signature_verification_algorithms;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::config(operation, "no TLS version is left").caused_by(error))?;
    let verifier = HandedOver::new(roots, algorithms, Arc::new(verifier));
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}

/// A configuration that trusts nobody, for clients that never leave plain HTTP.
#[cfg(feature = "http")]
pub(crate) fn trust_nobody() -> Result<ClientConfig> {
    let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::config("set up TLS", "no TLS version is left").caused_by(error))?;
    Ok(builder.with_root_certificates(rustls::RootCertStore::empty()).with_no_client_auth())
}
