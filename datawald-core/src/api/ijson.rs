//! I-JSON (RFC 7493), as far as two readers of a text could take it differently, or one of them not at all.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt::Write;

/// What is wrong, and where.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Mistake {
    /// The path (`entities[3].entity.data.note`).
    pub(super) path: String,
    /// What is wrong there.
    pub(super) message: &'static str,
}

const TWICE: &str = "stands there twice; give it once";
const ALONE: &str = "holds half of a surrogate pair, which is no character; write the pair, or the character itself";
const TOO_LARGE: &str = "is a number that no reader can hold; write it as text if it is meant";

/// The longest path that is told, in characters.
const LONGEST_PATH: usize = 200;

/// How deep it is looked into: deeper than any body may be (`ApiSettings::max_depth`), and not as deep as the stack.
const DEEPEST: usize = 512;

/// Finds the first name that stands twice in its object, surrogate that is alone, or number beyond a double. What is no JSON is
/// left to whoever parses it, and so is what is nested too deep to be looked into.
pub(super) fn check(json: &[u8]) -> Result<(), Mistake> {
    let mut scan = Scan { json, at: 0, path: Vec::new() };
    match scan.value() {
        Err(Stop::Mistake(message)) => Err(Mistake { path: scan.told(), message }),
        Ok(()) | Err(Stop::NoJson) => Ok(()),
    }
}

enum Stop {
    NoJson,
    Mistake(&'static str),
}

enum Step<'a> {
    Name(Cow<'a, str>),
    Item(usize),
}

struct Scan<'a> {
    json: &'a [u8],
    at: usize,
    path: Vec<Step<'a>>,
}

impl<'a> Scan<'a> {
    fn peek(&mut self) -> Option<u8> {
        while matches!(self.json.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        self.json.get(self.at).copied()
    }

    fn take(&mut self, wanted: u8) -> bool {
        let is_there = self.peek() == Some(wanted);
        self.at += usize::from(is_there);
        is_there
    }

    fn need(&mut self, wanted: u8) -> Result<(), Stop> {
        if self.take(wanted) { Ok(()) } else { Err(Stop::NoJson) }
    }

    fn value(&mut self) -> Result<(), Stop> {
        match self.peek() {
            _ if self.path.len() > DEEPEST => Err(Stop::NoJson),
            Some(b'{') => self.object(),
            Some(b'[') => self.list(),
            Some(b'"') => self.string().map(drop),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b't' | b'f' | b'n') => {
                self.word(u8::is_ascii_alphabetic);
                Ok(())
            }
            _ => Err(Stop::NoJson),
        }
    }

    fn object(&mut self) -> Result<(), Stop> {
        self.need(b'{')?;
        if self.take(b'}') {
            return Ok(());
        }
        let mut names = HashSet::new();
        loop {
            self.peek();
            let name = self.string()?;
            let is_new = names.insert(name.clone());
            self.path.push(Step::Name(name));
            if !is_new {
                return Err(Stop::Mistake(TWICE));
            }
            self.need(b':')?;
            self.value()?;
            self.path.pop();
            if !self.take(b',') {
                return self.need(b'}');
            }
        }
    }

    fn list(&mut self) -> Result<(), Stop> {
        self.need(b'[')?;
        if self.take(b']') {
            return Ok(());
        }
        for item in 0.. {
            self.path.push(Step::Item(item));
            self.value()?;
            self.path.pop();
            if !self.take(b',') {
                break;
            }
        }
        self.need(b']')
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Stop> {
        self.need(b'"')?;
        let start = self.at;
        let mut escaped = false;
        loop {
            match self.json.get(self.at).ok_or(Stop::NoJson)? {
                b'"' => break,
                b'\\' => {
                    escaped = true;
                    self.escape()?;
                }
                _ => self.at += 1,
            }
        }
        let inside = self.json.get(start..self.at).ok_or(Stop::NoJson)?;
        self.at += 1;
        if escaped {
            let whole = self.json.get(start - 1..self.at).ok_or(Stop::NoJson)?;
            return serde_json::from_slice::<String>(whole).map(Cow::Owned).map_err(|_| Stop::NoJson);
        }
        std::str::from_utf8(inside).map(Cow::Borrowed).map_err(|_| Stop::NoJson)
    }

    fn escape(&mut self) -> Result<(), Stop> {
        match self.unit(self.at) {
            Some(0xD800..=0xDBFF) => match self.unit(self.at + 6) {
                Some(0xDC00..=0xDFFF) => self.at += 12,
                _ => return Err(Stop::Mistake(ALONE)),
            },
            Some(0xDC00..=0xDFFF) => return Err(Stop::Mistake(ALONE)),
            Some(_) => self.at += 6,
            None => self.at += 2,
        }
        Ok(())
    }

    /// The unit of UTF-16 that is escaped at a place.
    fn unit(&self, at: usize) -> Option<u16> {
        let digits = self.json.get(at..at + 6)?.strip_prefix(b"\\u")?;
        let digits =
            std::str::from_utf8(digits).ok().filter(|digits| digits.bytes().all(|it| it.is_ascii_hexdigit()))?;
        u16::from_str_radix(digits, 16).ok()
    }

    fn number(&mut self) -> Result<(), Stop> {
        let number = self.word(|byte| matches!(byte, b'-' | b'+' | b'.' | b'e' | b'E' | b'0'..=b'9'));
        let number = std::str::from_utf8(number).map_err(|_| Stop::NoJson)?;
        match number.parse::<f64>() {
            Ok(value) if value.is_infinite() => Err(Stop::Mistake(TOO_LARGE)),
            _ => Ok(()),
        }
    }

    fn word(&mut self, holds: impl Fn(&u8) -> bool) -> &'a [u8] {
        let rest = self.json.get(self.at..).unwrap_or_default();
        let length = rest.iter().take_while(|byte| holds(byte)).count();
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    /// Where it has come to, in words.
    fn told(&self) -> String {
        let mut path = String::new();
        for step in &self.path {
            let written = match step {
                Step::Item(item) => write!(path, "[{item}]"),
                Step::Name(name) if path.is_empty() => write!(path, "{name}"),
                Step::Name(name) => write!(path, ".{name}"),
            };
            // Writing into memory does not fail.
            debug_assert!(written.is_ok());
        }
        if path.is_empty() {
            return "body".to_owned();
        }
        path.chars().filter(|char| !char.is_control()).take(LONGEST_PATH).collect()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn mistake(json: &str) -> Option<(String, &'static str)> {
        check(json.as_bytes()).err().map(|mistake| (mistake.path, mistake.message))
    }

    #[test]
    fn what_two_readers_could_take_differently_is_found_where_it_is() {
        for (json, path, message) in [
            (r#"{"a": 1, "b": {"c": [1, {"d": 1, "d": 2}]}}"#, "b.c[1].d", TWICE),
            (r#"{"a": 1, "\u0061": 2}"#, "a", TWICE),
            (r#"{"note": "x \ud83d y"}"#, "note", ALONE),
            (r#"["", "\udE00\ud83D"]"#, "[1]", ALONE),
            (r#"{"\ud800": 1}"#, "body", ALONE),
            (r#"{"a": [0, -1e400]}"#, "a[1]", TOO_LARGE),
            ("1e999999999999", "body", TOO_LARGE),
        ] {
            assert_eq!(mistake(json), Some((path.to_owned(), message)), "{json}");
        }
    }

    #[test]
    fn what_every_reader_takes_alike_passes() {
        for json in [
            r#"{"a": {"a": [{"a": 1}, {"a": 2}]}, "": "\ud83d\ude00 \\ud800 \" \\", "1e400": "1e400"}"#,
            r#"[12345678901234567890.123456789, -0.0, 1e308, 1e-400, true, false, null, "😀", {}, []]"#,
        ] {
            assert_eq!(mistake(json), None, "{json}");
        }
    }

    proptest! {
        /// Whatever serde reads and writes passes; of what is no JSON, nothing is said.
        #[test]
        fn whatever_is_written_passes(names in prop::collection::hash_map(".*", ".*", 0..6), noise in ".*") {
            let json = serde_json::to_string(&serde_json::json!({ "inside": [&names, &names] })).unwrap();
            prop_assert_eq!(check(json.as_bytes()), Ok(()));
            let _ = check(noise.as_bytes());
            let cut = json.len() / 2;
            let _ = check(&json.as_bytes()[..cut]);
        }
    }
}
