//! What is answered: parts, and what they tell of each request.

/// The answer to one request of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<'a> {
    /// The `Content-ID` of the request, if it came.
    pub content_id: Option<&'a str>,
    /// The status.
    pub status: u16,
    /// Its headers, with names as they came.
    pub headers: Vec<(&'a str, &'a str)>,
    /// The body, without blanks at its ends.
    pub body: &'a [u8],
}

impl<'a> Part<'a> {
    /// A header, whatever the case of its name.
    pub fn header(&self, name: &str) -> Option<&'a str> {
        find(&self.headers, name)
    }

    /// Whether it is a success.
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// The answer to one part of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer<'a> {
    /// To a request that stands alone, or to a change set that failed.
    One(Part<'a>),
    /// To a change set that was carried out.
    Set(Vec<Part<'a>>),
}

/// What is wrong with the answer to a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Malformed(pub &'static str);

/// What came of a request of a batch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate<'a> {
    /// It was answered, well or ill.
    Answered(Part<'a>),
    /// It was not carried out, since an earlier one failed.
    NotReached,
    /// There is no answer that can be trusted.
    Unknown,
}

/// What came of each of the `count` requests of an [`envelope`](super::envelope), by what was answered.
pub fn fates<'a>(answers: Vec<Answer<'a>>, count: usize) -> Vec<Fate<'a>> {
    let mut fates = Vec::with_capacity(count);
    if answers.len() <= count {
        for (i, answer) in answers.into_iter().enumerate() {
            let part = match answer {
                Answer::One(part) => Some(part),
                Answer::Set(mut parts) if parts.len() == 1 => parts.pop(),
                Answer::Set(_) => None,
            };
            // Answers come in the order of the requests; if one says to be another's, none from here on can be told apart.
            let own = |part: &Part<'_>| part.content_id.is_none_or(|id| id.trim().parse() == Ok(i + 1));
            match part.filter(own) {
                Some(part) => fates.push(Fate::Answered(part)),
                None => break,
            }
        }
    }
    // Nothing is carried out after the first that fails.
    let stopped = matches!(fates.last(), Some(Fate::Answered(part)) if !part.is_success());
    fates.resize(count, if stopped { Fate::NotReached } else { Fate::Unknown });
    fates
}

/// Reads the answer to a batch. The boundary is taken from `content_type`, or from the first line if it is not there.
///
/// Lines may end with LF or CRLF, a header may have no blank after its colon, and `Content-Length` is not looked at. What is
/// read borrows from `body`, so it needs little memory beside it.
///
/// # Errors
/// If it is no such answer, or one that was cut short.
pub fn read<'a>(content_type: Option<&str>, body: &'a [u8]) -> Result<Vec<Answer<'a>>, Malformed> {
    let boundary = content_type.and_then(boundary_in).map(str::as_bytes).or_else(|| first_boundary(body));
    let boundary = boundary.ok_or(Malformed("has no boundary"))?;
    parts(boundary, body)?.into_iter().map(answer).collect()
}

fn answer(part: &[u8]) -> Result<Answer<'_>, Malformed> {
    let (headers, rest) = headers(part)?;
    let content_type = find(&headers, "Content-Type").ok_or(Malformed("has a part without a type"))?;
    if !starts_with_ignoring_case(content_type, "multipart/mixed") {
        return Ok(Answer::One(response(&headers, rest)?));
    }
    let boundary = boundary_in(content_type).ok_or(Malformed("has a change set without a boundary"))?;
    let of_set = |part| {
        let (headers, rest) = self::headers(part)?;
        response(&headers, rest)
    };
    Ok(Answer::Set(parts(boundary.as_bytes(), rest)?.into_iter().map(of_set).collect::<Result<_, _>>()?))
}

fn response<'a>(outer: &[(&'a str, &'a str)], rest: &'a [u8]) -> Result<Part<'a>, Malformed> {
    let rest = rest.trim_ascii_start();
    let (line, rest) = split_line(rest);
    let line = text(line)?;
    let status = line.strip_prefix("HTTP/").and_then(|line| line.split_ascii_whitespace().nth(1));
    let status = status.and_then(|status| status.parse().ok()).ok_or(Malformed("has a part without a status"))?;
    let (inner, body) = headers(rest)?;
    let content_id = find(outer, "Content-ID").or_else(|| find(&inner, "Content-ID"));
    Ok(Part { content_id, status, headers: inner, body: body.trim_ascii() })
}

/// The contents between the lines of `boundary`; what stands before the first or after the last is no part.
fn parts<'a>(boundary: &[u8], body: &'a [u8]) -> Result<Vec<&'a [u8]>, Malformed> {
    let mut parts = Vec::new();
    let mut start: Option<usize> = None;
    let mut at = 0;
    while at < body.len() {
        let rest = body.get(at..).unwrap_or_default();
        let (line, after) = split_line(rest);
        let next = body.len() - after.len();
        if let Some(end) = line.strip_prefix(b"--").and_then(|line| line.strip_prefix(boundary)) {
            let end = end.trim_ascii_end();
            if end.is_empty() || end == b"--" {
                if let Some(start) = start.take() {
                    parts.push(body.get(start..at).unwrap_or_default());
                }
                if end == b"--" {
                    return Ok(parts);
                }
                start = Some(next);
            }
        }
        at = next;
    }
    Err(Malformed("was cut short"))
}

/// Names and values, as they came.
type Headers<'a> = Vec<(&'a str, &'a str)>;

/// Headers up to an empty line, and what follows.
fn headers(mut rest: &[u8]) -> Result<(Headers<'_>, &[u8]), Malformed> {
    let mut headers = Vec::new();
    while !rest.is_empty() {
        let (line, after) = split_line(rest);
        rest = after;
        if line.trim_ascii().is_empty() {
            break;
        }
        let (name, value) = text(line)?.split_once(':').ok_or(Malformed("has a line that is no header"))?;
        headers.push((name.trim(), value.trim()));
    }
    Ok((headers, rest))
}

fn find<'a>(headers: &[(&'a str, &'a str)], name: &str) -> Option<&'a str> {
    headers.iter().find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| *value)
}

/// A line without its end, and what follows it.
fn split_line(bytes: &[u8]) -> (&[u8], &[u8]) {
    match bytes.iter().position(|byte| *byte == b'\n') {
        Some(at) => {
            let (line, rest) = bytes.split_at(at);
            (line.strip_suffix(b"\r").unwrap_or(line), rest.get(1..).unwrap_or_default())
        }
        None => (bytes, &[]),
    }
}

fn text(bytes: &[u8]) -> Result<&str, Malformed> {
    std::str::from_utf8(bytes).map_err(|_| Malformed("has a header that is no text"))
}

fn boundary_in(content_type: &str) -> Option<&str> {
    let value = content_type.split(';').map(str::trim).find_map(|part| {
        let (name, value) = part.split_once('=')?;
        name.trim().eq_ignore_ascii_case("boundary").then_some(value)
    })?;
    Some(value.trim().trim_matches('"')).filter(|boundary| !boundary.is_empty())
}

fn first_boundary(body: &[u8]) -> Option<&[u8]> {
    let (line, _) = split_line(body.trim_ascii_start());
    line.strip_prefix(b"--").map(<[u8]>::trim_ascii_end).filter(|boundary| !boundary.is_empty())
}

fn starts_with_ignoring_case(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(status: u16, content_id: Option<&'static str>) -> Part<'static> {
        Part { content_id, status, headers: Vec::new(), body: b"" }
    }

    #[test]
    fn a_batch_stops_at_its_first_failing_part() {
        let (made, failed) = (one(201, Some("1")), one(400, Some("2")));
        let answers = vec![Answer::Set(vec![made.clone()]), Answer::One(failed.clone())];
        let all = [Fate::Answered(made.clone()), Fate::Answered(failed), Fate::NotReached, Fate::NotReached];
        assert_eq!(fates(answers, 4), all);
        // Without a failure there is no reason why the others were not answered.
        let answers = vec![Answer::Set(vec![made.clone()])];
        assert_eq!(fates(answers, 2), [Fate::Answered(made.clone()), Fate::Unknown]);
        assert_eq!(fates(vec![], 2), [Fate::Unknown, Fate::Unknown]);
        let more = vec![Answer::One(made.clone()), Answer::One(one(201, None))];
        assert_eq!(fates(more, 1), [Fate::Unknown], "more answers than requests");
        let other = vec![Answer::One(made.clone()), Answer::One(one(201, Some("3")))];
        assert_eq!(fates(other, 2), [Fate::Answered(made), Fate::Unknown], "another's answer");
    }

    #[test]
    fn an_answer_that_was_cut_short_is_none() {
        let whole = "--b\nContent-Type: application/http\n\nHTTP/1.1 200 OK\n\n{}\n--b--";
        assert_eq!(read(Some("multipart/mixed; boundary=\"b\""), whole.as_bytes()).unwrap().len(), 1);
        for cut in ["", "--b", "--b\nContent-Type: application/http\n\nHTTP/1.1 200 OK\n\n{}", "no batch at all"] {
            assert!(read(Some("multipart/mixed;boundary=b"), cut.as_bytes()).is_err(), "{cut}");
        }
        // A longer boundary that begins alike is another.
        let other = "--b\nContent-Type: application/http\n\nHTTP/1.1 200 OK\n\n--bc\n--b--";
        assert_eq!(read(None, other.as_bytes()).unwrap().len(), 1);
    }
}
