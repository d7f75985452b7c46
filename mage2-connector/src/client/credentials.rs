//! How we make ourselves known to Magento.

use secrecy::SecretString;
use serde::Deserialize;

/// One of Magento's three ways in. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// The access token of an integration, as a bearer token. From 2.4.4 on Magento takes it only if *Allow OAuth
    /// Access Tokens to be used as standalone Bearer tokens* is switched on (Stores › Configuration › Services › OAuth).
    Bearer(SecretString),
    /// An admin user; a token is fetched, kept, and renewed before its lifetime is over. A log-in that Magento refuses is
    /// made again after 30 seconds, then ever more seldom, at last once an hour
    /// ([`datawald_core::http::LoginGuard`]), so that a wrong password does not lock the user.
    Admin(AdminLogin),
    /// The four keys of an integration, every request signed (HMAC-SHA256).
    OAuth1(OAuth1Keys),
}

/// An admin user.
#[derive(Debug, Clone)]
pub struct AdminLogin {
    /// The user's name.
    pub username: String,
    /// The password.
    pub password: SecretString,
}

/// The four keys that Magento shows when an integration is activated.
#[derive(Debug, Clone)]
pub struct OAuth1Keys {
    /// Consumer key.
    pub consumer_key: String,
    /// Consumer secret.
    pub consumer_secret: SecretString,
    /// Access token.
    pub access_token: SecretString,
    /// Access token secret.
    pub access_token_secret: SecretString,
}

/// As it stands in TOML: flat, so that an error can name the key that is missing or too much.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(super) struct CredentialsTable {
    kind: Option<String>,
    token: Option<SecretString>,
    username: Option<String>,
    password: Option<SecretString>,
    consumer_key: Option<String>,
    consumer_secret: Option<SecretString>,
    access_token: Option<SecretString>,
    access_token_secret: Option<SecretString>,
}

/// What is wrong, and with which key.
pub(super) struct WrongKey(pub(super) &'static str, pub(super) String);

impl CredentialsTable {
    pub(super) fn into_credentials(self) -> Result<Credentials, WrongKey> {
        let kind = self.kind.unwrap_or_default();
        match kind.as_str() {
            "bearer" => Ok(Credentials::Bearer(needed(self.token, "token", &kind)?)),
            "admin" => Ok(Credentials::Admin(AdminLogin {
                username: needed(self.username, "username", &kind)?,
                password: needed(self.password, "password", &kind)?,
            })),
            "oauth1" => Ok(Credentials::OAuth1(OAuth1Keys {
                consumer_key: needed(self.consumer_key, "consumer_key", &kind)?,
                consumer_secret: needed(self.consumer_secret, "consumer_secret", &kind)?,
                access_token: needed(self.access_token, "access_token", &kind)?,
                access_token_secret: needed(self.access_token_secret, "access_token_secret", &kind)?,
            })),
            "" => Err(WrongKey("kind", "is missing: one of bearer, admin, oauth1".to_owned())),
            _ => Err(WrongKey("kind", "is none of bearer, admin, oauth1".to_owned())),
        }
    }
}

fn needed<T>(value: Option<T>, key: &'static str, kind: &str) -> Result<T, WrongKey> {
    value.ok_or_else(|| WrongKey(key, format!("is missing; credentials of kind {kind} need it")))
}
