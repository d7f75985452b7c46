//! Redirects. None is followed: neither credentials nor orders go where nobody has configured it.

use http::StatusCode;
use http::header::{HeaderMap, LOCATION};
use url::Url;

use crate::Error;

/// The longest address that an error shows.
const LONGEST: usize = 200;

/// The error for a redirect: where it leads, and what to do about it.
pub(super) fn refused(
    operation: &'static str,
    base: &Url,
    asked: &Url,
    status: StatusCode,
    headers: &HeaderMap,
) -> Error {
    let told = headers.get(LOCATION).and_then(|value| value.to_str().ok());
    let target = told.and_then(|told| asked.join(told).ok()).filter(Url::has_host);
    let leads = match target {
        None => "the server redirects without saying where: does `base_url` lead to the API?".to_owned(),
        Some(target) => {
            let shown = shown(&target);
            match moved(base, asked, &target) {
                Some(base) => format!(
                    "the server redirects to {shown}, which is not followed, so that credentials and data go nowhere else: set \
                     `base_url` to {base}"
                ),
                None => format!(
                    "the server redirects to {shown}, which is not followed: does `base_url` lead to the API, or does a login or \
                     a maintenance page stand before it?"
                ),
            }
        }
    };
    Error::config(operation, leads).field("base_url").code(status.as_u16().to_string())
}

/// Host and path. A query may hold more than an error should.
fn shown(target: &Url) -> String {
    let host = target.host_str().unwrap_or_default();
    let port = target.port().map(|port| format!(":{port}")).unwrap_or_default();
    let text = format!("{}://{host}{port}{}", target.scheme(), target.path());
    text.chars().take(LONGEST).collect()
}

/// What the base URL should be, if the target is the same path of another place.
fn moved(base: &Url, asked: &Url, target: &Url) -> Option<String> {
    let path = asked.path().strip_prefix(base.path())?;
    let mut moved = target.clone();
    // A path that another may be the end of: `/rest/V1/orders` tells, none does not.
    let before = target.path().strip_suffix(path).filter(|_| path.len() > 1)?;
    let same = before == base.path() && moved.origin() == base.origin();
    if same || !matches!(target.scheme(), "http" | "https") {
        return None;
    }
    moved.set_path(before);
    Some(shown(&moved).trim_end_matches('/').to_owned())
}

#[cfg(test)]
mod tests {
    use http::header::HeaderValue;

    use super::*;
    use crate::ErrorKind;

    fn error(base: &str, location: Option<&'static str>) -> String {
        let base = Url::parse(base).unwrap();
        let asked = base.join("rest/V1/orders?searchCriteria=").unwrap();
        let headers = location.map(|location| (LOCATION, HeaderValue::from_static(location)));
        let error = refused("fetch orders", &base, &asked, StatusCode::FOUND, &HeaderMap::from_iter(headers));
        assert_eq!(
            (error.kind(), error.field_path(), error.code_text()),
            (ErrorKind::Config, Some("base_url"), Some("302"))
        );
        error.message().to_owned()
    }

    #[test]
    fn the_setting_is_named_where_the_same_path_is_elsewhere() {
        for (base, location, wanted) in [
            (
                "http://a.example/",
                "https://www.a.example/rest/V1/orders?secret=1",
                "set `base_url` to https://www.a.example",
            ),
            (
                "http://a.example/",
                "https://a.example:8443/shop/rest/V1/orders",
                "set `base_url` to https://a.example:8443/shop",
            ),
            ("http://a.example/old/", "/new/rest/V1/orders", "set `base_url` to http://a.example/new"),
        ] {
            let message = error(base, Some(location));
            assert!(message.ends_with(wanted) && !message.contains("secret"), "{message}");
        }
    }

    #[test]
    fn another_page_is_named() {
        for (location, wanted) in [
            ("https://u:p@login.example/saml?to=x#y", "to https://login.example/saml,"),
            ("/rest/V1/orders", "to https://a.example/rest/V1/orders,"),
        ] {
            let message = error("https://a.example/", Some(location));
            assert!(message.contains(wanted) && message.contains("does a login"), "{message}");
            assert!(!message.contains('@'), "{message}");
        }
        assert!(error("https://a.example/", None).contains("without saying where"));
    }
}
