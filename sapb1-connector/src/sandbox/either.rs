//! A sandbox of either way in, with what both have in common.

use std::io;
use std::sync::Arc;

use axum::Router;
use datawald_core::Result;
use datawald_core::http::HttpSettings;
use rust_decimal::Decimal;
use serde_json::Value;

use super::by_hand::ByHand;
use super::company::{COMPANY_DB, Company, LOGIN};
use super::faults::Faults;
use super::way::Way;
use super::{restful, service_layer};
use crate::{B1Agency, B1Api, B1Settings, RestfulClient, RestfulSettings, ServiceLayerClient, ServiceLayerSettings};

/// A running sandbox of either way in. It stops when it is dropped.
#[derive(Debug)]
pub enum B1Sandbox {
    /// SAP B1 RESTful.
    Restful(restful::Sandbox),
    /// The Service Layer.
    ServiceLayer(service_layer::Sandbox),
}

/// A document in a sandbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Document {
    /// `DocEntry`.
    pub doc_entry: i64,
    /// What it comes to in its own currency, as the sandbox computed it.
    pub total: Decimal,
    /// The document discount in it.
    pub discount: Decimal,
    /// All tax in it.
    pub tax: Decimal,
    /// The expenses in it, before tax.
    pub freight: Decimal,
    /// How many lines it has.
    pub lines: usize,
    /// Whether it is cancelled.
    pub cancelled: bool,
}

/// What a sandbox has counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counters {
    /// All requests.
    pub requests: u64,
    /// Requests that were refused for want of a log-in that holds.
    pub unauthorized: u64,
    /// What was asked to be written: requests that write of SAP B1 RESTful. Over the Service Layer each order that is to be
    /// added, changed or cancelled, since look-ups come in batches too, which are told apart by what is in them.
    pub writes: u64,
    /// Documents there are, cancelled ones included.
    pub documents: u64,
    /// Cancelled documents.
    pub cancelled: u64,
    /// Calls that waited for a company that did not go on.
    pub stalled: u64,
}

impl B1Sandbox {
    /// Starts a sandbox on the current tokio runtime, at any port that is free.
    ///
    /// # Errors
    /// If no port can be had.
    pub async fn start(way: Way, company: Company) -> io::Result<Self> {
        Self::start_at(way, company, 0).await
    }

    /// As [`B1Sandbox::start`], at that port.
    ///
    /// # Errors
    /// If the port cannot be had.
    pub async fn start_at(way: Way, company: Company, port: u16) -> io::Result<Self> {
        match way {
            Way::Restful => restful::Sandbox::start(company.over_restful(port)).await.map(Self::Restful),
            Way::ServiceLayer => {
                service_layer::Sandbox::start(company.over_service_layer(port)).await.map(Self::ServiceLayer)
            }
        }
    }

    /// A sandbox that listens nowhere, and what answers in its place; see [`restful::Sandbox::in_process`]. For a client of it,
    /// give `http.transport` of the settings what calls the router.
    pub fn in_process(way: Way, company: Company) -> (Self, Router) {
        match way {
            Way::Restful => {
                let (sandbox, router) = restful::Sandbox::in_process(company.over_restful(0));
                (Self::Restful(sandbox), router)
            }
            Way::ServiceLayer => {
                let (sandbox, router) = service_layer::Sandbox::in_process(company.over_service_layer(0));
                (Self::ServiceLayer(sandbox), router)
            }
        }
    }

    /// Which way in it is.
    pub fn way(&self) -> Way {
        match self {
            Self::Restful(_) => Way::Restful,
            Self::ServiceLayer(_) => Way::ServiceLayer,
        }
    }

    /// Its address, as `http://127.0.0.1:41234`.
    pub fn url(&self) -> String {
        match self {
            Self::Restful(sandbox) => sandbox.url(),
            Self::ServiceLayer(sandbox) => sandbox.url(),
        }
    }

    /// A client of it that logs in with [`LOGIN`].
    ///
    /// # Errors
    /// Of kind `Config` if `rules` do not hold.
    pub fn api(&self, rules: &B1Settings) -> Result<Arc<dyn B1Api>> {
        self.api_with_password(rules, LOGIN.1)
    }

    /// As [`B1Sandbox::api`], but with this password, right or wrong.
    ///
    /// # Errors
    /// Of kind `Config` if `rules` do not hold.
    pub fn api_with_password(&self, rules: &B1Settings, password: &str) -> Result<Arc<dyn B1Api>> {
        self.client(rules, password, |_| {})
    }

    /// As [`B1Sandbox::api`], but with HTTP settings changed: another transport, other limits.
    ///
    /// # Errors
    /// As [`B1Sandbox::api`].
    pub fn api_with_http(&self, rules: &B1Settings, change: impl FnOnce(&mut HttpSettings)) -> Result<Arc<dyn B1Api>> {
        self.client(rules, LOGIN.1, change)
    }

    fn client(
        &self,
        rules: &B1Settings,
        password: &str,
        change: impl FnOnce(&mut HttpSettings),
    ) -> Result<Arc<dyn B1Api>> {
        let (url, password) = (self.url(), password.into());
        Ok(match self {
            Self::Restful(_) => {
                let mut settings = RestfulSettings::new(&url, LOGIN.0, password, rules)?;
                change(&mut settings.http);
                Arc::new(RestfulClient::new(settings)?)
            }
            Self::ServiceLayer(_) => {
                let mut settings = ServiceLayerSettings::new(&url, COMPANY_DB, LOGIN.0, password, rules)?;
                change(&mut settings.http);
                Arc::new(ServiceLayerClient::new(settings)?)
            }
        })
    }

    /// An agency over it.
    ///
    /// # Errors
    /// As [`B1Sandbox::api`].
    pub fn agency(&self, rules: B1Settings) -> Result<B1Agency> {
        Ok(B1Agency::new(self.api(&rules)?, rules))
    }

    /// What was asked of it, and what came of it.
    pub fn counters(&self) -> Counters {
        match self {
            Self::Restful(sandbox) => {
                let counted = sandbox.counters();
                Counters {
                    requests: counted.requests,
                    unauthorized: counted.unauthorized,
                    writes: counted.writes,
                    documents: counted.documents,
                    cancelled: counted.cancelled,
                    stalled: counted.stalled,
                }
            }
            Self::ServiceLayer(sandbox) => {
                let counted = sandbox.counters();
                Counters {
                    requests: counted.requests,
                    unauthorized: counted.unauthorized,
                    writes: counted.inserts + counted.updates + counted.cancels,
                    documents: counted.documents,
                    cancelled: counted.cancelled,
                    stalled: counted.stalled,
                }
            }
        }
    }

    /// The documents under a number, in `NumAtCard` or a user-defined field, oldest first.
    pub fn documents_of(&self, reference: &str) -> Vec<Document> {
        match self {
            Self::Restful(sandbox) => sandbox.documents_of(reference).iter().map(Document::from).collect(),
            Self::ServiceLayer(sandbox) => sandbox.documents_of(reference).iter().map(Document::from).collect(),
        }
    }

    /// The first document under a number.
    pub fn document(&self, reference: &str) -> Option<Document> {
        self.documents_of(reference).into_iter().next()
    }

    /// Has somebody write another number into the first document under `reference`, as people do who want the customer's own
    /// order number there. Answers whether there was one.
    pub fn overwrite_reference(&self, reference: &str, with: &str) -> bool {
        match self {
            Self::Restful(sandbox) => sandbox.overwrite_reference(reference, with),
            Self::ServiceLayer(sandbox) => sandbox.overwrite_reference(reference, with),
        }
    }

    /// Has somebody enter a document, as people do without any way in; its `DocEntry`.
    pub fn enter(&self, document: ByHand) -> i64 {
        match self {
            Self::Restful(sandbox) => sandbox.enter(document).into(),
            Self::ServiceLayer(sandbox) => sandbox.enter(document),
        }
    }

    /// Sets what goes wrong from now on, and counts calls anew for it.
    pub fn set_faults(&self, faults: Faults) {
        match self {
            Self::Restful(sandbox) => sandbox.set_faults(faults.into()),
            Self::ServiceLayer(sandbox) => sandbox.set_faults(faults.into()),
        }
    }
}

impl From<&restful::DocumentRecord> for Document {
    fn from(record: &restful::DocumentRecord) -> Self {
        Self {
            doc_entry: record.doc_entry.into(),
            total: record.total,
            discount: record.discount,
            tax: record.tax,
            freight: record.freight,
            lines: record.lines.try_into().unwrap_or(usize::MAX),
            cancelled: record.cancelled,
        }
    }
}

impl From<&service_layer::DocumentRecord> for Document {
    fn from(record: &service_layer::DocumentRecord) -> Self {
        let lines = record.body.get("DocumentLines").and_then(Value::as_array).map_or(0, Vec::len);
        let [discount, tax, freight] = record.parts();
        let (doc_entry, total, cancelled) = (record.doc_entry, record.total, record.cancelled);
        Self { doc_entry, total, discount, tax, freight, lines, cancelled }
    }
}
