//! Searches: what they give here, they give in the sandbox, too.

use mage2_connector::sandbox::{OrderSet, Sandbox, SandboxOptions, SearchLimits};
use mage2_connector::{Condition, Direction, Mage2Client, Mage2Settings, SearchCriteria};
use serde_json::Value;

use super::orders::{order, time};
use super::shop::Shop;

async fn both(count: u64, limits: Option<SearchLimits>) -> (Shop, Sandbox) {
    let files = (1..=count).map(|id| (id.to_string(), order(id).to_string())).collect();
    let options = SandboxOptions { orders: OrderSet::Files(files), limits, ..SandboxOptions::default() };
    (Shop::with(1..=count).await, Sandbox::start(options).await.unwrap())
}

async fn ids(client: &Mage2Client, criteria: &SearchCriteria) -> (Vec<u64>, u64) {
    let answer: Value = client.search("search", "orders", criteria).await.unwrap().json().unwrap();
    let ids = answer["items"].as_array().unwrap().iter().map(|row| row["entity_id"].as_u64().unwrap()).collect();
    (ids, answer["total_count"].as_u64().unwrap())
}

#[tokio::test]
async fn every_condition_finds_the_same_in_both() {
    let (shop, sandbox) = both(40, None).await;
    let here = Mage2Client::new(shop.settings()).unwrap();
    let there = Mage2Client::new(Mage2Settings::bearer(sandbox.url(), sandbox.token())).unwrap();
    let by_id = || SearchCriteria::new().sort("entity_id", Direction::Ascending);
    let at = time(17);
    for (criteria, found) in [
        (by_id().and("entity_id", Condition::Eq, "7"), vec![7]),
        (by_id().and("entity_id", Condition::Nin, "1,2,3").and("entity_id", Condition::Lt, "6"), vec![4, 5]),
        (by_id().and("entity_id", Condition::In, "3,40,41"), vec![3, 40]),
        (by_id().and("updated_at", Condition::Eq, &at), vec![16, 17, 18, 19]),
        (by_id().and("updated_at", Condition::From, &at).and("updated_at", Condition::To, &at), vec![16, 17, 18, 19]),
        (
            by_id().and_any([
                ("entity_id".to_owned(), Condition::From, "5".to_owned()),
                ("entity_id".to_owned(), Condition::To, "6".to_owned()),
            ]),
            vec![5, 6],
        ),
        (by_id().and("status", Condition::Nlike, "pend%"), (1..=8).map(|n| n * 5).collect()),
        (by_id().and("increment_id", Condition::Like, "%0013"), vec![13]),
        (by_id().and("coupon_code", Condition::Null, ""), vec![]),
        (by_id().and("coupon_code", Condition::NotNull, "").and("entity_id", Condition::Lteq, "2"), vec![1, 2]),
        (by_id().and("applied_rule_ids", Condition::Finset, "7").and("entity_id", Condition::Gteq, "40"), vec![40]),
        (by_id().page_size(3).current_page(2), vec![4, 5, 6]),
        (by_id().page_size(30).current_page(9), vec![]),
        (by_id().page_size(2).current_page(0), vec![1, 2]),
        // The direction is downwards unless it is told.
        (SearchCriteria::new().sort("entity_id", Direction::Descending).page_size(2).current_page(1), vec![40, 39]),
    ] {
        let (one, other) = (ids(&here, &criteria).await, ids(&there, &criteria).await);
        assert_eq!(one, other, "{criteria:?}");
        assert_eq!(one.0, found, "{criteria:?}");
    }
    // Without a page size everything comes; with 0, too.
    for criteria in [by_id(), by_id().current_page(3), by_id().page_size(0)] {
        assert_eq!(ids(&here, &criteria).await, ids(&there, &criteria).await);
        assert_eq!(ids(&here, &criteria).await.0.len(), 40);
    }
}

#[tokio::test]
async fn fields_leave_what_they_name() {
    let (shop, sandbox) = both(3, None).await;
    let settings = |url: String, token: String| Mage2Settings::bearer(url, token);
    for settings in [shop.settings(), settings(sandbox.url(), sandbox.token())] {
        let client = Mage2Client::new(settings).unwrap();
        let search = async |fields: &str| {
            let criteria = SearchCriteria::new().and("entity_id", Condition::Eq, "2").fields(fields);
            client.search("search", "orders", &criteria).await.unwrap().json::<Value>().unwrap()
        };
        assert_eq!(
            search("items[entity_id,payment[method]],total_count").await.to_string(),
            r#"{"items":[{"entity_id":2,"payment":{"method":"paypal_express"}}],"total_count":1}"#
        );
        assert_eq!(search("items[entity_id]").await.to_string(), r#"{"items":[{"entity_id":2}]}"#);
        assert_eq!(search("items.entity_id").await.to_string(), "[]");
    }
}

#[tokio::test]
async fn an_unknown_column_is_an_error_of_the_server() {
    let (shop, sandbox) = both(3, None).await;
    for settings in [shop.settings(), Mage2Settings::bearer(sandbox.url(), sandbox.token())] {
        let client = Mage2Client::new(settings).unwrap();
        let criteria = SearchCriteria::new().and("colour", Condition::Eq, "red");
        let error = client.search("search orders", "orders", &criteria).await.unwrap_err();
        assert_eq!(error.code_text(), Some("500"));
        assert!(error.to_string().contains("Report ID: webapi-"), "{error}");
    }
}

#[tokio::test]
async fn limits_that_are_switched_on() {
    let limits = SearchLimits { max_page_size: 30, default_page_size: 20 };
    let (_shop, sandbox) = both(40, Some(limits)).await;
    let client = Mage2Client::new(Mage2Settings::bearer(sandbox.url(), sandbox.token())).unwrap();
    let by_id = || SearchCriteria::new().sort("entity_id", Direction::Ascending);
    let (found, total) = ids(&client, &by_id()).await;
    assert_eq!((found.len(), total), (20, 40));
    let error = client.search("search orders", "orders", &by_id().page_size(31)).await.unwrap_err();
    assert!(error.to_string().contains("Maximum SearchCriteria pageSize is 30"), "{error}");
}

#[tokio::test]
async fn a_whole_shop_is_pulled_from_both() {
    let (shop, sandbox) = both(150, None).await;
    let elsewhere = Mage2Settings::bearer(format!("{}/index.php", sandbox.url()), sandbox.token());
    let below = Mage2Settings { base_url: format!("{}/index.php", shop.url), ..shop.settings() };
    for settings in [shop.settings(), below, elsewhere] {
        for page_size in [1, 7, 100] {
            let puller = super::pulls::Puller::new(settings.clone(), shop.clock.clone());
            let (good, bad) = super::pulls::sorted(&puller.pull(None, page_size).await.unwrap());
            assert_eq!((good, bad.len()), ((1..=150).collect(), 0));
        }
    }
}
