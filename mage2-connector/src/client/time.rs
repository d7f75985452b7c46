//! Magento's times: `YYYY-MM-DD HH:MM:SS`, in UTC, to the second. Modules and what stands before a shop write some as ISO 8601 has
//! them, with a `T`, a fraction, a `Z` or an offset: these are understood, too, and without an offset they are UTC.
//!
//! Magento stores times in UTC and shows them in a store's time zone in its pages only; the REST API gives and compares
//! what is stored. (`Magento\Framework\Stdlib\DateTime`, whose format is `yyyy-MM-dd HH:mm:ss`.)

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

/// Reads a Magento time, or one of ISO 8601. `None` for anything else, `0000-00-00 00:00:00` included.
///
/// ```
/// use mage2_connector::parse_time;
/// assert_eq!(parse_time("2020-04-24 17:05:45").map(|t| t.to_string()), Some("2020-04-24T17:05:45Z".into()));
/// assert_eq!(parse_time("2020-04-24T19:05:45+02:00"), parse_time("2020-04-24 17:05:45"));
/// assert_eq!(parse_time("yesterday"), None);
/// ```
pub fn parse_time(text: &str) -> Option<Timestamp> {
    let bytes = text.as_bytes();
    if bytes.len() != 19 {
        return parse_iso(text);
    }
    // Exactly this form: jiff alone would take dates without a time, too.
    let separators = [(4, b'-'), (7, b'-'), (13, b':'), (16, b':')];
    if !matches!(bytes[10], b' ' | b'T') || separators.iter().any(|&(at, separator)| bytes[at] != separator) {
        return None;
    }
    let number = |from: usize, to: usize| -> Option<i16> {
        bytes[from..to].iter().try_fold(0i16, |sum, digit| {
            digit.is_ascii_digit().then(|| sum.checked_mul(10)?.checked_add(i16::from(digit - b'0'))).flatten()
        })
    };
    let small = |from: usize, to: usize| number(from, to).and_then(|n| i8::try_from(n).ok());
    let civil =
        DateTime::new(number(0, 4)?, small(5, 7)?, small(8, 10)?, small(11, 13)?, small(14, 16)?, small(17, 19)?, 0)
            .ok()?;
    TimeZone::UTC.to_timestamp(civil).ok()
}

/// What follows the seconds is a fraction, an offset, or both.
fn parse_iso(text: &str) -> Option<Timestamp> {
    let rest = text.get(19..).filter(|rest| rest.starts_with(['.', 'Z', 'z', '+', '-']))?;
    parse_time(text.get(..19)?)?;
    match rest.bytes().any(|byte| matches!(byte, b'Z' | b'z' | b'+' | b'-')) {
        true => text.parse().ok(),
        false => format!("{text}Z").parse().ok(),
    }
}

/// Writes a time as Magento does; fractions of a second are cut off, as Magento's own times have none.
pub fn format_time(time: Timestamp) -> String {
    let civil = TimeZone::UTC.to_datetime(time);
    let (date, clock) = (civil.date(), civil.time());
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
        date.year(),
        date.month(),
        date.day(),
        clock.hour(),
        clock.minute(),
        clock.second()
    )
}

/// Cuts the fraction of a second off.
pub(crate) fn whole_second(time: Timestamp) -> Timestamp {
    parse_time(&format_time(time)).unwrap_or(time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_it_reads() {
        for text in ["2020-04-24 17:05:45", "1999-12-31 23:59:59", "2024-02-29 00:00:00"] {
            assert_eq!(parse_time(text).map(format_time).as_deref(), Some(text));
        }
    }

    #[test]
    fn refuses_other_forms() {
        for text in [
            "",
            "2020-04-24",
            "2020-04-24T17:05",
            "2020-04-24 17:05:45 CEST",
            "2020-04-24 17:05:45+",
            "2020-04-24 17:05:45.",
            "2020-04-24 17:05:é",
            "0000-00-00 00:00:00",
            "2020-13-01 00:00:00",
            "2020-04-24 17:05:4é",
        ] {
            assert_eq!(parse_time(text), None, "{text}");
        }
    }

    #[test]
    fn reads_the_forms_of_iso_8601() {
        for (text, wanted) in [
            ("2020-04-24T17:05:45", "2020-04-24T17:05:45Z"),
            ("2020-04-24T17:05:45Z", "2020-04-24T17:05:45Z"),
            ("2020-04-24 17:05:45.25", "2020-04-24T17:05:45.25Z"),
            ("2020-04-24T19:05:45+02:00", "2020-04-24T17:05:45Z"),
            ("2020-04-24T12:05:45.000-0500", "2020-04-24T17:05:45Z"),
        ] {
            assert_eq!(parse_time(text).map(|time| time.to_string()).as_deref(), Some(wanted), "{text}");
        }
    }

    #[test]
    fn cuts_fractions_off() {
        let time: Timestamp = "2026-01-31T10:00:00.987Z".parse().unwrap();
        assert_eq!(whole_second(time).to_string(), "2026-01-31T10:00:00Z");
    }
}
