//! Who asks, and whether they may.

use std::collections::HashMap;
use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use governor::clock::{Clock as _, DefaultClock};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use tokio::sync::Semaphore;

use super::problem::Problem;
use super::tokens::{Scope, StoredToken, Tokens, parts};
use super::{ApiSettings, Shared};
use crate::{Disposition, Error, ErrorKind};

const OPERATION: &str = "authenticate";

/// How many tokens are looked up at a time: whoever guesses is not to keep the store busy.
const LOOK_UPS: usize = 4;

/// How many tokens are remembered.
const REMEMBERED: usize = 1_000;

/// Looks tokens up and counts requests.
pub(super) struct Gate {
    tokens: Tokens,
    known: Mutex<HashMap<String, (Instant, StoredToken)>>,
    cache: Duration,
    requests: DefaultKeyedRateLimiter<String>,
    look_ups: Semaphore,
}

/// Whose request it is: the name of the token.
#[derive(Debug, Clone)]
pub(super) struct Caller(pub(super) String);

impl Gate {
    pub(super) fn new(tokens: Tokens, settings: &ApiSettings) -> Self {
        let per_second = NonZeroU32::new(settings.requests_per_second).unwrap_or(NonZeroU32::MIN);
        let burst = NonZeroU32::new(settings.burst).unwrap_or(NonZeroU32::MIN);
        Self {
            tokens,
            known: Mutex::default(),
            cache: Duration::from_millis(settings.token_cache_ms),
            requests: RateLimiter::keyed(Quota::per_second(per_second).allow_burst(burst)),
            look_ups: Semaphore::new(LOOK_UPS),
        }
    }

    /// Whose token it is, if it is one.
    async fn caller(&self, given: Option<&str>) -> Result<(Caller, StoredToken), Problem> {
        let Some(token) = given.and_then(bearer) else {
            return Err(refused("give a token: `Authorization: Bearer dw_…`"));
        };
        let wrong = || refused("the token is not known, has expired or was revoked");
        let (name, secret) = parts(token).ok_or_else(wrong)?;
        let stored = self.find(name).await?.ok_or_else(wrong)?;
        if !stored.is_proved_by(secret) || stored.has_expired(self.tokens.now()) {
            return Err(wrong());
        }
        let name = name.to_owned();
        if let Err(early) = self.requests.check_key(&name) {
            let wait = early.wait_time_from(DefaultClock::default().now());
            let message = "this token sends more requests than it may; wait, or stage and settle in batches";
            return Err(Problem::wait(StatusCode::TOO_MANY_REQUESTS, OPERATION, message, wait));
        }
        Ok((Caller(name), stored))
    }

    async fn find(&self, name: &str) -> Result<Option<StoredToken>, Problem> {
        let now = Instant::now();
        let remembered = self.known.lock().unwrap_or_else(PoisonError::into_inner).get(name).cloned();
        if let Some((at, stored)) = remembered.as_ref()
            && now.duration_since(*at) < self.cache
        {
            return Ok(Some(stored.clone()));
        }
        // Closed never, so this fails never.
        let _turn = self.look_ups.acquire().await;
        let found = self.tokens.find(name).await?;
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        match &found {
            Some(stored) => {
                if known.len() >= REMEMBERED {
                    known.clear();
                }
                known.insert(name.to_owned(), (now, stored.clone()));
            }
            None => {
                known.remove(name);
            }
        }
        Ok(found)
    }
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn refused(message: &str) -> Problem {
    let error = Error::new(ErrorKind::Unauthorized, Disposition::Permanent, OPERATION, message);
    Problem::new(StatusCode::UNAUTHORIZED, error)
}

/// Lets a request pass whose token allows `scope`; with `None`, any token.
pub(super) async fn authorize(
    State((shared, scope)): State<(Arc<Shared>, Option<Scope>)>,
    mut request: Request,
    next: Next,
) -> Response {
    let given = request.headers().get(header::AUTHORIZATION).cloned();
    let given = given.as_ref().and_then(|value| value.to_str().ok());
    let (caller, stored) = match shared.gate.caller(given).await {
        Ok(found) => found,
        Err(problem) => return problem.into_response(),
    };
    if let Some(scope) = scope.filter(|scope| !stored.allows(*scope)) {
        let message = format!("the token `{}` does not have the scope `{scope}`", caller.0);
        let error = Error::new(ErrorKind::Unauthorized, Disposition::Permanent, OPERATION, message);
        return Problem::new(StatusCode::FORBIDDEN, error).into_response();
    }
    request.extensions_mut().insert(caller);
    next.run(request).await
}
