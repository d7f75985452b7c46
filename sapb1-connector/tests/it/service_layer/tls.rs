//! TLS: a certificate is trusted because it was handed over, and never unchecked.

use std::time::Duration;

use datawald_core::{Disposition, Error, ErrorKind};
use sapb1_connector::sandbox::service_layer::{Sandbox, SandboxOptions, Tls};
use sapb1_connector::{B1Api, ServiceLayerClient, ServiceLayerSettings};

use super::{ROOTS, connection, world};
use crate::common::*;

/// A certificate that is signed by itself, as that which the Service Layer comes with.
struct Signed {
    pem: String,
    tls: Tls,
}

impl Signed {
    fn of(mut parameters: rcgen::CertificateParams) -> Self {
        let key = rcgen::KeyPair::generate().unwrap();
        parameters.distinguished_name.push(rcgen::DnType::CommonName, "b1");
        let pem = parameters.self_signed(&key).unwrap().pem();
        Self { tls: Tls { certificate: pem.clone(), key: key.serialize_pem() }, pem }
    }

    fn for_name(name: &str) -> Self {
        Self::of(rcgen::CertificateParams::new([name.to_owned()]).unwrap())
    }

    /// As `openssl req -x509` makes them: marked as an authority's, with identifiers of its key.
    fn as_openssl(mut parameters: rcgen::CertificateParams) -> Self {
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        parameters.use_authority_key_identifier_extension = true;
        Self::of(parameters)
    }

    /// From OpenSSL itself, where it is installed.
    fn by_openssl(extra: &[&str]) -> Option<Self> {
        let folder = tempfile::tempdir().unwrap();
        let (certificate, key) = (folder.path().join("b1.pem"), folder.path().join("b1.key"));
        let mut command = std::process::Command::new("openssl");
        command.args(["req", "-x509", "-newkey", "rsa:2048", "-noenc", "-days", "2", "-subj", "/CN=b1", "-out"]);
        let made = command.arg(&certificate).arg("-keyout").arg(&key).args(extra).output();
        let Ok(made) = made else {
            eprintln!("there is no `openssl`: its certificates are those that rcgen makes in its way alone");
            return None;
        };
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let pem = std::fs::read_to_string(certificate).unwrap();
        let key = std::fs::read_to_string(key).unwrap();
        Some(Self { tls: Tls { certificate: pem.clone(), key }, pem })
    }

    fn options(&self) -> SandboxOptions {
        SandboxOptions { tls: Some(self.tls.clone()), ..SandboxOptions::default() }
    }
}

/// The error of a client that trusts `authority`, of a server that shows `shown`; nothing may reach that server.
async fn refused(shown: &Signed, authority: Option<String>) -> Vec<Error> {
    let mut errors = Vec::new();
    for root in ROOTS {
        let sandbox = Sandbox::start(shown.options()).await.unwrap();
        let mut connection = connection(&sandbox, &settings(""), root);
        connection.http.extra_ca_pem.clone_from(&authority);
        let client = ServiceLayerClient::new(connection).unwrap();
        errors.push(client.info(&cx()).await.unwrap_err());
        errors.push(client.look_up(&cx(), &references(["1"])).await.unwrap_err());
        assert_eq!(sandbox.counters().requests, 0, "nothing was sent");
    }
    for error in &errors {
        assert_eq!((error.kind(), error.disposition()), (ErrorKind::Config, Disposition::Permanent), "{error}");
        assert!(error.to_string().contains("nothing was sent") && !error.report().contains("1234"), "{error}");
    }
    errors
}

/// Documents are written and sessions given back to servers that show `signed`, which was handed over.
async fn trusted(signed: &Signed) {
    for root in ROOTS {
        let pem = signed.pem.clone();
        let world = world(root, signed.options(), settings(""), |it| it.http.extra_ca_pem = Some(pem)).await;
        assert!(world.sandbox.url().starts_with("https://"));
        let docs = world.documents(3).await;
        assert!(world.insert(&docs).await.iter().all(Result::is_ok), "{root:?}");
        B1Api::close(&*world.client).await;
        let counters = world.sandbox.counters();
        assert_eq!((counters.documents, counters.sessions), (3, 0));
    }
}

#[tokio::test]
async fn a_certificate_signed_by_itself_is_trusted_once_it_is_handed_over() {
    trusted(&Signed::for_name("127.0.0.1")).await;
}

#[tokio::test]
async fn a_certificate_as_openssl_makes_it_is_trusted_once_it_is_handed_over() {
    trusted(&Signed::as_openssl(rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap())).await;
    if let Some(signed) = Signed::by_openssl(&["-addext", "subjectAltName=IP:127.0.0.1"]) {
        trusted(&signed).await;
    }
}

/// A name that is no subject alternative name counts for nobody any more.
#[tokio::test]
async fn a_certificate_with_a_common_name_only() {
    let nameless = Signed::as_openssl(rcgen::CertificateParams::new([]).unwrap());
    for signed in [Some(nameless), Signed::by_openssl(&[])].into_iter().flatten() {
        for error in refused(&signed, Some(signed.pem.clone())).await {
            assert_eq!(error.field_path(), Some("extra_ca_pem"));
            assert!(error.message().contains("its common name (CN) does not count"), "{error}");
            assert!(error.message().contains("-addext subjectAltName=IP:127.0.0.1"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_certificate_that_nobody_handed_over_is_not_trusted() {
    let signed = Signed::for_name("127.0.0.1");
    let authority = Signed::as_openssl(rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap());
    let another = Signed::as_openssl(rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap());
    let cases =
        [(&signed, None), (&signed, Some(another.pem.clone())), (&authority, None), (&authority, Some(another.pem))];
    for (shown, handed_over) in cases {
        for error in refused(shown, handed_over).await {
            assert_eq!(error.field_path(), Some("extra_ca_pem"));
            assert!(error.message().contains("the certificate of 127.0.0.1 is not trusted"), "{error}");
            assert!(error.message().contains("as the CA file of this connection"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_certificate_for_another_name_is_none_for_this_one() {
    let parameters = rcgen::CertificateParams::new(["b1.example.com".to_owned()]).unwrap();
    for signed in [Signed::of(parameters.clone()), Signed::as_openssl(parameters)] {
        for error in refused(&signed, Some(signed.pem.clone())).await {
            assert_eq!(error.field_path(), Some("base_url"));
            assert!(error.message().contains("the certificate of 127.0.0.1 is for another name"), "{error}");
        }
    }
}

#[tokio::test]
async fn a_certificate_that_is_over_or_not_begun() {
    let year = |year| (rcgen::date_time_ymd(year, 1, 1), rcgen::date_time_ymd(year + 1, 1, 1));
    for ((from, until), told) in [(year(2020), "has expired"), (year(2090), "is not valid yet")] {
        let mut parameters = rcgen::CertificateParams::new(["127.0.0.1".to_owned()]).unwrap();
        (parameters.not_before, parameters.not_after) = (from, until);
        for signed in [Signed::of(parameters.clone()), Signed::as_openssl(parameters)] {
            for error in refused(&signed, Some(signed.pem.clone())).await {
                assert!(error.message().contains(told), "{error}");
            }
        }
    }
}

#[tokio::test]
async fn what_is_no_certificate_is_told_before_anything_is_sent() {
    let sandbox = Sandbox::start(Signed::for_name("127.0.0.1").options()).await.unwrap();
    for pem in ["", "no PEM at all", "-----BEGIN CERTIFICATE-----\nAAAA"] {
        let mut connection = connection(&sandbox, &settings(""), ROOTS[1]);
        connection.http.extra_ca_pem = Some(pem.to_owned());
        let error = ServiceLayerClient::new(connection).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.message().contains("the configured CA file"), "{error}");
    }
}

/// A server that is not there is another matter: it may come back.
#[tokio::test]
async fn a_server_that_is_away_is_not_a_matter_of_trust() {
    // Nobody listens there any more.
    let address = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("https://{address}");
    let mut connection = ServiceLayerSettings::new(&url, "SBODEMOUS", "manager", "1234".into(), &settings("")).unwrap();
    connection.http.connect_timeout = Duration::from_secs(2);
    let client = ServiceLayerClient::new(connection).unwrap();
    let error = client.info(&cx()).await.unwrap_err();
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::Unreachable, Disposition::Retryable { after: None }));
}
