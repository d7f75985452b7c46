//! The client: an engine over it, and what it does when the core is away.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use datawald_core::api::{ApiSettings, Scope};
use datawald_core::client::{ClientSettings, CoreQueue, RemoteCore};
use datawald_core::engine::{Applied, Done, Engine, FetchQuery, Flow, Source, SourcePage, Target};
use datawald_core::model::{EntityKey, Fingerprint, FlowId, Intent, SyncStatus, Table};
use datawald_core::queue::TaskQueue;
use datawald_core::store::{Claimed, EntityFilter, Push, StageEntity, StagingStore};
use datawald_core::{Cx, Disposition, ErrorKind, Result};
use futures::TryStreamExt;
use jiff::{SignedDuration, Timestamp};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::world::Core;

fn entity(n: usize) -> StageEntity {
    let doc = format!("{{\"fe_order_id\":\"{n}\"}}");
    StageEntity {
        id: n.to_string(),
        name: n.to_string(),
        intent: Intent::Apply,
        source_status: "pending".into(),
        source_updated_at: None,
        fingerprint: Fingerprint::of(doc.as_bytes()),
        raw: doc.clone(),
        doc,
    }
}

struct Shop;

#[async_trait]
impl Source for Shop {
    async fn fetch(&self, _: &Cx, query: &FetchQuery) -> Result<SourcePage> {
        let from = query.after.as_ref().map_or(0, |cursor| cursor.0.as_str().parse().unwrap());
        let entities = (from..from + 20).map(entity).collect();
        let next = (from < 80).then(|| datawald_core::engine::Cursor((from + 20).to_string()));
        Ok(SourcePage { entities, next, ..SourcePage::default() })
    }
}

struct Erp(Arc<AtomicU64>);

#[async_trait]
impl Target for Erp {
    async fn apply(&self, _: &Cx, batch: &[Claimed]) -> Vec<Applied> {
        self.0.fetch_add(batch.len() as u64, Ordering::SeqCst);
        let done = |claimed: &Claimed| {
            Ok(Done::Applied { target_id: format!("B1-{}", claimed.key.id), note: String::new() }).into()
        };
        batch.iter().map(done).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_engine_does_not_know_where_its_core_is() {
    let core = Core::of_any_time().await;
    let flow = FlowId::new(Table::Orders, "mage2");
    let applied = Arc::new(AtomicU64::new(0));
    // One machine pulls, another applies; neither has store or queue.
    let frontend = Engine::builder(Arc::new(core.client().await))
        .queue(Arc::new(CoreQueue))
        .flow(Flow::new(flow.clone()).source(Shop))
        .build()
        .unwrap();
    let token = core.any_scope("worker").await;
    let remote =
        RemoteCore::new(ClientSettings::new(format!("http://{}", core.address), SecretString::from(token))).unwrap();
    let worker = Engine::builder(Arc::new(remote))
        .queue(Arc::new(CoreQueue))
        .flow(Flow::new(flow.clone()).target(Erp(applied.clone())))
        .build()
        .unwrap();
    let workers = worker.start_workers(&flow).unwrap();
    let report = frontend.sync(&flow).await.unwrap();
    workers.stop().await.unwrap();
    assert_eq!((report.counts.success, report.counts.total()), (100, 100));
    assert_eq!(report.sync_task.status, SyncStatus::Completed);
    assert_eq!(applied.load(Ordering::SeqCst), 100);
    // The core has dispatched what was staged over its API.
    let mut dispatched = 0;
    while let Some(task) = core.queue.receive(&flow, Duration::ZERO).await.unwrap() {
        dispatched += task.message.keys.len();
    }
    assert_eq!(dispatched, 100);
}

#[tokio::test]
async fn what_no_flow_applies_is_refused_at_once() {
    let flow = FlowId::new(Table::Orders, "mage2");
    let core = Core::with_flows(std::slice::from_ref(&flow)).await;
    let client = core.client().await;
    let now = client.time().await.unwrap().unwrap();
    let push = || vec![Push { entity: entity(1), if_rev: None }];
    assert_eq!(client.push(&flow, push(), now.into()).await.unwrap().len(), 1);
    for other in [FlowId::new(Table::Orders, "mage"), FlowId::new(Table::Shipments, "mage2")] {
        let before = client.requests_sent();
        let error = client.push(&other, push(), now.into()).await.unwrap_err();
        assert_eq!((error.kind(), error.disposition()), (ErrorKind::Invalid, Disposition::Rejected));
        assert!(error.to_string().contains("there are flows of: orders of mage2"), "{error}");
        let error = client.acquire_pull(&other, "puller", now, now + SignedDuration::from_secs(9)).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Invalid);
        assert_eq!(client.requests_sent() - before, 2, "it is not tried again");
    }
}

#[tokio::test]
async fn long_lists_come_page_by_page() {
    let core = Core::of_any_time().await;
    let client = core.client().await;
    let flow = FlowId::new(Table::Orders, "mage2");
    for part in 0..3 {
        let pushes = (part * 500..part * 500 + 500).map(|n| Push { entity: entity(n), if_rev: None }).collect();
        client.push(&flow, pushes, Timestamp::now().into()).await.unwrap();
    }
    let before = client.requests_sent();
    let filter = EntityFilter { limit: 400, ..EntityFilter::default() };
    let all: Vec<_> = client.entities(filter).try_collect().await.unwrap();
    assert_eq!((all.len(), client.requests_sent() - before), (1_500, 4));
}

#[tokio::test]
async fn what_a_token_may_not_do_is_told() {
    let core = Core::of_any_time().await;
    let with = |token: String| {
        let settings = ClientSettings::new(format!("http://{}", core.address), SecretString::from(token));
        RemoteCore::new(settings).unwrap()
    };
    let key = EntityKey { table: Table::Orders, frontend: "mage2".into(), id: "1".into() };
    let error =
        with(core.token("reader", &[Scope::Read]).await).resync(&key, Timestamp::now().into()).await.unwrap_err();
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::Unauthorized, Disposition::Permanent));
    assert!(error.to_string().contains("does not have the scope `operate`"), "{error}");
    let error = with("dw_nobody_x".to_owned()).get(&key).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unauthorized);
    assert!(error.to_string().contains("the token is not known"), "{error}");
    assert!(!format!("{error:?}").contains("dw_nobody"), "{error:?}");
    let error = RemoteCore::new(ClientSettings::new("core", "t")).unwrap_err();
    assert_eq!((error.kind(), error.field_path()), (ErrorKind::Config, Some("url")));
    let error = RemoteCore::new(ClientSettings::new("http://core", "a\nb")).unwrap_err();
    assert_eq!((error.kind(), error.field_path()), (ErrorKind::Config, Some("token")));
}

#[tokio::test]
async fn an_error_of_the_core_arrives_as_it_was() {
    let core = Core::of_any_time().await;
    let client = core.client().await;
    let filter = EntityFilter { after: Some("nowhere".into()), ..EntityFilter::default() };
    let (here, there) = (core.store.list(&filter).await.unwrap_err(), client.list(&filter).await.unwrap_err());
    assert_eq!(
        (here.kind(), here.disposition(), here.to_string()),
        (there.kind(), there.disposition(), there.to_string())
    );
}

/// What stands between client and core, and fails in its own ways.
async fn proxy(core: String, mut answers: Vec<&'static str>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    answers.reverse();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            match answers.pop() {
                Some("drop") => {}
                // The core does it, and its answer is lost.
                Some("lose") => {
                    let mut request = vec![0; 65_536];
                    let read = stream.read(&mut request).await.unwrap();
                    let mut there = tokio::net::TcpStream::connect(&core).await.unwrap();
                    there.write_all(&request[..read]).await.unwrap();
                    let mut answer = vec![0; 1_024];
                    assert!(there.read(&mut answer).await.unwrap() > 0);
                }
                Some(answer) => {
                    let mut request = vec![0; 65_536];
                    let _ = stream.read(&mut request).await;
                    stream.write_all(answer.as_bytes()).await.unwrap();
                }
                None => {
                    let mut there = tokio::net::TcpStream::connect(&core).await.unwrap();
                    tokio::spawn(async move { tokio::io::copy_bidirectional(&mut stream, &mut there).await });
                }
            }
        }
    });
    address
}

#[tokio::test]
async fn what_is_safe_is_tried_again() {
    let core = Core::of_any_time().await;
    let token = core.any_scope("client").await;
    let failing = vec![
        "drop",
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
        "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 9\r\nConnection: close\r\n\r\n<html></h",
        "lose",
        "HTTP/1.1 429 Too Many\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    ];
    let address = proxy(core.address.clone(), failing).await;
    let client = RemoteCore::new(ClientSettings::new(format!("http://{address}"), SecretString::from(token))).unwrap();
    assert!(client.write_record("leader", 0, "me").await.unwrap());
    assert_eq!(client.requests_sent(), 6);
    assert_eq!(core.store.record("leader").await.unwrap().unwrap().rev, 1);
}

#[tokio::test]
async fn patience_ends() {
    let token = SecretString::from("dw_a_b".to_owned());
    let mut settings = ClientSettings::new("http://127.0.0.1:1", token);
    settings.patience_ms = 500;
    let client = RemoteCore::new(settings).unwrap();
    let error = client.cut(&FlowId::new(Table::Orders, "mage2")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(client.requests_sent() > 1);
    let address =
        proxy(String::new(), vec!["HTTP/1.1 404 Not Found\r\nContent-Length: 6\r\nConnection: close\r\n\r\n<html>"])
            .await;
    let client = RemoteCore::new(ClientSettings::new(format!("http://{address}"), "dw_a_b".to_owned())).unwrap();
    let error = client.cut(&FlowId::new(Table::Orders, "mage2")).await.unwrap_err();
    assert!(error.to_string().contains("does the URL lead to its API"), "{error}");
    let endless = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 18446744073709551615\r\nContent-Length: 0\r\n\r\n";
    let address = proxy(String::new(), vec![endless]).await;
    let client = RemoteCore::new(ClientSettings::new(format!("http://{address}"), "dw_a_b".to_owned())).unwrap();
    let error = client.cut(&FlowId::new(Table::Orders, "mage2")).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
}

#[tokio::test]
async fn a_core_that_limits_its_callers_is_waited_for() {
    let settings = ApiSettings { requests_per_second: 20, burst: 5, ..ApiSettings::default() };
    let core = Core::with(settings).await;
    let client = core.client().await;
    for _ in 0..15 {
        client.cut(&FlowId::new(Table::Orders, "mage2")).await.unwrap();
    }
    assert!(client.requests_sent() > 15);
}
