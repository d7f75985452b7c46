//! What a way into SAP B1 must be able to do.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use datawald_backoffice::{NativeOrder, Reference};
use datawald_core::{Cx, Result};
use rust_decimal::Decimal;

/// A way into SAP B1. [`crate::RestfulClient`] is one; [`crate::B1Agency`] works on any.
#[async_trait]
pub trait B1Api: Send + Sync {
    /// What this way in can and cannot do.
    fn capabilities(&self) -> Capabilities;

    /// The documents that stand under each reference, in the order of the references.
    ///
    /// # Errors
    /// Retryable, since nothing is written; permanent for a field name that is none or credentials that are refused.
    async fn look_up(&self, cx: &Cx, references: &[Reference]) -> Result<Vec<Vec<B1Document>>>;

    /// Inserts documents; answers the key (`DocEntry`) or the failure of each, in order.
    ///
    /// # Errors
    /// Of the whole: only where nothing at all was sent. What was sent without a trustworthy answer is `Uncertain`
    /// per document.
    async fn insert(&self, cx: &Cx, docs: &[NativeOrder]) -> Result<Vec<Result<String>>>;

    /// Cancels documents by reference; answers the key or the failure of each, in order.
    ///
    /// # Errors
    /// As [`B1Api::insert`].
    async fn cancel(&self, cx: &Cx, references: &[&Reference]) -> Result<Vec<Result<String>>>;

    /// The names and codes that documents may use. Fetched once and kept fresh for a configured time.
    ///
    /// # Errors
    /// Retryable; permanent where credentials are refused.
    async fn codes(&self, cx: &Cx) -> Result<Arc<B1Codes>>;

    /// Which company it is; also the cheapest way to see whether address and credentials are right.
    ///
    /// # Errors
    /// Retryable; permanent where credentials are refused.
    async fn info(&self, cx: &Cx) -> Result<B1Info>;
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct B1Document {
    /// `DocEntry`.
    pub doc_entry: String,
    /// Whether it is cancelled. A closed one (delivered in full) still stands.
    pub cancelled: bool,
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
    /// Tax codes with their rates in percent.
    pub taxes: BTreeMap<String, Decimal>,
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
