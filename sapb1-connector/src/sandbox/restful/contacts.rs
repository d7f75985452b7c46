//! Contact persons: looked up by first name, last name and email, and made where there is none.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use super::body::Dict;
use super::python::PyError;

/// The first contact person's code.
const FIRST_CODE: u32 = 60;

/// A contact person, of the first ones only.
pub(super) struct Contact {
    pub(super) card_code: String,
    pub(super) columns: Vec<(&'static str, String)>,
}

#[derive(Default)]
pub(super) struct Contacts {
    known: HashMap<u64, u32>,
    pub(super) kept: Vec<Contact>,
    made: u32,
}

/// Who a contact person is.
pub(super) struct Who<'a> {
    pub(super) card_code: &'a str,
    pub(super) first: &'a str,
    pub(super) last: &'a str,
    pub(super) email: &'a str,
}

impl Contacts {
    pub(super) fn made(&self) -> u32 {
        self.made
    }

    pub(super) fn find(&self, who: &Who<'_>) -> Option<u32> {
        self.known.get(&who.key()).copied()
    }

    /// Makes a contact person; its name ends in the time, so that it is unique.
    pub(super) fn make(&mut self, who: &Who<'_>, tel: &str, address: &str, unix_micros: i64, most: usize) -> u32 {
        let code = FIRST_CODE + self.made;
        self.made += 1;
        self.known.entry(who.key()).or_insert(code);
        if self.kept.len() < most {
            let name: String = format!("{} {}", who.first, who.last).chars().take(36).collect();
            let name = format!("{name} {}.{:02}", unix_micros / 1_000_000, unix_micros / 10_000 % 100);
            let columns = vec![
                ("CntctCode", code.to_string()),
                ("CardCode", who.card_code.to_owned()),
                ("Name", name),
                ("FirstName", who.first.to_owned()),
                ("LastName", who.last.to_owned()),
                ("E_MailL", who.email.to_owned()),
                ("Tel1", tel.to_owned()),
                ("Address", cut(address, 100).into_owned()),
            ];
            self.kept.push(Contact { card_code: who.card_code.to_owned(), columns });
        }
        code
    }

    /// Makes a contact person from what `contacts/insert` sends.
    pub(super) fn insert(
        &mut self,
        card_code: &str,
        sent: &Dict<'_>,
        unix_micros: i64,
        most: usize,
    ) -> Result<u32, PyError> {
        let (first, last) = (sent.text("FirstName")?, sent.text("LastName")?);
        let (tel, email, address) = (sent.text("Tel1")?, sent.text("E_MailL")?, sent.text("Address")?);
        let who = Who { card_code, first: &first, last: &last, email: &email };
        Ok(self.make(&who, &tel, &address, unix_micros, most))
    }
}

impl Who<'_> {
    fn key(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        for part in [self.card_code, self.first, self.last, self.email] {
            part.to_lowercase().hash(&mut hasher);
        }
        hasher.finish()
    }
}

/// What the service does to texts that are too long: over `limit` characters they become one shorter than it.
pub(super) fn cut(text: &str, limit: usize) -> Cow<'_, str> {
    if text.chars().count() > limit {
        Cow::Owned(text.chars().take(limit.saturating_sub(1)).collect())
    } else {
        Cow::Borrowed(text)
    }
}
