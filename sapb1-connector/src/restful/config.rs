//! How to reach SAP B1 RESTful.

use std::collections::BTreeMap;

use datawald_core::http::HttpSettings;
use datawald_core::{Error, Result};
use secrecy::SecretString;

use crate::B1Settings;
use crate::settings::{Requests, add_headers};

const OPERATION: &str = "set up SAP B1 RESTful";

/// Why this way in has no mark of our own.
const NO_MARKS: &str =
    "SAP B1 RESTful writes no user-defined field beside the number: leave it out, or connect through the Service Layer";

/// How to reach SAP B1 RESTful. `Debug` does not show the password.
#[derive(Debug, Clone)]
pub struct RestfulSettings {
    /// Address, limits and certificates.
    pub http: HttpSettings,
    /// The user of the service.
    pub user: String,
    /// The user's password.
    pub password: SecretString,
    /// Where tokens are fetched, below the address. The service's own description has `v1/auth` in a heading and `auth`
    /// in its example; the latter is the default of the library underneath.
    pub auth_path: String,
    /// The company's main currency: the only one that documents may have.
    pub main_currency: String,
    /// Sizes, times and concurrency.
    pub requests: Requests,
}

impl RestfulSettings {
    /// For the service at `url` (`http://b1.example.com:5000`), with currency and requests as in `settings`.
    ///
    /// # Errors
    /// Of kind `Config` if `url` is no address, `user` is empty or `settings` do not hold for this way in
    /// ([`RestfulSettings::check_rules`]).
    pub fn new(url: &str, user: impl Into<String>, password: SecretString, settings: &B1Settings) -> Result<Self> {
        Self::check_rules(settings)?;
        let user = user.into();
        if user.is_empty() {
            return Err(Error::config(OPERATION, "is missing").field("user"));
        }
        Ok(Self {
            http: HttpSettings::new(url)?,
            user,
            password,
            auth_path: "auth".into(),
            main_currency: settings.company_currency.clone(),
            requests: settings.requests,
        })
    }

    /// Takes over what `rules` say of the way in: the main currency and requests.
    pub fn set_rules(&mut self, rules: &B1Settings) {
        self.main_currency.clone_from(&rules.company_currency);
        self.requests = rules.requests;
    }

    /// Adds headers to every request, as a gateway before the service asks for one. Their values count as secrets.
    ///
    /// # Errors
    /// Of kind `Config`, naming the header, if it is none, or one that is set from credentials or from what is sent.
    pub fn add_headers(&mut self, headers: &BTreeMap<String, SecretString>) -> Result<()> {
        add_headers(&mut self.http, headers, &["authorization", "content-type"])
    }

    /// Checks rules, and that they ask for nothing that this way in cannot do at all: it writes no mark (`reference.mark`).
    ///
    /// # Errors
    /// Of kind `Config`, naming the key.
    pub fn check_rules(settings: &B1Settings) -> Result<()> {
        settings.check()?;
        match &settings.reference.mark {
            None => Ok(()),
            Some(_) => Err(Error::config(OPERATION, NO_MARKS).field("reference.mark")),
        }
    }
}
