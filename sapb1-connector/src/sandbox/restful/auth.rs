//! Tokens, as Flask-JWT gives and checks them.

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use datawald_core::clock::later;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::{Value, json};

use super::options::SandboxOptions;

/// How long after its end a token still passes.
const LEEWAY: Duration = Duration::from_secs(10);

#[derive(Default)]
pub(super) struct Tokens {
    ends: HashMap<String, Timestamp>,
    random: RandomState,
    given: u64,
}

#[derive(Deserialize)]
struct Credentials {
    username: String,
    password: String,
}

/// The body of a 401.
pub(super) fn refusal(error: &str, description: &str) -> Value {
    json!({ "status_code": 401, "error": error, "description": description })
}

impl Tokens {
    /// A token for the right user and password.
    pub(super) fn log_in(&mut self, options: &SandboxOptions, body: &[u8]) -> Result<String, Value> {
        let right = serde_json::from_slice::<Credentials>(body)
            .is_ok_and(|given| given.username == options.user && given.password == options.password);
        if !right {
            return Err(refusal("Bad Request", "Invalid credentials"));
        }
        let now = options.clock.now();
        self.ends.retain(|_, end| *end > now);
        self.given += 1;
        let token = format!("eyJ.{:016x}{:016x}.s", self.random.hash_one(self.given), self.random.hash_one((now, 1)));
        self.ends.insert(token.clone(), later(now, options.token_life + LEEWAY));
        Ok(token)
    }

    /// Whether an `Authorization` header holds a token that is good.
    pub(super) fn check(&mut self, header: Option<&str>, now: Timestamp, expire: bool) -> Result<(), Value> {
        let Some(header) = header else {
            return Err(refusal("Authorization Required", "Request does not contain an access token"));
        };
        let mut parts = header.split_whitespace();
        if !parts.next().is_some_and(|scheme| scheme.eq_ignore_ascii_case("JWT")) {
            return Err(refusal("Invalid JWT header", "Unsupported authorization type"));
        }
        let Some(token) = parts.next() else { return Err(refusal("Invalid JWT header", "Token missing")) };
        if parts.next().is_some() {
            return Err(refusal("Invalid JWT header", "Token contains spaces"));
        }
        if expire {
            self.ends.remove(token);
        }
        match self.ends.get(token) {
            Some(end) if now < *end => Ok(()),
            _ => Err(refusal("Invalid token", "Signature has expired")),
        }
    }
}
