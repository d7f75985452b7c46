//! The admin token: fetched once, kept, renewed.
//!
//! `POST /V1/integration/admin/token` answers with a token as a JSON string, but not with how long it lives: four hours
//! unless configured otherwise (Stores › Configuration › Services › OAuth). We renew it a little before, and once after
//! a 401, since it may have been revoked. Whoever needs one while it is being fetched waits for that one: a wrong password
//! that is tried many times at once locks the user out.

use std::time::Duration;

use datawald_core::clock::later;
use datawald_core::{Clock, Result};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

#[derive(Debug)]
struct Token {
    value: SecretString,
    renew_at: Timestamp,
}

/// Keeps one token.
#[derive(Debug, Default)]
pub(super) struct TokenCache(Mutex<Option<Token>>);

impl TokenCache {
    /// The token, fetched by `log_in` if there is none, if it is about to end, or if it is the one that was `refused`.
    pub(super) async fn get<F>(
        &self,
        clock: &dyn Clock,
        lifetime: Duration,
        refused: Option<&SecretString>,
        log_in: F,
    ) -> Result<SecretString>
    where
        F: AsyncFnOnce() -> Result<SecretString>,
    {
        // Held while logging in, so that there is one log-in at a time and the others wait for its token.
        let mut kept = self.0.lock().await;
        if let Some(token) = &*kept
            && clock.steady() < token.renew_at
            && refused.is_none_or(|refused| refused.expose_secret() != token.value.expose_secret())
        {
            return Ok(token.value.clone());
        }
        *kept = None;
        let value = log_in().await?;
        // A tenth of its life, at most five minutes, before its end.
        let margin = (lifetime / 10).min(Duration::from_secs(300));
        let renew_at = later(clock.steady(), lifetime.saturating_sub(margin));
        *kept = Some(Token { value: value.clone(), renew_at });
        Ok(value)
    }
}
