//! What goes wrong on the way: a clear error with the right disposition, and nothing personal in it.

use std::time::Duration;

use datawald_core::{Disposition, Error, ErrorKind};
use mage2_connector::sandbox::{EveryNth, Faults, OrderSet};
use mage2_connector::{Condition, Mage2Client, Mage2Settings, SearchCriteria, render_message};
use serde_json::Value;

use crate::common::*;

const RETRY: Disposition = Disposition::Retryable { after: None };

async fn failure(faults: Faults) -> Error {
    let sandbox = sandbox(OrderSet::Fixtures).await;
    sandbox.set_faults(faults);
    let settings = Mage2Settings { max_body: 1 << 20, timeout: Duration::from_millis(2000), ..settings(&sandbox) };
    let client = Mage2Client::new(settings).unwrap();
    let error = client.orders_page(&all(5)).await.unwrap_err();
    assert_no_personal_data(&error);
    assert!(error.to_string().starts_with("fetch orders: "), "{error}");
    sandbox.set_faults(Faults::default());
    assert_eq!(client.orders_page(&all(5)).await.unwrap().docs.len(), 5, "it works again");
    error
}

#[tokio::test]
async fn too_many_requests() {
    let nth = Some(EveryNth { every: 1, retry_after_secs: Some(7) });
    let error = failure(Faults { too_many_requests: nth, ..Faults::default() }).await;
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert_eq!(error.disposition(), Disposition::Retryable { after: Some(Duration::from_secs(7)) });
    assert!(error.to_string().contains("Too Many Requests"), "{error}");
}

#[tokio::test]
async fn unavailable() {
    let nth = Some(EveryNth { every: 1, retry_after_secs: None });
    let error = failure(Faults { unavailable: nth, ..Faults::default() }).await;
    assert_eq!((error.kind(), error.disposition(), error.code_text()), (ErrorKind::Busy, RETRY, Some("503")));
}

#[tokio::test]
async fn a_page_of_html_with_status_200() {
    let error = failure(Faults { html: true, ..Faults::default() }).await;
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::Protocol, RETRY));
    assert!(error.to_string().contains("HTML"), "{error}");
}

#[tokio::test]
async fn a_body_cut_short() {
    let error = failure(Faults { cut_body: true, ..Faults::default() }).await;
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::Protocol, RETRY));
    assert!(error.to_string().contains("broke before the whole answer"), "{error}");
}

#[tokio::test]
async fn invalid_json() {
    let error = failure(Faults { invalid_json: true, ..Faults::default() }).await;
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::Protocol, RETRY));
    assert!(error.to_string().contains("invalid JSON at line 1"), "{error}");
}

#[tokio::test]
async fn a_body_of_200_mb() {
    let error = failure(Faults { huge_body_bytes: Some(200 << 20), ..Faults::default() }).await;
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("max_body"), "{error}");
}

#[tokio::test]
async fn no_answer_in_time() {
    let sandbox = sandbox(OrderSet::Fixtures).await;
    sandbox.set_faults(Faults { latency_ms: 60_000, ..Faults::default() });
    let settings = Mage2Settings { timeout: Duration::from_millis(50), ..settings(&sandbox) };
    let error = Mage2Client::new(settings).unwrap().orders_page(&all(5)).await.unwrap_err();
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::Timeout, RETRY));
}

#[tokio::test]
async fn every_third_request_only() {
    let sandbox = sandbox(OrderSet::Fixtures).await;
    let nth = Some(EveryNth { every: 3, retry_after_secs: Some(1) });
    sandbox.set_faults(Faults { too_many_requests: nth, ..Faults::default() });
    let client = client(&sandbox);
    let mut worked = Vec::new();
    for _ in 0..6 {
        worked.push(client.orders_page(&all(5)).await.is_ok());
    }
    assert_eq!(worked, [true, true, false, true, true, false]);
    assert_eq!(sandbox.counters().faulted, 2);
}

#[tokio::test]
async fn nobody_is_there() {
    let sandbox = sandbox(OrderSet::Empty).await;
    let settings = settings(&sandbox);
    sandbox.stop().await;
    let error = Mage2Client::new(settings).unwrap().orders_page(&all(5)).await.unwrap_err();
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::Unreachable, RETRY));
    assert!(error.to_string().contains("is the URL right"), "{error}");
    assert_no_personal_data(&error);
}

#[tokio::test]
async fn a_wrong_address() {
    let sandbox = sandbox(OrderSet::Empty).await;
    let url = format!("{}/shop", sandbox.url());
    let client = Mage2Client::new(Mage2Settings::bearer(url, sandbox.token())).unwrap();
    let error = client.orders_page(&all(5)).await.unwrap_err();
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::NotFound, Disposition::Permanent));
    assert!(error.to_string().contains("Request does not match any route."), "{error}");

    let client = Mage2Client::new(Mage2Settings { store: Some("fr".to_owned()), ..settings(&sandbox) }).unwrap();
    let error = client.orders_page(&all(5)).await.unwrap_err();
    assert_eq!(error.disposition(), Disposition::Permanent);
    assert!(error.to_string().contains("store that was requested wasn't found"), "{error}");

    for url in ["", "shop", "ftp://shop.example.com", "https://u:s3cret@shop.example.com"] {
        let error = Mage2Client::new(Mage2Settings::bearer(url, "t")).unwrap_err();
        assert_eq!((error.kind(), error.field_path()), (ErrorKind::Config, Some("base_url")), "{url}: {error}");
        assert!(!format!("{error:?}").contains("s3cret"));
    }
}

#[tokio::test]
async fn a_ca_file_that_is_none() {
    let settings = |path: &str| Mage2Settings {
        ca_file: Some(path.into()),
        ..Mage2Settings::bearer("https://shop.example.com", "t")
    };
    let error = Mage2Client::new(settings("/nowhere/ca.pem")).unwrap_err();
    assert_eq!((error.kind(), error.field_path()), (ErrorKind::Config, Some("ca_file")));
    let error = Mage2Client::new(settings(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert!(error.to_string().contains("no certificate"), "{error}");
}

#[tokio::test]
async fn what_magento_refuses() {
    let sandbox = sandbox(OrderSet::Fixtures).await;
    let client = client(&sandbox);
    let criteria = SearchCriteria::new().and("colour", Condition::Eq, "jane@example.com");
    let error = client.search("search orders", "orders", &criteria).await.unwrap_err();
    assert_eq!((error.kind(), error.disposition(), error.code_text()), (ErrorKind::Busy, RETRY, Some("500")));
    assert!(error.to_string().contains("Report ID: webapi-") && !error.to_string().contains('@'), "{error}");
    let error = client.order(9999).await.unwrap_err();
    assert_eq!((error.kind(), error.disposition()), (ErrorKind::NotFound, Disposition::Rejected));
    assert_eq!(sandbox.counters().refused, 1);
}

#[test]
fn every_real_error_is_rendered() {
    let Some(data) = data() else { return };
    let files = json_files(data.join("magento2/errors"));
    assert!(files.len() >= 10);
    let mut rendered = Vec::new();
    for (name, text) in files {
        let tree: Value = serde_json::from_str(&text).unwrap();
        let message = render_message(tree["body"].to_string().as_bytes()).unwrap_or_else(|| panic!("{name}"));
        assert!(!message.contains('%') && !message.contains('\n') && !message.is_empty(), "{name}: {message}");
        rendered.push(message);
    }
    for wanted in [
        "No such entity with cartId = null",
        "No such entity with id = 333",
        "Invalid product data: Invalid attribute set entity type",
        "The consumer isn't authorized to access Magento_Catalog::products.",
        "Consumer is not authorized to access Magento_Customer::customer",
        "Shipment Document Validation Error(s): You can't create a shipment without products.",
        "Too Many Requests",
    ] {
        assert!(rendered.iter().any(|message| message == wanted), "{wanted} is not among {rendered:?}");
    }
}
