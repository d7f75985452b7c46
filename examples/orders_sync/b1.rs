//! The SAP B1 side: a real one by address, or a sandbox, over either way in.

use std::sync::Arc;

use datawald_core::http::HttpSettings;
use datawald_core::{Error, Result};
use datawald_examples::sample_company;
use sapb1_connector::sandbox::{B1Sandbox, Faults, Way};
use sapb1_connector::{
    B1Agency, B1Api, B1Settings, RestfulClient, RestfulSettings, ServiceLayerClient, ServiceLayerSettings,
};
use secrecy::SecretString;

use crate::args::Args;

/// SAP B1.
pub(crate) struct B1 {
    /// Its agency.
    pub(crate) agency: Arc<B1Agency>,
    /// The sandbox that plays it, unless it is a real one.
    pub(crate) sandbox: Option<B1Sandbox>,
}

impl B1 {
    /// Starts a sandbox where no address was given, and makes ready to connect.
    pub(crate) async fn open(args: &Args, settings: B1Settings) -> Result<Self> {
        if args.b1.is_some() {
            let api = real(args, &settings)?;
            return Ok(Self { agency: Arc::new(B1Agency::new(api, settings)), sandbox: None });
        }
        let started = B1Sandbox::start(args.b1_api, sample_company()).await;
        let sandbox = started.map_err(crate::sides::sandbox_error)?;
        sandbox.set_faults(Faults { latency_ms: args.b1_latency_ms, ..Faults::default() });
        Ok(Self { agency: Arc::new(sandbox.agency(settings)?), sandbox: Some(sandbox) })
    }
}

/// A client of a real one.
fn real(args: &Args, settings: &B1Settings) -> Result<Arc<dyn B1Api>> {
    let (url, user, password) = address(args)?;
    let authority = authority(args)?;
    Ok(match args.b1_api {
        Way::Restful => {
            let mut made = RestfulSettings::new(url, user, password, settings)?;
            made.http.extra_ca_pem = authority;
            Arc::new(RestfulClient::new(made)?)
        }
        Way::ServiceLayer => {
            let company = args.b1_company.as_deref().unwrap_or_default();
            let mut made = ServiceLayerSettings::new(url, company, user, password, settings)?;
            made.http.extra_ca_pem = authority;
            Arc::new(ServiceLayerClient::new(made)?)
        }
    })
}

/// Its address, user and password.
fn address(args: &Args) -> Result<(&str, &str, SecretString)> {
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
