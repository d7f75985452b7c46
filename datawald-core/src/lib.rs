//! Keeps e-commerce and ERP in step: what changed on one side is pulled, staged durably, applied to the other side exactly
//! once, and its outcome written back, where an operator can see it, mend it and re-sync it.
//!
//! This crate is the middle of it, and knows neither side:
//!
//! - [`model`]: the canonical documents, staged entities, cuts and sync tasks;
//! - [`store`]: the **staging store**, the one truth of what was pulled and where it stands; [`store::SqliteStore`] keeps it
//!   in a file;
//! - [`queue`]: the **task queue**, which carries wake-ups and distribution and may lose everything; in this process, or
//!   over RabbitMQ (feature `rabbitmq`);
//! - [`engine`]: pull → stage → dispatch → apply → outcome → close, the same for every table;
//! - the core as a service: its REST API (feature `api`), and a client that is a staging store over it (feature `client`);
//! - `schedule` (feature `scheduler`): the **scheduler**, of whose hosts one runs each tick, whichever die;
//! - [`Error`], which carries what is to be done about it ([`Disposition`]), and [`Clock`], so that tests own the time.
//!
//! The two sides are `datawald-frontend` and `datawald-backoffice`, whose steps a connector implements and a project's agent
//! overrides. To see the whole at work, run `cargo run --release --example orders_sync`.
//!
//! # Example
//!
//! A source of one order and a target that takes it; in earnest, these come from a connector.
//!
//! ```
//! use std::sync::Arc;
//!
//! use async_trait::async_trait;
//! use datawald_core::engine::{Applied, Done, Engine, FetchQuery, Flow, Source, SourcePage, Target};
//! use datawald_core::model::{Fingerprint, FlowId, Intent, Table};
//! use datawald_core::store::{Claimed, SqliteStore, StageEntity};
//! use datawald_core::{Cx, Result};
//!
//! struct Shop;
//!
//! #[async_trait]
//! impl Source for Shop {
//!     async fn fetch(&self, _: &Cx, _: &FetchQuery) -> Result<SourcePage> {
//!         let doc = r#"{"fe_order_id":"000000013","grand_total":"396.87"}"#.to_owned();
//!         let order = StageEntity {
//!             id: "7".into(),
//!             name: "000000013".into(),
//!             intent: Intent::Apply,
//!             source_status: "pending".into(),
//!             source_updated_at: None,
//!             fingerprint: Fingerprint::of(doc.as_bytes()),
//!             raw: doc.clone(),
//!             doc,
//!         };
//!         Ok(SourcePage { entities: vec![order], ..SourcePage::default() })
//!     }
//! }
//!
//! struct Erp;
//!
//! #[async_trait]
//! impl Target for Erp {
//!     async fn apply(&self, _: &Cx, batch: &[Claimed]) -> Vec<Applied> {
//!         let done = || Done::Applied { target_id: "536".into(), note: "inserted".into() };
//!         batch.iter().map(|_| Ok(done()).into()).collect()
//!     }
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! # let folder = tempfile::tempdir().expect("a folder");
//! # let path = folder.path().join("staging.db");
//! let flow = FlowId::new(Table::Orders, "mage2");
//! let engine = Engine::builder(Arc::new(SqliteStore::open(&path)?))
//!     .flow(Flow::new(flow.clone()).source(Shop).target(Erp))
//!     .build()?;
//!
//! let first = engine.run_once(&flow).await?;
//! assert_eq!(first.counts.success, 1);
//!
//! let second = engine.run_once(&flow).await?;
//! assert_eq!((second.pulled.unchanged, second.counts.ignored), (1, 1));
//! # Ok(())
//! # }
//! ```
//!
//! # In a service
//!
//! [`engine::Engine::start`] gives a handle that looks after the workers and tells how the flows are. Pulls come when the service wants them, or
//! by a scheduler. Runs may go on at the same time: those of one flow take turns to pull.
//!
//! ```
//! # use std::sync::Arc;
//! # use async_trait::async_trait;
//! # use datawald_core::engine::{Applied, Engine, FetchQuery, Flow, Source, SourcePage, Target};
//! # use datawald_core::model::{FlowId, Table};
//! # use datawald_core::store::{Claimed, SqliteStore};
//! # use datawald_core::{Cx, Result};
//! # struct Shop;
//! # #[async_trait]
//! # impl Source for Shop {
//! #     async fn fetch(&self, _: &Cx, _: &FetchQuery) -> Result<SourcePage> { Ok(SourcePage::default()) }
//! # }
//! # struct Erp;
//! # #[async_trait]
//! # impl Target for Erp {
//! #     async fn apply(&self, _: &Cx, _: &[Claimed]) -> Vec<Applied> { Vec::new() }
//! # }
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<()> {
//! # let folder = tempfile::tempdir().expect("a folder");
//! # let path = folder.path().join("staging.db");
//! let flow = FlowId::new(Table::Orders, "mage2");
//! let engine = Engine::builder(Arc::new(SqliteStore::open(&path)?))
//!     .flow(Flow::new(flow.clone()).source(Shop).target(Erp))
//!     .build()?;
//! let running = engine.start()?;
//!
//! // Whenever there may be something new. An error names what somebody has to mend: a wrong password, say.
//! let report = engine.sync(&flow).await?;
//! assert_eq!(report.counts.failed, 0);
//!
//! // For the service's own health page.
//! assert!(running.health().await?.iter().all(|flow| flow.is_well()));
//!
//! // When the service ends: what is being applied is finished, what is only held is handed back.
//! running.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! None is on by default.
//!
//! | Feature | What it brings |
//! |---|---|
//! | `sqlite` | [`store::SqliteStore`]: the staging store in one file. It links SQLite, and cargo finds one for the whole program beside sqlx (0.8, 0.9) and diesel (2.3). |
//! | `mongodb` | [`store::MongoStore`]: the staging store on MongoDB. The driver compiles with a TLS provider alone: see [`tls`]. |
//! | `rabbitmq` | [`queue::RabbitQueue`]: the task queue on RabbitMQ. |
//! | `scheduler` | [`schedule`]: pulls at their times, once among many hosts. |
//! | `api`, `client` | The core as a service, and the staging store over it. |
//! | `http` | [`http`]: the HTTP layer of the connectors. |
//! | `ring` | [ring](https://docs.rs/ring) as the provider of [`tls`], for programs that install none. |
//! | `testing` | The conformance suites of stores and queues, and what tests share. |
//!
//! # What must always be true
//!
//! Nothing is lost, nothing is doubled, everything ends, one bad entity stops nobody else, and money is decimal. How that is
//! kept is told in the [decisions].

#[cfg(feature = "api")]
pub mod api;
#[cfg(feature = "client")]
pub mod client;
pub mod clock;
mod cx;
pub mod engine;
mod error;
#[cfg(feature = "http")]
pub mod http;
pub mod model;
pub mod queue;
#[cfg(feature = "scheduler")]
pub mod schedule;
pub mod store;
#[cfg(feature = "testing")]
pub mod testing;
#[cfg(any(feature = "http", feature = "rabbitmq"))]
pub mod tls;
#[cfg(any(feature = "api", feature = "client"))]
mod wire;

#[doc = include_str!("docs/proof.md")]
pub mod proof {}

/// The decisions that shaped this library, and why they were made.
pub mod decisions {
    #[doc = include_str!("docs/adr/0001-steps-and-base.md")]
    pub mod adr_0001_steps_and_base {}
    #[doc = include_str!("docs/adr/0002-store-is-the-truth.md")]
    pub mod adr_0002_store_is_the_truth {}
    #[doc = include_str!("docs/adr/0003-cuts.md")]
    pub mod adr_0003_cuts {}
    #[doc = include_str!("docs/adr/0004-in-doubt.md")]
    pub mod adr_0004_in_doubt {}
    #[doc = include_str!("docs/adr/0005-terms-then-document.md")]
    pub mod adr_0005_terms_then_document {}
    #[doc = include_str!("docs/adr/0006-mongodb-without-transactions.md")]
    pub mod adr_0006_mongodb_without_transactions {}
    #[doc = include_str!("docs/adr/0007-lost-workers-and-queues.md")]
    pub mod adr_0007_lost_workers_and_queues {}
    #[doc = include_str!("docs/adr/0008-the-core-as-a-service.md")]
    pub mod adr_0008_the_core_as_a_service {}
    #[doc = include_str!("docs/adr/0009-scheduler.md")]
    pub mod adr_0009_scheduler {}
    #[doc = include_str!("docs/adr/0010-the-stores-clock.md")]
    pub mod adr_0010_the_stores_clock {}
    #[doc = include_str!("docs/adr/0011-identity.md")]
    pub mod adr_0011_identity {}
    #[doc = include_str!("docs/adr/0012-pauses.md")]
    pub mod adr_0012_pauses {}
    #[doc = include_str!("docs/adr/0013-numbers-in-json.md")]
    pub mod adr_0013_numbers_in_json {}
    #[doc = include_str!("docs/adr/0014-a-guest-in-the-program.md")]
    pub mod adr_0014_a_guest_in_the_program {}
}

pub use clock::{Clock, ManualClock, Now, SystemClock};
pub use cx::{Checkpoint, Cx, Observer};
pub use error::{Concern, Disposition, Effect, Error, ErrorKind, Result};
