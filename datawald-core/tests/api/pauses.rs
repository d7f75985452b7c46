//! What the core tells of pauses.

use async_trait::async_trait;
use datawald_core::engine::{Engine, FetchQuery, Flow, Source, SourcePage};
use datawald_core::model::{FlowId, Table};
use datawald_core::{Cx, Disposition, Error, ErrorKind, Result};
use serde_json::json;

use crate::world::Core;

/// A source that lets nobody in.
struct Refusing;

#[async_trait]
impl Source for Refusing {
    async fn fetch(&self, _: &Cx, _: &FetchQuery) -> Result<SourcePage> {
        let (kind, disposition) = (ErrorKind::Unauthorized, Disposition::Permanent);
        Err(Error::new(kind, disposition, "fetch orders", "the token is no longer valid"))
    }
}

/// Whichever process has found that a side cannot be used, the core tells of it, and is ready all the same.
#[tokio::test]
async fn health_tells_of_pauses() {
    let core = Core::start().await;
    let flow = FlowId::new(Table::Orders, "mage2");
    assert!(core.raw("GET", "/health/ready", &[], b"").await.body().get("pauses").is_none());
    let elsewhere = Engine::builder(core.store.clone()).flow(Flow::new(flow.clone()).source(Refusing)).build().unwrap();
    elsewhere.pull(&flow).await.unwrap_err();
    let ready = core.raw("GET", "/health/ready", &[], b"").await;
    assert_eq!((ready.status, &ready.body()["status"]), (200, &json!("ok")));
    let pause = &ready.body()["pauses"][0];
    assert_eq!((&pause["side"], &pause["class"]), (&json!("source"), &json!("unauthorized")));
    assert_eq!(pause["reason"], "the token is no longer valid");
}
