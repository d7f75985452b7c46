//! Addresses below the service root: next links, and text within a query.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

/// What stays as it is in a query: what RFC 3986 never reserves, and `$`, which OData's options begin with.
const QUERY: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'$').remove(b',');

/// What stays as it is in a key: the quotes too.
const KEY: &AsciiSet = &QUERY.remove(b'\'');

/// A text as OData writes it within a filter: in quotes, with quotes within doubled. Still to be encoded.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

/// A text key as it stands in a path: `('O''Neil')`, encoded.
pub fn text_key(text: &str) -> String {
    format!("({})", utf8_percent_encode(&quoted(text), KEY))
}

/// A path with query options, whose values are encoded: `Orders?$filter=…&$top=1`.
pub fn query(path: &str, options: &[(&str, &str)]) -> String {
    let mut whole = path.to_owned();
    for (i, (name, value)) in options.iter().enumerate() {
        whole.push(if i == 0 { '?' } else { '&' });
        whole.push_str(name);
        whole.push('=');
        whole.extend(utf8_percent_encode(value, QUERY));
    }
    whole
}

/// Where a next link leads: below `root` (which ends with a slash), whatever form the link has. `None` for one that leads
/// elsewhere, to where no session may be sent.
///
/// Links come as `/b1s/v1/Orders?$skip=20`, as `Projects?$skip=20`, encoded anew, with an empty first option, and with
/// the server's own idea of its name, which may not be the one that it is reached by.
pub fn resolve(root: &Url, link: &str) -> Option<Url> {
    let (path, options) = link.split_once('?').map_or((link, None), |(path, options)| (path, Some(options)));
    let path = ["/b1s/v1/", "/b1s/v2/"].iter().find_map(|at| Some(path.split_once(at)?.1)).unwrap_or(path);
    // What is left must be a name below the root: neither another server nor another folder.
    let odd = path.is_empty() || path.starts_with('/') || path.contains("://") || path.contains('\\');
    if odd || path.split('/').any(|part| matches!(part, "." | "..")) {
        return None;
    }
    let mut url = root.join(&format!("./{path}")).ok()?;
    url.set_query(options);
    url.as_str().starts_with(root.as_str()).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_form_of_next_link() {
        let root = Url::parse("https://b1.example.com:50000/b1s/v1/").unwrap();
        for (link, rest) in [
            ("/b1s/v1/Orders?$skip=20", "Orders?$skip=20"),
            ("Projects?$skip=20", "Projects?$skip=20"),
            (
                "UserFieldsMD?%24filter=TableName+eq+%27OCRD%27&$skip=20",
                "UserFieldsMD?%24filter=TableName+eq+%27OCRD%27&$skip=20",
            ),
            ("SQLQueries('sql0001')/List?&$skip=5", "SQLQueries('sql0001')/List?&$skip=5"),
            ("https://server:50000/b1s/v1/Orders?$skip=20", "Orders?$skip=20"),
        ] {
            assert_eq!(resolve(&root, link).unwrap().as_str(), format!("{root}{rest}"), "{link}");
        }
        for link in ["", "//elsewhere/x", "https://elsewhere/x", "../../admin", "/admin", "?$skip=20", "a/../../b"] {
            assert_eq!(resolve(&root, link), None, "{link}");
        }
    }

    #[test]
    fn text_of_any_kind_stands_in_a_filter() {
        let filter = format!("NumAtCard eq {}", quoted("O'Neil & 100 % +#é"));
        let url = query("Orders", &[("$filter", &filter), ("$top", "1")]);
        assert_eq!(url, "Orders?$filter=NumAtCard%20eq%20%27O%27%27Neil%20%26%20100%20%25%20%2B%23%C3%A9%27&$top=1");
        assert_eq!(text_key("a/b'c"), "('a%2Fb''c')");
    }
}
