//! The envelope of a batch: MIME parts, change sets, and the HTTP requests in them.

use axum::body::Bytes;
use axum::http::Method;
use axum::http::header::{HeaderMap, HeaderName, HeaderValue};

use super::error::{Refusal, Version};

/// A request in a batch.
#[derive(Debug, Clone)]
pub(super) struct Part {
    pub(super) content_id: Option<String>,
    pub(super) method: Method,
    /// As it came: from the root of the server, of the service, or relative.
    pub(super) url: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

/// What a batch consists of.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    Single(Part),
    /// All or nothing.
    Changes(Vec<Part>),
}

impl Piece {
    /// Whether it may change anything.
    pub(super) fn writes(&self) -> bool {
        match self {
            Self::Single(part) => part.method != Method::GET,
            // A change set has no GET.
            Self::Changes(_) => true,
        }
    }

    /// Whether orders are written by it.
    pub(super) fn writes_orders(&self) -> bool {
        let of_orders = |part: &Part| part.method != Method::GET && part.url.contains("Orders");
        match self {
            Self::Single(part) => of_orders(part),
            Self::Changes(parts) => parts.iter().any(of_orders),
        }
    }
}

fn bad(text: &str) -> Refusal {
    Refusal::malformed(format!("Invalid batch request: {text}"))
}

/// Reads the body of a batch.
pub(super) fn read(content_type: &str, body: &[u8], version: Version) -> Result<Vec<Piece>, Refusal> {
    let boundary = boundary(content_type).ok_or_else(|| bad("multipart/mixed with a boundary is expected"))?;
    let mut pieces = Vec::new();
    for part in split(body, &boundary)? {
        let (headers, inside) = headers(part).ok_or_else(|| bad("the headers of a part do not end"))?;
        let kind = header(&headers, "content-type").ok_or_else(|| bad("a part has no content type"))?;
        if self::boundary(kind).is_none() {
            pieces.push(Piece::Single(request(&headers, inside, kind)?));
            continue;
        }
        let inner = self::boundary(kind).unwrap_or_default();
        let mut changes = Vec::new();
        for part in split(inside, &inner)? {
            let (headers, inside) = self::headers(part).ok_or_else(|| bad("the headers of a change do not end"))?;
            let kind = header(&headers, "content-type").ok_or_else(|| bad("a change has no content type"))?;
            let change = request(&headers, inside, kind)?;
            if change.method == Method::GET {
                return Err(bad("no GET within a change set"));
            }
            if version == Version::V2 && change.content_id.is_none() {
                return Err(bad("a change has no Content-ID"));
            }
            changes.push(change);
        }
        if changes.is_empty() {
            return Err(bad("a change set is empty"));
        }
        pieces.push(Piece::Changes(changes));
    }
    Ok(pieces)
}

/// The boundary of `multipart/mixed`.
fn boundary(content_type: &str) -> Option<String> {
    let mut parameters = content_type.split(';').map(str::trim);
    if !parameters.next()?.eq_ignore_ascii_case("multipart/mixed") {
        return None;
    }
    let (_, value) = parameters
        .filter_map(|pair| pair.split_once('='))
        .find(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"))?;
    let value = value.trim().trim_matches('"');
    (!value.is_empty() && value.len() <= 200).then(|| value.to_owned())
}

/// The parts between the boundaries; the line end before one belongs to it.
fn split<'a>(body: &'a [u8], boundary: &str) -> Result<Vec<&'a [u8]>, Refusal> {
    let delimiter = format!("--{boundary}");
    let mut parts = Vec::new();
    let mut start: Option<usize> = None;
    let mut at = 0;
    while at < body.len() {
        let rest = body.get(at..).unwrap_or_default();
        let length = rest.iter().position(|byte| *byte == b'\n').map_or(rest.len(), |end| end + 1);
        let line = rest.get(..length).unwrap_or_default().trim_ascii_end();
        if let Some(tail) = line.strip_prefix(delimiter.as_bytes())
            && (tail.is_empty() || tail == b"--")
        {
            if let Some(start) = start {
                parts.push(without_line_end(body.get(start..at).unwrap_or_default()));
            }
            if !tail.is_empty() {
                return Ok(parts);
            }
            start = Some(at + length);
        }
        at += length;
    }
    Err(bad("the closing boundary is missing"))
}

fn without_line_end(part: &[u8]) -> &[u8] {
    let part = part.strip_suffix(b"\n").unwrap_or(part);
    part.strip_suffix(b"\r").unwrap_or(part)
}

type Headers = Vec<(String, String)>;

/// The header lines up to an empty one, and what follows it.
fn headers(part: &[u8]) -> Option<(Headers, &[u8])> {
    let mut headers = Headers::new();
    let mut rest = part;
    loop {
        let end = rest.iter().position(|byte| *byte == b'\n')?;
        let (line, after) = rest.split_at_checked(end + 1)?;
        let line = std::str::from_utf8(line).ok()?.trim_end();
        rest = after;
        if line.is_empty() {
            return Some((headers, rest));
        }
        let (name, value) = line.split_once(':')?;
        headers.push((name.trim().to_ascii_lowercase(), value.trim().to_owned()));
    }
}

fn header<'a>(headers: &'a Headers, name: &str) -> Option<&'a str> {
    headers.iter().find(|(header, _)| header == name).map(|(_, value)| value.as_str())
}

fn request(outer: &Headers, inside: &[u8], kind: &str) -> Result<Part, Refusal> {
    if !kind.trim().to_ascii_lowercase().starts_with("application/http") {
        return Err(bad("application/http is expected"));
    }
    if header(outer, "content-transfer-encoding") != Some("binary") {
        return Err(bad("Content-Transfer-Encoding: binary is expected"));
    }
    let end = inside.iter().position(|byte| *byte == b'\n').ok_or_else(|| bad("a request line is expected"))?;
    let (line, rest) = inside.split_at(end + 1);
    let line = std::str::from_utf8(line).map_err(|_| bad("a request line is not text"))?;
    let mut words = line.split_whitespace();
    let (method, url) = (words.next().and_then(|word| word.parse::<Method>().ok()), words.next());
    let (Some(method), Some(url), None | Some("HTTP/1.1"), None) = (method, url, words.next(), words.next()) else {
        return Err(bad("a request line is expected"));
    };
    let (inner, body) = headers(rest).ok_or_else(|| bad("an empty line is missing after the headers of a request"))?;
    let mut map = HeaderMap::new();
    for (name, value) in &inner {
        let (name, value) = (HeaderName::try_from(name), HeaderValue::try_from(value));
        let (Ok(name), Ok(value)) = (name, value) else { return Err(bad("a header is malformed")) };
        map.append(name, value);
    }
    Ok(Part {
        content_id: header(outer, "content-id").or_else(|| header(&inner, "content-id")).map(str::to_owned),
        method,
        url: url.to_owned(),
        headers: map,
        body: Bytes::copy_from_slice(body),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: &str =
        "Content-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\nGET Items('i')\r\n\r\n\r\n";

    fn read(body: &str) -> Result<Vec<Piece>, Refusal> {
        super::read("multipart/mixed; boundary=\"b\"", body.as_bytes(), Version::V1)
    }

    #[test]
    fn parts_and_changes() {
        let post = "Content-Type: application/http\nContent-Transfer-Encoding:binary\nContent-ID: 7\n\nPOST /b1s/v1/Items HTTP/1.1\nPrefer: a\n\n{\n}\n";
        let set = format!("Content-Type: multipart/mixed;boundary=c\r\n\r\n--c\r\n{post}--c--\r\n");
        let pieces = read(&format!("--b\r\n{GET}--b\r\n{set}--b--\r\n")).unwrap();
        let [Piece::Single(get), Piece::Changes(changes)] = &pieces[..] else { panic!("{pieces:?}") };
        assert_eq!((get.method.as_str(), get.url.as_str(), get.body.len()), ("GET", "Items('i')", 0));
        assert_eq!(changes[0].content_id.as_deref(), Some("7"));
        assert_eq!(changes[0].headers["prefer"], "a");
        assert_eq!(&changes[0].body[..], b"{\n}");
    }

    #[test]
    fn what_is_not_well_formed() {
        let one_line_short = GET.strip_suffix("\r\n").unwrap();
        let no_encoding = GET.replace("Content-Transfer-Encoding: binary\r\n", "");
        for body in [
            String::new(),
            format!("--b\r\n{GET}--b\r\n"),
            format!("--b\r\n{one_line_short}--b--"),
            format!("--b\r\n{no_encoding}--b--"),
            format!("--b\r\n{}--b--", GET.replace("GET Items('i')", "GET")),
            format!("--b\r\nContent-Type: multipart/mixed;boundary=c\r\n\r\n--c\r\n{GET}--c--\r\n--b--"),
            "--b\r\nContent-Type: multipart/mixed;boundary=c\r\n\r\n--c--\r\n--b--".to_owned(),
        ] {
            assert_eq!(read(&body).unwrap_err().code, -1000, "{body}");
        }
        assert!(super::read("application/json", b"", Version::V1).is_err());
        assert!(read("--b--").unwrap().is_empty());
    }
}
