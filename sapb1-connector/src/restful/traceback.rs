//! What a Python traceback says, without what it might give away.

/// The exception of a traceback's last line, cleaned of whatever may be personal.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Traceback {
    /// The exception's class (`KeyError`).
    pub(super) class: String,
    /// Its message.
    pub(super) message: String,
}

/// The longest message that is kept, in characters.
const LONGEST: usize = 300;

impl Traceback {
    /// Reads a traceback. Each of `personal` is blotted out, whatever the message is.
    pub(super) fn read(text: &str, personal: &[&str]) -> Self {
        let last = text.lines().rev().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
        let last = last.strip_suffix(':').unwrap_or(last);
        let (class, message) = match last.split_once(": ") {
            Some((class, message)) if is_class(class) => (class, message),
            _ if is_class(last) => (last, ""),
            _ => ("Exception", last),
        };
        Self { class: class.to_owned(), message: clean(message, personal) }
    }

    /// Class and message in one line.
    pub(super) fn summary(&self) -> String {
        if self.message.is_empty() { self.class.clone() } else { format!("{}: {}", self.class, self.message) }
    }
}

fn is_class(text: &str) -> bool {
    let mut chars = text.chars();
    chars.next().is_some_and(|c| c.is_ascii_alphabetic() || c == '_')
        && text.len() <= 80
        && chars.all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))
}

fn clean(message: &str, personal: &[&str]) -> String {
    let mut text: String = message.chars().take(4 * LONGEST).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut personal: Vec<&str> = personal.iter().copied().filter(|value| value.chars().count() >= 2).collect();
    // The longest first, so that a value that holds another goes as a whole.
    personal.sort_by_key(|value| std::cmp::Reverse(value.len()));
    for value in personal {
        text = blot_word(&text, value);
    }
    let words: Vec<&str> = text
        .split(' ')
        .filter(|word| !word.is_empty())
        .map(|word| if looks_personal(word) { "…" } else { word })
        .collect();
    let text = words.join(" ");
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

/// Replaces `value` where it stands as a word or words of its own: the name `Al` is no part of `Alert`.
fn blot_word(text: &str, value: &str) -> String {
    let mut rest = text;
    let mut done = String::with_capacity(text.len());
    while let Some(at) = rest.find(value) {
        let (before, after) = (&rest[..at], &rest[at + value.len()..]);
        let joined = before.chars().next_back().is_some_and(char::is_alphanumeric)
            || after.chars().next().is_some_and(char::is_alphanumeric);
        done.push_str(before);
        done.push_str(if joined { value } else { "…" });
        rest = after;
    }
    done.push_str(rest);
    done
}

/// Emails, and digits as long as a telephone's that are not an error code.
fn looks_personal(word: &str) -> bool {
    let digits = word.chars().filter(char::is_ascii_digit).count();
    let code = word.trim_matches(|c: char| !c.is_ascii_digit() && c != '-').starts_with("-2147");
    word.contains('@') || (digits >= 9 && !code && word.chars().all(|c| c.is_ascii_digit() || !c.is_alphabetic()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trace(last: &str) -> String {
        format!("Traceback (most recent call last):\n  File \"api.py\", line 60, in post\n{last}\n")
    }

    #[test]
    fn class_and_message_of_the_last_line() {
        let read = Traceback::read(&trace("KeyError: 'billto_email'"), &[]);
        assert_eq!((read.class.as_str(), read.message.as_str()), ("KeyError", "'billto_email'"));
        assert_eq!(Traceback::read(&trace("MemoryError"), &[]).summary(), "MemoryError");
        assert_eq!(Traceback::read(&trace("MemoryError: "), &[]).summary(), "MemoryError");
        assert_eq!(Traceback::read("something: else", &[]).summary(), "something: else");
        assert_eq!(Traceback::read("", &[]).class, "Exception");
    }

    #[test]
    fn personal_values_are_blotted_out() {
        let note = trace("Exception: (-10, u'Contact John Smith <john@xyz.net> +1 213-740-8674 of 1 High St exists')");
        let read = Traceback::read(&note, &["John", "Smith", "1 High St", ""]);
        assert_eq!(read.message, "(-10, u'Contact … … … +1 … of … exists')");
    }

    #[test]
    fn codes_and_parts_of_words_stay() {
        let read = Traceback::read(&trace("com_error: (-2147352567, 'Alert: Exception occurred.')"), &["Al"]);
        assert_eq!(read.message, "(-2147352567, 'Alert: Exception occurred.')");
    }

    #[test]
    fn long_messages_are_cut() {
        let read = Traceback::read(&trace(&format!("Exception: {}", "ä".repeat(5000))), &[]);
        assert_eq!(read.message.chars().count(), LONGEST + 1);
    }
}
