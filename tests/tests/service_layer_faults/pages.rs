//! A server whose pages do not come to an end.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::Router;
use axum::extract::State;
use axum::http::Uri;
use axum::response::{IntoResponse, Json, Response};
use datawald_core::model::{FlowId, Table};
use datawald_core::{Cx, Disposition, Error, ErrorKind};
use sapb1_connector::{B1Api, B1Settings, ServiceLayerClient, ServiceLayerSettings};
use serde_json::{Value, json};

/// How the pages of the expenses are.
#[derive(Clone)]
struct Pages {
    rows: usize,
    /// Whether a page names itself as the next one, or one that was not there before.
    itself: bool,
    asked: Arc<AtomicU64>,
}

async fn answer(State(pages): State<Pages>, uri: Uri) -> Response {
    let body = match uri.path() {
        "/b1s/v2/Login" => json!({ "SessionId": "1", "Version": "1000190", "SessionTimeout": 30 }),
        "/b1s/v2/AdditionalExpenses" => {
            let count = pages.asked.fetch_add(1, Ordering::SeqCst) + 1;
            let rows: Vec<Value> = (0..pages.rows).map(|code| json!({ "ExpensCode": code, "Name": "x" })).collect();
            let next = if pages.itself { uri.to_string() } else { format!("AdditionalExpenses?$skip={count}") };
            json!({ "value": rows, "@odata.nextLink": next })
        }
        _ => json!({ "value": [] }),
    };
    Json(body).into_response()
}

/// What reading the company's codes comes to, and how many pages were asked for.
async fn codes(rows: usize, itself: bool) -> (Error, u64) {
    let pages = Pages { rows, itself, asked: Arc::default() };
    let asked = pages.asked.clone();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let app = Router::new().fallback(answer).with_state(pages);
    let server = tokio::spawn(async move { axum::serve(listener, app).await });
    let settings = ServiceLayerSettings::new(&url, "DB", "manager", "1234".into(), &B1Settings::default()).unwrap();
    let client = ServiceLayerClient::new(settings).unwrap();
    let cx = Cx::new(FlowId::new(Table::Orders, "mage2"));
    let error = client.codes(&cx).await.unwrap_err();
    server.abort();
    (error, asked.load(Ordering::SeqCst))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_answer_without_an_end_is_given_up_before_it_fills_the_memory() {
    let (error, pages) = codes(80_000, false).await;
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::TooLarge, Disposition::Retryable { after: None }));
    assert!(error.to_string().contains("after 240000 rows, the most being 200000"), "{error}");
    assert_eq!(pages, 3);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_that_names_itself_as_the_next_is_no_end() {
    let (error, pages) = codes(2, true).await;
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::Protocol, Disposition::Retryable { after: None }));
    assert!(error.to_string().contains("incomplete"), "{error}");
    assert_eq!(pages, 1);
}
