//! Everything that reads answers, by name, for tests that feed it anything.

use std::collections::BTreeMap;

use datawald_core::Result;
use serde::de::DeserializeOwned;
use serde_json::Value;
use url::Url;

use super::answer::{LoggedIn, Marks, Page, key_in_location};
use super::batch::{Answer, Fate, Part, fates, read};
use super::error::Problem;
use super::send::Done;
use super::{change, codes, contacts, currencies, customers, insert, link, look_up};

/// What reads a kind of answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parser {
    /// The answer to a batch, whose boundary is `b` or in its first line, and what came of each request.
    Batch,
    /// The header with the boundary of one.
    BatchType,
    /// An error of either root.
    Error,
    /// The answer to a log-in.
    LogIn,
    /// Etags and nulls.
    Marks,
    /// A page of anything, and where its next link leads.
    Page,
    /// A next link alone.
    NextLink,
    /// Documents and drafts by their numbers.
    Documents,
    /// A document that was made.
    Made,
    /// A document that is to be changed.
    Open,
    /// A `Location`.
    Location,
    /// Customers by their email.
    Customers,
    /// A customer with contact persons.
    Contacts,
    /// Expenses.
    Expenses,
    /// Ways of transport.
    Transports,
    /// Ways of payment.
    Payments,
    /// Sales tax codes.
    SalesTaxes,
    /// Currencies.
    Currencies,
    /// VAT groups, with the rate that is in force.
    VatGroups,
    /// A rate of exchange.
    Rate,
    /// The company.
    Company,
    /// The company's own settings.
    AdminInfo,
}

impl Parser {
    /// All of them.
    pub const ALL: [Self; 22] = [
        Self::Batch,
        Self::BatchType,
        Self::Error,
        Self::LogIn,
        Self::Marks,
        Self::Page,
        Self::NextLink,
        Self::Documents,
        Self::Made,
        Self::Open,
        Self::Location,
        Self::Customers,
        Self::Contacts,
        Self::Expenses,
        Self::Transports,
        Self::Payments,
        Self::SalesTaxes,
        Self::Currencies,
        Self::VatGroups,
        Self::Rate,
        Self::Company,
        Self::AdminInfo,
    ];

    /// Reads `bytes`; answers whether they were understood.
    ///
    /// # Panics
    /// If what was read is more than what came, or leads where no session may be sent.
    pub fn reads(self, bytes: &[u8]) -> bool {
        match self {
            Self::Batch => batch(Some("multipart/mixed;boundary=b"), bytes) | batch(None, bytes),
            Self::BatchType => {
                let one = b"--b\nContent-Type: application/http\n\nHTTP/1.1 200 OK\n\n{}\n--b--";
                std::str::from_utf8(bytes).is_ok_and(|content_type| batch(Some(content_type), one))
            }
            Self::Error => Problem::read(bytes).is_some(),
            Self::LogIn => LoggedIn::read(bytes).is_ok(),
            Self::Marks => Marks::read(bytes).is_ok_and(|marks| marks.etag.is_some() || marks.null),
            Self::Page => page::<Value>(bytes).is_some(),
            Self::NextLink => std::str::from_utf8(bytes).is_ok_and(leads_somewhere),
            Self::Documents => documents(bytes).is_ok_and(|found| found > 0),
            Self::Made => insert::told(&done(bytes, None)).is_some(),
            Self::Open => change::open_etag(&done(bytes, None)).is_ok_and(|open| open.is_some()),
            Self::Location => {
                let Ok(location) = std::str::from_utf8(bytes) else { return false };
                let key = key_in_location(location, "Orders");
                assert!(key.as_ref().is_none_or(|key| key.len() <= location.len()), "a key is a part of its location");
                insert::told(&done(b"", Some(location))).is_some()
            }
            Self::Customers => page::<customers::Customer>(bytes).is_some(),
            Self::Contacts => serde_json::from_slice::<contacts::WithContacts>(bytes).is_ok(),
            Self::Expenses => page::<codes::Expense>(bytes).is_some(),
            Self::Transports => page::<codes::Shipping>(bytes).is_some(),
            Self::Payments => page::<codes::Payment>(bytes).is_some(),
            Self::SalesTaxes => page::<codes::SalesTax>(bytes).is_some(),
            Self::Currencies => page::<currencies::Currency>(bytes).is_some(),
            Self::VatGroups => {
                let today = jiff::civil::date(2026, 1, 31);
                let groups = page::<codes::VatGroup>(bytes);
                groups.is_some_and(|groups| groups.iter().any(|group| codes::rate_of(group, today).is_some()))
            }
            Self::Rate => serde_json::from_slice(bytes).is_ok_and(|answered| currencies::rate_in(&answered).is_some()),
            Self::Company => serde_json::from_slice::<codes::Company>(bytes).is_ok(),
            Self::AdminInfo => main_currency(bytes).is_some(),
        }
    }

    /// What is made of `bytes`, in a few words for each thing, of what was recorded of a real server; `None` for what is not
    /// understood, or of another kind.
    pub fn told(self, bytes: &[u8]) -> Option<Vec<String>> {
        match self {
            Self::Documents => told_documents(bytes),
            Self::Made => Some(vec![insert::told(&done(bytes, None))?]),
            Self::Open => Some(vec![format!("{:?}", change::open_etag(&done(bytes, None)).ok()?)]),
            Self::Customers => {
                let of = |row: customers::Customer| format!("{} {:?}", row.card_code, row.email_address);
                Some(page(bytes)?.into_iter().map(of).collect())
            }
            Self::Contacts => {
                let partner: contacts::WithContacts = serde_json::from_slice(bytes).ok()?;
                let contacts = partner.contact_employees.iter();
                let names = contacts.map(|contact| format!("{} {:?}", partner.card_code, contact.name));
                Some(names.collect())
            }
            Self::SalesTaxes => {
                let of = |row: codes::SalesTax| format!("{} {:?}", row.code, row.rate.map(|rate| rate.to_string()));
                Some(page(bytes)?.into_iter().map(of).collect())
            }
            Self::Currencies => {
                let codes = currencies::by_iso(&BTreeMap::new(), &page::<currencies::Currency>(bytes)?);
                Some(codes.iter().map(|(iso, code)| format!("{iso} {code}")).collect())
            }
            Self::AdminInfo => Some(vec![main_currency(bytes)?]),
            _ => None,
        }
    }
}

fn done(body: &[u8], location: Option<&str>) -> Done {
    Done { body: body.to_vec().into(), location: location.map(str::to_owned) }
}

fn main_currency(bytes: &[u8]) -> Option<String> {
    serde_json::from_slice::<currencies::AdminInfo>(bytes).ok()?.main_currency()
}

/// The documents of a page under the numbers that stand there.
fn told_documents(bytes: &[u8]) -> Option<Vec<String>> {
    let of_rows = rows(bytes).ok()?.value;
    let numbers: Vec<String> = of_rows.iter().filter_map(|row| row.text("NumAtCard").map(str::to_owned)).collect();
    let asked: Vec<&str> = numbers.iter().map(String::as_str).collect();
    let mut found = look_up::Documents::default();
    look_up::take("Orders", "NumAtCard", None, &asked, of_rows, &mut found).ok()?;
    let documents = asked.iter().filter_map(|number| found.get(*number)).flatten();
    Some(documents.map(|it| format!("{} cancelled {} closed {}", it.key(), it.cancelled, it.closed)).collect())
}

fn batch(content_type: Option<&str>, body: &[u8]) -> bool {
    let Ok(answers) = read(content_type, body) else { return false };
    let parts = |answer: &Answer<'_>| match answer {
        Answer::One(_) => 1,
        Answer::Set(parts) => parts.len(),
    };
    assert!(answers.iter().map(parts).sum::<usize>() <= body.len(), "there are no more parts than bytes");
    let count = answers.len();
    for asked in [count.saturating_sub(1), count, count + 1] {
        let fates = fates(answers.clone(), asked);
        assert_eq!(fates.len(), asked, "each request has a fate");
        let last = fates.iter().rev().find(|fate| matches!(fate, Fate::Answered(_)));
        let failed = matches!(last, Some(Fate::Answered(part)) if !part.is_success());
        assert!(failed || !fates.contains(&Fate::NotReached), "only a failure stops a batch");
        for fate in &fates {
            if let Fate::Answered(part) = fate {
                within(part);
            }
        }
    }
    count > 0
}

/// What is done with a part.
fn within(part: &Part<'_>) {
    let location = part.header("Location");
    let _ = (insert::told(&done(part.body, location)), Problem::read(part.body), rows(part.body).is_ok());
}

fn page<T: DeserializeOwned>(bytes: &[u8]) -> Option<Vec<T>> {
    let page = Page::<T>::read(bytes).ok()?;
    if let Some(link) = &page.next_link {
        leads_somewhere(link);
    }
    Some(page.value)
}

fn leads_somewhere(link: &str) -> bool {
    let Ok(root) = Url::parse("https://b1.example.com:50000/b1s/v2/") else { return false };
    let url = link::resolve(&root, link);
    assert!(url.as_ref().is_none_or(|url| url.as_str().starts_with(root.as_str())), "below the root");
    url.is_some()
}

fn rows(bytes: &[u8]) -> Result<Page<look_up::Row>> {
    done(bytes, None).read("look up orders in SAP B1")
}

fn documents(bytes: &[u8]) -> Result<usize> {
    let mut found = look_up::Documents::default();
    let mut count = 0;
    for set in ["Orders", "Drafts"] {
        let rows = rows(bytes)?.value;
        look_up::take(set, "NumAtCard", None, &["000000001", "000000002"], rows, &mut found)?;
        count += found.values().map(Vec::len).sum::<usize>();
    }
    Ok(count)
}
