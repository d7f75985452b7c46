//! Bearer tokens: named, scoped, revocable, and stored as hashes only.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use crate::store::StagingStore;
use crate::{Clock, Error, Result};

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// To read: cuts, entities, sync tasks, metrics.
    Read,
    /// To stage: what sources do, up to closing their sync task.
    Stage,
    /// To operate: what workers do (lease entities, write outcomes), what operators do (sync again, set cuts, remove), and
    /// what hosts agree by (who leads, what is scheduled).
    Operate,
}

impl Scope {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Scope::Read => "read",
            Scope::Stage => "stage",
            Scope::Operate => "operate",
        }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Scope {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        [Scope::Read, Scope::Stage, Scope::Operate]
            .into_iter()
            .find(|scope| scope.name() == text)
            .ok_or_else(|| Error::config("read scope", format!("`{text}` is no scope; one of read, stage, operate")))
    }
}

/// A token as it is listed: everything but what proves it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TokenInfo {
    /// Its name.
    pub name: String,
    /// What it allows.
    pub scopes: Vec<Scope>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it ends; never if absent.
    pub expires_at: Option<Timestamp>,
}

/// A token as it is stored.
#[derive(Clone, Serialize, Deserialize)]
pub(super) struct StoredToken {
    /// SHA-256 of the secret, in hex. The secret is 32 random bytes, so no slow hash is needed to keep it from being
    /// guessed.
    hash: String,
    scopes: Vec<Scope>,
    created_at: Timestamp,
    expires_at: Option<Timestamp>,
}

impl StoredToken {
    pub(super) fn is_proved_by(&self, secret: &str) -> bool {
        bool::from(self.hash.as_bytes().ct_eq(hash(secret).as_bytes()))
    }

    pub(super) fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    pub(super) fn allows(&self, scope: Scope) -> bool {
        self.scopes.contains(&scope)
    }
}

/// What the names of tokens' records begin with; nobody reaches such a record over the API.
pub(super) const PREFIX: &str = "token/";

/// The tokens of a core, kept in its staging store.
///
/// A token is `dw_NAME_SECRET`. The secret is shown once, when it is made; the store holds its SHA-256.
#[derive(Clone)]
pub struct Tokens {
    store: Arc<dyn StagingStore>,
    clock: Arc<dyn Clock>,
}

impl Tokens {
    /// The tokens in `store`.
    pub fn new(store: Arc<dyn StagingStore>, clock: Arc<dyn Clock>) -> Self {
        Self { store, clock }
    }

    /// Makes a token; the answer is the only time that it is told.
    ///
    /// # Errors
    /// Of kind `Config` if the name is taken, or is not 1 to 40 lower-case letters, digits and hyphens; if there is no
    /// scope; if it would have expired. Otherwise of the store.
    pub async fn create(&self, name: &str, scopes: &[Scope], expires_at: Option<Timestamp>) -> Result<SecretString> {
        const OPERATION: &str = "make token";
        let now = self.clock.now();
        if !is_name(name) {
            let message = "is to be 1 to 40 lower-case letters, digits and hyphens";
            return Err(Error::config(OPERATION, message).field("name"));
        }
        if scopes.is_empty() {
            return Err(Error::config(OPERATION, "name at least one of read, stage, operate").field("scopes"));
        }
        if expires_at.is_some_and(|at| at <= now) {
            return Err(Error::config(OPERATION, "is in the past").field("expires_at"));
        }
        let mut scopes = scopes.to_vec();
        scopes.sort_unstable();
        scopes.dedup();
        let secret = random_secret();
        let stored = StoredToken { hash: hash(&secret), scopes, created_at: now, expires_at };
        let value = serde_json::to_string(&stored)
            .map_err(|error| Error::store(OPERATION, "the token cannot be written").caused_by(error))?;
        match self.store.write_record(&record_name(name), 0, &value).await? {
            true => Ok(SecretString::from(format!("dw_{name}_{secret}"))),
            false => Err(Error::config(OPERATION, format!("there is a token `{name}`; revoke it first")).field("name")),
        }
    }

    /// Revokes a token. `false` if there is none of that name. Hosts that have looked it up a moment ago may let it pass
    /// for [`ApiSettings::token_cache_ms`](super::ApiSettings::token_cache_ms) more.
    ///
    /// # Errors
    /// Of the store.
    pub async fn revoke(&self, name: &str) -> Result<bool> {
        let Some(record) = self.store.record(&record_name(name)).await? else { return Ok(false) };
        self.store.delete_record(&record.name, record.rev).await
    }

    /// All tokens, by name.
    ///
    /// # Errors
    /// Of the store.
    pub async fn list(&self) -> Result<Vec<TokenInfo>> {
        let records = self.store.records(PREFIX).await?;
        records
            .into_iter()
            .map(|record| {
                let StoredToken { scopes, created_at, expires_at, .. } = read(&record.name, &record.value)?;
                let name = record.name.strip_prefix(PREFIX).unwrap_or(&record.name).to_owned();
                Ok(TokenInfo { name, scopes, created_at, expires_at })
            })
            .collect()
    }

    pub(super) async fn find(&self, name: &str) -> Result<Option<StoredToken>> {
        let record = self.store.record(&record_name(name)).await?;
        record.map(|record| read(&record.name, &record.value)).transpose()
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }
}

/// The two parts of a token: its name and its secret.
pub(super) fn parts(token: &str) -> Option<(&str, &str)> {
    let (name, secret) = token.strip_prefix("dw_")?.split_once('_')?;
    is_name(name).then_some((name, secret))
}

fn is_name(name: &str) -> bool {
    (1..=40).contains(&name.len())
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
}

fn record_name(name: &str) -> String {
    format!("{PREFIX}{name}")
}

fn random_secret() -> String {
    hex(&rand::random::<[u8; 32]>())
}

fn hash(secret: &str) -> String {
    hex(&Sha256::digest(secret.as_bytes()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn read(name: &str, value: &str) -> Result<StoredToken> {
    serde_json::from_str(value).map_err(|error| {
        Error::store("read token", format!("the record `{name}` is no token; remove it")).caused_by(error)
    })
}
