//! A company that does not go on for a while: what was received is carried out then, whoever still waits.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use datawald_backoffice::Backoffice;
use datawald_core::http::{Answered, Broken, Carried, Transport};
use sapb1_connector::B1Agency;
use sapb1_connector::sandbox::{B1Sandbox, Company, Faults, Way};
use tower::ServiceExt;

use crate::common::*;

sapb1_connector::over_both_ways! {
    a_write_waits_and_is_answered_when_the_company_goes_on
    who_hangs_up_while_it_stands_still_stops_nothing
    who_hangs_up_stops_nothing_in_process_either
    who_hangs_up_on_a_slow_company_stops_nothing
    every_write_waits_that_comes_meanwhile
    look_ups_wait_too_if_told
}

const STALL: Duration = Duration::from_millis(600);

/// The company stands still with every n-th write.
fn stall(every: u64, reads: bool) -> Faults {
    let stall_ms = STALL.as_millis().try_into().unwrap();
    Faults { stall_every: every, stall_ms, stall_reads: reads, ..Faults::default() }
}

/// An agency that is logged in and has asked for what it asks once, since it has written order `0`.
async fn warm(sandbox: &B1Sandbox) -> B1Agency {
    let agency = sandbox.agency(settings("")).unwrap();
    insert(&agency, "0").await;
    agency
}

async fn insert(agency: &B1Agency, id: &str) {
    let doc = document(agency, id).await;
    agency.insert_orders(&cx(), &[doc]).await.unwrap().remove(0).unwrap();
}

/// Sends an insert and hangs up as soon as `received` says so.
async fn hang_up(agency: &B1Agency, id: &str, received: impl Fn() -> bool) {
    let doc = [document(agency, id).await];
    let cx = cx();
    tokio::select! {
        done = agency.insert_orders(&cx, &doc) => panic!("it was answered: {done:?}"),
        () = until(received) => {}
    }
}

async fn until(holds: impl Fn() -> bool) {
    let wait = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait).await.unwrap();
}

async fn a_write_waits_and_is_answered_when_the_company_goes_on(way: Way) {
    let sandbox = sandbox(way).await;
    let agency = warm(&sandbox).await;
    sandbox.set_faults(stall(1, false));
    let began = Instant::now();
    insert(&agency, "1").await;
    assert!(began.elapsed() >= STALL, "{:?}", began.elapsed());
    assert_eq!((sandbox.counters().documents, sandbox.counters().stalled), (2, 1));
}

async fn who_hangs_up_while_it_stands_still_stops_nothing(way: Way) {
    let sandbox = sandbox(way).await;
    let agency = warm(&sandbox).await;
    hung_up_on(&sandbox, &agency).await;
}

async fn who_hangs_up_stops_nothing_in_process_either(way: Way) {
    let (sandbox, router) = B1Sandbox::in_process(way, Company::default());
    let rules = settings("");
    let transport: Arc<dyn Transport> = Arc::new(Direct(router));
    let api = sandbox.api_with_http(&rules, |http| http.transport = Some(transport)).unwrap();
    let agency = B1Agency::new(api, rules);
    insert(&agency, "0").await;
    hung_up_on(&sandbox, &agency).await;
}

async fn hung_up_on(sandbox: &B1Sandbox, agency: &B1Agency) {
    sandbox.set_faults(stall(1, false));
    hang_up(agency, "1", || sandbox.counters().stalled == 1).await;
    let found = agency.api().look_up(&cx(), &references(["1"])).await.unwrap();
    assert!(found[0].is_empty(), "it stands still, so the order is not there yet");
    until(|| sandbox.counters().documents == 2).await;
    assert_eq!(sandbox.documents_of("1").len(), 1);
}

async fn who_hangs_up_on_a_slow_company_stops_nothing(way: Way) {
    let sandbox = sandbox(way).await;
    let agency = warm(&sandbox).await;
    let before = sandbox.counters().requests;
    sandbox.set_faults(Faults { latency_ms: 200, ..Faults::default() });
    hang_up(&agency, "1", || sandbox.counters().requests > before).await;
    assert_eq!(sandbox.counters().documents, 1);
    until(|| sandbox.counters().documents == 2).await;
}

async fn every_write_waits_that_comes_meanwhile(way: Way) {
    let sandbox = sandbox(way).await;
    let agency = warm(&sandbox).await;
    sandbox.set_faults(stall(2, false));
    insert(&agency, "1").await;
    assert_eq!(sandbox.counters().stalled, 0, "the first goes on");
    hang_up(&agency, "2", || sandbox.counters().stalled == 1).await;
    hang_up(&agency, "3", || sandbox.counters().stalled == 2).await;
    // It ends by itself, whatever is set.
    sandbox.set_faults(Faults::default());
    assert_eq!(sandbox.counters().documents, 2);
    until(|| sandbox.counters().documents == 4).await;
    insert(&agency, "4").await;
    assert_eq!(sandbox.counters().stalled, 2, "it goes on");
}

async fn look_ups_wait_too_if_told(way: Way) {
    let sandbox = sandbox(way).await;
    let agency = warm(&sandbox).await;
    sandbox.set_faults(stall(1, true));
    let began = Instant::now();
    hang_up(&agency, "1", || sandbox.counters().stalled == 1).await;
    agency.api().look_up(&cx(), &references(["1"])).await.unwrap();
    assert!(began.elapsed() >= STALL, "{:?}", began.elapsed());
    assert_eq!(sandbox.counters().stalled, 2);
    until(|| sandbox.counters().documents == 2).await;
}

/// Calls the sandbox's router, without sockets.
#[derive(Debug)]
struct Direct(Router);

#[async_trait]
impl Transport for Direct {
    async fn exchange(&self, carried: Carried) -> Result<Answered, Broken> {
        let mut request = Request::new(carried.body.map(Body::from).unwrap_or_default());
        (*request.method_mut(), *request.headers_mut()) = (carried.method, carried.headers);
        *request.uri_mut() = carried.url.as_str().parse().unwrap();
        let (parts, body) = self.0.clone().oneshot(request).await.unwrap().into_parts();
        let body = to_bytes(body, carried.max_body).await.map_err(|error| Broken::Cut(Some(error.into())))?;
        Ok(Answered { status: parts.status, headers: parts.headers, body })
    }
}
