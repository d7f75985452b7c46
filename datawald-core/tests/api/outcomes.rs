//! Outcomes that come while others are at work on the same order.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use datawald_core::model::{EntityKey, FlowId, Table, TxStatus};
use datawald_core::store::Claim;
use datawald_core::{Clock, SystemClock};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::world::{Core, handed};

/// How often two are let race.
const RACES: usize = 200;

fn flow() -> FlowId {
    FlowId::new(Table::Orders, "mage2")
}

fn outcome(id: &str, more: Value) -> Value {
    let mut body = json!({"frontend": "mage2", "fe_order_id": id});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_is_of_the_version_that_it_was_decided_on() {
    let core = Core::start().await;
    let token = core.any_scope("agent").await;
    for n in 0..RACES {
        let id = n.to_string();
        let path = format!("/backoffice/order/{id}");
        core.json(&token, "PUT", &path, Some(&handed(&id))).await;
        let mut newer = handed(&id);
        newer["data"]["grand_total"] = json!("99.00");
        let done = outcome(&id, json!({"rev": 1, "bo_order_id": "536", "tx_status": "S"}));
        let (staged, _) = tokio::join!(
            core.json(&token, "PUT", &path, Some(&newer)),
            core.json(&token, "PUT", "/backoffice/orderstatus", Some(&done)),
        );
        assert_eq!(staged.body()["staging"], json!("restaged"));
        let stands = core.store.get(&EntityKey::new(&flow(), id)).await.unwrap().unwrap();
        assert_eq!((stands.rev, stands.status), (2, TxStatus::New), "race {n}: what came later is to be done");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mending_an_outcome_gives_workers_nothing_to_do() {
    let core = Core::of_any_time().await;
    let token = core.any_scope("operator").await;
    core.json(&token, "PUT", "/backoffice/order/1", Some(&handed("1"))).await;
    let write = |n: usize| {
        let body = outcome("1", json!({"tx_status": "I", "tx_note": format!("not wanted, {n}")}));
        let (core, token) = (&core, &token);
        async move { core.json(token, "PUT", "/backoffice/orderstatus", Some(&body)).await.status }
    };
    assert_eq!(write(0).await, 200);
    let stop = Arc::new(AtomicBool::new(false));
    let worker = tokio::spawn({
        let (store, stop) = (core.store.clone(), stop.clone());
        async move {
            let mut taken = 0;
            while !stop.load(Ordering::Relaxed) {
                let claim = Claim {
                    flow: &flow(),
                    keys: None,
                    limit: 10,
                    owner: "worker",
                    lease: Duration::from_millis(1),
                    settle_delay: Duration::ZERO,
                    now: SystemClock.now().into(),
                };
                taken += store.claim(claim).await.unwrap().len();
            }
            taken
        }
    });
    for n in 1..RACES {
        assert_eq!(write(n).await, 200, "mending {n}");
    }
    stop.store(true, Ordering::Relaxed);
    assert_eq!(worker.await.unwrap(), 0, "a worker would have carried out what is not wanted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outcome_is_written_though_its_caller_hangs_up() {
    let core = Core::start().await;
    let token = core.any_scope("operator").await;
    core.json(&token, "PUT", "/backoffice/order/1", Some(&handed("1"))).await;
    let first = outcome("1", json!({"tx_status": "I", "tx_note": "not wanted"}));
    assert_eq!(core.json(&token, "PUT", "/backoffice/orderstatus", Some(&first)).await.status, 200);
    for n in 0..RACES as u64 {
        let body = outcome("1", json!({"tx_status": "I", "tx_note": format!("not wanted, {n}")})).to_string();
        let head = format!(
            "PUT /backoffice/orderstatus HTTP/1.1\r\nHost: core\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        );
        let mut stream = TcpStream::connect(&core.address).await.unwrap();
        stream.write_all(head.as_bytes()).await.unwrap();
        tokio::time::sleep(Duration::from_micros(n * 20)).await;
        drop(stream);
        // What goes on is over in a moment; what was left open would stay so until its time comes.
        let ended = async {
            loop {
                tokio::time::sleep(Duration::from_millis(20)).await;
                let stands = core.store.get(&EntityKey::new(&flow(), "1")).await.unwrap().unwrap();
                if stands.status == TxStatus::Ignored {
                    return;
                }
            }
        };
        let ended = tokio::time::timeout(Duration::from_secs(5), ended).await;
        assert!(ended.is_ok(), "it was left open, hung up {} us after asking", n * 20);
    }
}
