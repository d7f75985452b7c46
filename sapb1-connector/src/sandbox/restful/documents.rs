//! The documents, kept small: about a hundred bytes each.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use jiff::civil::Date;
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use super::total::Sums;
use crate::sandbox::ByHand;

/// What is told of a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DocumentRecord {
    /// `DocEntry`.
    pub doc_entry: u32,
    /// The order's number, in `NumAtCard` or a user-defined field.
    pub reference: String,
    /// The document's total in the main currency, as the sandbox computed it.
    pub total: Decimal,
    /// The document discount.
    pub discount: Decimal,
    /// All tax.
    pub tax: Decimal,
    /// Expenses before tax.
    pub freight: Decimal,
    /// Whether it is cancelled.
    pub cancelled: bool,
    /// How many lines it has.
    pub lines: u32,
    /// A digest of the order as it was sent; alike for what was sent alike.
    pub digest: String,
}

pub(super) struct Document {
    pub(super) reference: Box<str>,
    /// 0 for `NumAtCard`, else the number of the user-defined field, from 1.
    pub(super) field: u16,
    pub(super) cancelled: bool,
    pub(super) lines: u32,
    pub(super) total: Decimal,
    pub(super) date: Date,
    pub(super) due: Date,
    /// The customer's code, by its place among all codes.
    customer: u32,
    digest: u64,
    /// The next document under the same reference.
    next: u32,
}

/// What a document is made of, besides its number.
pub(super) struct New<'a> {
    pub(super) card_code: &'a str,
    pub(super) lines: u32,
    /// In the main currency.
    pub(super) sums: Sums,
    pub(super) dates: (Date, Date),
    pub(super) sent: &'a [u8],
}

/// Names and addresses, of the first documents only.
#[derive(Default)]
pub(super) struct Details {
    pub(super) card_name: String,
    pub(super) address: String,
    pub(super) address2: String,
    pub(super) billto_county: String,
    pub(super) shipto_county: String,
    pub(super) contact: u32,
}

const NONE: u32 = u32::MAX;

#[derive(Default)]
pub(super) struct Documents {
    first_doc_entry: u32,
    all: Vec<Document>,
    /// Discount, tax and freight of each.
    parts: Vec<[Decimal; 3]>,
    details: Vec<Details>,
    by_hand: HashMap<u32, ByHand>,
    customers: Vec<Box<str>>,
    customers_by_code: HashMap<Box<str>, u32>,
    /// First and last document by the hash of field and reference.
    by_reference: HashMap<u64, (u32, u32)>,
}

/// SQL Server compares without case and blanks at the end.
pub(super) fn same_text(a: &str, b: &str) -> bool {
    let (a, b) = (a.trim_end_matches(' '), b.trim_end_matches(' '));
    a == b || a.to_lowercase() == b.to_lowercase()
}

fn key(field: u16, reference: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    field.hash(&mut hasher);
    reference.trim_end_matches(' ').to_lowercase().hash(&mut hasher);
    hasher.finish()
}

impl Documents {
    pub(super) fn new(first_doc_entry: u32) -> Self {
        Self { first_doc_entry, ..Self::default() }
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    /// Adds a document and answers its place.
    pub(super) fn add(
        &mut self,
        field: u16,
        reference: &str,
        new: &New<'_>,
        details: impl FnOnce() -> Details,
        most_details: usize,
    ) -> u32 {
        let at = u32::try_from(self.all.len()).unwrap_or(NONE);
        let mut hasher = DefaultHasher::new();
        new.sent.hash(&mut hasher);
        let digest = hasher.finish();
        let (date, due) = new.dates;
        let customer = self.customer(new.card_code);
        let reference: Box<str> = reference.into();
        match self.by_reference.entry(key(field, &reference)) {
            std::collections::hash_map::Entry::Vacant(entry) => {
                entry.insert((at, at));
            }
            std::collections::hash_map::Entry::Occupied(mut entry) => {
                let (_, last) = entry.get_mut();
                if let Some(last) = self.all.get_mut(*last as usize) {
                    last.next = at;
                }
                *last = at;
            }
        }
        if self.details.len() < most_details && self.details.len() == self.all.len() {
            self.details.push(details());
        }
        let (lines, total) = (new.lines, new.sums.total);
        let document =
            Document { reference, field, cancelled: false, lines, total, date, due, customer, digest, next: NONE };
        self.parts.push([new.sums.discount, new.sums.tax, new.sums.freight]);
        self.all.push(document);
        at
    }

    fn customer(&mut self, code: &str) -> u32 {
        if let Some(known) = self.customers_by_code.get(code) {
            return *known;
        }
        let at = u32::try_from(self.customers.len()).unwrap_or(NONE);
        self.customers.push(code.into());
        self.customers_by_code.insert(code.into(), at);
        at
    }

    /// Adds a document that somebody enters; answers its place.
    pub(super) fn enter(&mut self, by_hand: ByHand, date: Date) -> u32 {
        let (card_code, reference) = (by_hand.customer.clone(), by_hand.reference.clone());
        let sums = Sums { total: by_hand.local(), ..Sums::default() };
        let new = New { card_code: &card_code, lines: 1, sums, dates: (date, date), sent: b"by hand" };
        let at = self.add(0, &reference, &new, Details::default, 0);
        self.by_hand.insert(at, by_hand);
        at
    }

    pub(super) fn by_hand(&self, at: u32) -> Option<&ByHand> {
        self.by_hand.get(&at)
    }

    pub(super) fn card_code(&self, at: u32) -> &str {
        let customer = self.get(at).and_then(|document| self.customers.get(document.customer as usize));
        customer.map(AsRef::as_ref).unwrap_or_default()
    }

    /// Writes another number into the first document under `reference`; answers whether there is one. Under the other number
    /// nobody finds it, since that is not in the index; under its own it is found again once it has it back.
    pub(super) fn overwrite_reference(&mut self, reference: &str, with: &str) -> bool {
        let document = self.all.iter_mut().find(|document| same_text(&document.reference, reference));
        let found = document.map(|document| document.reference = with.into());
        found.is_some()
    }

    pub(super) fn doc_entry(&self, at: u32) -> u32 {
        self.first_doc_entry.saturating_add(at)
    }

    pub(super) fn get(&self, at: u32) -> Option<&Document> {
        self.all.get(at as usize)
    }

    pub(super) fn get_mut(&mut self, at: u32) -> Option<&mut Document> {
        self.all.get_mut(at as usize)
    }

    pub(super) fn details(&self, at: u32) -> Option<&Details> {
        self.details.get(at as usize)
    }

    /// The places of the documents under a reference, first to last.
    pub(super) fn under(&self, field: u16, reference: &str) -> impl Iterator<Item = u32> {
        let mut at = self.by_reference.get(&key(field, reference)).map_or(NONE, |(first, _)| *first);
        std::iter::from_fn(move || {
            let document = self.all.get(at as usize)?;
            let this = at;
            at = document.next;
            Some(this)
        })
        .filter(move |at| self.get(*at).is_some_and(|document| same_text(&document.reference, reference)))
    }

    pub(super) fn places(&self) -> std::ops::Range<u32> {
        0..u32::try_from(self.all.len()).unwrap_or(NONE)
    }

    pub(super) fn record(&self, at: u32) -> Option<DocumentRecord> {
        let document = self.get(at)?;
        let [discount, tax, freight] = self.parts.get(at as usize).copied().unwrap_or_default();
        Some(DocumentRecord {
            doc_entry: self.doc_entry(at),
            reference: document.reference.to_string(),
            total: document.total,
            discount,
            tax,
            freight,
            cancelled: document.cancelled,
            lines: document.lines,
            digest: format!("{:016x}", document.digest),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_document_is_small() {
        // Beside it: the reference's text and about 30 bytes in the index.
        assert!(size_of::<Document>() <= 72, "{}", size_of::<Document>());
    }
}
