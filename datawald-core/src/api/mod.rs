//! The core as a service: its REST API, as a router that a host mounts.
//!
//! Two layers of it:
//!
//! - the routes of the resources (`/control/…`, `/backoffice/…`, `/frontend/…`), for agents in any language and for
//!   operators: JSON in and out, idempotent PUTs, problem details (RFC 9457) whose errors name the field by its path;
//! - `/engine/…`, one operation of [`StagingStore`](crate::store::StagingStore) each, for engines on other machines. Nobody
//!   writes to these by hand: [`RemoteCore`](crate::client::RemoteCore) (feature `client`) is the other end.
//!
//! What is taken can be given back: a body in which a name stands twice in an object, half of a surrogate pair stands alone, or a
//! number is beyond a double (I-JSON, RFC 7493) is refused with 422 and the path of it, and `raw` is an object as `data` is.
//! What a pull has brought otherwise is given as a text.
//!
//! Every route but `/health/…` asks for a bearer token with the right [`Scope`]; [`Tokens`] makes and revokes them. TLS is
//! the host's, or a proxy's in front of it: without it, tokens and orders travel in the clear.
//!
//! # Example
//!
//! ```
//! use std::sync::Arc;
//!
//! use datawald_core::api::{Api, ApiSettings, Scope, Tokens};
//! use datawald_core::engine::Engine;
//! use datawald_core::store::SqliteStore;
//! use datawald_core::{Result, SystemClock};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! # let folder = tempfile::tempdir().expect("a folder");
//! # let path = folder.path().join("staging.db");
//! let store = Arc::new(SqliteStore::open(&path)?);
//! let token = Tokens::new(store.clone(), Arc::new(SystemClock)).create("shop", &[Scope::Stage], None).await?;
//! let router = Api::new(Engine::builder(store).build()?, ApiSettings::default())?.router();
//! // datawald_core::api::serve(listener, router, &settings, stop).await
//! # drop((token, router));
//! # Ok(())
//! # }
//! ```

mod auth;
mod documents;
mod health;
mod ijson;
mod input;
mod openapi;
mod problem;
mod routes;
mod serve;
mod settings;
mod tokens;
mod views;

use std::sync::Arc;

use axum::Router;

pub use health::{Part, Readiness, standing};
pub use serve::serve;
pub use settings::ApiSettings;
pub use tokens::{Scope, TokenInfo, Tokens};

use self::auth::Gate;
use crate::Result;
use crate::engine::Engine;
use crate::engine::staging::check_taken;
use crate::model::FlowId;

/// What renders the metrics, in Prometheus' text format.
type Metrics = Arc<dyn Fn() -> String + Send + Sync>;

/// What tells the flows of an installation.
type Flows = Arc<dyn Fn() -> Vec<FlowId> + Send + Sync>;

/// The REST API over an engine: its store, its queue, its clock. The engine needs no flows.
#[must_use]
pub struct Api {
    engine: Engine,
    settings: ApiSettings,
    metrics: Option<Metrics>,
    readiness: Option<Arc<dyn Readiness>>,
    flows: Option<Flows>,
}

/// What every request can reach.
struct Shared {
    engine: Engine,
    settings: ApiSettings,
    gate: Gate,
    metrics: Option<Metrics>,
    readiness: Option<Arc<dyn Readiness>>,
    flows: Option<Flows>,
    document: String,
}

impl Shared {
    /// Refuses what no flow applies, naming the field that tells the flow.
    fn check_flow(&self, path: &str, flow: &FlowId) -> Result<(), problem::Problem> {
        let Some(flows) = &self.flows else { return Ok(()) };
        check_taken(flow, &flows())
            .map_err(|error| problem::Problem::field("find flow", path, error.message().to_owned()))
    }
}

impl Api {
    /// The API over `engine`.
    ///
    /// # Errors
    /// Of kind `Config`, naming a setting that is zero.
    pub fn new(engine: Engine, settings: ApiSettings) -> Result<Self> {
        settings.check()?;
        Ok(Self { engine, settings, metrics: None, readiness: None, flows: None })
    }

    /// With metrics, rendered at each request of `/metrics`.
    pub fn metrics(mut self, render: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.metrics = Some(Arc::new(render));
        self
    }

    /// With what tells whether the host is ready; without it, the store alone is asked.
    pub fn readiness(mut self, readiness: Arc<dyn Readiness>) -> Self {
        self.readiness = Some(readiness);
        self
    }

    /// With the flows that this installation applies, here or elsewhere, asked at each request that stages. What is handed over
    /// of another table, or under a misspelt frontend, is refused with those that there are, instead of waiting for workers
    /// that it does not have. Without them, everything is taken.
    pub fn flows(mut self, flows: impl Fn() -> Vec<FlowId> + Send + Sync + 'static) -> Self {
        self.flows = Some(Arc::new(flows));
        self
    }

    /// The router.
    pub fn router(self) -> Router {
        let tokens = Tokens::new(self.engine.store().clone(), self.engine.shared_clock());
        let shared = Arc::new(Shared {
            gate: Gate::new(tokens, &self.settings),
            engine: self.engine,
            settings: self.settings,
            metrics: self.metrics,
            readiness: self.readiness,
            flows: self.flows,
            document: openapi::document(),
        });
        routes::router(shared)
    }
}

#[doc = include_str!("../docs/api.md")]
pub mod transcript {}

/// What hostile requests come to, as a test counts it.
///
#[doc = include_str!("../docs/api-security.md")]
///
/// Harmless texts are compared on SQLite and on MongoDB: what was handed over under a hostile key is found under that key,
/// and nothing else.
pub mod security {}

/// The OpenAPI 3.1 document of the API, as `/openapi.json` serves it.
pub fn openapi() -> String {
    openapi::document()
}
