//! A Magento 2 to test with: an HTTP server in this process that answers as Magento's REST API does, for orders.
//!
//! It is what examples run on and what an agent of yours can be tested with. It is as strict as Magento: no token, a
//! wrong one or a wrong signature is a 401 in Magento's words; a search without criteria is refused, an unknown column an SQL error
//! (500), and an unknown condition becomes equality. And every fault that a shop shows now and then is a switch ([`Faults`]).
//!
//! ```
//! use mage2_connector::sandbox::{OrderSet, Sandbox, SandboxOptions};
//! use mage2_connector::{Mage2Client, Mage2Settings};
//!
//! # tokio::runtime::Runtime::new()?.block_on(async {
//! let sandbox = Sandbox::start(SandboxOptions { orders: OrderSet::Synthetic(1000), ..Default::default() }).await?;
//! let client = Mage2Client::new(Mage2Settings::bearer(sandbox.url(), sandbox.token()))?;
//! let order = client.order(7).await?;
//! assert!(order.text().contains("\"increment_id\""));
//! assert_eq!(sandbox.counters().orders_served, 1);
//! sandbox.stop().await;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Routes
//!
//! Magento's, with or without a store code (`/rest/V1`, `/rest/default/V1`, `/rest/all/V1`):
//! `POST integration/admin/token`, `GET orders?searchCriteria…`, `GET orders/{id}`, both with `fields=`. All of it also below
//! `/index.php`, as in shops whose web server rewrites nothing.
//!
//! Its own, without authentication, so that it can run as a process of its own: `GET /control/counters`,
//! `GET` and `PUT /control/faults`, `PUT /control/orders` (an order or a list of them), `PUT /control/clock`
//! (`{"now": "2026-01-31T10:00:00Z"}` or `null`).

mod answer;
mod auth;
mod book;
mod control;
mod criteria;
mod damage;
mod faults;
mod fields;
mod filter;
mod fixtures;
mod options;
mod rest;
mod server;
mod state;
mod stored;
mod synthetic;

pub use faults::{Counters, EveryNth, Faults, LateCommit};
pub use fixtures::fixtures;
pub use options::{OrderSet, SandboxOptions, SearchLimits};
pub use server::Sandbox;
