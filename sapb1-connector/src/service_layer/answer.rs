//! Reading answers: entities, pages, log-ins. Pure functions of the bytes that came.

use std::fmt;

use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// A page of a collection.
#[derive(Debug, Deserialize)]
#[serde(bound = "T: DeserializeOwned")]
pub struct Page<T> {
    /// Its rows.
    pub value: Vec<T>,
    /// Where the next page is, as the server puts it; resolve it with [`super::link::resolve`].
    #[serde(default, rename = "odata.nextLink", alias = "@odata.nextLink")]
    pub next_link: Option<String>,
}

impl<T: DeserializeOwned> Page<T> {
    /// Reads a page.
    ///
    /// # Errors
    /// What is wrong with it as JSON.
    pub fn read(body: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(body)
    }
}

/// What is read of an entity besides its fields.
#[derive(Debug, Default, PartialEq, Eq, Deserialize)]
pub struct Marks {
    /// Which state of the entity it is; goes into `If-Match` of a change. Nothing is to be read into it.
    #[serde(default, rename = "odata.etag", alias = "@odata.etag")]
    pub etag: Option<String>,
    /// Whether the property that was asked for is that of an entity that is not there; the answer is a success all the same.
    #[serde(default, rename = "odata.null", alias = "@odata.null")]
    pub null: bool,
}

impl Marks {
    /// Reads the marks of an entity.
    ///
    /// # Errors
    /// What is wrong with it as JSON.
    pub fn read(body: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(body)
    }
}

/// The answer to a log-in.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct LoggedIn {
    /// The session, as the cookie `B1SESSION` carries it.
    pub session_id: SecretString,
    /// The server's version, as `1000190`.
    #[serde(default)]
    pub version: String,
    /// After how many minutes without a call the session ends.
    #[serde(default = "half_an_hour")]
    pub session_timeout: u64,
}

fn half_an_hour() -> u64 {
    30
}

impl LoggedIn {
    /// Reads the answer to a log-in.
    ///
    /// # Errors
    /// What is wrong with it as JSON.
    pub fn read(body: &[u8]) -> serde_json::Result<Self> {
        serde_json::from_slice(body)
    }
}

impl fmt::Debug for LoggedIn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoggedIn")
            .field("version", &self.version)
            .field("session_timeout", &self.session_timeout)
            .finish_non_exhaustive()
    }
}

/// The key in a `Location` as `https://…/b1s/v1/Orders(22)` or `/b1s/v2/Items('i011')`, of an entity of `set`; text keys
/// without their quotes.
pub fn key_in_location(location: &str, set: &str) -> Option<String> {
    let (_, last) = location.trim().rsplit_once('/')?;
    let key = last.strip_prefix(set)?.strip_prefix('(')?.strip_suffix(')')?;
    let key = key.split_once('=').map_or(key, |(_, value)| value);
    match key.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\'')) {
        Some(text) => Some(text.replace("''", "'")),
        None => Some(key.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    #[test]
    fn next_links_of_both_roots() {
        for text in [
            r#"{"value": [{"a": 1}], "odata.nextLink": "Orders?$skip=20"}"#,
            r#"{"value": [{"a": 1}], "@odata.nextLink": "Orders?$skip=20"}"#,
        ] {
            let page = Page::<Value>::read(text.as_bytes()).unwrap();
            assert_eq!((page.value.len(), page.next_link.as_deref()), (1, Some("Orders?$skip=20")));
        }
        assert!(Page::<Value>::read(br#"{"value": []}"#).unwrap().next_link.is_none());
        assert!(Page::<Value>::read(b"{}").is_err());
    }

    #[test]
    fn keys_in_locations() {
        assert_eq!(key_in_location("https://b1:50000/b1s/v1/Orders(22)", "Orders").as_deref(), Some("22"));
        assert_eq!(key_in_location("/b1s/v1/Items('O''Neil')", "Items").as_deref(), Some("O'Neil"));
        assert_eq!(key_in_location("/b1s/v2/Orders(DocEntry=22)", "Orders").as_deref(), Some("22"));
        assert_eq!(key_in_location("/b1s/v2/Drafts(22)", "Orders"), None);
    }

    #[test]
    fn a_log_in_does_not_show_its_session() {
        let text = br#"{"SessionId": "69fc492a", "Version": "930190", "SessionTimeout": 30}"#;
        assert!(!format!("{:?}", LoggedIn::read(text).unwrap()).contains("69fc"));
    }
}
