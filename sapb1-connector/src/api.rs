//! What a way into SAP B1 must be able to do.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use async_trait::async_trait;
use datawald_backoffice::{NativeOrder, Reference};
use datawald_core::{Cx, Result};
use rust_decimal::Decimal;

/// A way into SAP B1: [`crate::RestfulClient`] or [`crate::ServiceLayerClient`]. [`crate::B1Agency`] works on any.
#[async_trait]
pub trait B1Api: Send + Sync {
    /// What this way in can and cannot do.
    fn capabilities(&self) -> Capabilities;

    /// The documents that stand under each reference, in the order of the references.
    ///
    /// # Errors
    /// Retryable, since nothing is written; permanent for a field name that is none or credentials that are refused.
    async fn look_up(&self, cx: &Cx, references: &[Reference]) -> Result<Vec<Vec<B1Document>>>;

    /// Inserts documents; answers the key or the failure of each, in order. The key is `DocEntry`, or that of
    /// [`B1Document::key`] for a draft that waits for approval.
    ///
    /// # Errors
    /// Of the whole: only where nothing at all was sent. What was sent without a trustworthy answer is `Uncertain`
    /// per document.
    async fn insert(&self, cx: &Cx, docs: &[NativeOrder]) -> Result<Vec<Result<String>>>;

    /// Cancels documents, each by its reference or its key, as the way in has it; answers the key or the failure of each,
    /// in order.
    ///
    /// # Errors
    /// As [`B1Api::insert`].
    async fn cancel(&self, cx: &Cx, orders: &[(&Reference, &str)]) -> Result<Vec<Result<String>>>;

    /// Changes header fields of documents that are still open, by key; each document has the fields that are to change.
    /// Answers whether it was changed, or the failure of each, in order.
    ///
    /// # Errors
    /// As [`B1Api::insert`]; permanent where [`Capabilities::updates`] says that it cannot be done.
    async fn change(&self, cx: &Cx, changes: &[(&str, NativeOrder)]) -> Result<Vec<Result<Changed>>>;

    /// The codes of customers by email, made where there is none and one is wanted; `None` where there is none; in order.
    ///
    /// # Errors
    /// As [`B1Api::look_up`]; permanent where [`Capabilities::partners`] says that it cannot be done.
    async fn partners(&self, cx: &Cx, wanted: &[B1Partner]) -> Result<Vec<Result<Option<String>>>>;

    /// The names and codes that documents may use. Fetched once and kept fresh for a configured time.
    ///
    /// # Errors
    /// Retryable; permanent where credentials are refused.
    async fn codes(&self, cx: &Cx) -> Result<Arc<B1Codes>>;

    /// As [`B1Api::codes`], for an order that fails by those: somebody may have set up meanwhile what it needs. They are
    /// fetched again unless that was done within the last minute.
    ///
    /// # Errors
    /// As [`B1Api::codes`].
    async fn codes_anew(&self, cx: &Cx) -> Result<Arc<B1Codes>>;

    /// Those of the codes that SAP B1 does not have; `None` where the way in does not tell.
    ///
    /// # Errors
    /// As [`B1Api::codes`].
    async fn absent(&self, cx: &Cx, wanted: &B1Absent) -> Result<Option<B1Absent>>;

    /// Which company it is; also the cheapest way to see whether address and credentials are right.
    ///
    /// # Errors
    /// Retryable; permanent where credentials are refused.
    async fn info(&self, cx: &Cx) -> Result<B1Info>;

    /// Whether documents have a field of that name, `reference.udf` or `reference.mark`.
    ///
    /// # Errors
    /// Retryable; permanent where credentials are refused or the name is that of no user-defined field.
    async fn has_field(&self, cx: &Cx, name: &str) -> Result<bool>;

    /// How many requests were sent.
    fn requests_sent(&self) -> u64;

    /// Gives back what the other side holds for this client, as sessions and their licences. No call is taken afterwards.
    async fn close(&self);
}

/// What a way into SAP B1 can and cannot do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// Its name in texts for people.
    pub name: &'static str,
    /// Whether a document may have another currency than the company's main one.
    pub foreign_currency: bool,
    /// Whether a document can be changed once it is there.
    pub updates: bool,
    /// Whether customers can be looked up and made.
    pub partners: bool,
    /// Whether documents can bear a mark in a user-defined field, beside their reference.
    pub marks: bool,
    /// The texts that it cuts.
    pub text_limits: Option<TextLimits>,
}

/// How many characters of a text are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TextLimits {
    /// The bill-to telephone.
    pub telephone: usize,
    /// The street of an address.
    pub street: usize,
    /// First and last name in one.
    pub name: usize,
}

/// A document that a look-up found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct B1Document {
    /// `DocEntry`.
    pub doc_entry: String,
    /// Whether it is cancelled.
    pub cancelled: bool,
    /// Whether it is closed: cancelled, or delivered in full. A delivered one still stands.
    pub closed: bool,
    /// Whether it is no document yet but a draft that waits for approval.
    pub draft: bool,
    /// What it comes to, in its own currency.
    pub total: Option<Decimal>,
    /// Its currency, as ISO 4217 has it where that is known.
    pub currency: Option<String>,
    /// The customer's code.
    pub customer: Option<String>,
    /// What stands in the field for our mark (`reference.mark`).
    pub mark: Option<String>,
}

impl B1Document {
    /// What the document is recorded as: its `DocEntry`, or `draft` and that of the draft, which is of another table.
    pub fn key(&self) -> String {
        if self.draft { format!("draft {}", self.doc_entry) } else { self.doc_entry.clone() }
    }
}

/// What came of a change of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changed {
    /// It has the new values.
    Done,
    /// It is closed, cancelled or a draft, and stays as it is.
    NotOpen,
}

/// A customer that is wanted. `Debug` shows none of it, since it is personal.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct B1Partner {
    /// The email to look for, as the order has it; case does not matter.
    pub email: String,
    /// What to make if there is none.
    pub make: Option<NewPartner>,
}

/// A customer to be made.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct NewPartner {
    /// The code. It must be the same each time for the same customer, so that none is made twice.
    pub card_code: String,
    /// The name.
    pub name: String,
    /// First name of the person who ordered, who becomes its first contact person.
    pub first_name: String,
    /// Last name of that person.
    pub last_name: String,
    /// The telephone number.
    pub phone: String,
}

impl std::fmt::Debug for B1Partner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("B1Partner").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for NewPartner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewPartner").finish_non_exhaustive()
    }
}

/// The names and codes that documents may use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct B1Codes {
    /// Names of expenses (freight).
    pub expenses: Vec<String>,
    /// Names of ways of transport.
    pub transports: Vec<String>,
    /// Codes of ways of payment.
    pub payments: Vec<String>,
    /// ISO codes of the currencies that documents may have, where the way in tells.
    pub currencies: Option<Vec<String>>,
    /// Tax codes with their rates in percent.
    pub taxes: BTreeMap<String, Decimal>,
}

/// Codes of customers and items.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct B1Absent {
    /// `CardCode` of customers.
    pub customers: BTreeSet<String>,
    /// `ItemCode` of items.
    pub items: BTreeSet<String>,
}

/// Which company it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct B1Info {
    /// The database.
    pub company_db: String,
    /// The company's name.
    pub company_name: String,
    /// The server.
    pub server: String,
}
