//! Status 200 and no answer: never an empty shop.

use datawald_core::engine::FetchQuery;
use datawald_core::{Disposition, ErrorKind};
use mage2_connector::sandbox::{Faults, OrderSet, Sandbox, SandboxOptions};
use mage2_connector::{Mage2Client, Mage2Settings};
use serde_json::Value;

use super::shop::Shop;

const EVERYTHING: FetchQuery = FetchQuery { from: None, after: None, page_size: 100 };

#[tokio::test]
async fn an_answer_without_items_is_none() {
    let shop = Shop::with(1..=3).await;
    let sandbox =
        Sandbox::start(SandboxOptions { orders: OrderSet::Synthetic(3), ..SandboxOptions::default() }).await.unwrap();
    let there = Mage2Client::new(Mage2Settings::bearer(sandbox.url(), sandbox.token())).unwrap();
    let here = Mage2Client::new(shop.settings()).unwrap();
    for body in [
        r#"{"message":"Too busy for %1","parameters":["a@b.example"]}"#,
        "{}",
        r#"{"error":"x"}"#,
        "null",
        "[]",
        r#""maintenance""#,
        r#"{"items":null}"#,
        r#"{"items":null,"total_count":3}"#,
        r#"{"search_criteria":{},"total_count":3}"#,
        r#"{"items":{},"total_count":0}"#,
    ] {
        shop.book().canned = Some((200, vec![("content-type", "application/json".to_owned())], body.into()));
        sandbox
            .set_faults(Faults { instead: serde_json::from_str::<Option<Value>>(body).unwrap(), ..Faults::default() });
        for client in [&here, &there] {
            // A JSON null is no fault of the sandbox.
            if body == "null" && client.settings().base_url == sandbox.url() {
                continue;
            }
            let error = client.orders_page(&EVERYTHING).await.expect_err(body);
            assert_eq!(
                (error.kind(), error.disposition()),
                (ErrorKind::Protocol, Disposition::Retryable { after: None }),
                "{body}"
            );
            assert!(!error.to_string().contains('@'), "{error}");
        }
    }
    let error = there.orders_page(&EVERYTHING).await.unwrap_err();
    assert!(error.to_string().contains("another shape"), "{error}");
    shop.book().canned =
        Some((200, Vec::new(), br#"{"message":"Closed for %1","parameters":["stocktaking"]}"#.to_vec()));
    let error = here.orders_page(&EVERYTHING).await.unwrap_err();
    assert!(
        error.to_string().contains("has no `items`") && error.to_string().contains("Closed for stocktaking"),
        "{error}"
    );
}

#[tokio::test]
async fn a_shop_without_orders_is_empty() {
    let shop = Shop::with(1..=3).await;
    let client = Mage2Client::new(shop.settings()).unwrap();
    for body in [
        r#"{"items":[],"search_criteria":{"filter_groups":[]},"total_count":0}"#,
        r#"{"items":null,"total_count":0}"#,
        r#"{"search_criteria":{},"total_count":"0"}"#,
    ] {
        shop.book().canned = Some((200, Vec::new(), body.into()));
        let page = client.orders_page(&EVERYTHING).await.unwrap();
        assert!(page.docs.is_empty() && page.next.is_none(), "{body}");
    }
}
