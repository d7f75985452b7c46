use std::time::{Duration, Instant};

use sapb1_connector::sandbox::service_layer::{Busy, Counters, Faults};
use serde_json::json;

use crate::common::*;

#[tokio::test]
async fn unavailable() {
    let (sandbox, caller) = start(options()).await;
    sandbox.set_faults(faults(|faults| {
        faults.unavailable_every = 2;
        faults.retry_after_s = 3;
    }));
    assert_eq!(caller.get("Orders").await.status, 200);
    let got = caller.get("Orders").await;
    assert_eq!((got.status, got.header("retry-after")), (503, Some("3")));
    sandbox.set_faults(faults(|faults| faults.unavailable_at = [1, 2].into()));
    assert_eq!(caller.get("Orders").await.status, 503);
    sandbox.change_faults(|faults| faults.latency_ms = 1);
    assert_eq!(caller.get("Orders").await.status, 503, "calls are counted on");
    assert_eq!(caller.get("Orders").await.status, 200);
    sandbox.set_faults(faults(|faults| faults.unavailable = true));
    assert_eq!(caller.post("Orders", order("1")).await.status, 503);
    assert_eq!(caller.call("POST", "Logout", None).await.status, 204);
    assert_eq!(sandbox.counters().unavailable, 4);
    assert_eq!(sandbox.counters().documents, 0);
}

#[tokio::test]
async fn answers_that_are_none() {
    let (sandbox, caller) = start(options()).await;
    sandbox.set_faults(faults(|faults| faults.html_every = 1));
    let got = caller.get("Orders").await;
    assert!(got.status == 502 && got.text().starts_with("<!DOCTYPE html>"));
    sandbox.set_faults(faults(|faults| faults.cut_body_every = 1));
    assert!(caller.send("POST", "Orders", Some(order("1").to_string()), &[]).await.is_err());
    sandbox.set_faults(faults(|faults| faults.drop_after_commit_every = 2));
    add(&caller, "2").await;
    assert!(caller.send("POST", "Orders", Some(order("3").to_string()), &[]).await.is_err());
    sandbox.set_faults(faults(|faults| {
        faults.slow_commit_every = 1;
        faults.slow_commit_ms = 1_000;
    }));
    assert_eq!(sandbox.documents().len(), 3);
    assert!(caller.send("POST", "Orders", Some(order("4").to_string()), &[]).await.is_err());
    assert!(sandbox.document("4").is_none());
    let committed = async {
        while sandbox.document("4").is_none() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), committed).await.expect("it is never carried out");
}

#[tokio::test]
async fn latency_of_calls_and_of_orders() {
    let (sandbox, caller) = start(options()).await;
    sandbox.set_faults(faults(|faults| {
        faults.latency_ms = 50;
        faults.order_ms = 100;
    }));
    let began = Instant::now();
    caller.get("Orders").await;
    assert!(began.elapsed().as_millis() >= 50, "{:?}", began.elapsed());
    let began = Instant::now();
    add(&caller, "1").await;
    assert!(began.elapsed().as_millis() >= 150, "{:?}", began.elapsed());
}

#[tokio::test]
async fn calls_beyond_the_capacity() {
    let (sandbox, caller) = start(options()).await;
    let set = |latency_ms, busy| {
        sandbox.set_faults(faults(|faults| {
            faults.latency_ms = latency_ms;
            faults.capacity = 1;
            faults.busy = busy;
        }));
    };
    // So long that all of them are there before the first is done.
    set(1_000, Busy::Refuse);
    let calls = || futures::future::join_all((0..4).map(|_| caller.get("Orders?$top=0")));
    let statuses: Vec<u16> = calls().await.iter().map(|got| got.status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 1, "{statuses:?}");
    assert_eq!(sandbox.counters().at_once_most, 1);

    sandbox.change_faults(|faults| {
        faults.busy = Busy::Slow;
        faults.busy_ms = 200;
    });
    let began = Instant::now();
    assert!(calls().await.iter().all(|got| got.status == 200));
    assert!(began.elapsed().as_millis() >= 1_200, "{:?}", began.elapsed());
    assert_eq!(sandbox.counters().at_once_most, 4);

    set(100, Busy::Wait);
    let began = Instant::now();
    assert!(calls().await.iter().all(|got| got.status == 200));
    assert!(began.elapsed().as_millis() >= 400, "{:?}", began.elapsed());
}

#[tokio::test]
async fn a_capacity_that_grows() {
    let (sandbox, caller) = start(options()).await;
    sandbox.set_faults(faults(|faults| {
        faults.latency_ms = 500;
        faults.capacity = 1;
    }));
    let before = sandbox.counters().requests;
    let (answers, ()) = futures::join!(futures::future::join_all((0..4).map(|_| caller.get("Orders?$top=0"))), async {
        while sandbox.counters().requests < before + 4 {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(sandbox.counters().at_once_most, 1);
        sandbox.change_faults(|faults| faults.capacity = 4);
    });
    assert!(answers.iter().all(|got| got.status == 200));
    assert!(sandbox.counters().at_once_most >= 2);
}

#[tokio::test]
async fn faults_from_another_process() {
    let (sandbox, mut caller) = start(options()).await;
    caller.root = "control/";
    let stall =
        json!({ "latency_ms": 1, "next_link": "whole", "stall_every": 3, "stall_ms": 9000, "stall_reads": true });
    let set = caller.call("PUT", "faults", Some(stall)).await;
    let read: Faults = serde_json::from_slice(&caller.get("faults").await.response.body).unwrap();
    assert!(set.status == 200 && read.latency_ms == 1 && read.refusal_code == -2028);
    assert!((read.stall_every, read.stall_ms, read.stall_reads) == (3, 9000, true));
    assert_eq!(caller.call("PUT", "faults", Some(json!({ "latency": 1 }))).await.status, 400);
    let counters: Counters = serde_json::from_slice(&caller.get("counters").await.response.body).unwrap();
    assert_eq!(counters, sandbox.counters());
    assert_eq!(caller.get("documents").await.json(), json!([]));
    assert_eq!(caller.get("drafts").await.json(), json!([]));
    assert_eq!(caller.get("nothing").await.status, 404);
}
