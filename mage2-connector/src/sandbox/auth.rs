//! Who may. The signature of OAuth is checked with code of its own, not with the client's, so that the two agree only if
//! both are right.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use secrecy::ExposeSecret;
use serde_json::Value;
use sha2::Sha256;

use super::answer::Answer;
use super::state::State;

/// What a request shows of itself.
pub(super) struct Asked<'a> {
    pub(super) method: &'a str,
    pub(super) host: &'a str,
    pub(super) path: &'a str,
    pub(super) query: &'a str,
    pub(super) authorization: &'a str,
}

pub(super) fn check(state: &mut State, asked: &Asked<'_>, resource: &str) -> Result<(), Answer> {
    let (scheme, rest) = asked.authorization.split_once(' ').unwrap_or_default();
    let known = match scheme.to_ascii_lowercase().as_str() {
        "bearer" => bearer(state, rest),
        "oauth" => return oauth(state, asked, rest),
        _ => false,
    };
    if known { Ok(()) } else { Err(Answer::not_authorized(resource)) }
}

fn bearer(state: &mut State, token: &str) -> bool {
    if token == state.options.token {
        return true;
    }
    let limit = state.faults.expire_token_after;
    match state.issued.get_mut(token) {
        None => false,
        Some(used) if limit.is_some_and(|limit| *used >= limit) => {
            state.issued.remove(token);
            false
        }
        Some(used) => {
            *used += 1;
            true
        }
    }
}

fn oauth(state: &mut State, asked: &Asked<'_>, fields: &str) -> Result<(), Answer> {
    let refused = |message: &str| Err(Answer::error(401, message, Value::Null));
    let mut pairs: Vec<(String, String)> = Vec::new();
    for field in fields.split(',') {
        match field.trim().split_once('=') {
            Some((name, value)) => pairs.push((decode(name), decode(value.trim_matches('"')))),
            None => return refused("The authorization header is malformed."),
        }
    }
    let find = |name: &str| pairs.iter().find(|pair| pair.0 == name).map(|pair| pair.1.clone()).unwrap_or_default();
    let Some(keys) = state.options.oauth.clone() else { return refused("A consumer with this key doesn't exist.") };
    if find("oauth_consumer_key") != keys.consumer_key {
        return refused("A consumer with this key doesn't exist.");
    }
    if find("oauth_token") != keys.access_token.expose_secret() {
        return refused("The token does not exist.");
    }
    if find("oauth_signature_method") != "HMAC-SHA256" {
        return refused("Signature method is not supported.");
    }
    let time: i64 = find("oauth_timestamp").parse().unwrap_or(0);
    if time <= 0 || time > state.now().as_second() + 600 {
        return refused("The timestamp value in the 'oauth_timestamp' parameter is invalid.");
    }
    if find("oauth_nonce").is_empty() || !state.nonces.insert(find("oauth_nonce")) {
        return refused("The nonce is already being used by the consumer.");
    }
    let secrets = (keys.consumer_secret.expose_secret(), keys.access_token_secret.expose_secret());
    pairs.retain(|pair| pair.0 != "oauth_signature" && pair.0 != "realm");
    let signed = signature(asked, pairs, secrets);
    if signed.as_deref() != Some(find_signature(fields).as_str()) {
        return refused("The signature is invalid. Verify and try again.");
    }
    Ok(())
}

fn find_signature(fields: &str) -> String {
    let field = fields.split(',').find_map(|field| field.trim().strip_prefix("oauth_signature="));
    field.map(|value| decode(value.trim_matches('"'))).unwrap_or_default()
}

fn signature(asked: &Asked<'_>, mut pairs: Vec<(String, String)>, secrets: (&str, &str)) -> Option<String> {
    for part in asked.query.split('&').filter(|part| !part.is_empty()) {
        let (name, value) = part.split_once('=').unwrap_or((part, ""));
        pairs.push((decode(&name.replace('+', " ")), decode(&value.replace('+', " "))));
    }
    let mut encoded: Vec<String> =
        pairs.iter().map(|(name, value)| format!("{}\u{0}{}", encode(name), encode(value))).collect();
    encoded.sort();
    let parameters = encoded.join("&").replace('\u{0}', "=");
    let address = format!("http://{}{}", asked.host, asked.path);
    let base = format!("{}&{}&{}", asked.method, encode(&address), encode(&parameters));
    let key = format!("{}&{}", encode(secrets.0), encode(secrets.1));
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes()).ok()?;
    mac.update(base.as_bytes());
    Some(BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

fn encode(text: &str) -> String {
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn decode(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}
