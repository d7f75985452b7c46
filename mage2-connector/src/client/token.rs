//! The admin token: fetched once, kept, renewed.
//!
//! `POST /V1/integration/admin/token` answers with a token as a JSON string, but not with how long it lives: four hours
//! unless configured otherwise (Stores › Configuration › Services › OAuth). We renew it a little before, and once after
//! a 401, since it may have been revoked. Whoever needs one while it is being fetched waits for that one, and after a
//! refusal it is not asked for again for a while ([`LoginGuard`]): Magento locks the user after six wrong passwords.

use std::time::Duration;

use datawald_core::clock::later;
use datawald_core::http::LoginGuard;
use datawald_core::{Clock, ErrorKind, Result};
use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;

#[derive(Debug)]
struct Token {
    value: SecretString,
    renew_at: Timestamp,
}

#[derive(Debug, Default)]
struct Kept {
    token: Option<Token>,
    guard: LoginGuard,
}

/// Keeps one token.
#[derive(Debug, Default)]
pub(super) struct TokenCache(Mutex<Kept>);

impl TokenCache {
    /// The token, fetched by `log_in` if there is none, if it is about to end, or if it is the one that was `refused`.
    ///
    /// # Errors
    /// Those of `log_in`; and without asking Magento, while credentials that it refused are not tried again.
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
        if let Some(token) = &kept.token
            && clock.steady() < token.renew_at
            && refused.is_none_or(|refused| refused.expose_secret() != token.value.expose_secret())
        {
            return Ok(token.value.clone());
        }
        kept.token = None;
        kept.guard.check(clock.steady())?;
        let value = match log_in().await {
            Ok(value) => value,
            Err(error) if matches!(error.kind(), ErrorKind::Unauthorized | ErrorKind::Refused) => {
                return Err(kept.guard.refused(clock.steady(), error));
            }
            Err(error) => return Err(error),
        };
        kept.guard.accepted();
        // A tenth of its life, at most five minutes, before its end.
        let margin = (lifetime / 10).min(Duration::from_secs(300));
        let renew_at = later(clock.steady(), lifetime.saturating_sub(margin));
        kept.token = Some(Token { value: value.clone(), renew_at });
        Ok(value)
    }
}
