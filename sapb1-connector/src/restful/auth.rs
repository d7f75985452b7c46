//! The token: fetched once for all who wait for it, renewed before it expires; not asked for where it was refused just now.

use std::sync::Arc;

use datawald_core::clock::later;
use datawald_core::http::{HttpRequest, LoginGuard};
use datawald_core::{Cx, Disposition, Effect, Error, ErrorKind, Result};
use http::Method;
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use tokio::sync::Mutex;

use super::RestfulClient;

const OPERATION: &str = "log in to SAP B1 RESTful";

/// The session: whoever needs a token while one is fetched waits for that one.
#[derive(Default)]
pub(super) struct Session(Mutex<Held>);

#[derive(Default)]
struct Held {
    token: Option<Arc<Token>>,
    guard: LoginGuard,
}

/// A token, as the header's value (`JWT …`).
pub(super) struct Token {
    header: SecretString,
    renew_at: Timestamp,
}

#[derive(Serialize)]
struct Credentials<'a> {
    username: &'a str,
    password: &'a str,
}

#[derive(Deserialize)]
struct Granted {
    access_token: SecretString,
}

impl Token {
    pub(super) fn header(&self) -> &str {
        self.header.expose_secret()
    }
}

impl Session {
    /// A token that is good for a while.
    ///
    /// # Errors
    /// Permanent if user or password are refused; the next log-in is then some time later ([`LoginGuard`]), and until then
    /// everybody is told the same.
    pub(super) async fn token(&self, client: &RestfulClient, cx: &Cx) -> Result<Arc<Token>> {
        let mut held = self.0.lock().await;
        let now = cx.steady();
        if let Some(token) = held.token.as_ref().filter(|token| now < token.renew_at) {
            return Ok(token.clone());
        }
        held.token = None;
        held.guard.check(now)?;
        match fetch(client, now).await {
            Ok(token) => {
                held.guard.accepted();
                Ok(held.token.insert(Arc::new(token)).clone())
            }
            Err(error) if error.kind() == ErrorKind::Unauthorized => Err(held.guard.refused(now, error)),
            Err(error) => Err(error),
        }
    }

    /// Drops `refused`, unless another has fetched a new one since.
    pub(super) async fn forget(&self, refused: &Arc<Token>) {
        let mut held = self.0.lock().await;
        if held.token.as_ref().is_some_and(|token| Arc::ptr_eq(token, refused)) {
            held.token = None;
        }
    }
}

async fn fetch(client: &RestfulClient, now: Timestamp) -> Result<Token> {
    let settings = &client.settings;
    let credentials = Credentials { username: &settings.user, password: settings.password.expose_secret() };
    let body = serde_json::to_vec(&credentials)
        .map_err(|_| Error::config(OPERATION, "user or password cannot be written as JSON"))?;
    let mut request =
        HttpRequest::new(OPERATION, Effect::Read, Method::POST, client.http.url(&settings.auth_path)?).json(body);
    request.timeout = Some(settings.requests.read_timeout());
    let response = client.http.send(request).await?;
    let status = response.status.as_u16();
    match status {
        200 | 201 => {
            let granted: Granted = response.json()?;
            tracing::debug!("logged in to SAP B1 RESTful");
            let header = SecretString::from(format!("JWT {}", granted.access_token.expose_secret()));
            Ok(Token { header, renew_at: later(now, settings.requests.token_age()) })
        }
        400 | 401 | 403 => Err(Error::new(
            ErrorKind::Unauthorized,
            Disposition::Permanent,
            OPERATION,
            "SAP B1 RESTful refuses the user or the password: check both in the configuration",
        )
        .code(status.to_string())),
        404 | 405 => Err(Error::config(
            OPERATION,
            "there is no login at this address: is the URL that of SAP B1 RESTful (as http://host:5000)?",
        )
        .code(status.to_string())),
        _ => Err(response.busy_or_broken().unwrap_or_else(|| {
            Error::unknown_outcome(ErrorKind::Protocol, Effect::Read, OPERATION, "the login was answered oddly")
                .code(status.to_string())
        })),
    }
}
