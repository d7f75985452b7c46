//! The staging store's own suite, over HTTP.

use datawald_core::client::RemoteCore;

use crate::world::Core;

async fn over_http() -> (RemoteCore, Core) {
    let core = Core::of_any_time().await;
    (core.client().await, core)
}

datawald_core::staging_store_conformance!(remote, over_http);
