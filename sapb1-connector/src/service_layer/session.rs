//! A session: its two cookies, how it begins and ends.

use std::time::Duration;

use datawald_core::clock::later;
use datawald_core::http::{Http, HttpRequest, HttpResponse};
use datawald_core::{Cx, Effect, Error, ErrorKind, Result};
use http::Method;
use http::header::{COOKIE, SET_COOKIE};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;

use super::ServiceLayerSettings;
use super::answer::LoggedIn;
use super::error::Problem;

pub(super) const LOG_IN: &str = "log in to the Service Layer";
const LOG_OUT: &str = "log out of the Service Layer";

/// A session.
pub(super) struct Session {
    /// Both cookies, as the header `Cookie` carries them.
    cookies: SecretString,
    /// When the last call on it was sent that was answered.
    used_at: Timestamp,
    /// Until when a call on it may have let it live on, answered or not.
    pub(super) seen_at: Timestamp,
    /// For how long it may stay unused.
    life: Duration,
    /// Whether a call on it was answered yet.
    pub(super) proven: bool,
    /// Whether it is used on although it is old, since it could not be ended.
    kept: bool,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Credentials<'a> {
    #[serde(rename = "CompanyDB")]
    company_db: &'a str,
    user_name: &'a str,
    password: &'a str,
}

impl Session {
    /// The value of the header `Cookie`.
    pub(super) fn cookies(&self) -> &str {
        self.cookies.expose_secret()
    }

    /// How long it lives when nobody uses it.
    pub(super) fn life(&self) -> Duration {
        self.life
    }

    /// Whether it is so old that another is begun in its place, since it may be over before an answer comes: a tenth of its
    /// life before its end.
    pub(super) fn is_old(&self, now: Timestamp) -> bool {
        self.is_over(now) || !self.kept && now >= later(self.used_at, self.life - self.life / 10)
    }

    /// Whether it is over for sure.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        now >= later(self.seen_at, self.life)
    }

    /// A call was sent on it at `now`, and answered.
    pub(super) fn used(&mut self, now: Timestamp) {
        self.used_at = now;
        self.kept = false;
    }

    /// It could not be ended, and may live on because of the attempt.
    pub(super) fn keep(&mut self, now: Timestamp) {
        self.seen_at = now;
        self.kept = true;
    }

    /// Takes over a cookie that an answer sets: another node may have taken the session over.
    pub(super) fn follow(&mut self, response: &HttpResponse) {
        let set = set_cookies(response);
        if set.is_empty() {
            return;
        }
        let mut all: Vec<(String, String)> = self
            .cookies()
            .split("; ")
            .filter_map(|cookie| cookie.split_once('='))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        for (name, value) in set {
            match all.iter_mut().find(|(held, _)| *held == name) {
                Some((_, held)) => *held = value,
                None => all.push((name, value)),
            }
        }
        self.cookies = joined(&all);
    }
}

/// The cookies that matter, as an answer sets them.
fn set_cookies(response: &HttpResponse) -> Vec<(String, String)> {
    let text = response.headers.get_all(SET_COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    text.filter_map(|cookie| cookie.split(';').next()?.trim().split_once('='))
        .filter(|(name, value)| matches!(*name, "B1SESSION" | "ROUTEID") && !value.is_empty())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

fn joined(cookies: &[(String, String)]) -> SecretString {
    let cookies: Vec<_> = cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
    cookies.join("; ").into()
}

/// Why there is no session.
pub(super) enum NoSession {
    /// The server refused: for want of a `licence`, as the code says, or with another code.
    Refused { problem: Problem, licence: bool },
    /// No trustworthy answer came: there may be one that nobody can use or end.
    Lost(Error),
    /// It has not come to that.
    Failed(Error),
}

impl From<Error> for NoSession {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// Begins a session.
pub(super) async fn log_in(http: &Http, settings: &ServiceLayerSettings, cx: &Cx) -> Result<Session, NoSession> {
    let credentials = Credentials {
        company_db: &settings.company_db,
        user_name: &settings.user,
        password: settings.password.expose_secret(),
    };
    let body = serde_json::to_vec(&credentials)
        .map_err(|_| Error::config(LOG_IN, "user or password cannot be written as JSON"))?;
    let mut request = HttpRequest::new(LOG_IN, Effect::Read, Method::POST, http.url("Login")?).json(body);
    request.timeout = Some(settings.requests.read_timeout());
    let sent_at = cx.steady();
    let response = http.send(request).await.map_err(|error| match error.kind() {
        ErrorKind::Timeout | ErrorKind::Protocol | ErrorKind::TooLarge => NoSession::Lost(error),
        _ => NoSession::Failed(error),
    })?;
    match response.status.as_u16() {
        200 => {}
        // Something on the way did not wait for the answer.
        504 => return Err(NoSession::Lost(super::error::of_answer(&response))),
        _ => return Err(refused(settings, &response)),
    }
    let granted = LoggedIn::read(&response.body).map_err(|error| NoSession::Lost(response.not_json(&error)))?;
    let mut cookies = set_cookies(&response);
    if !cookies.iter().any(|(name, _)| name == "B1SESSION") {
        cookies.insert(0, ("B1SESSION".to_owned(), granted.session_id.expose_secret().to_owned()));
    }
    tracing::debug!(version = granted.version, "logged in to the Service Layer");
    // A time-out of nothing would have every call log in.
    let life = Duration::from_secs(granted.session_timeout.clamp(1, 60 * 24 * 7) * 60);
    Ok(Session { cookies: joined(&cookies), used_at: sent_at, seen_at: cx.steady(), life, proven: false, kept: false })
}

fn refused(settings: &ServiceLayerSettings, response: &HttpResponse) -> NoSession {
    let Some(problem) = Problem::read(&response.body) else {
        let error = match response.status.as_u16() {
            404 | 405 => Error::config(
                LOG_IN,
                "there is no login at this address: is the URL that of a Service Layer (as https://host:50000)?",
            )
            .code(response.status.as_u16().to_string()),
            _ => super::error::of_answer(response),
        };
        return error.into();
    };
    match response.busy_or_broken() {
        Some(busy) => busy.into(),
        None => NoSession::Refused { licence: settings.licence_codes.contains(&problem.code), problem },
    }
}

/// Ends a session. That it is over already is no failure.
///
/// # Errors
/// If the server cannot be reached or answers oddly; the session then ends by its time-out.
pub(super) async fn log_out(http: &Http, settings: &ServiceLayerSettings, session: &Session) -> Result<()> {
    let request = HttpRequest::new(LOG_OUT, Effect::Read, Method::POST, http.url("Logout")?);
    let mut request = request.secret_header(COOKIE, session.cookies())?;
    request.timeout = Some(settings.requests.read_timeout());
    let response = http.send(request).await?;
    match response.status.as_u16() {
        200..=299 | 401 => Ok(()),
        _ => Err(super::error::of_answer(&response)),
    }
}
