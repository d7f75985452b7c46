//! OAuth 1.0a signatures, HMAC-SHA256.
//!
//! Magento takes HMAC-SHA256 alone from 2.4.4 on. The signer is our own, since it must percent-encode the *names* of
//! parameters, too (`searchCriteria[filter_groups][0]…`), which the libraries that sign OAuth 1.0 do not.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use datawald_core::{Error, Result};
use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use secrecy::ExposeSecret;
use sha2::Sha256;
use url::Url;
use uuid::Uuid;

use super::credentials::OAuth1Keys;
use super::criteria::encode;

/// The signature base string (RFC 5849 §3.4.1) of a request to `url` with `parameters` beside those in its query: the
/// `oauth_…` ones, and those of a form body.
pub fn base_string(method: &str, url: &Url, parameters: &[(String, String)]) -> String {
    let mut all: Vec<(String, String)> = url
        .query_pairs()
        .map(|(name, value)| (encode(&name), encode(&value)))
        .chain(parameters.iter().map(|(name, value)| (encode(name), encode(value))))
        .collect();
    // By encoded name, then by encoded value.
    all.sort();
    let joined: Vec<String> = all.into_iter().map(|(name, value)| format!("{name}={value}")).collect();
    // `Url` has lower-cased scheme and host and left the scheme's own port out, as §3.4.1.2 asks.
    let mut address = url.clone();
    address.set_query(None);
    address.set_fragment(None);
    format!("{}&{}&{}", method.to_ascii_uppercase(), encode(address.as_str()), encode(&joined.join("&")))
}

/// The signature of a base string: HMAC-SHA256 under both secrets, in base64 (RFC 5849 §3.4.2 with SHA-256).
///
/// # Errors
/// Of kind `Config`, if the secrets make no key (HMAC takes every length, so that this does not happen).
pub fn hmac_sha256_signature(base: &str, consumer_secret: &str, token_secret: &str) -> Result<String> {
    let key = format!("{}&{}", encode(consumer_secret), encode(token_secret));
    let mut mac = Hmac::<Sha256>::new_from_slice(key.as_bytes())
        .map_err(|_| Error::config("sign request", "the OAuth secrets make no key"))?;
    mac.update(base.as_bytes());
    Ok(BASE64_STANDARD.encode(mac.finalize().into_bytes()))
}

/// The value of the `Authorization` header for a request to `url` at `now`.
pub(crate) fn authorization(keys: &OAuth1Keys, method: &str, url: &Url, now: Timestamp) -> Result<String> {
    let mut parameters = vec![
        ("oauth_consumer_key".to_owned(), keys.consumer_key.clone()),
        ("oauth_nonce".to_owned(), Uuid::now_v7().simple().to_string()),
        ("oauth_signature_method".to_owned(), "HMAC-SHA256".to_owned()),
        ("oauth_timestamp".to_owned(), now.as_second().to_string()),
        ("oauth_token".to_owned(), keys.access_token.expose_secret().to_owned()),
        ("oauth_version".to_owned(), "1.0".to_owned()),
    ];
    let base = base_string(method, url, &parameters);
    let signature =
        hmac_sha256_signature(&base, keys.consumer_secret.expose_secret(), keys.access_token_secret.expose_secret())?;
    parameters.push(("oauth_signature".to_owned(), signature));
    let fields: Vec<String> = parameters.iter().map(|(name, value)| format!("{name}=\"{}\"", encode(value))).collect();
    Ok(format!("OAuth {}", fields.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    /// The example of RFC 5849 §3.4.1.1, whose base string §3.4.1.1 prints.
    fn rfc_example() -> String {
        let url = Url::parse("http://EXAMPLE.COM:80/request?b5=%3D%253D&a3=a&c%40=&a2=r%20b").unwrap();
        let parameters = [
            pair("oauth_consumer_key", "9djdj82h48djs9d2"),
            pair("oauth_token", "kkk9d7dh3k39sjv7"),
            pair("oauth_signature_method", "HMAC-SHA1"),
            pair("oauth_timestamp", "137131201"),
            pair("oauth_nonce", "7d8f3e4a"),
            // The form body `c2&a3=2+q`.
            pair("c2", ""),
            pair("a3", "2 q"),
        ];
        base_string("post", &url, &parameters)
    }

    #[test]
    fn base_string_of_the_rfc() {
        assert_eq!(
            rfc_example(),
            "POST&http%3A%2F%2Fexample.com%2Frequest&a2%3Dr%2520b%26a3%3D2%2520q%26a3%3Da%26b5%3D%253D%25253D%26c%2540\
             %3D%26c2%3D%26oauth_consumer_key%3D9djdj82h48djs9d2%26oauth_nonce%3D7d8f3e4a%26oauth_signature_method\
             %3DHMAC-SHA1%26oauth_timestamp%3D137131201%26oauth_token%3Dkkk9d7dh3k39sjv7"
        );
    }

    #[test]
    fn signature_of_a_known_value() {
        // Computed with Python: base64(hmac(b"j49sk3j29djd&dh893hdasih9", base_string, sha256)).
        assert_eq!(
            hmac_sha256_signature(&rfc_example(), "j49sk3j29djd", "dh893hdasih9").unwrap(),
            "lIfydhbOitvsm4DvUwgM0NdR1Mzd08HnXI+q+EG0QKo="
        );
        // RFC 4231's second case has the key "Jefe"; ours ends in "&", so that its message is signed under "Jefe&".
        assert_eq!(
            hmac_sha256_signature("what do ya want for nothing?", "Jefe", "").unwrap(),
            "G6gg/yGmYvQWkZm1QqmpNvIOkZBpTOxFHAozgOPNVJU="
        );
    }

    #[test]
    fn names_with_brackets_are_encoded_twice() {
        let url = Url::parse("https://shop.example.com/rest/V1/orders?searchCriteria%5BpageSize%5D=1").unwrap();
        assert!(base_string("GET", &url, &[]).ends_with("&searchCriteria%255BpageSize%255D%3D1"));
    }

    #[test]
    fn slashes_in_a_sku_stay_encoded() {
        let url = Url::parse("https://shop.example.com/rest/V1/products/24%2FWG02").unwrap();
        assert_eq!(
            base_string("GET", &url, &[]),
            "GET&https%3A%2F%2Fshop.example.com%2Frest%2FV1%2Fproducts%2F24%252FWG02&"
        );
    }
}
