//! Servers that show a certificate which was handed over as it is.

use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::WebPkiSupportedAlgorithms;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};

/// Trusts a certificate that is one of those handed over, byte for byte; asks the usual verifier about all others.
///
/// The usual verifier refuses an authority's certificate that a server shows as its own, although it trusts all that this
/// authority signs. OpenSSL marks what it signs by itself as an authority's, so that is what most servers in a company show.
#[derive(Debug)]
pub(super) struct HandedOver {
    certificates: Vec<CertificateDer<'static>>,
    algorithms: WebPkiSupportedAlgorithms,
    usual: Arc<dyn ServerCertVerifier>,
}

impl HandedOver {
    pub(super) fn new(
        certificates: Vec<CertificateDer<'static>>,
        algorithms: WebPkiSupportedAlgorithms,
        usual: Arc<dyn ServerCertVerifier>,
    ) -> Self {
        Self { certificates, algorithms, usual }
    }

    /// Whether a certificate that was handed over is valid at this time. Nobody is asked who signed it.
    fn check_time(&self, certificate: &ParsedCertificate<'_>, now: UnixTime) -> Result<(), Error> {
        let nobody = RootCertStore::empty();
        match verify_server_cert_signed_by_trust_anchor(certificate, &nobody, &[], now, self.algorithms.all) {
            // The time is checked before these two.
            Err(error) if is_authority(&error) => Ok(()),
            Err(Error::InvalidCertificate(CertificateError::UnknownIssuer)) => Ok(()),
            checked => checked,
        }
    }
}

/// Whether a certificate was refused since it is marked as an authority's.
fn is_authority(error: &Error) -> bool {
    let Error::InvalidCertificate(CertificateError::Other(other)) = error else { return false };
    matches!(other.0.downcast_ref(), Some(webpki::Error::CaUsedAsEndEntity))
}

impl ServerCertVerifier for HandedOver {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        if !self.certificates.contains(end_entity) {
            return self.usual.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        }
        let certificate = ParsedCertificate::try_from(end_entity)?;
        self.check_time(&certificate, now)?;
        verify_server_name(&certificate, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
