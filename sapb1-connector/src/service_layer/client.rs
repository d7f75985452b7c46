//! One call, on a session, with its time-out and its answer sorted by what it means; pages and batches of them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use bytes::Bytes;
use datawald_core::http::{Http, HttpRequest, HttpResponse};
use datawald_core::{Cx, Disposition, Effect, Error, ErrorKind, Result};
use http::Method;
use http::header::{CONTENT_TYPE, COOKIE, HeaderName, HeaderValue};
use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::de::DeserializeOwned;
use tokio::sync::Mutex;
use url::Url;

use super::answer::Page;
use super::error::{SESSION, has_code, of_answer};
use super::pool::Pool;
use super::turn::Turn;
use super::{ServiceLayerSettings, codes, contacts, link};
use crate::write_size::WriteSize;

/// How often a call is sent again that the server refused at its door because it has too much to do.
const BUSY_TRIES: u32 = 4;

/// The longest wait before such a call is sent again.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// The most pages of one answer; a server that has more to say is not to be trusted.
const MOST_PAGES: usize = 10_000;

/// How many new sessions a call may come upon that the server does not know.
const MOST_NEW: usize = 8;

/// From how many rows on no further page of an answer is asked for: all of them are held at the same time, and nothing that is
/// read here has so many in earnest.
const MOST_ROWS: usize = 200_000;

/// The client of SAP's Service Layer. Cheap to share: put it into an `Arc`.
///
/// ```
/// use secrecy::SecretString;
/// use sapb1_connector::{B1Settings, ServiceLayerClient, ServiceLayerSettings};
///
/// let rules = B1Settings::default();
/// let password = SecretString::from("from the environment");
/// let settings =
///     ServiceLayerSettings::new("https://b1.example.com:50000", "SBODEMOUS", "manager", password, &rules)?;
/// let client = ServiceLayerClient::new(settings)?;
/// # Ok::<(), datawald_core::Error>(())
/// ```
pub struct ServiceLayerClient {
    pub(super) http: Http,
    pub(super) settings: Arc<ServiceLayerSettings>,
    pub(super) pool: Arc<Pool>,
    pub(super) codes: Mutex<codes::Held>,
    /// Rates of exchange, by the company's code of the currency, and the day that they are of.
    pub(super) rates: Mutex<BTreeMap<String, (Date, Decimal)>>,
    pub(super) contacts: contacts::Held,
    /// How many orders are inserted at a time.
    pub(super) write_size: WriteSize,
    /// Whether the server was seen to answer without content as it is asked to.
    pub(super) heeds_no_content: AtomicBool,
}

/// A call of the service.
pub(super) struct Call<'a> {
    pub(super) operation: &'static str,
    pub(super) effect: Effect,
    pub(super) method: Method,
    pub(super) url: Url,
    /// The type of the body, and the body.
    pub(super) body: Option<(&'a str, Bytes)>,
    /// How much is asked: the parts of a batch.
    pub(super) parts: usize,
}

impl ServiceLayerClient {
    /// A client for `settings`. Nothing is sent yet.
    ///
    /// # Errors
    /// Of kind `Config` if the settings do not hold or the HTTP client cannot be set up.
    pub fn new(settings: ServiceLayerSettings) -> Result<Self> {
        settings.check()?;
        let http = Http::new(settings.http.clone())?;
        let write_size = WriteSize::new(&settings.requests);
        let settings = Arc::new(settings);
        Ok(Self {
            pool: Pool::new(http.clone(), settings.clone()),
            http,
            settings,
            codes: Mutex::default(),
            rates: Mutex::default(),
            contacts: contacts::Held::default(),
            write_size,
            heeds_no_content: AtomicBool::new(false),
        })
    }

    /// How many calls may run at the same time, as the server copes; at most as many as there are licences.
    pub fn concurrency(&self) -> usize {
        self.pool.limit()
    }

    /// The most sessions that there were at the same time.
    pub fn most_sessions(&self) -> usize {
        self.pool.most()
    }

    /// The address of `path`, which is encoded, below the service root.
    pub(super) fn url(&self, path: &str) -> Result<Url> {
        self.http.url(&format!("./{path}"))
    }

    /// Sends a call and answers what came, if it is a success.
    pub(super) async fn call(&self, cx: &Cx, call: Call<'_>) -> Result<HttpResponse> {
        let mut new_refused: Vec<u64> = Vec::new();
        let mut tries = 0;
        loop {
            let mut turn = self.pool.turn(cx).await?;
            // The time to write in counts from here: waiting is over. A write for which too little is left is not sent, so it
            // tells nothing about the server, and nothing below judges it.
            let timeout = match call.effect {
                Effect::Read => self.settings.requests.read_timeout(),
                Effect::Write | Effect::IdempotentWrite => self.settings.requests.write_time(cx, call.operation)?,
            };
            let sent = self.send(cx, &call, &mut turn, timeout).await;
            let error = match sent {
                Ok(response) if response.status.is_success() => {
                    turn.answered((call.operation, call.parts.next_power_of_two().ilog2()));
                    return Ok(response);
                }
                Ok(response) => of_answer(&response),
                Err(error) => error,
            };
            if has_code(&error, SESSION) {
                // Answered at the door, so even a write has surely not been carried out: another session, and once more.
                // All that there are may be over, as when the service was started anew; a new one that is not known
                // either may have been unlucky. A second one says that none holds, unless others were good for something
                // in between; and so do many.
                let answered = self.pool.answered();
                if turn.over() {
                    new_refused.push(answered);
                }
                if new_refused.len() >= MOST_NEW || new_refused.iter().filter(|at| **at == answered).count() > 1 {
                    let message = "the Service Layer does not know its own new session: is there a load balancer that \
                                   does not keep to the cookie ROUTEID?";
                    return Err(Error::new(ErrorKind::Unauthorized, Disposition::Permanent, call.operation, message));
                }
                continue;
            }
            if !matches!(error.kind(), ErrorKind::Busy | ErrorKind::Timeout) {
                if matches!(error.kind(), ErrorKind::Refused | ErrorKind::NotFound) {
                    turn.answered((call.operation, call.parts.next_power_of_two().ilog2()));
                }
                return Err(error);
            }
            turn.overloaded();
            drop(turn);
            // What may have been carried out is never repeated here, and what took all of its time neither.
            let Disposition::Retryable { after } = error.disposition() else { return Err(error) };
            tries += 1;
            let wait = after.unwrap_or(Duration::from_millis(100) * 2_u32.saturating_pow(tries));
            let in_time = cx.time_left().is_none_or(|left| wait * 2 < left);
            if error.kind() == ErrorKind::Timeout || tries >= BUSY_TRIES || wait > LONGEST_WAIT || !in_time {
                return Err(error);
            }
            tokio::time::sleep(wait).await;
        }
    }

    async fn send(&self, cx: &Cx, call: &Call<'_>, turn: &mut Turn<'_>, timeout: Duration) -> Result<HttpResponse> {
        let mut request = HttpRequest::new(call.operation, call.effect, call.method.clone(), call.url.clone())
            .secret_header(COOKIE, turn.cookies())?;
        if let Some((content_type, body)) = &call.body {
            let content_type = HeaderValue::from_str(content_type)
                .map_err(|_| Error::config(call.operation, "has a body of an odd type"))?;
            request.headers.insert(CONTENT_TYPE, content_type);
            request.body = Some(body.clone());
        }
        if call.method == Method::GET {
            let prefer = HeaderValue::from_str(&self.prefer())
                .map_err(|_| Error::config(call.operation, "has an odd page size"))?;
            request.headers.insert(HeaderName::from_static("prefer"), prefer);
        }
        request.timeout = Some(timeout);
        let now = cx.steady();
        let response = self.http.send(request).await?;
        turn.used(now);
        if let Some(session) = turn.session() {
            session.follow(&response);
        }
        Ok(response)
    }

    /// The header `Prefer` of whatever answers pages.
    pub(super) fn prefer(&self) -> String {
        format!("odata.maxpagesize={}", self.settings.page_size)
    }

    /// Reads all rows of a collection, page by page.
    pub(super) async fn rows<T: DeserializeOwned>(
        &self,
        cx: &Cx,
        operation: &'static str,
        path: &str,
    ) -> Result<Vec<T>> {
        self.rows_from(cx, operation, Vec::new(), Some(self.url(path)?)).await
    }

    /// Adds to `rows` what the pages from `next` on hold.
    ///
    /// # Errors
    /// Of an answer without an end, or with one that cannot be told: part of an answer is none.
    pub(super) async fn rows_from<T: DeserializeOwned>(
        &self,
        cx: &Cx,
        operation: &'static str,
        mut rows: Vec<T>,
        mut next: Option<Url>,
    ) -> Result<Vec<T>> {
        let endless = |kind, message: String| Err(Error::unknown_outcome(kind, Effect::Read, operation, message));
        for _ in 0..MOST_PAGES {
            let Some(url) = next.take() else { return Ok(rows) };
            if rows.len() >= MOST_ROWS {
                let message = format!(
                    "the answer is too large: after {} rows, the most being {MOST_ROWS}, it names a further page",
                    rows.len()
                );
                return endless(ErrorKind::TooLarge, message);
            }
            let call =
                Call { operation, effect: Effect::Read, method: Method::GET, url: url.clone(), body: None, parts: 1 };
            let response = self.call(cx, call).await?;
            let page = Page::<T>::read(&response.body).map_err(|error| response.not_json(&error))?;
            next = self.next_page(operation, page.next_link.as_deref())?;
            if next.as_ref() == Some(&url) {
                let message = "the answer is incomplete: a page names itself as the next one".to_owned();
                return endless(ErrorKind::Protocol, message);
            }
            rows.extend(page.value);
        }
        endless(ErrorKind::Protocol, "the answer has no end: each page names another".to_owned())
    }

    /// Where a next link leads.
    pub(super) fn next_page(&self, operation: &'static str, next_link: Option<&str>) -> Result<Option<Url>> {
        let Some(text) = next_link else { return Ok(None) };
        match link::resolve(&self.settings.http.base_url, text) {
            Some(url) => Ok(Some(url)),
            None => {
                let message = "the next page is not below the service root, so it is not asked for";
                Err(Error::new(ErrorKind::Protocol, Disposition::Permanent, operation, message))
            }
        }
    }
}

impl fmt::Debug for ServiceLayerClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServiceLayerClient").field("settings", &self.settings).finish_non_exhaustive()
    }
}
