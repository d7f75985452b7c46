//! One call, with its token, its time-out and its answer sorted by what it means.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use datawald_backoffice::{NativeOrder, Reference};
use datawald_core::http::{Http, HttpRequest, HttpResponse};
use datawald_core::{Cx, Disposition, Effect, Error, ErrorKind, Result};
use http::Method;
use http::header::AUTHORIZATION;
use jiff::Timestamp;
use tokio::sync::{Mutex, Semaphore};

use super::auth::Session;
use super::{RestfulSettings, answer, cancel, codes, insert, look_up};
use crate::api::{B1Absent, B1Api, B1Codes, B1Document, B1Info, B1Partner, Capabilities, Changed, TextLimits};
use crate::write_size::WriteSize;

/// The client of *SAP B1 RESTful*. Cheap to share: put it into an `Arc`.
///
/// ```
/// use secrecy::SecretString;
/// use sapb1_connector::{B1Settings, RestfulClient, RestfulSettings};
///
/// let settings = B1Settings::default();
/// let password = SecretString::from("from the environment");
/// let client = RestfulClient::new(RestfulSettings::new("http://b1.example.com:5000", "shop", password, &settings)?)?;
/// # Ok::<(), datawald_core::Error>(())
/// ```
pub struct RestfulClient {
    pub(super) http: Http,
    pub(super) settings: RestfulSettings,
    session: Session,
    /// As many calls at the same time as the settings allow, whoever makes them.
    calls: Semaphore,
    pub(super) codes: Mutex<codes::Held>,
    /// How many orders are inserted at a time.
    pub(super) write_size: WriteSize,
    /// Until when look-ups go one by one, because the service refused a list.
    pub(super) lists_refused_until: std::sync::Mutex<Option<Timestamp>>,
}

/// A call of the service.
pub(super) struct Call<'a> {
    pub(super) operation: &'static str,
    pub(super) effect: Effect,
    pub(super) method: Method,
    pub(super) path: &'a str,
    pub(super) body: Option<Bytes>,
}

impl RestfulClient {
    /// A client for `settings`. Nothing is sent yet.
    ///
    /// # Errors
    /// Of kind `Config` if the HTTP client cannot be set up.
    pub fn new(settings: RestfulSettings) -> Result<Self> {
        Ok(Self {
            http: Http::new(settings.http.clone())?,
            session: Session::default(),
            calls: Semaphore::new(settings.requests.concurrency),
            codes: Mutex::default(),
            write_size: WriteSize::new(&settings.requests),
            lists_refused_until: std::sync::Mutex::default(),
            settings,
        })
    }

    /// Makes sure of a token, so that wrong credentials show before anything is written.
    pub(super) async fn log_in(&self, cx: &Cx) -> Result<()> {
        self.session.token(self, cx).await.map(drop)
    }

    /// Sends a call and answers its body if it is a success (HTTP 201).
    pub(super) async fn call(&self, cx: &Cx, call: Call<'_>) -> Result<HttpResponse> {
        // Before a token is taken: one that waited for its turn could be over by then, and so could the one after it. It is
        // never closed, so this never fails.
        let _permit = self.calls.acquire().await.ok();
        let token = self.session.token(self, cx).await?;
        let response = self.send(cx, &call, token.header()).await?;
        if response.status.as_u16() != 401 {
            return answer::success(response);
        }
        // 401 is answered at the door, so even a write has surely not been carried out: a new token, and once more.
        self.session.forget(&token).await;
        let token = self.session.token(self, cx).await?;
        let response = self.send(cx, &call, token.header()).await?;
        if response.status.as_u16() == 401 {
            let message = "SAP B1 RESTful refuses its own new token: is another service or a proxy answering, or does \
                           its clock run wrong?";
            return Err(Error::new(ErrorKind::Unauthorized, Disposition::Permanent, call.operation, message));
        }
        answer::success(response)
    }

    async fn send(&self, cx: &Cx, call: &Call<'_>, token: &str) -> Result<HttpResponse> {
        let mut request = HttpRequest::new(call.operation, call.effect, call.method.clone(), self.http.url(call.path)?)
            .secret_header(AUTHORIZATION, token)?;
        if let Some(body) = &call.body {
            request = request.json(body.clone());
        }
        // The time to write in counts from here: waiting is over.
        request.timeout = Some(match call.effect {
            Effect::Read => self.settings.requests.read_timeout(),
            Effect::Write | Effect::IdempotentWrite => self.settings.requests.write_time(cx, call.operation)?,
        });
        self.http.send(request).await
    }
}

#[async_trait]
impl B1Api for RestfulClient {
    fn capabilities(&self) -> Capabilities {
        Capabilities {
            name: "SAP B1 RESTful",
            foreign_currency: false,
            updates: false,
            partners: false,
            marks: false,
            text_limits: Some(TextLimits { telephone: 20, street: 100, name: 50 }),
        }
    }

    async fn look_up(&self, cx: &Cx, references: &[Reference]) -> Result<Vec<Vec<B1Document>>> {
        look_up::look_up(self, cx, references).await
    }

    async fn insert(&self, cx: &Cx, docs: &[NativeOrder]) -> Result<Vec<Result<String>>> {
        insert::insert(self, cx, docs).await
    }

    async fn cancel(&self, cx: &Cx, orders: &[(&Reference, &str)]) -> Result<Vec<Result<String>>> {
        // This way in knows documents by their number only.
        let references: Vec<&Reference> = orders.iter().map(|(reference, _)| *reference).collect();
        cancel::cancel(self, cx, &references).await
    }

    async fn change(&self, _: &Cx, _: &[(&str, NativeOrder)]) -> Result<Vec<Result<Changed>>> {
        Err(Error::config("change orders in SAP B1", "SAP B1 RESTful cannot change an order").field("changes"))
    }

    async fn partners(&self, _: &Cx, _: &[B1Partner]) -> Result<Vec<Result<Option<String>>>> {
        Err(Error::config("look up customers in SAP B1", "SAP B1 RESTful cannot search customers: use the tables")
            .field("customer.search"))
    }

    async fn codes(&self, cx: &Cx) -> Result<Arc<B1Codes>> {
        codes::codes(self, cx, self.settings.requests.codes_fresh()).await
    }

    async fn codes_anew(&self, cx: &Cx) -> Result<Arc<B1Codes>> {
        codes::codes(self, cx, self.settings.requests.codes_anew()).await
    }

    /// It answers nothing about customers and items.
    async fn absent(&self, _: &Cx, _: &B1Absent) -> Result<Option<B1Absent>> {
        Ok(None)
    }

    async fn info(&self, cx: &Cx) -> Result<B1Info> {
        codes::info(self, cx).await
    }

    async fn has_field(&self, cx: &Cx, name: &str) -> Result<bool> {
        look_up::has_field(self, cx, name).await
    }

    fn requests_sent(&self) -> u64 {
        self.http.requests_sent()
    }

    /// A token ends by itself.
    async fn close(&self) {}
}

impl fmt::Debug for RestfulClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestfulClient").field("settings", &self.settings).finish_non_exhaustive()
    }
}
