//! A transport of one's own: what it answers and how it breaks is sorted as the default's is.

#![allow(clippy::unwrap_used, missing_docs)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use datawald_core::http::{Answered, Broken, Carried, Http, HttpRequest, HttpSettings, Transport};
use datawald_core::{Disposition, Effect, ErrorKind};
use http::header::HeaderMap;
use http::{Method, StatusCode};

/// Answers once, with what it was given.
#[derive(Debug)]
struct Canned(Mutex<Option<Result<Answered, Broken>>>);

#[async_trait]
impl Transport for Canned {
    async fn exchange(&self, request: Carried) -> Result<Answered, Broken> {
        assert_eq!((request.timeout, request.max_body), (Duration::from_secs(7), 1_000));
        assert_eq!(request.url.as_str(), "https://away.example/a/b");
        self.0.lock().unwrap().take().unwrap()
    }
}

async fn send(effect: Effect, answer: Result<Answered, Broken>) -> datawald_core::Result<StatusCode> {
    let transport: Arc<dyn Transport> = Arc::new(Canned(Mutex::new(Some(answer))));
    let mut settings = HttpSettings::new("https://away.example/a").unwrap();
    (settings.timeout, settings.max_body, settings.transport) = (Duration::from_secs(7), 1_000, Some(transport));
    let http = Http::new(settings).unwrap();
    let request = HttpRequest::new("ask", effect, Method::GET, http.url("b").unwrap());
    let sent = http.send(request).await.map(|response| response.status);
    assert_eq!(http.requests_sent(), 1);
    sent
}

fn answered(status: StatusCode) -> Result<Answered, Broken> {
    Ok(Answered { status, headers: HeaderMap::new(), body: Bytes::new() })
}

#[tokio::test]
async fn answers_pass_and_redirects_do_not() {
    assert_eq!(send(Effect::Write, answered(StatusCode::IM_A_TEAPOT)).await.unwrap(), StatusCode::IM_A_TEAPOT);
    let error = send(Effect::Read, answered(StatusCode::FOUND)).await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::Permanent);
}

#[tokio::test]
async fn failures_are_sorted_by_what_they_leave_open() {
    let retryable = Disposition::Retryable { after: None };
    type Case = (fn() -> Broken, ErrorKind, Disposition);
    let cases: [Case; 4] = [
        (|| Broken::Connect(None), ErrorKind::Unreachable, retryable),
        (|| Broken::Timeout(None), ErrorKind::Timeout, Disposition::Uncertain),
        (|| Broken::Cut(Some("reset".into())), ErrorKind::Protocol, Disposition::Uncertain),
        (|| Broken::TooLarge, ErrorKind::TooLarge, Disposition::Uncertain),
    ];
    for (broken, kind, after_a_write) in cases {
        let error = send(Effect::Write, Err(broken())).await.unwrap_err();
        assert_eq!((error.kind(), error.disposition()), (kind, after_a_write));
        let error = send(Effect::Read, Err(broken())).await.unwrap_err();
        assert_eq!((error.kind(), error.disposition()), (kind, retryable));
    }
}

/// Nothing was sent yet, so an order may be sent again. The limit to connect holds for the handshake too.
#[tokio::test]
async fn a_server_that_never_answers_a_handshake_was_not_reached() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut settings = HttpSettings::new(&format!("https://{}", listener.local_addr().unwrap())).unwrap();
    settings.connect_timeout = Duration::from_millis(100);
    let http = Http::new(settings).unwrap();
    let request = HttpRequest::new("insert", Effect::Write, Method::POST, http.url("orders").unwrap());
    let error = http.send(request).await.unwrap_err();
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::Unreachable, Disposition::Retryable { after: None }));
}
