//! The SAP B1 side: a real one by address, or a sandbox, over either way in.

use std::sync::Arc;

use datawald_core::http::HttpSettings;
use datawald_core::{Error, Result};
use datawald_examples::{B1_SANDBOX_COMPANY, B1_SANDBOX_LOGIN};
use rust_decimal::Decimal;
use sapb1_connector::sandbox::{restful, service_layer};
use sapb1_connector::{
    B1Agency, B1Api, B1Settings, RestfulClient, RestfulSettings, ServiceLayerClient, ServiceLayerSettings,
};
use secrecy::SecretString;

use crate::args::{Args, B1Way};

/// SAP B1.
pub(crate) struct B1 {
    /// Its agency.
    pub(crate) agency: Arc<B1Agency>,
    /// The sandbox that plays it, unless it is a real one.
    pub(crate) sandbox: Option<Sandbox>,
}

/// A sandbox of either way in.
pub(crate) enum Sandbox {
    /// SAP B1 RESTful.
    Restful(restful::Sandbox),
    /// The Service Layer.
    ServiceLayer(service_layer::Sandbox),
}

/// A document in a sandbox.
pub(crate) struct Document {
    /// What it comes to.
    pub(crate) total: Decimal,
    /// Whether it is cancelled.
    pub(crate) cancelled: bool,
}

/// What a sandbox has counted.
pub(crate) struct Counted {
    /// Requests.
    pub(crate) requests: u64,
    /// Those that write; over the Service Layer look-ups come in batches too, which are told apart by what is in them.
    pub(crate) writes: u64,
    /// Documents.
    pub(crate) documents: u64,
}

impl Sandbox {
    async fn start(args: &Args) -> Result<Self> {
        let started = match args.b1_api {
            B1Way::Restful => datawald_examples::b1_sandbox(0, args.b1_latency_ms).await.map(Self::Restful),
            B1Way::ServiceLayer => {
                datawald_examples::b1_service_layer(0, args.b1_latency_ms).await.map(Self::ServiceLayer)
            }
        };
        started.map_err(crate::sides::sandbox_error)
    }

    fn url(&self) -> String {
        match self {
            Self::Restful(sandbox) => sandbox.url(),
            Self::ServiceLayer(sandbox) => sandbox.url(),
        }
    }

    /// The document under a number.
    pub(crate) fn document(&self, reference: &str) -> Option<Document> {
        Some(match self {
            Self::Restful(sandbox) => {
                let document = sandbox.document(reference)?;
                Document { total: document.total, cancelled: document.cancelled }
            }
            Self::ServiceLayer(sandbox) => {
                let document = sandbox.document(reference)?;
                Document { total: document.total, cancelled: document.cancelled }
            }
        })
    }

    /// What it has counted.
    pub(crate) fn counted(&self) -> Counted {
        match self {
            Self::Restful(sandbox) => {
                let counters = sandbox.counters();
                Counted { requests: counters.requests, writes: counters.writes, documents: counters.documents }
            }
            Self::ServiceLayer(sandbox) => {
                let counters = sandbox.counters();
                let writes = counters.inserts + counters.updates + counters.cancels;
                Counted { requests: counters.requests, writes, documents: counters.documents }
            }
        }
    }
}

impl B1 {
    /// Starts a sandbox where no address was given, and makes ready to connect.
    pub(crate) async fn open(args: &Args, settings: B1Settings) -> Result<Self> {
        let sandbox = match args.b1 {
            Some(_) => None,
            None => Some(Sandbox::start(args).await?),
        };
        let api: Arc<dyn B1Api> = match args.b1_api {
            B1Way::Restful => Arc::new(RestfulClient::new(restful(args, sandbox.as_ref(), &settings)?)?),
            B1Way::ServiceLayer => {
                Arc::new(ServiceLayerClient::new(service_layer(args, sandbox.as_ref(), &settings)?)?)
            }
        };
        Ok(Self { agency: Arc::new(B1Agency::new(api, settings)), sandbox })
    }
}

fn restful(args: &Args, sandbox: Option<&Sandbox>, settings: &B1Settings) -> Result<RestfulSettings> {
    if let Some(sandbox) = sandbox {
        let (user, password) = B1_SANDBOX_LOGIN;
        return RestfulSettings::new(&sandbox.url(), user, password.into(), settings);
    }
    let (url, user, password) = real(args)?;
    let mut made = RestfulSettings::new(url, user, password, settings)?;
    made.http.extra_ca_pem = authority(args)?;
    Ok(made)
}

fn service_layer(args: &Args, sandbox: Option<&Sandbox>, settings: &B1Settings) -> Result<ServiceLayerSettings> {
    if let Some(sandbox) = sandbox {
        let (user, password) = B1_SANDBOX_LOGIN;
        return ServiceLayerSettings::new(&sandbox.url(), B1_SANDBOX_COMPANY, user, password.into(), settings);
    }
    let (url, user, password) = real(args)?;
    let company = args.b1_company.as_deref().unwrap_or_default();
    let mut made = ServiceLayerSettings::new(url, company, user, password, settings)?;
    made.http.extra_ca_pem = authority(args)?;
    Ok(made)
}

/// Address, user and password of a real one.
fn real(args: &Args) -> Result<(&str, &str, SecretString)> {
    let (url, user) = (args.b1.as_deref().unwrap_or_default(), args.b1_user.as_deref().unwrap_or_default());
    let password = std::env::var("B1_PASSWORD").map(SecretString::from).map_err(|_| {
        Error::config("read environment", "the variable B1_PASSWORD is not set; it holds the password of --b1-user")
    })?;
    // Says more about a wrong address than the client, which may be given one from anywhere.
    HttpSettings::new(url).map_err(|error| error.field("--b1"))?;
    Ok((url, user, password))
}

fn authority(args: &Args) -> Result<Option<String>> {
    let read = |path: &std::path::PathBuf| {
        std::fs::read_to_string(path).map_err(|error| {
            Error::config("read certificates", format!("{} cannot be read", path.display())).caused_by(error)
        })
    };
    args.b1_ca.as_ref().map(read).transpose()
}
