//! The core on another machine, over its REST API.
//!
//! [`RemoteCore`] is a [`StagingStore`](crate::store::StagingStore): an engine over it pulls, stages, leases and settles as
//! if the core were in its own process, with the same leases, fences and promises. The core dispatches what is staged by
//! itself, so such an engine takes [`CoreQueue`], unless it is a worker with a queue of its own.
//!
//! ```no_run
//! use std::sync::Arc;
//!
//! use datawald_core::client::{ClientSettings, CoreQueue, RemoteCore};
//! use datawald_core::engine::Engine;
//!
//! # fn example() -> datawald_core::Result<()> {
//! let token = std::env::var("DATAWALD_TOKEN").unwrap_or_default();
//! let core = RemoteCore::new(ClientSettings::new("https://core.example.com", token))?;
//! let engine = Engine::builder(Arc::new(core)).queue(Arc::new(CoreQueue)).build()?;
//! # Ok(())
//! # }
//! ```

mod config;
mod error;
mod queue;
mod store;

pub use config::ClientSettings;
pub use queue::CoreQueue;
pub use store::RemoteCore;
