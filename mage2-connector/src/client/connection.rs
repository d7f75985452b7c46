//! Requests to Magento, with credentials.

use std::sync::Arc;

use datawald_core::http::{Http, HttpRequest, HttpResponse};
use datawald_core::{Clock, Disposition, Effect, Result, SystemClock};
use http::header::{ACCEPT, AUTHORIZATION, HeaderValue};
use http::{Method, StatusCode};
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use super::answer::failure;
use super::credentials::{AdminLogin, Credentials};
use super::criteria::SearchCriteria;
use super::oauth;
use super::settings::Mage2Settings;
use super::surrogates;
use super::token::TokenCache;
use super::unreadable::Known;

/// A client of one Magento 2. Cheap to clone; clones share connections and the admin token.
#[derive(Debug, Clone)]
pub struct Mage2Client(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    http: Http,
    settings: Mage2Settings,
    clock: Arc<dyn Clock>,
    token: TokenCache,
    unreadable: Known,
}

impl Mage2Client {
    /// A client for `settings`, on the system's clock.
    ///
    /// # Errors
    /// Of kind `Config`, naming the setting.
    pub fn new(settings: Mage2Settings) -> Result<Self> {
        Self::with_clock(settings, Arc::new(SystemClock))
    }

    /// A client on another clock, which decides when an admin token is renewed and dates OAuth signatures.
    ///
    /// # Errors
    /// Of kind `Config`, naming the setting.
    pub fn with_clock(settings: Mage2Settings, clock: Arc<dyn Clock>) -> Result<Self> {
        settings.check()?;
        let http = Http::new(settings.http()?)?;
        Ok(Self(Arc::new(Inner { http, settings, clock, token: TokenCache::default(), unreadable: Known::default() })))
    }

    /// The settings.
    pub fn settings(&self) -> &Mage2Settings {
        &self.0.settings
    }

    /// How many requests were sent.
    pub fn requests_sent(&self) -> u64 {
        self.0.http.requests_sent()
    }

    /// The orders that could not be read once.
    pub(super) fn unreadable(&self) -> &Known {
        &self.0.unreadable
    }

    /// The time by which waits are counted.
    pub(super) fn steady(&self) -> jiff::Timestamp {
        self.0.clock.steady()
    }

    /// The address of `path` below `/rest/<store>/V1/`. Encode its parts with [`super::path_segment`].
    ///
    /// # Errors
    /// Of kind `Config` if it makes no address.
    pub fn url(&self, path: &str) -> Result<Url> {
        match &self.0.settings.store {
            Some(store) => self.0.http.url(&format!("rest/{store}/V1/{path}")),
            None => self.0.http.url(&format!("rest/V1/{path}")),
        }
    }

    /// Searches `path` (`orders`).
    ///
    /// # Errors
    /// As [`Mage2Client::send`]; what Magento refuses is permanent, since it concerns no single entity.
    pub async fn search(&self, operation: &'static str, path: &str, criteria: &SearchCriteria) -> Result<HttpResponse> {
        let mut url = self.url(path)?;
        url.set_query(Some(&criteria.to_query()));
        let request = HttpRequest::new(operation, Effect::Read, Method::GET, url);
        self.send(request).await.map_err(|error| match error.disposition() {
            Disposition::Rejected => error.with_disposition(Disposition::Permanent),
            _ => error,
        })
    }

    /// One order by its entity id, as its JSON text.
    ///
    /// # Errors
    /// As [`Mage2Client::send`]; of kind `NotFound` if there is none.
    pub async fn order(&self, entity_id: u64) -> Result<datawald_frontend::RawDoc> {
        let request =
            HttpRequest::new("fetch order", Effect::Read, Method::GET, self.url(&format!("orders/{entity_id}"))?);
        let response = self.send(request).await?;
        let text: Box<serde_json::value::RawValue> = response.json()?;
        Ok(surrogates::document(text.get()))
    }

    /// Sends a request with the credentials. An answer of 401 to an admin token renews the token, and the request is sent
    /// once more: Magento refuses before it does anything.
    ///
    /// # Errors
    /// Those of the HTTP layer, and for every status that is no success:
    ///
    /// * 429, 503 and other signs of overload: of kind `Busy`, with the wait that was asked for;
    /// * 401, 403: of kind `Unauthorized`, permanent;
    /// * 404: of kind `NotFound`; other refusals: of kind `Refused`; both rejected, with Magento's message;
    /// * not Magento's words: of kind `Config`.
    pub async fn send(&self, request: HttpRequest) -> Result<HttpResponse> {
        let again = HttpRequest {
            operation: request.operation,
            effect: request.effect,
            method: request.method.clone(),
            url: request.url.clone(),
            headers: request.headers.clone(),
            body: request.body.clone(),
            timeout: request.timeout,
        };
        let response = match &self.0.settings.credentials {
            Credentials::Bearer(token) => self.send_bearer(request, token).await?,
            Credentials::OAuth1(keys) => {
                let now = self.0.clock.now();
                let header = oauth::authorization(keys, request.method.as_str(), &request.url, now)?;
                self.send_with(request, &header).await?
            }
            Credentials::Admin(login) => {
                let token = self.admin_token(login, None).await?;
                let response = self.send_bearer(request, &token).await?;
                if response.status == StatusCode::UNAUTHORIZED {
                    tracing::debug!(operation = again.operation, "401: the admin token is renewed");
                    let token = self.admin_token(login, Some(&token)).await?;
                    self.send_bearer(again, &token).await?
                } else {
                    response
                }
            }
        };
        if response.status.is_success() { Ok(response) } else { Err(failure(&response)) }
    }

    async fn send_bearer(&self, request: HttpRequest, token: &SecretString) -> Result<HttpResponse> {
        self.send_with(request, &format!("Bearer {}", token.expose_secret())).await
    }

    async fn send_with(&self, request: HttpRequest, authorization: &str) -> Result<HttpResponse> {
        let mut request = request.secret_header(AUTHORIZATION, authorization)?;
        request.headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        self.0.http.send(request).await
    }

    async fn admin_token(&self, login: &AdminLogin, refused: Option<&SecretString>) -> Result<SecretString> {
        let inner = &*self.0;
        let lifetime = inner.settings.admin_token_lifetime;
        inner.token.get(&*inner.clock, lifetime, refused, async || self.log_in(login).await).await
    }

    async fn log_in(&self, login: &AdminLogin) -> Result<SecretString> {
        let operation = "log in to Magento";
        let body = serde_json::json!({"username": login.username, "password": login.password.expose_secret()});
        let url = self.url("integration/admin/token")?;
        // Another token beside the first does no harm.
        let request = HttpRequest::new(operation, Effect::IdempotentWrite, Method::POST, url).json(body.to_string());
        let response = self.0.http.send(request).await?;
        if !response.status.is_success() {
            let error = failure(&response);
            // Refusing the log-in concerns no entity: whatever its status, somebody must look at the configuration.
            return Err(match error.disposition() {
                Disposition::Rejected => error.with_disposition(Disposition::Permanent),
                _ => error,
            });
        }
        let token: String = response.json()?;
        Ok(SecretString::from(token))
    }
}
