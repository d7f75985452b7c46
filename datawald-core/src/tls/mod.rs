//! TLS, with the provider of cryptography that the program has chosen.
//!
//! rustls leaves the cryptography to a provider (ring, aws-lc-rs, …). A program has one, and chooses it itself: with two among
//! its crates, `rustls::ClientConfig::builder()` panics wherever in the program it is called. So no crate here brings one. What
//! needs TLS takes, in this order:
//!
//! 1. the provider that was handed over: [`HttpSettings::tls_provider`](crate::http::HttpSettings::tls_provider) and the field
//!    of that name in the settings of the other clients;
//! 2. the one that the program has installed, in the first lines of its `main`:
//!    `rustls::crypto::aws_lc_rs::default_provider().install_default()`;
//! 3. ring, if the program asks for the feature `ring` of this crate.
//!
//! If there is none, whatever needs TLS is refused when it is made, by an error of kind `Config` that says so. Plain `http` and
//! `amqp` need none.
//!
//! MongoDB's driver is the exception. It takes no provider from the program, and it does not compile without one of its features
//! for ring, aws-lc-rs or OpenSSL. The feature `ring` of this crate chooses ring for it too; a program with another provider names
//! the driver in its own manifest:
//!
//! ```toml
//! datawald-core = { version = "…", features = ["mongodb"] }
//! mongodb = { version = "3", default-features = false, features = ["rustls-tls-aws-lc"] }
//! ```

mod handed_over;

use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;

pub use rustls::crypto::CryptoProvider;

use crate::{Error, Result};
use handed_over::HandedOver;

const OPERATION: &str = "set up TLS";

/// The provider to use: `handed_over`, or the one that the program has installed, or ring with the feature `ring`.
///
/// # Errors
/// Of kind `Config` if there is none.
pub fn provider(handed_over: Option<Arc<CryptoProvider>>) -> Result<Arc<CryptoProvider>> {
    let chosen = handed_over.or_else(|| CryptoProvider::get_default().cloned());
    #[cfg(feature = "ring")]
    let chosen = chosen.or_else(|| Some(Arc::new(rustls::crypto::ring::default_provider())));
    chosen.ok_or_else(|| {
        let message = "TLS has no provider of cryptography: install one at the beginning of `main`, as \
                       `rustls::crypto::ring::default_provider().install_default()` does, or build datawald-core with its \
                       feature `ring`";
        Error::config(OPERATION, message).field("tls_provider")
    })
}

/// A client configuration that trusts the operating system's authorities and the certificates in `extra_ca_pem`: what they
/// sign, and the servers that show one of them as their own. The provider is that of [`provider`].
///
/// A certificate of a server that is one of `extra_ca_pem`, byte for byte, is trusted for the names in it and for as long as
/// it is valid, whoever signed it and whatever else it says. `openssl req -x509` makes such certificates: signed by
/// themselves and marked as an authority's.
///
/// # Errors
/// Of kind `Config` if there is no provider, the PEM text holds no certificate, or the system has no store of authorities.
pub fn tls_config(extra_ca_pem: Option<&str>, handed_over: Option<Arc<CryptoProvider>>) -> Result<ClientConfig> {
    let provider = provider(handed_over)?;
    let roots: Vec<CertificateDer<'static>> = match extra_ca_pem {
        None => Vec::new(),
        Some(pem) => CertificateDer::pem_slice_iter(pem.as_bytes())
            .collect::<std::result::Result<_, _>>()
            .map_err(|_| Error::config(OPERATION, "the configured CA file is not PEM"))?,
    };
    if extra_ca_pem.is_some() && roots.is_empty() {
        return Err(Error::config(OPERATION, "the configured CA file holds no certificate"));
    }
    let verifier = Verifier::new_with_extra_roots(roots.clone(), provider.clone()).map_err(|error| {
        Error::config(
            OPERATION,
            "no certificate authorities: install the system's `ca-certificates` or configure a CA file",
        )
        .caused_by(error)
    })?;
    let algorithms = provider.signature_verification_algorithms;
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().map_err(|error| {
            Error::config(OPERATION, "the provider of cryptography has no TLS version").caused_by(error)
        })?;
    let verifier = HandedOver::new(roots, algorithms, Arc::new(verifier));
    Ok(builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth())
}
