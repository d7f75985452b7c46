//! What stands between the bytes of an answer and its text: compression and byte-order marks.

use std::io::{self, Write};

use bytes::Bytes;
use flate2::write::MultiGzDecoder;
use http::header::{CONTENT_ENCODING, HeaderMap};

use super::Broken;

/// The text of an answer. A body in gzip, as it is asked for, is inflated to at most `most` bytes; a byte-order mark, which
/// JSON must not have and some servers send, is left out.
pub(super) fn text(headers: &HeaderMap, body: Bytes, most: usize) -> Result<Bytes, Broken> {
    let body = if is_gzip(headers) && !body.is_empty() { inflate(&body, most)? } else { body };
    Ok(if body.starts_with(b"\xEF\xBB\xBF") { body.slice(3..) } else { body })
}

/// An encoding of the answer that was not asked for, and that nobody here reads.
pub(super) fn foreign_encoding(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(CONTENT_ENCODING)?;
    let known = value.to_str().is_ok_and(|name| name.trim().eq_ignore_ascii_case("identity"));
    (!known && !is_gzip(headers)).then(|| value.to_str().unwrap_or("?").chars().take(20).collect())
}

fn is_gzip(headers: &HeaderMap) -> bool {
    let name = headers.get(CONTENT_ENCODING).and_then(|value| value.to_str().ok()).unwrap_or_default().trim();
    name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip")
}

fn inflate(body: &[u8], most: usize) -> Result<Bytes, Broken> {
    let mut decoder = MultiGzDecoder::new(Bounded { bytes: Vec::new(), most, full: false });
    let inflated = decoder.write_all(body).and_then(|()| decoder.try_finish());
    if decoder.get_ref().full {
        return Err(Broken::TooLarge);
    }
    inflated.map_err(|error| Broken::Cut(Some(Box::new(error))))?;
    Ok(std::mem::take(&mut decoder.get_mut().bytes).into())
}

/// So that a small body cannot become a large one.
struct Bounded {
    bytes: Vec<u8>,
    most: usize,
    full: bool,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.bytes.len() + bytes.len() > self.most {
            self.full = true;
            return Err(io::Error::other("more than the limit"));
        }
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use flate2::Compression;
    use flate2::write::GzEncoder;
    use http::header::HeaderValue;

    use super::*;

    fn zipped(bytes: &[u8]) -> Bytes {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(bytes).unwrap();
        encoder.finish().unwrap().into()
    }

    fn encoded(name: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(CONTENT_ENCODING, HeaderValue::from_static(name))])
    }

    #[test]
    fn gzip_is_read_in_one_part_or_several() {
        for name in ["gzip", "GZIP", " x-gzip"] {
            assert_eq!(text(&encoded(name), zipped(b"{}"), 10).unwrap(), "{}");
        }
        let two = [zipped(b"{\"a\""), zipped(b":1}")].concat();
        assert_eq!(text(&encoded("gzip"), two.into(), 10).unwrap(), "{\"a\":1}");
        assert_eq!(text(&encoded("gzip"), Bytes::new(), 10).unwrap(), "");
        assert_eq!(foreign_encoding(&encoded("gzip")), None);
        assert_eq!(foreign_encoding(&encoded("identity")), None);
        assert_eq!(foreign_encoding(&encoded("br")).as_deref(), Some("br"));
    }

    #[test]
    fn a_small_body_does_not_become_a_large_one() {
        let bomb = zipped(&vec![b' '; 10 << 20]);
        assert!(bomb.len() < 20_000);
        assert!(matches!(text(&encoded("gzip"), bomb, 1 << 20), Err(Broken::TooLarge)));
        assert!(text(&encoded("gzip"), zipped(&[b' '; 100]), 100).is_ok());
    }

    #[test]
    fn what_is_cut_short_or_no_gzip_is_broken() {
        let whole = zipped(b"{\"items\":[]}");
        let cut = whole.slice(..whole.len() - 9);
        assert!(matches!(text(&encoded("gzip"), cut, 100), Err(Broken::Cut(_))));
        assert!(matches!(text(&encoded("gzip"), Bytes::from_static(b"{}"), 100), Err(Broken::Cut(_))));
    }

    #[test]
    fn a_byte_order_mark_is_left_out() {
        let none = HeaderMap::new();
        assert_eq!(text(&none, Bytes::from_static(b"\xEF\xBB\xBF{}"), 10).unwrap(), "{}");
        assert_eq!(text(&encoded("gzip"), zipped(b"\xEF\xBB\xBF{}"), 10).unwrap(), "{}");
    }
}
