use std::time::Duration;

use jiff::SignedDuration;
use sapb1_connector::sandbox::service_layer::{Sandbox, SandboxOptions, Tls};
use serde_json::json;

use crate::common::*;

#[tokio::test]
async fn a_session_has_two_cookies_and_both_are_needed() {
    let sandbox = Sandbox::start(options()).await.unwrap();
    let mut caller = Caller::new(&sandbox);
    assert_eq!(caller.get("Orders").await.refusal(), (401, 301));
    let got = caller.log_in().await;
    let body = got.json();
    assert_eq!(body["SessionTimeout"], 30);
    assert!(body["odata.metadata"].as_str().unwrap().ends_with("/b1s/v1/$metadata#B1Sessions/@Element"));
    let cookies = caller.cookies.clone().unwrap();
    assert!(cookies.contains(&format!("B1SESSION={}", body["SessionId"].as_str().unwrap())), "{cookies}");
    assert_eq!(caller.get("Orders").await.status, 200);

    let (session, route) = cookies.split_once("; ").unwrap();
    for part in [session, route, "B1SESSION=x; ROUTEID=.node1", &format!("{session}; ROUTEID=.node9")] {
        caller.cookies = Some(part.to_owned());
        assert_eq!(caller.get("Orders").await.refusal(), (401, 301), "{part}");
    }
    caller.cookies = Some(cookies);
    assert_eq!(caller.call("POST", "Logout", None).await.status, 204);
    assert_eq!(caller.get("Orders").await.refusal(), (401, 301));
    let counters = sandbox.counters();
    assert_eq!((counters.logins, counters.logouts, counters.sessions, counters.sessions_most), (1, 1, 0, 1));
    assert_eq!(counters.unauthorized, 6);
}

#[tokio::test]
async fn tls_only() {
    let made = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let (certificate, key) = (made.cert.pem(), made.signing_key.serialize_pem());
    let tls = Some(Tls { certificate: certificate.clone(), key });
    let sandbox = Sandbox::start(SandboxOptions { tls, ..options() }).await.unwrap();
    assert!(sandbox.url().starts_with("https://"));
    assert!(Caller::new(&sandbox).send("GET", "Orders", None, &[]).await.is_err(), "nobody knows the certificate");
    let mut caller = Caller::trusting(&sandbox, Some(certificate));
    assert_eq!(caller.log_in().await.status, 200);
    add(&caller, "1").await;
    sandbox.set_faults(faults(|faults| faults.drop_after_commit_every = 1));
    assert!(caller.send("POST", "Orders", Some(order("2").to_string()), &[]).await.is_err());
    assert_eq!(sandbox.documents().len(), 2);
    let wrong = Some(Tls { certificate: "x".into(), key: "y".into() });
    assert!(Sandbox::start(SandboxOptions { tls: wrong, ..options() }).await.is_err());
}

#[tokio::test]
async fn one_node_needs_no_route() {
    let (_sandbox, mut caller) = start(SandboxOptions { nodes: 1, ..options() }).await;
    let cookies = caller.cookies.take().unwrap();
    caller.cookies = cookies.split_once("; ").map(|(session, _)| session.to_owned());
    assert_eq!(caller.get("Orders").await.status, 200);
}

#[tokio::test]
async fn a_wrong_password_and_the_other_root() {
    let sandbox = Sandbox::start(options()).await.unwrap();
    let mut caller = Caller::new(&sandbox).v2();
    let body = json!({ "CompanyDB": "SBODEMOUS", "UserName": "manager", "Password": "x" });
    let got = caller.post("Login", body).await;
    assert_eq!(got.status, 401);
    assert!(got.json()["error"]["message"].is_string());
    let context = caller.log_in().await.json()["@odata.context"].clone();
    assert!(context.as_str().unwrap().ends_with("/b1s/v2/$metadata#B1Sessions/$entity"));
    assert_eq!(caller.get("Orders").await.status, 200);
}

#[tokio::test]
async fn a_session_ends_after_a_time_without_calls() {
    let clock = clock();
    let options =
        SandboxOptions { clock: clock.clone(), session_timeout: Duration::from_secs(60), ..SandboxOptions::default() };
    let (sandbox, caller) = start(options).await;
    for _ in 0..3 {
        clock.advance(SignedDuration::from_secs(59));
        assert_eq!(caller.get("Orders").await.status, 200);
    }
    clock.advance(SignedDuration::from_secs(60));
    assert_eq!(sandbox.counters().sessions, 0);
    assert_eq!(caller.get("Orders").await.refusal(), (401, 301));
}

#[tokio::test]
async fn no_more_sessions_than_licences() {
    let (sandbox, first) = start(SandboxOptions { licences: 2, ..options() }).await;
    let second = Caller::logged_in(&sandbox).await;
    let mut third = Caller::new(&sandbox);
    assert_eq!(third.log_in().await.refusal(), (401, -131));
    assert_eq!(first.call("POST", "Logout", None).await.status, 204);
    assert_eq!(third.log_in().await.status, 200);
    assert_eq!(second.get("Orders").await.status, 200);
    let counters = sandbox.counters();
    assert_eq!((counters.sessions, counters.sessions_most, counters.logins_refused), (2, 2, 1));
}

#[tokio::test]
async fn sessions_end_on_demand() {
    let (sandbox, mut caller) = start(options()).await;
    sandbox.set_faults(faults(|faults| faults.end_session_at = [2].into()));
    assert_eq!(caller.get("Orders").await.status, 200);
    assert_eq!(caller.get("Orders").await.refusal(), (401, 301));
    assert_eq!(caller.get("Orders").await.refusal(), (401, 301));
    assert_eq!(caller.log_in().await.status, 200);
    assert_eq!(caller.get("Orders").await.status, 200);
}

#[tokio::test]
async fn another_node_takes_over_slowly() {
    let (sandbox, caller) = start(SandboxOptions { nodes: 2, ..options() }).await;
    sandbox.set_faults(faults(|faults| {
        faults.failed_nodes = [2].into();
        faults.fail_over_ms = 500;
    }));
    assert!(caller.cookies.as_ref().unwrap().contains(".node2"), "{:?}", caller.cookies);
    let began = std::time::Instant::now();
    let got = caller.get("Orders").await;
    assert!(got.status == 200 && began.elapsed() >= Duration::from_millis(500));
    assert_eq!(got.header("set-cookie"), Some("ROUTEID=.node1; path=/b1s"));
    let began = std::time::Instant::now();
    let got = caller.get("Orders").await;
    assert!(got.status == 200 && got.header("set-cookie").is_none() && began.elapsed() < Duration::from_millis(500));
}
